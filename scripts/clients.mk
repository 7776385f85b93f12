# The environments of tests/clients: the official openai client, newest 2.x and newest 3.x, each on its own, and the
# AI SDK on Node. Included by the Makefile; `make clients` makes all, the locks are requirements/openai2.txt and
# openai3.txt, tests/clients/node/package-lock.json. A stamp newer than its lock means: nothing to do.

CLIENTS := openai2 openai3
NODE := tests/clients/node
PYTHON ?= python3

.PHONY: clients story slow
clients: $(CLIENTS:%=.venvs/%/.stamp) $(NODE)/node_modules/.stamp

.venvs/%/.stamp: requirements/%.txt | $(RUN)
	$(PYTHON) -m venv --clear $(@D)
	$(call install,$(@D)/bin/python,$<)
	@touch $@

# It says that it wants a newer Node than 20, on which it runs.
$(NODE)/node_modules/.stamp: $(NODE)/package-lock.json
	npm ci --prefix $(NODE) --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# The conversations of tests/clients/conversations.json, with every client, against tests/provider_fakes.
story: $(READY) clients sdks
	$(BIN)/pytest -q -m slow tests/clients/test_conversations.py tests/provider_fakes

slow: clients
