# `make serve` and `make test` work on a fresh machine with Python 3.11 or newer, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.run
READY := $(VENV)/.ready
PORT = 8080

.DEFAULT_GOAL := help
.PHONY: help serve test check unit slow ci lock catalog format clean

help:
	@echo "make serve     a gateway on 127.0.0.1:8080 with example rules, a key and a demo model"
	@echo "                 make serve PORT=8081 ARGS='--rules rules.json --keys keys.json'"
	@echo "make test      style, types and tests"
	@echo "make ci        make test, then what starts real processes: SAM, the Lambda emulator, the clients"
	@echo "make story     the openai clients and the AI SDK hold conversations with every format"
	@echo "make faults    what callers see when providers misbehave: every fault, a verdict each"
	@echo "make deploy    builds and deploys a stack, and asks for its parameters"
	@echo "make key       a key of the deployed stack: make key NAME=first"
	@echo "make update    builds and deploys this checkout with the parameters of the last deployment"

# A run needs some forty small packages; style, types and tests need more than twice that.
$(RUN): requirements/local.txt requirements/uv.txt
	@$(PYTHON) -c '$(CHECK_PYTHON)'
	@echo "Making $(VENV) for a local run, once: about a quarter of a minute."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) -r requirements/uv.txt
	$(call install,$(BIN)/python,$<)
	@touch $@

$(READY): requirements/dev.txt pyproject.toml | $(RUN)
	@echo "Adding what style, types and tests need, once: about a quarter of a minute."
	$(call install,$(BIN)/python,$<)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# $(call install,PYTHON,LOCK) installs a lock. uv takes a second where pip takes twenty, but it does not read
# pip's configuration: where that names an index, such as a company's mirror, or where uv fails, pip does it.
# --no-deps: a lock is complete, and pip finds no hash for the extras that packages in it ask of one another.
PIP = -m pip install --quiet --disable-pip-version-check --require-hashes --no-compile --no-deps
UV = $(BIN)/uv pip install --quiet --require-hashes --no-deps
install = { ! $(1) -m pip config list | grep -q "\.index-url=" && $(UV) --python $(1) -r $(2); } || $(1) $(PIP) -r $(2)
CHECK_PYTHON = import sys; sys.version_info >= (3, 11) or sys.exit("Sluice needs Python 3.11 or newer; $(PYTHON) is %d.%d. Name another: make $(or $(MAKECMDGOALS),serve) PYTHON=python3.13" % sys.version_info[:2])

serve: $(RUN)
	@$(BIN)/python -m handler serve --port $(PORT) $(ARGS)

check: $(READY)
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy

unit: $(READY)
	$(BIN)/pytest -q -n auto -m "not slow" --cov --cov-report=term:skip-covered

test: check unit

slow: $(READY)
	$(BIN)/pytest -q -m slow

ci: test slow

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Extras are kept in the locks: pip before 23.3 asks for a hash of `coverage[toml]` and finds none under `coverage`.
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-strip-extras --no-header --python-version 3.11

lock: $(READY)
	$(LOCK) --upgrade pyproject.toml -o requirements/runtime.txt
	$(LOCK) --upgrade --extra local -c requirements/runtime.txt pyproject.toml -o requirements/local.txt
	$(LOCK) --upgrade --extra local --group dev -c requirements/local.txt pyproject.toml -o requirements/dev.txt
	for name in uv sam openai2 openai3 sdks; do $(LOCK) --upgrade requirements/$$name.in -o requirements/$$name.txt; done
	npm install --prefix $(NODE) --package-lock-only --save-exact --loglevel=error ai@latest @ai-sdk/openai-compatible@latest @ai-sdk/openai@latest openai@latest

catalog: $(READY)
	$(BIN)/python scripts/catalog.py

clean:
	rm -rf $(VENV) .venvs .aws-sam

include scripts/build.mk scripts/clients.mk scripts/faults.mk scripts/sdks.mk
