# `make serve` and `make test` work on a fresh machine with Python 3.11 or newer, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help serve test check unit slow ci lock catalog format deploy clean

help:
	@echo "make serve     a gateway on 127.0.0.1:8080 with example rules, a key and a demo model"
	@echo "make test      style, types and tests"
	@echo "make ci        make test, then what starts real processes: SAM, the Lambda emulator, the clients"
	@echo "make story     the openai clients and the AI SDK hold conversations with every format"
	@echo "make faults    what callers see when providers misbehave: every fault, a verdict each"
	@echo "make deploy    sam build, then sam deploy --guided"

$(READY): requirements/dev.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Sluice needs Python 3.11 or newer: make PYTHON=python3.11") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

serve: $(READY)
	@$(BIN)/python -m handler serve $(ARGS)

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
	$(LOCK) --upgrade --extra local --group dev -c requirements/runtime.txt pyproject.toml -o requirements/dev.txt
	for name in sam openai2 openai3 sdks; do $(LOCK) --upgrade requirements/$$name.in -o requirements/$$name.txt; done
	npm install --prefix $(NODE) --package-lock-only --save-exact --loglevel=error ai@latest @ai-sdk/openai-compatible@latest

catalog: $(READY)
	$(BIN)/python scripts/catalog.py

clean:
	rm -rf $(VENV) .venvs .aws-sam

include scripts/build.mk scripts/clients.mk scripts/faults.mk scripts/sdks.mk
