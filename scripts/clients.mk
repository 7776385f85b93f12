# The environments of tests/clients, included by the Makefile: one for the newest 2.x of the official openai client,
# one for the newest 3.x, and the AI SDK on Node. `make story-clients` creates them from requirements/openai2.txt,
# requirements/openai3.txt and tests/clients/node/package-lock.json, unless their stamps are newer than these locks.

CLIENTS := openai2 openai3
NODE := tests/clients/node
PYTHON ?= python3

.PHONY: story-clients story clients slow
story-clients: $(CLIENTS:%=.venvs/%/.stamp) $(NODE)/node_modules/.stamp

.venvs/%/.stamp: requirements/%.txt | $(RUN)
	$(PYTHON) -m venv --clear $(@D)
	$(call install,$(@D)/bin/python,$<)
	@touch $@

# It declares a newer Node than 20 as required, and also works with 20.
$(NODE)/node_modules/.stamp: $(NODE)/package-lock.json
	npm ci --prefix $(NODE) --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# The conversations of tests/clients/conversations.json, with every client, against tests/provider_fakes.
story: $(READY) story-clients sdks
	$(BIN)/pytest -q -m slow tests/clients/test_conversations.py tests/provider_fakes

# Agents and libraries that people use do a task, and docs/clients.md says how it went: make clients ONLY='codex google'
clients: $(READY) sdks
	$(BIN)/python -m scripts.clients $(ONLY)

slow: story-clients
