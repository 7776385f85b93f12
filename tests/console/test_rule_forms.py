"""Records in the form and as JSON: both are the same record, for every kind, and on every screen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from rules import KINDS
from tests.support.browser import PHONE, WIDE, Console, console
from tests.support.console_rules import ADMIN, Records, put_rules
from tests.support.serving import LocalRun

# Every kind and sort of field, some as people write them: numbers in texts, one text for a list of one.
RULES: Records = json.loads(Path(__file__).with_name("every_kind.json").read_text(encoding="utf-8"))


@pytest.fixture
def run(rules_run: LocalRun) -> LocalRun:
    put_rules(rules_run, RULES)
    return rules_run


def shown_json(tab: Console) -> Any:
    return json.loads(tab.page.get_by_label("The record as JSON").input_value())


def test_the_example_has_every_kind() -> None:
    assert {one["kind"] for one in RULES} == set(KINDS)


@pytest.mark.parametrize(
    ("size", "theme"),
    [pytest.param(WIDE, "light", id="wide and light"), pytest.param(PHONE, "dark", id="a phone, dark")],
)
def test_each_kind_has_a_form_that_changes_nothing_by_itself(
    browser: Browser, run: LocalRun, size: tuple[int, int], theme: Any
) -> None:
    with console(browser, run, size=size, theme=theme) as tab:
        tab.sign_in(ADMIN, "rules")
        for one in RULES:
            tab.go(f"rules/{one['kind']}/{one['id'].replace('/', '%2F')}")
            expect(tab.page.get_by_role("heading", level=1)).to_contain_text(one["id"])
            expect(tab.page.get_by_label("Id (required)")).to_have_value(one["id"])
            assert shown_json(tab) == one
            assert tab.inaccessible() == [], one
            assert not tab.too_wide(), one
            for name in ("Try", "Replay", "Tests") if one["kind"] == "route" else ():
                tab.page.get_by_role("tab", name=name).click()
                expect(tab.page.locator("main .loading")).to_have_count(0)
                assert tab.inaccessible() == [], name
        expect(tab.page.get_by_role("region", name="Unsaved changes")).to_have_count(0)


def test_the_form_and_the_json_are_one_record(browser: Browser, run: LocalRun) -> None:
    with console(browser, run) as tab:
        page = tab.page
        tab.sign_in(ADMIN, "rules/route/full")
        page.get_by_label("Value 4").fill("x, y")
        page.get_by_label("Operator 6").select_option("is")
        page.get_by_label("Remove condition 1").click()
        page.get_by_label("Weight").nth(1).fill("0.5")
        page.get_by_label("Max tokens").fill("")
        page.get_by_label("Project", exact=True).fill("a")
        page.get_by_label("Fallbacks").fill("local/echo\nlocal/echo-slow\n")
        page.get_by_label("Enabled").uncheck()
        page.get_by_role("button", name="Hedge after").click()
        expect(page.get_by_label("Hedge after (s)")).to_be_focused()
        page.keyboard.type("1.05")
        expected = {
            **RULES[0],
            "enabled": False,
            "scope": {"project": "a", "function": "summary"},
            "when": {
                "hour": {"lt": 17},
                "tags.team": ["x", "y"],
                "model": "openai/*",
                "user": "ann",
                "tools": True,
            },
            "split": [{"model": "local/echo", "weight": 95}, {"model": "local/echo-slow", "weight": 0.5}],
            "fallbacks": ["local/echo", "local/echo-slow"],
            "cap": {"reasoning_effort": "low"},
            "hedge_after": 1.05,
        }
        assert shown_json(tab) == expected
        changed = {**expected, "when": {"weekday": "sat"}, "prefers": 1}
        page.get_by_label("The record as JSON").fill(json.dumps(changed))
        expect(page.get_by_label("Fact 1")).to_have_value("weekday")
        expect(page.get_by_label("prefers (not a field of this kind)")).to_have_accessible_description(
            "unknown field, did you mean `prefer`?"
        )


def test_a_condition_that_another_one_replaces_says_so(browser: Browser, run: LocalRun) -> None:
    with console(browser, run) as tab:
        tab.sign_in(ADMIN, "rules/cache/evaluations")
        for number, user in enumerate(("ann", "bob"), start=2):
            tab.page.get_by_role("button", name="Add a condition").click()
            tab.page.get_by_label(f"Fact {number}").fill("user")
            tab.page.get_by_label(f"Value {number}").fill(user)
        first = tab.page.get_by_label("Fact 2")
        expect(first).to_have_accessible_description(
            "A row below has the same fact and operator, and replaces this one."
        )
        assert shown_json(tab)["when"]["user"] == "bob"


@pytest.mark.parametrize(
    "written",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"kind": 5, "id": ["x"], "when": "soon", "split": [1]}, id="wrong types"),
        pytest.param(
            {"kind": "route", "id": " x/y#?", "scope": [], "cap": {"max_tokes": 1}}, id="wrong names"
        ),
        pytest.param(
            {"kind": "limit", "id": "calls", "when": {"hour": {"gt": {"lt": 1}}, "": 1}},
            id="wrong conditions",
        ),
    ],
)
def test_a_record_may_be_anything_while_it_is_edited(browser: Browser, run: LocalRun, written: Any) -> None:
    with console(browser, run) as tab:
        tab.sign_in(ADMIN, "rules/cache/evaluations")
        tab.page.get_by_label("The record as JSON").fill(json.dumps(written))
        expect(tab.page.get_by_role("region", name="Unsaved changes")).to_contain_text("problem")
        assert shown_json(tab) == written
        assert tab.inaccessible() == []
        tab.page.get_by_label("Note").first.fill("still here")
        assert shown_json(tab) == {**written, "note": "still here"}


PARTS = 'const load = (name) => import(new URL(name, document.querySelector("script[type=module]").src));'
PURE = {
    "json": """
        const { parse } = await load("rules/json.js");
        return cases.map((text) => { const { value, error } = parse(text); return error ?? value; });
    """,
    "conditions": """
        const { rowsOf, whenOf } = await load("rules/conditions.js");
        return cases.map((when) => whenOf(rowsOf(when)) ?? {});
    """,
    "changes": """
        const { merge } = await load("rules/changes.js");
        const records = (set) => Object.entries(set).map(([id, note]) => ({ kind: "alias", id, note }));
        return cases.map(([base, mine, theirs, choices]) => {
            const merged = merge(records(base), records(mine), records(theirs), choices);
            const notes = Object.fromEntries(merged.records.map(({ id, note }) => [id, note]));
            return [notes, merged.conflicts.map(({ name }) => name)];
        });
    """,
}


@pytest.mark.parametrize(
    ("part", "cases"),
    [
        pytest.param(
            "json",
            [
                ('{"a": [1, true, null, "x\\n"]}', {"a": [1, True, None, "x\n"]}),
                ('{"a": 1,}', "Line 1, column 9: expected a name in double quotes."),
                ('{"a": 1\n "b": 2}', "Line 2, column 2: expected a comma or }."),
                ('{"a": 1, "a": 2}', 'Line 1, column 10: the name "a" is given twice.'),
                ('{"a": "x', "Line 1, column 7: this text has no end, or a wrong escape."),
                ("[1, 01]", "Line 1, column 6: expected a comma or ]."),
                ("{} x", "Line 1, column 4: nothing may follow here."),
                ("[NaN]", "Line 1, column 2: expected a value."),
                ("", "Line 1, column 1: the text ends too early."),
                ("[" * 100, "Line 1, column 66: too many levels."),
            ],
            id="a text that is no JSON is told with its line and column",
        ),
        pytest.param(
            "conditions",
            [
                *((one["when"], one["when"]) for one in RULES if "when" in one),
                ({"hour": {"is": 9}}, {"hour": 9}),
                ({"user": {"in": ["a"]}}, {"user": ["a"]}),
                ({"user": {"is": "a*"}}, {"user": {"is": "a*"}}),
            ],
            id="conditions are the same after they were rows",
        ),
        pytest.param(
            "changes",
            [
                ([{"a": 1}, {"a": 2}, {"a": 1}, {}], [{"a": 2}, []]),
                ([{"a": 1}, {"a": 1}, {"a": 2}, {}], [{"a": 2}, []]),
                ([{"a": 1}, {"a": 2}, {"a": 3}, {}], [{"a": 2}, ["alias/a"]]),
                ([{"a": 1}, {"a": 2}, {"a": 3}, {"alias/a": "theirs"}], [{"a": 3}, ["alias/a"]]),
                ([{"a": 1}, {}, {"a": 1}, {}], [{}, []]),
                ([{"a": 1}, {}, {"a": 2}, {}], [{}, ["alias/a"]]),
                ([{"a": 1}, {}, {"a": 2}, {"alias/a": "theirs"}], [{"a": 2}, ["alias/a"]]),
                ([{}, {"a": 1}, {"b": 2}, {}], [{"a": 1, "b": 2}, []]),
                ([{}, {"a": 1}, {"a": 1}, {}], [{"a": 1}, []]),
                ([{"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1}, {}], [{"a": 2}, []]),
            ],
            id="of three sets, who alone changed a record has it his way",
        ),
    ],
)
def test_the_parts_without_a_page(browser: Browser, run: LocalRun, part: str, cases: list[Any]) -> None:
    with console(browser, run) as tab:
        tab.page.goto(tab.address)
        script = f"async (cases) => {{ {PARTS} {PURE[part]} }}"
        found = tab.page.evaluate(script, [given for given, _ in cases])
        assert found == [expected for _, expected in cases]
