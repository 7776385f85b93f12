"""A draft of the rules: it outlives a reload, two people at once lose nothing, and a lost line is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Route, expect

from tests.support.browser import Console, console
from tests.support.console_rules import ADMIN, RULES, Records, put_rules, record, save, stored
from tests.support.serving import LocalRun


@pytest.fixture
def run(rules_run: LocalRun) -> LocalRun:
    put_rules(rules_run, RULES)
    return rules_run


@pytest.fixture
def tab(browser: Browser, run: LocalRun) -> Iterator[Console]:
    with console(browser, run) as opened:
        yield opened


def with_note(note: str, *others: dict[str, Any]) -> Records:
    """Return the records with this note at route/support."""
    return [
        {**one, "note": note} if one["id"] == "support" and one["kind"] == "route" else one for one in RULES
    ] + [*others]


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
    tab.page.keyboard.press("Escape")
    tab.page.get_by_label("Models (required)").fill("local/echo")
    tab.page.get_by_role("button", name="Review and save").click()
    tab.page.get_by_role("button", name="Undo: alias/sturdy").click()
    expect(tab.page.get_by_role("dialog").get_by_text("Nothing is changed.").first).to_be_visible()


def test_a_number_that_an_old_browser_would_shorten_is_told(tab: Console, run: LocalRun) -> None:
    tab.page.add_init_script("delete JSON.rawJSON")
    exact = '{"kind": "budget", "id": "exact", "usd": 1.23456789012345678901, "per": "day"}'
    body = json.dumps({"base": stored(run)["revision"], "records": [*RULES, 0]}).replace(
        ", 0]", f", {exact}]"
    )
    headers = {"authorization": f"Bearer {ADMIN}"}
    assert httpx.put(f"{run.base_url}/console/api/rules", content=body, headers=headers).is_success
    tab.sign_in(ADMIN, "rules/route/support")
    tab.page.get_by_label("Note").fill("another")
    tab.page.get_by_role("button", name="Review and save").click()
    dialog = tab.page.get_by_role("dialog")
    expect(dialog.get_by_text("Saving changes these too:")).to_be_visible()
    expect(dialog).to_contain_text("budget/exact")


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


def test_a_text_that_is_not_json_is_not_lost_by_a_merge(tab: Console, run: LocalRun) -> None:
    page = tab.page
    tab.sign_in(ADMIN, "rules/route/support")
    put_rules(run, with_note("theirs"))
    page.get_by_label("The record as JSON").fill('{"kind": "route",')
    page.get_by_label("Note").fill("mine")
    page.get_by_role("button", name="See what changed").click()
    dialog = page.get_by_role("dialog", name="The rules were changed meanwhile")
    dialog.get_by_role("radio", name="Keep mine").check()
    expect(dialog.get_by_role("button", name="Take it in")).to_have_accessible_description(
        "A field holds text that is not JSON: correct it first."
    )


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


def test_a_save_that_is_not_known_to_have_arrived_is_found_by_the_next(tab: Console, run: LocalRun) -> None:
    def lose(route: Route) -> None:
        if route.request.method == "PUT":
            route.fetch()
        route.abort()

    tab.sign_in(ADMIN, "rules/route/support")
    tab.page.get_by_label("Note").fill("arrived")
    tab.page.route("**/console/api/rules", lose)
    save(tab)
    expect(tab.page.get_by_text("It is not known whether this was saved.")).to_be_visible()
    tab.page.unroute("**/console/api/rules", lose)
    tab.page.get_by_role("dialog").get_by_role("button", name="Save ").click()
    expect(tab.page.get_by_text("Saved as revision")).to_be_visible()
    assert record(run, "route", "support")["note"] == "arrived"
    tab.complaints.clear()  # the browser's own lines about the broken connection


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
        "A field holds text that is not JSON: correct it first."
    )
    page.keyboard.press("Escape")
    page.get_by_label("The record as JSON").fill(
        '{"kind": "route", "id": "renamed", "model": "local/echo-slow", "retries": 2}'
    )
    expect(page.get_by_label("Model", exact=True)).to_have_value("local/echo-slow")
    expect(page.get_by_label("Retries")).to_have_value("2")
