"""A headless Chromium that uses the console of a local run, and records what the browser complains about."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.support.serving import LocalRun

AXE = Path(__file__).parents[1] / "console" / "node" / "node_modules" / "axe-core" / "axe.min.js"
NAMES = ("chromium", "chromium-browser", "google-chrome")
WIDE, PHONE = (1280, 900), (360, 760)
TIMEOUT = 10_000  # milliseconds until something must be on the page
# The browser writes a line for each response of a status over 399, which is not a fault of the page.
EXPECTED = re.compile(r"^Failed to load resource: the server responded with a status of 4\d\d")

MOST_TABS = 80
FOCUSED = """() => {
  const at = document.activeElement;
  return (at.getAttribute("aria-label") ?? at.labels?.[0]?.textContent ?? at.textContent).trim();
}"""


@cache
def axe() -> str:
    return AXE.read_text(encoding="utf-8")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser of the system. `make browser` installs what is missing."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    assert path, "no Chromium: run `make browser`"
    assert AXE.exists(), "no axe-core: run `make browser`"
    expect.set_options(timeout=TIMEOUT)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass(slots=True)
class Console:
    """The console in a tab. `complaints`: errors of scripts, violations of its policy."""

    page: Page
    run: LocalRun
    complaints: list[str] = field(default_factory=list)

    @property
    def address(self) -> str:
        return self.run.base_url.removesuffix("/v1") + "/console"

    def sign_in(self, key: str | None = None, page: str = "overview") -> None:
        """Open a page of the console, sign in if that is asked for, and wait for its heading."""
        self.page.goto(f"{self.address}#/{page}")
        self.page.get_by_label("API key", exact=True).fill(key or self.run.key)
        self.page.get_by_role("button", name="Sign in").click()
        expect(self.page.locator("main h1")).not_to_have_text("Sign in")

    def go(self, page: str) -> None:
        """Open a page by its address, as a link does."""
        self.page.evaluate("hash => { location.hash = hash }", f"#/{page}")

    def tab_to(self, name: str) -> None:
        """Press the Tab key until the control of this name has the focus."""
        for _ in range(MOST_TABS):
            self.page.keyboard.press("Tab")
            if self.page.evaluate(FOCUSED) == name:
                return
        raise AssertionError(f"the Tab key does not reach {name}")

    def inaccessible(self) -> list[str]:
        """Return what axe finds wrong on the page as it is now."""
        if not self.page.evaluate("!!window.axe"):
            self.page.evaluate(axe())
        found: Any = self.page.evaluate("axe.run(document, {preload: false, resultTypes: ['violations']})")
        return [
            f"{fault['impact']} {fault['id']}: {[node['html'][:200] for node in fault['nodes'][:3]]}"
            for fault in found["violations"]
        ]

    def too_wide(self) -> bool:
        """Whether the page must be scrolled sideways."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > innerWidth"))


@contextmanager
def console(
    browser: Browser, run: LocalRun, *, size: tuple[int, int] = WIDE, theme: Any = "light"
) -> Iterator[Console]:
    """Open a new tab, which has no session. Fails at the end if the browser complained."""
    width, height = size
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, locale="en-US", timezone_id="UTC"
    )
    context.set_default_timeout(TIMEOUT)
    tab = Console(context.new_page(), run)
    tab.page.on("console", lambda message: _record(tab, message))
    tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
    try:
        yield tab
    finally:
        context.close()
    assert tab.complaints == []


def _record(tab: Console, message: ConsoleMessage) -> None:
    if message.type in ("error", "warning") and not EXPECTED.match(message.text):
        tab.complaints.append(message.text)
