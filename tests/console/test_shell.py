"""Signing in and out, moving between pages, the theme, and that every page is accessible on every screen."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import PHONE, WIDE, Console, console
from tests.support.serving import LocalRun

PAGES = ("Overview", "Rules", "History", "Requests", "Keys", "Playground", "Connect")
UNKNOWN = "sk-sluice-" + "x" * 43


@pytest.mark.parametrize(
    ("size", "theme"),
    [
        pytest.param(WIDE, "light", id="wide and light"),
        pytest.param(WIDE, "dark", id="wide and dark"),
        pytest.param(PHONE, "light", id="a phone, light"),
        pytest.param(PHONE, "dark", id="a phone, dark"),
    ],
)
def test_every_page_is_accessible(browser: Browser, run: LocalRun, size: tuple[int, int], theme: Any) -> None:
    with console(browser, run, size=size, theme=theme) as tab:
        tab.page.goto(tab.address)
        expect(tab.page.get_by_label("API key", exact=True)).to_be_focused()
        assert tab.inaccessible() == [], "the sign-in"
        tab.sign_in()
        for name in PAGES:
            tab.go(name.lower())
            expect(tab.page.get_by_role("heading", level=1, name=name)).to_be_focused()
            expect(tab.page.locator("main .loading")).to_have_count(0)
            assert tab.page.title() == f"{name} · Sluice"
            assert tab.inaccessible() == [], name
            assert not tab.too_wide(), name


@pytest.mark.parametrize(
    ("key", "words"),
    [
        pytest.param("", "Enter a key.", id="nothing"),
        pytest.param("sk-sluice-short", "5 characters instead of 43", id="a malformed key"),
        pytest.param(UNKNOWN, "is not valid", id="an unknown key"),
    ],
)
def test_a_key_that_is_refused_is_refused_in_words(tab: Console, key: str, words: str) -> None:
    tab.page.goto(tab.address)
    tab.page.get_by_label("API key", exact=True).fill(key)
    tab.page.keyboard.press("Enter")
    expect(tab.page.get_by_role("alert")).to_contain_text(words, ignore_case=True)
    assert tab.page.evaluate("sessionStorage.length") == 0


def test_a_session_is_kept_in_the_tab_until_its_end(tab: Console) -> None:
    tab.sign_in()
    tab.page.reload()
    expect(tab.page.get_by_role("heading", level=1, name="Overview")).to_be_visible()
    assert tab.page.evaluate("[document.cookie, localStorage.length]") == ["", 0]
    tab.page.get_by_role("button", name="Sign out").click()
    expect(tab.page.get_by_label("API key", exact=True)).to_be_visible()
    assert tab.page.evaluate("sessionStorage.length") == 0


def test_the_keyboard_reaches_every_page(tab: Console) -> None:
    tab.sign_in()
    expect(tab.page.get_by_role("heading", level=1, name="Overview")).to_be_focused()
    tab.page.evaluate("document.querySelector('.skip').focus()")
    tab.page.keyboard.press("Enter")
    expect(tab.page.locator("main")).to_be_focused()
    tab.page.evaluate("document.querySelector('nav a').focus()")
    for name in PAGES[1:]:
        tab.page.keyboard.press("Tab")
        tab.page.keyboard.press("Enter")
        expect(tab.page.get_by_role("heading", level=1, name=name)).to_be_focused()
        tab.page.get_by_role("link", name=name, exact=True).focus()


def test_the_theme_is_chosen_and_kept(tab: Console) -> None:
    tab.sign_in()
    ground = "getComputedStyle(document.body).backgroundColor"
    light = tab.page.evaluate(ground)
    tab.page.get_by_role("button", name="Dark").click()
    assert tab.page.evaluate(ground) != light
    tab.page.reload()
    expect(tab.page.get_by_role("button", name="Dark")).to_have_attribute("aria-pressed", "true")
    assert tab.page.evaluate(ground) != light


def test_an_unknown_page_says_so(tab: Console) -> None:
    tab.sign_in(page="nothing")
    expect(tab.page.get_by_role("heading", level=1)).to_have_text("No such page")


def test_the_console_works_below_a_prefix(tab: Console) -> None:
    tab.page.goto(f"{tab.run.base_url}/console/")
    tab.page.get_by_label("API key", exact=True).fill(tab.run.key)
    tab.page.keyboard.press("Enter")
    expect(tab.page.get_by_role("heading", level=1, name="Overview")).to_be_visible()


def test_the_page_asks_only_its_own_gateway(tab: Console) -> None:
    asked: set[str] = set()
    tab.page.on("request", lambda request: asked.add(httpx.URL(request.url).netloc.decode()))
    tab.sign_in()
    assert asked == {httpx.URL(tab.address).netloc.decode()}
