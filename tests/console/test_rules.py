"""Rules in the browser: written with a mistake, tried, replayed, saved, taken back."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import Console, console
from tests.support.console_rules import (
    ADMIN,
    READER,
    RULES,
    call,
    put_rules,
    record,
    save,
    stored,
)
from tests.support.serving import LocalRun


@pytest.fixture
def run(rules_run: LocalRun) -> LocalRun:
    put_rules(rules_run, RULES)
    return rules_run


@pytest.fixture
def tab(browser: Browser, run: LocalRun) -> Iterator[Console]:
    with console(browser, run) as opened:
        yield opened


def answered_by(run: LocalRun, team: str) -> str:
    body = {"messages": [{"role": "user", "content": "hi"}], "tags": {"team": team}}
    return str(call(run, "POST", "chat/completions", body).headers["x-sluice-model"])


def test_a_rule_is_written_tried_replayed_saved_and_taken_back(tab: Console, run: LocalRun) -> None:
    assert answered_by(run, "night") == "local/echo"
    tab.sign_in(ADMIN, "rules")
    write_with_a_mistake(tab)
    try_and_replay(tab)
    save(tab, "Nights are slow")
    expect(tab.page.get_by_text("Saved as revision")).to_be_visible()
    expect(tab.page.get_by_role("region", name="Unsaved changes")).to_have_count(0)
    assert answered_by(run, "night") == "local/echo-slow"
    roll_back(tab, run)
    assert answered_by(run, "night") == "local/echo"


def write_with_a_mistake(tab: Console) -> None:
    page = tab.page
    page.get_by_role("button", name="New record").click()
    page.get_by_role("dialog").get_by_role("button", name="Route").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Route new-route")
    page.get_by_label("Id (required)").fill("night")
    page.get_by_label("Model", exact=True).fill("local/echo-slow")
    page.get_by_role("button", name="Add a condition").click()
    fact = page.get_by_label("Fact 1")
    fact.fill("tgas.team")
    page.get_by_label("Value 1").fill("night")
    expect(fact).to_have_attribute("aria-invalid", "true")
    expect(fact).to_have_accessible_description("unknown fact, did you mean `tags.team`?")
    fact.fill("tags.team")
    expect(fact).not_to_have_attribute("aria-invalid", "true")


def try_and_replay(tab: Console) -> None:
    page = tab.page
    page.get_by_role("tab", name="Try", exact=True).click()
    page.get_by_text("Other fields of the request").click()
    page.get_by_label("Other fields, as JSON").fill('{"tags": {"team": "night"}}')
    tried = page.get_by_role("tabpanel")
    expect(tried.get_by_text("Decided by")).to_contain_text("route/night")
    expect(tried.get_by_text("local/echo-slow").first).to_be_visible()
    condition = tried.get_by_role("listitem").filter(has_text="tags.team is 'support'").first
    expect(condition).to_contain_text("does not hold: tags.team is night")
    page.get_by_role("tab", name="Replay").click()
    page.get_by_role("button", name="Replay", exact=True).click()
    moved = page.get_by_role("tabpanel").get_by_role("listitem").filter(has_text="local/echo-slow").first
    expect(moved).to_contain_text("route/night")
    page.get_by_role("tab", name="Tests").click()
    expect(page.get_by_text("1 of 1 hold")).to_be_visible()


def roll_back(tab: Console, run: LocalRun) -> None:
    page = tab.page
    before = call(run, "GET", "console/api/history?limit=2").json()["data"][1]["revision"]
    tab.go("history")
    rows = page.get_by_role("row")
    expect(rows.nth(1)).to_contain_text("Nights are slow")
    expect(rows.nth(1)).to_contain_text("added route/night")
    rows.nth(2).get_by_role("link").click()
    page.get_by_role("button", name="the rules as they are now").click()
    expect(page.get_by_role("group", name="added: route/night")).to_be_visible()
    assert tab.inaccessible() == []
    page.get_by_role("button", name="Roll back to this").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("group", name="removed: route/night")).to_be_visible()
    assert tab.inaccessible() == []
    expect(dialog.get_by_label("Message")).to_have_value(f"Roll back to {before}")
    dialog.get_by_role("button", name="Save ").click()
    expect(dialog).to_have_count(0)


def test_a_failing_test_of_the_set_is_named_and_nothing_is_saved(tab: Console, run: LocalRun) -> None:
    before = stored(run)["revision"]
    tab.sign_in(ADMIN, "rules/route/support")
    tab.page.get_by_label("Model", exact=True).fill("local/echo-slow")
    expect(tab.page.get_by_role("tab", name="Tests (1 ✗)")).to_be_visible()
    save(tab)
    expect(tab.page.get_by_role("dialog").get_by_text("because a test of the set fails")).to_be_visible()
    assert stored(run)["revision"] == before


def test_the_list_says_what_never_applies_and_what_is_changed(tab: Console) -> None:
    tab.sign_in(ADMIN, "rules")
    hidden = tab.page.get_by_role("row").filter(has_text="route/hidden")
    expect(hidden).to_contain_text("never applies, because of route/support")
    tab.page.get_by_role("button", name="Disable alias/sturdy").click()
    row = tab.page.get_by_role("row").filter(has_text="alias/sturdy")
    expect(row).to_contain_text("off")
    expect(row).to_contain_text("changed")
    tab.page.get_by_label("Kind").select_option("limit")
    expect(tab.page.get_by_role("row")).to_have_count(2)
    tab.page.get_by_role("button", name="Discard").click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Discard").click()
    expect(tab.page.get_by_role("region", name="Unsaved changes")).to_have_count(0)


def test_a_key_that_may_only_read_may_try_and_not_save(tab: Console) -> None:
    tab.sign_in(READER, "rules/route/support")
    tab.page.get_by_label("Note").fill("not mine to change")
    tab.page.get_by_role("button", name="Review and save").click()
    button = tab.page.get_by_role("dialog").get_by_role("button", name="Save ")
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_accessible_description(re.compile("need a key with the scope admin"))


def test_the_keyboard_alone_changes_a_rule(tab: Console, run: LocalRun) -> None:
    page = tab.page
    tab.sign_in(ADMIN, "rules")
    page.get_by_role("table").get_by_role("link", name="limit/calls").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    tab.tab_to("Requests")
    page.keyboard.press("Control+A")
    page.keyboard.type("31")
    tab.tab_to("Review and save")
    page.keyboard.press("Enter")
    tab.tab_to("Message")
    page.keyboard.type("one more")
    tab.tab_to("Save 1 changed")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Saved as revision")).to_be_visible()
    assert record(run, "limit", "calls")["requests"] == 31
