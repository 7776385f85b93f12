"""Requests in the browser: filters, a request's timeline; and that no text of anybody becomes markup."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import PHONE, Console, console
from tests.support.console_rules import ADMIN, KEYS, Records, call, put_rules, serve_rules
from tests.support.serving import LocalRun

ATTACK = "<img src=x onerror=window.attacked=1>\"'><script>window.attacked=1</script>${1}{{1}}"
RULES: Records = (
    {"kind": "alias", "id": "sturdy", "models": ["local/echo-503", "local/echo"]},
    {
        "kind": "route",
        "id": f"route {ATTACK}",
        "note": ATTACK,
        "model": "local/echo",
        "when": {"tags.team": ATTACK, "user": {"not": [ATTACK, "b"]}},
        "scope": {"function": ATTACK},
        "set": {"user": ATTACK},
    },
    {"kind": "access", "id": "bad", "models": [ATTACK], "scope": {"project": ATTACK}},
    {"kind": "mcp", "id": f"mcp {ATTACK}", "url": f"https://x.example/{ATTACK}"},
    {
        "kind": "test",
        "id": f"test {ATTACK}",
        "request": {"messages": [{"role": "user", "content": ATTACK}]},
        "expect": {"rule": "none"},
    },
    {"kind": ATTACK, "id": ATTACK, ATTACK: ATTACK},
)
ASKED = {"messages": [{"role": "user", "content": ATTACK}]}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRun]:
    keys = (*KEYS, {"key": "sk-sluice-" + "x" * 43, "id": f"key {ATTACK}", "name": ATTACK, "project": ATTACK})
    with serve_rules(tmp_path_factory.mktemp("requests"), RULES, keys) as served:
        request(served, "one-that-fails-over", model="sturdy")
        request(served, "one-that-fails", model="local/echo-503", fails=True)
        request(served, "one-without-a-model", model="local/none<script>", fails=True)
        request(served, "one-that-is-hostile", key="sk-sluice-" + "x" * 43, fails=True, tags={"team": ATTACK})
        yield served


def request(run: LocalRun, id: str, *, key: str = ADMIN, fails: bool = False, **fields: object) -> None:
    sent = {"authorization": f"Bearer {key}", "x-request-id": id, "x-sluice-function": "<script>"}
    call(run, "POST", "chat/completions", {**ASKED, **fields}, fails=fails, **sent)


@pytest.fixture
def tab(browser: Browser, run: LocalRun) -> Iterator[Console]:
    with console(browser, run) as opened:
        yield opened


def test_requests_are_found_and_filtered(tab: Console) -> None:
    tab.sign_in(ADMIN, "requests")
    rows = tab.page.get_by_role("row")
    expect(rows.filter(has_text="one-that-fails-over")).to_contain_text("local/echo")
    tab.page.get_by_label("Status").select_option("error")
    expect(rows.filter(has_text="one-that-fails-over")).to_have_count(0)
    expect(rows.filter(has_text="one-without-a-model")).to_contain_text("400")
    tab.page.get_by_label("Model").fill("echo-503")
    expect(rows).to_have_count(2)
    tab.page.reload()
    expect(tab.page.get_by_label("Model")).to_have_value("echo-503")
    expect(rows).to_have_count(2)


def test_requests_are_read_again_until_they_are_paused(tab: Console, run: LocalRun) -> None:
    tab.page.clock.install()
    asked: list[str] = []
    tab.page.on("request", lambda made: asked.append(made.url))
    tab.sign_in(ADMIN, "requests")
    expect(tab.page.get_by_role("row").first).to_be_visible()
    with tab.page.expect_request("**/api/requests?*"):
        tab.page.clock.run_for(6000)
    tab.page.get_by_role("button", name="Pause").click()
    asked.clear()
    tab.page.clock.run_for(60_000)
    assert asked == []


def test_a_slow_answer_is_waited_for(tab: Console) -> None:
    asked: list[str] = []
    tab.page.clock.install()
    tab.page.route("**/api/requests?*", lambda route: asked.append(route.request.url))
    tab.sign_in(ADMIN, "requests")
    expect(tab.page.get_by_text("Loading…")).to_be_visible()
    tab.page.clock.run_for(60_000)
    assert len(asked) == 1


@pytest.mark.parametrize("size", [pytest.param((1280, 900), id="wide"), pytest.param(PHONE, id="a phone")])
def test_a_request_has_its_decision_and_its_attempts(
    browser: Browser, run: LocalRun, size: tuple[int, int]
) -> None:
    with console(browser, run, size=size, theme="dark") as tab:
        tab.sign_in(ADMIN, "requests/one-that-fails-over")
        attempts = tab.page.get_by_role("region", name="Attempts").get_by_role("listitem")
        expect(attempts.first).to_contain_text("local/echo-503")
        expect(attempts.first).to_contain_text("status 503")
        expect(attempts.last).to_contain_text("answered")
        tab.page.get_by_text("CloudWatch Logs").click()
        expect(tab.page.get_by_role("group", name="Logs Insights")).to_contain_text(
            'request_id = "one-that-fails-over"'
        )
        assert tab.inaccessible() == []
        assert not tab.too_wide()


def test_no_text_of_anybody_becomes_markup(tab: Console, run: LocalRun) -> None:
    put_rules(run, RULES[:1], message=ATTACK)  # those that cannot be read are in the history, too
    put_rules(run, RULES[:2])
    page = tab.page
    tab.sign_in(ADMIN, "rules")
    for record in RULES:
        tab.go("rules")
        page.get_by_role("button", name="New record").click()
        page.get_by_role("dialog").get_by_role("button", name="Alias").click()
        page.get_by_label("The record as JSON").fill(json.dumps(record))
        expect(page.get_by_role("region", name="Unsaved changes")).to_be_visible()
        tab.page.get_by_role("tab", name="Tests").click()
    tab.go("rules")
    expect(page.get_by_role("table")).to_contain_text(f"route {ATTACK}")
    page.get_by_text("Other fields of the request").click()
    page.get_by_label("Other fields, as JSON").fill(json.dumps({"tags": {"team": ATTACK}, "user": ATTACK}))
    page.get_by_label("Function").fill(ATTACK)
    expect(page.get_by_role("tabpanel")).to_contain_text("onerror")
    page.get_by_role("button", name="Review and save").click()
    expect(page.get_by_role("dialog")).to_contain_text("onerror")
    page.keyboard.press("Escape")
    for place in (
        "history",
        "history/2",
        "requests",
        "requests/one-that-is-hostile",
        "requests/one-without-a-model",
        "keys",
        "overview",
    ):
        tab.go(place)
        expect(page.get_by_role("heading", level=1)).to_be_focused()
        expect(page.locator("main .loading")).to_have_count(0)
        if place in ("history", "keys"):
            expect(page.locator("main")).to_contain_text("onerror")
        assert page.evaluate("window.attacked") is None, place
        assert page.locator("main img, main script").count() == 0, place
