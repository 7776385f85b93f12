"""One gateway and one browser for all tests of the console."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.browser import Console, chromium, console
from tests.support.console_rules import RULES, serve_rules
from tests.support.serving import LocalRun, serve_locally


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(item.config.rootpath / "tests" / "console"):
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.xdist_group("console"))


@pytest.fixture(scope="package")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRun]:
    with serve_locally(tmp_path_factory.mktemp("run")) as served:
        yield served


@pytest.fixture(scope="package")
def rules_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRun]:
    """A run whose rules tests change: each begins by writing its own."""
    with serve_rules(tmp_path_factory.mktemp("rules"), RULES) as served:
        yield served


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The browser's client runs an event loop in this thread, so it ends before async tests begin."""
    with chromium() as started:
        yield started


@pytest.fixture
def tab(browser: Browser, run: LocalRun) -> Iterator[Console]:
    """A wide, light tab without a session. The test fails if the browser complains."""
    with console(browser, run) as opened:
        yield opened
