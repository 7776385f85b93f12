"""An operator's first hour with the console, from signing in to one request's timeline, in one sitting."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import Console, console
from tests.support.serving import LocalRun, serve_locally

LONG = " ".join(f"word{number}" for number in range(120))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRun]:
    """What `make serve` starts, with its example rules."""
    with serve_locally(tmp_path_factory.mktemp("story")) as served:
        yield served


def test_a_first_hour_with_the_console(browser: Browser, run: LocalRun) -> None:
    with console(browser, run) as tab:
        sign_in(tab)
        key = make_a_key(tab)
        assert [ask(run, key).headers["x-sluice-model"] for _ in range(3)] == ["local/echo"] * 3
        write_a_rule_with_a_mistake(tab)
        try_it(tab)
        replay_it(tab)
        save(tab, "Trials may wait")
        assert ask(run, key).headers["x-sluice-model"] == "local/echo-slow"
        roll_back(tab)
        assert ask(run, key).headers["x-sluice-model"] == "local/echo"
        limit_the_project(tab)
        watch_the_limit_fill(tab, key)
        stream_in_the_playground(tab)
        read_the_timeline(tab)
        look_at_the_overview(tab)


def ask(run: LocalRun, key: str, **fields: Any) -> httpx.Response:
    body = {"messages": [{"role": "user", "content": "hi"}], **fields}
    headers = {"authorization": f"Bearer {key}"}
    return httpx.post(f"{run.base_url}/chat/completions", json=body, headers=headers, timeout=20)


def check(tab: Console, heading: str) -> None:
    """The page has this heading, and axe finds nothing on it."""
    expect(tab.page.get_by_role("heading", level=1)).to_have_text(heading)
    expect(tab.page.locator("main .loading")).to_have_count(0)
    assert tab.inaccessible() == [], heading


def open_page(tab: Console, name: str) -> None:
    tab.page.get_by_role("navigation", name="Pages").get_by_role("link", name=name).click()


def sign_in(tab: Console) -> None:
    tab.page.goto(tab.address)
    check(tab, "Sign in")
    tab.page.get_by_label("API key", exact=True).fill(tab.run.key)
    tab.page.keyboard.press("Enter")
    check(tab, "Overview")


def make_a_key(tab: Console) -> str:
    page = tab.page
    open_page(tab, "Keys")
    check(tab, "Keys")
    page.get_by_role("button", name="Create a key").click()
    page.get_by_label("Name").fill("Trial of the search team")
    page.get_by_label("Project").fill("trial")
    page.get_by_role("button", name="Create the key").click()
    shown = page.get_by_role("dialog", name="Your new key")
    key = shown.locator("pre").inner_text()
    shown.get_by_role("button", name="I have copied it").click()
    expect(page.get_by_role("row").filter(has_text="Trial of the search team")).to_contain_text("trial")
    return key


def new_record(tab: Console, kind: str, id: str) -> None:
    open_page(tab, "Rules")
    check(tab, "Rules")
    tab.page.get_by_role("button", name="New record").click()
    tab.page.get_by_role("dialog").get_by_role("button", name=kind).click()
    tab.page.get_by_label("Id (required)").fill(id)
    tab.page.get_by_label("Project").first.fill("trial")


def write_a_rule_with_a_mistake(tab: Console) -> None:
    page = tab.page
    new_record(tab, "Route", "trials")
    model = page.get_by_label("Model", exact=True).first
    model.fill("sturdi")
    expect(page.get_by_text("there is no model 'sturdi', did you mean sturdy?")).to_be_visible()
    model.fill("local/echo-slow")
    page.get_by_role("button", name="Add a condition").click()
    page.get_by_label("Fact 1").fill("tgas.team")
    page.get_by_label("Value 1").fill("search")
    expect(page.get_by_label("Fact 1")).to_have_accessible_description(
        "unknown fact, did you mean `tags.team`?"
    )
    check(tab, "Route trials")
    page.get_by_role("button", name="Remove").click()


def try_it(tab: Console) -> None:
    tab.page.get_by_role("tab", name="Try", exact=True).click()
    tried = tab.page.get_by_role("tabpanel")
    tried.get_by_label("Project").fill("trial")
    expect(tried.get_by_text("Decided by")).to_contain_text("route/trials")
    expect(tried.get_by_role("listitem").filter(has_text="route/support")).to_contain_text("does not match")
    check(tab, "Route trials")


def replay_it(tab: Console) -> None:
    tab.page.get_by_role("tab", name="Replay").click()
    tab.page.get_by_role("button", name="Replay", exact=True).click()
    moved = tab.page.get_by_role("listitem").filter(has_text="local/echo-slow").first
    expect(moved).to_contain_text("3")
    expect(moved).to_contain_text("route/trials")
    check(tab, "Route trials")


def save(tab: Console, message: str) -> None:
    page = tab.page
    page.get_by_role("button", name="Review and save").click()
    review = page.get_by_role("dialog", name="Review and save")
    review.get_by_label("Message").fill(message)
    assert tab.inaccessible() == []
    review.get_by_role("button", name="Save ").click()
    expect(page.get_by_text("Saved as revision").last).to_be_visible()
    expect(page.get_by_role("region", name="Unsaved changes")).to_have_count(0)


def roll_back(tab: Console) -> None:
    page = tab.page
    open_page(tab, "History")
    check(tab, "History")
    expect(page.get_by_role("row").nth(1)).to_contain_text("Trials may wait")
    page.get_by_role("row").nth(2).get_by_role("link").click()
    page.get_by_role("button", name="Roll back to this").click()
    review = page.get_by_role("dialog")
    expect(review.get_by_role("group", name="removed: route/trials")).to_be_visible()
    assert tab.inaccessible() == []
    review.get_by_role("button", name="Save ").click()
    expect(review).to_have_count(0)


def limit_the_project(tab: Console) -> None:
    new_record(tab, "Limit", "trial-a-day")
    tab.page.get_by_label("Requests", exact=True).fill("5")
    tab.page.get_by_label("Per").select_option("day")
    check(tab, "Limit trial-a-day")
    save(tab, "Five a day for trials")


def watch_the_limit_fill(tab: Console, key: str) -> None:
    page = tab.page
    open_page(tab, "Keys")
    page.get_by_role("link", name="Trial of the search team").click()
    meter = page.get_by_role("meter", name="Used of limit trial-a-day")
    expect(meter).to_have_attribute("aria-valuetext", "0 of 5, 5 left")
    answers = [ask(tab.run, key) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert "trial-a-day" in answers[-1].text
    page.get_by_role("button", name="Refresh").click()
    expect(meter).to_have_attribute("aria-valuetext", "5 of 5, 0 left")
    check(tab, "Trial of the search team")


def stream_in_the_playground(tab: Console) -> None:
    page = tab.page
    open_page(tab, "Playground")
    page.get_by_label("Model", exact=True).fill("sturdy")
    page.get_by_role("textbox", name="Message").fill(LONG)
    page.keyboard.press("Enter")
    answer = page.get_by_role("article").last
    expect(answer).to_contain_text("word3")
    assert "word119" not in answer.inner_text(), "the answer came at once"
    expect(page.get_by_role("button", name="Send")).to_be_visible()
    expect(answer).to_contain_text("word119")
    expect(page.get_by_role("region", name="Decision and cost")).to_contain_text("fallback")
    check(tab, "Playground")


def read_the_timeline(tab: Console) -> None:
    page = tab.page
    decision = page.get_by_role("region", name="Decision and cost")
    id = decision.get_by_role("link").first.get_attribute("title")
    open_page(tab, "Requests")
    check(tab, "Requests")
    page.get_by_role("link", name=str(id)).click()
    attempts = page.get_by_role("region", name="Attempts").get_by_role("listitem")
    expect(attempts.first).to_contain_text("local/echo-503")
    expect(attempts.first).to_contain_text("overloaded")
    expect(attempts.last).to_contain_text("local/echo")
    expect(attempts.last).to_contain_text("answered")
    check(tab, "Request")


def look_at_the_overview(tab: Console) -> None:
    open_page(tab, "Overview")
    expect(tab.page.get_by_text("Requests as a table")).to_be_visible()
    tab.page.get_by_role("button", name="Model").click()
    expect(tab.page.locator("main")).to_contain_text("local/echo-slow")
    check(tab, "Overview")
    open_page(tab, "Connect")
    check(tab, "Connect")
    expect(tab.page.get_by_role("table")).to_contain_text(tab.run.base_url)
