# `make serve` and `make test` work on a fresh machine with Python 3.11 or newer, git and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.run
READY := $(VENV)/.ready
PORT = 8080
unexport PYTHONDONTWRITEBYTECODE  # the tests start hundreds of processes, which would all compile the modules

.DEFAULT_GOAL := help
.PHONY: help serve test check unit slow ci lock catalog format clean

help:
	@echo "make serve     run a gateway on 127.0.0.1:8080 with example rules, a key and a demo model"
	@echo "                 make serve PORT=8081 ARGS='--rules rules.json --keys keys.json'"
	@echo "make test      check style and types, and run the tests"
	@echo "make ci        make test, then the tests with real processes: SAM, the Lambda emulator, the clients"
	@echo "make story     run conversations of the openai clients and the AI SDK with every format"
	@echo "make clients   let agents and libraries that people use do a task, and write docs/clients.md"
	@echo "make console   use every page of the console in a browser; installs Chromium where there is none"
	@echo "make screenshots  take the pictures of docs/console.md again"
	@echo "make faults    inject every fault of a provider, and print what callers see"
	@echo "make deploy    build and deploy a stack; asks for its parameters"
	@echo "make key       create a key of the deployed stack: make key NAME=first"
	@echo "make update    build and deploy this checkout with the parameters of the last deployment"

# A local run needs about forty small packages; style, types and tests need more than twice as many.
$(RUN): requirements/local.txt requirements/uv.txt
	@$(PYTHON) -c '$(CHECK_PYTHON)'
	@echo "Creating $(VENV) for a local run, once: about 15 seconds."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP) -r requirements/uv.txt
	$(call install,$(BIN)/python,$<)
	@touch $@

$(READY): requirements/dev.txt pyproject.toml | $(RUN)
	@echo "Installing the packages for style, types and tests, once: about 15 seconds."
	$(call install,$(BIN)/python,$<)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

# $(call install,PYTHON,LOCK) installs a lock with uv, which takes a second instead of twenty. It uses pip where
# uv fails, or where pip's configuration, which uv does not read, names an index such as a company's mirror.
# --no-deps: a lock is complete, and pip finds no hashes for the extras that its packages require of one another.
PIP = -m pip install --quiet --disable-pip-version-check --require-hashes --no-compile --no-deps
UV = $(BIN)/uv pip install --quiet --require-hashes --no-deps
install = { ! $(1) -m pip config list | grep -q "\.index-url=" && $(UV) --python $(1) -r $(2); } || $(1) $(PIP) -r $(2)
CHECK_PYTHON = import sys; sys.version_info >= (3, 11) or sys.exit("Sluice needs Python 3.11 or newer; $(PYTHON) is %d.%d. Choose another: make $(or $(MAKECMDGOALS),serve) PYTHON=python3.13" % sys.version_info[:2])

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
	$(BIN)/pytest -q -n auto --dist loadgroup -m slow

ci: test slow

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The locks keep extras: pip before 23.3 looks for a hash of `coverage[toml]`, and does not find that of `coverage`.
LOCK := $(BIN)/uv pip compile --quiet --universal --generate-hashes --no-strip-extras --no-header --python-version 3.11

lock: $(READY)
	$(LOCK) --upgrade pyproject.toml -o requirements/runtime.txt
	$(LOCK) --upgrade --extra local -c requirements/runtime.txt pyproject.toml -o requirements/local.txt
	$(LOCK) --upgrade --extra local --group dev -c requirements/local.txt pyproject.toml -o requirements/dev.txt
	for name in uv sam openai2 openai3 sdks; do $(LOCK) --upgrade requirements/$$name.in -o requirements/$$name.txt; done
	npm install --prefix $(NODE) --package-lock-only --save-exact --loglevel=error ai@latest @ai-sdk/openai-compatible@latest @ai-sdk/openai@latest openai@latest
	npm install --prefix $(AXE) --package-lock-only --save-exact --loglevel=error axe-core@latest

catalog: $(READY)
	$(BIN)/python scripts/catalog.py

clean:
	rm -rf $(VENV) .venvs .aws-sam

include scripts/build.mk scripts/clients.mk scripts/console.mk scripts/faults.mk scripts/sdks.mk
