# The environments of tests/clients: the official openai client, newest 2.x and newest 3.x, each on its own.
# Included by the Makefile; `make clients` makes both, the locks are requirements/openai2.txt and openai3.txt.
# A stamp newer than its lock means: nothing to do.

CLIENTS := openai2 openai3
PYTHON ?= python3

.PHONY: clients slow
clients: $(CLIENTS:%=.venvs/%/.stamp)

.venvs/%/.stamp: requirements/%.txt
	$(PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

slow: clients
