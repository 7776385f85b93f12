# The console's browser tests: a Chromium of the system, and axe-core for accessibility, locked in tests/console/node.
# `make browser` installs both where they are missing; on Debian, Chromium needs root. Included by the Makefile.

AXE := tests/console/node
CHROMIUM = $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

.PHONY: browser console screenshots slow
browser: $(AXE)/node_modules/.stamp
	@$(if $(CHROMIUM),,apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium)

$(AXE)/node_modules/.stamp: $(AXE)/package-lock.json
	npm ci --prefix $(AXE) --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# Every page of the console in a browser, against `make serve`.
console: $(READY) browser
	$(BIN)/pytest -q -m slow tests/console

# The pictures of docs/console.md, of a gateway with made-up traffic.
screenshots: $(READY) browser
	$(BIN)/python -m scripts.screenshots

slow: browser
