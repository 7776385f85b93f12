"""The overview: what requests did shows up in numbers, plots and their tables, by hour and by day."""

from __future__ import annotations

import httpx
import pytest
from playwright.sync_api import expect

from tests.support.browser import Console
from tests.support.serving import LocalRun

HELLO = {"messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture(scope="module", autouse=True)
def traffic(run: LocalRun) -> None:
    """Some requests, one of which fails."""
    headers = {"authorization": f"Bearer {run.key}"}
    for model in ("local/echo", "local/echo", "local/echo-400"):
        httpx.post(f"{run.base_url}/chat/completions", json={**HELLO, "model": model}, headers=headers)


def number(tab: Console, label: str) -> int:
    text = tab.page.locator(".tile").filter(has_text=label).locator("strong").inner_text()
    return int(text.replace(",", ""))


@pytest.mark.parametrize("period", ["24 hours", "7 days", "30 days"])
def test_requests_are_counted(tab: Console, period: str) -> None:
    tab.sign_in()
    tab.page.get_by_role("button", name=period).click()
    expect(tab.page.get_by_role("button", name=period)).to_have_attribute("aria-pressed", "true")
    expect(tab.page.locator("canvas").first).to_be_visible()
    assert number(tab, "Requests") >= 3
    assert number(tab, "Errors") >= 1
    tab.page.get_by_text("Requests as a table").click()
    rows = tab.page.get_by_role("table", name="Requests").get_by_role("row")
    expect(rows.nth(1)).to_contain_text(" ")
    answered, errors = (int(rows.nth(1).get_by_role("cell").nth(at).inner_text()) for at in (1, 2))
    assert answered >= 2
    assert errors >= 1
    assert tab.inaccessible() == []


@pytest.mark.parametrize("by", ["Project", "Key", "Model"])
@pytest.mark.parametrize("period", ["24h", "30d"])
def test_requests_are_grouped(tab: Console, period: str, by: str) -> None:
    tab.sign_in(page=f"overview?period={period}")
    tab.page.get_by_role("button", name=by, exact=True).click()
    table = tab.page.get_by_role("table", name=f"By {by.lower()}")
    expect(table).to_be_visible()
    expect(table).to_contain_text({"Project": "default", "Key": "local", "Model": "local/echo"}[by])
    assert f"by={by.lower()}" in tab.page.url


def test_the_state_is_in_words(tab: Console) -> None:
    tab.sign_in()
    expect(tab.page.get_by_text("working")).to_be_visible()
    providers = tab.page.get_by_role("region", name="Providers")
    expect(providers).to_contain_text("local")
    providers.get_by_text("The others, and why").click()
    expect(providers.get_by_role("table")).to_contain_text("no credential ANTHROPIC_API_KEY")
    expect(tab.page.get_by_role("region", name="Cooling down")).to_contain_text("Nothing is cooling down")


def test_a_degraded_gateway_says_so_in_words(tab: Console) -> None:
    note = "The rules were last read 90 s ago: decisions go by old rules until the table can be read."
    rules = {"revision": "9f2c51d03ab7", "age_s": 90.0, "stale": True, "skipped": 2}
    status = {
        "status": "degraded",
        "rules": rules,
        "notes": [note],
        "warnings": [{}],
        "cooling": {"openai/gpt-5-mini": 42.0},
        "providers": [{"name": "openai", "available": False, "why": "no credential OPENAI_API_KEY"}],
    }
    tab.page.route("**/console/api/status", lambda route: route.fulfill(json=status))
    tab.sign_in()
    expect(tab.page.get_by_role("alert")).to_contain_text(f"The gateway is degraded: {note}")
    for words in ("2 unreadable", "One record has a warning", "stale", "No provider has a credential."):
        expect(tab.page.locator("main")).to_contain_text(words)
    cooling = tab.page.get_by_role("region", name="Cooling down")
    expect(cooling).to_contain_text("openai/gpt-5-mini for another 42 s")
    assert tab.inaccessible() == []
