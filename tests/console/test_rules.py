"""Rules in the browser: written with a mistake, tried, replayed, saved, taken back; two people at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.support.browser import Console, console
from tests.support.console_rules import ADMIN, READER, Records, call, put_rules, record, serve_rules, stored
from tests.support.serving import LocalRun

RULES: Records = (
    {"kind": "alias", "id": "sturdy", "models": ["local/echo-503", "local/echo"]},
    {
        "kind": "route",
        "id": "support",
        "when": {"tags.team": "support"},
        "model": "local/echo",
        "note": "first",
    },
    {
        "kind": "route",
        "id": "hidden",
        "when": {"tags.team": "support", "stream": True},
        "prefer": "cheap",
        "priority": -1,
    },
    {
        "kind": "limit",
        "id": "calls",
        "scope": {"project": "trial"},
        "requests": 30,
        "per": "minute",
        "each": "key",
    },
    {
        "kind": "test",
        "id": "support",
        "request": {"messages": [{"role": "user", "content": "hi"}], "tags": {"team": "support"}},
        "expect": {"model": "local/echo"},
    },
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRun]:
    with serve_rules(tmp_path_factory.mktemp("rules"), RULES) as served:
        yield served


@pytest.fixture
def tab(browser: Browser, run: LocalRun) -> Iterator[Console]:
    put_rules(run, RULES)
    with console(browser, run) as opened:
        yield opened


def with_note(note: str, *others: dict[str, Any]) -> Records:
    """Return the records with this note at route/support."""
    return [
        {**one, "note": note} if one["id"] == "support" and one["kind"] == "route" else one for one in RULES
    ] + [*others]


def answered_by(run: LocalRun, team: str) -> str:
    body = {"messages": [{"role": "user", "content": "hi"}], "tags": {"team": team}}
    return str(call(run, "POST", "chat/completions", body).headers["x-sluice-model"])


def save(tab: Console, message: str = "") -> None:
    tab.page.get_by_role("button", name="Review and save").click()
    if message:
        tab.page.get_by_label("Message").last.fill(message)
    tab.page.get_by_role("dialog").get_by_role("button", name="Save ").click()


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


def test_two_records_with_one_name_are_told_and_not_saved(tab: Console) -> None:
    tab.sign_in(ADMIN, "rules/alias/sturdy")
    tab.page.get_by_role("button", name="Duplicate").click()
    expect(tab.page.get_by_label("Id (required)")).to_have_value("sturdy-copy")
    tab.page.get_by_label("Id (required)").fill("sturdy")
    expect(tab.page.get_by_label("Id (required)")).to_have_accessible_description(
        "is there twice; the first one is used"
    )
    tab.page.get_by_role("button", name="Review and save").click()
    button = tab.page.get_by_role("dialog").get_by_role("button", name="Save ")
    expect(button).to_have_accessible_description(
        "Two records have the same kind and id: change one of them."
    )


def test_what_others_change_meanwhile_is_shown_and_taken_in(tab: Console, run: LocalRun) -> None:
    page = tab.page
    tab.sign_in(ADMIN, "rules/route/support")
    page.get_by_label("Note").fill("mine")
    added = {"kind": "alias", "id": "theirs", "models": ["local/echo"]}
    put_rules(run, with_note("theirs", added))
    save(tab)
    dialog = page.get_by_role("dialog", name="The rules were changed meanwhile")
    expect(dialog.get_by_role("group", name="added: alias/theirs")).to_be_visible()
    assert record(run, "route", "support")["note"] == "theirs"
    take = dialog.get_by_role("button", name="Take it in")
    expect(take).to_have_attribute("aria-disabled", "true")
    assert tab.inaccessible() == []
    dialog.get_by_role("radio", name="Keep mine").check()
    take.click()
    review = page.get_by_role("dialog", name="Review and save")
    expect(review.get_by_role("group", name="changed: route/support")).to_contain_text('"note": "mine"')
    review.get_by_role("button", name="Save 1 changed").click()
    expect(page.get_by_text("Saved as revision")).to_be_visible()
    assert record(run, "route", "support")["note"] == "mine"
    assert record(run, "alias", "theirs") == added


@pytest.mark.parametrize(
    ("arrives", "words"),
    [
        pytest.param(True, "Saved as revision", id="its answer is lost"),
        pytest.param(False, "Nothing was saved.", id="it never arrives"),
    ],
)
def test_a_save_whose_connection_breaks(tab: Console, run: LocalRun, arrives: bool, words: str) -> None:
    def break_off(route: Route) -> None:
        if route.request.method != "PUT":
            return route.continue_()
        if arrives:
            route.fetch()
        return route.abort()

    tab.sign_in(ADMIN, "rules/route/support")
    tab.page.route("**/console/api/rules", break_off)
    tab.page.get_by_label("Note").fill("kept")
    save(tab)
    expect(tab.page.get_by_text(words)).to_be_visible()
    assert (record(run, "route", "support")["note"] == "kept") is arrives
    tab.complaints.clear()  # the browser's own line about the broken connection


def test_a_draft_outlives_a_reload_and_a_sign_out(tab: Console) -> None:
    page = tab.page
    warnings: list[str] = []
    page.on("dialog", lambda dialog: warnings.append(dialog.type))
    page.on("dialog", lambda dialog: dialog.accept())
    tab.sign_in(ADMIN, "rules/route/support")
    page.get_by_label("Id (required)").fill("renamed")
    page.get_by_label("The record as JSON").fill(
        '{"kind": "route",\n "id": "renamed",\n "model": "local/echo",,}'
    )
    expect(page.get_by_label("The record as JSON")).to_have_accessible_description(
        "Line 3, column 24: expected a name in double quotes."
    )
    expect(page.get_by_label("Id (required)")).to_have_value("renamed")
    page.reload()
    assert warnings == ["beforeunload"]
    expect(page.get_by_role("heading", level=1)).to_have_text("Route renamed")
    page.get_by_role("button", name="Sign out").click()
    tab.sign_in(ADMIN, "rules/route/renamed")
    expect(page.get_by_label("The record as JSON")).to_have_value(
        '{"kind": "route",\n "id": "renamed",\n "model": "local/echo",,}'
    )
    page.get_by_role("button", name="Review and save").click()
    expect(page.get_by_role("dialog").get_by_role("button", name="Save ")).to_have_accessible_description(
        "A field holds text that is no JSON: mend it first."
    )
    page.keyboard.press("Escape")
    page.get_by_label("The record as JSON").fill(
        '{"kind": "route", "id": "renamed", "model": "local/echo-slow", "retries": 2}'
    )
    expect(page.get_by_label("Model", exact=True)).to_have_value("local/echo-slow")
    expect(page.get_by_label("Retries")).to_have_value("2")


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
    page.get_by_role("link", name="limit/calls").focus()
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
