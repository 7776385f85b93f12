"""Rule sets: the records that match a request, in which order, and the revision."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.facts.facts import Facts
from rules.records.kinds import KINDS
from rules.ruleset import RuleSet
from tests.rules.records.test_reading import VALUES, WORDS

Item = dict[str, Any]


def route(id: str, **given: Any) -> Item:
    return {"kind": "route", "id": id, "prefer": "cheap", **given}


def access(id: str, **given: Any) -> Item:
    return {"kind": "access", "id": id, **given}


def limit(id: str, **given: Any) -> Item:
    return {"kind": "limit", "id": id, "requests": 5, "per": "minute", **given}


def budget(id: str, **given: Any) -> Item:
    return {"kind": "budget", "id": id, "usd": 5, "per": "day", **given}


def routed(items: list[Item], facts: Facts) -> list[str]:
    return [record.id for record in RuleSet.read(items).match(facts).routes]


FACTS = Facts(project="p", key="k", function="f", input_tokens=10, hour=12)


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        pytest.param(
            [route("a"), route("b", scope={"project": "p"})], ["b", "a"], id="a project before everyone"
        ),
        pytest.param(
            [route("a", scope={"project": "p"}), route("b", scope={"key": "k"})],
            ["b", "a"],
            id="a key before a project",
        ),
        pytest.param(
            [route("a", scope={"key": "k", "project": "p"}), route("b", scope={"function": "f"})],
            ["b", "a"],
            id="a function before key and project together",
        ),
        pytest.param(
            [
                route("a", scope={"function": "f"}, priority=9),
                route("b", scope={"function": "f", "project": "p"}),
            ],
            ["b", "a"],
            id="scope before priority",
        ),
        pytest.param(
            [route("a", priority=1), route("b", priority="2")], ["b", "a"], id="then the higher priority"
        ),
        pytest.param([route("b"), route("a"), route("B")], ["B", "a", "b"], id="then the id"),
        pytest.param(
            [route("b", when={"hour": 12}), route("a")], ["b", "a"], id="a condition before no condition"
        ),
        pytest.param(
            [route("b", when={"hour": {"gt": 1, "lt": 20}}), route("a", when={"hour": 12}), route("0")],
            ["b", "a", "0"],
            id="more conditions before fewer",
        ),
        pytest.param(
            [route("b", when={"hour": 12}), route("a", priority=1)],
            ["a", "b"],
            id="priority before conditions",
        ),
        pytest.param([route("a", when={"hour": 3}), route("b")], ["b"], id="a condition that fails"),
        pytest.param(
            [route("a", when={"hour": 12, "user": "x"}), route("b")], ["b"], id="the second condition fails"
        ),
        pytest.param([route("a", when={"hour": 12, "input_tokens": 10})], ["a"], id="every condition holds"),
        pytest.param([route("a", scope={"project": ["x", "p"]})], ["a"], id="one of several projects"),
        pytest.param([route("a", scope={"project": "p", "key": "x"})], [], id="all of a scope must match"),
        pytest.param([route("a", scope={"function": "x"})], [], id="another function"),
        pytest.param([route("a", enabled=False), route("b")], ["b"], id="a disabled one"),
    ],
)
def test_the_most_specific_route_goes_first(items: list[Item], expected: list[str]) -> None:
    assert routed(items, FACTS) == expected
    assert routed(items[::-1], FACTS) == expected


def test_every_record_that_restricts_or_routes_has_a_step() -> None:
    found = RuleSet.read(
        [
            budget("d", scope={"project": "x"}),
            limit("c", enabled="false"),
            access("b"),
            route("a", when={"input_tokens": {"gt": 8000}, "hour": 3}),
            {"kind": "alias", "id": "z", "models": "openai/gpt-5"},
        ]
    ).match(FACTS)
    assert [(step.kind, step.id, step.outcome) for step in found.steps] == [
        ("route", "a", "failed: input_tokens gt 8000, got 10"),
        ("access", "b", "applied"),
        ("limit", "c", "disabled"),
        ("budget", "d", "out of scope"),
    ]
    assert ([record.id for record in found.access], found.limits, found.budgets) == (["b"], (), ())


def test_a_condition_on_the_model_is_checked_later_for_each_candidate() -> None:
    when = {"model": "openai/*"}
    items = [
        route("r", when=when),
        access("a", when=when),
        access("b", when={**when, "hour": 3}),
        budget("c", when=when),
    ]
    found = RuleSet.read(items).match(Facts(model="groq/llama", hour=12))
    assert found.routes == ()
    assert [record.id for record in (*found.access, *found.budgets)] == ["a", "c"]
    assert [step.outcome for step in found.steps[1:]] == [
        "failed: hour is 3, got 12",
        "applied where model like 'openai/*'",
        "applied where model like 'openai/*'",
    ]


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        pytest.param({"scope": {"function": "f"}}, {}, "it names a function", id="a function"),
        pytest.param({"scope": {"key": "k"}}, {"scope": {"project": "p"}}, "it names a key", id="a key"),
        pytest.param({"scope": {"project": "p"}}, {}, "it names a project", id="a project"),
        pytest.param({"priority": 1}, {"when": {"hour": 12}}, "its priority is higher", id="a priority"),
        pytest.param({"when": {"hour": 12}}, {}, "it has more conditions", id="conditions"),
        pytest.param({}, {}, "its id comes first", id="an id"),
    ],
)
def test_a_step_distinguishes_the_route_that_applied_from_those_after_it(
    first: Item, second: Item, why: str
) -> None:
    steps = (
        RuleSet.read([route("a", **first), route("b", **second), route("c", when={"hour": 3})])
        .match(FACTS)
        .steps
    )
    outcomes = {step.id: step.outcome for step in steps}
    assert (outcomes["a"], outcomes["b"]) == ("applied", f"matched, but route/a goes first ({why})")
    assert outcomes["c"].startswith("failed")


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        pytest.param([], None, id="none"),
        pytest.param([{"id": "a"}], "a", id="the only one"),
        pytest.param([{"id": "a"}, {"id": "b", "scope": {"project": "p"}}], "b", id="the most specific"),
        pytest.param([{"id": "a"}, {"id": "b", "scope": {"project": "q"}}], "a", id="another scope"),
        pytest.param([{"id": "a"}, {"id": "b", "when": {"hour": 13}}], "a", id="conditions that do not hold"),
        pytest.param([{"id": "a"}, {"id": "b", "priority": 1, "enabled": False}], "a", id="one is disabled"),
        pytest.param([{"id": "a", "when": {"hour": 13}}], None, id="none that matches"),
    ],
)
def test_the_most_specific_record_of_a_kind_that_matches(records: list[Item], expected: str | None) -> None:
    ruleset = RuleSet.read([{"kind": "cache", "ttl": 60, **record} for record in records])
    found = ruleset.most_specific("cache", FACTS)
    assert (found and found.id) == expected


def test_the_enabled_records_of_a_kind() -> None:
    ruleset = RuleSet.read([route("b"), route("a"), route("c", enabled=False), access("a")])
    assert [record.id for record in ruleset.enabled("route")] == ["a", "b"]
    assert [(record.kind, record.id) for record in ruleset.records] == [
        *(("route", id) for id in "abc"),
        ("access", "a"),
    ]


def test_the_empty_set() -> None:
    assert (RuleSet.EMPTY.records, RuleSet.EMPTY.problems) == ((), ())
    assert RuleSet.EMPTY.match(FACTS).steps == ()
    assert RuleSet.EMPTY.refusing_problem(FACTS) is None


GOOD, BAD = route("a", model="openai/gpt-5"), route("a", modle="openai/gpt-5")


def test_the_revision_is_that_of_the_records_in_force() -> None:
    revision = RuleSet.read([GOOD, access("x", models=["a/*"])]).revision
    assert len(revision) == 12
    assert int(revision, 16)
    assert RuleSet.read([access("x", models={"a/*"}), dict(reversed(GOOD.items()))]).revision == revision
    assert (
        RuleSet.read([BAD, access("x", models=["a/*"])], previous={("route", "a"): GOOD}).revision == revision
    )
    assert RuleSet.read([GOOD]).revision != revision
    assert RuleSet.read([GOOD, access("x", models=["b/*"])]).revision != revision


def test_the_revision_compares_numbers_by_value() -> None:
    assert (
        RuleSet.read([route("a", priority=Decimal("1.0"))]).revision
        == RuleSet.read([route("a", priority=1)]).revision
    )
    assert (
        RuleSet.read([route("a", priority="1")]).revision != RuleSet.read([route("a", priority=1)]).revision
    )


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        VALUES
        | st.fixed_dictionaries(
            {"kind": st.sampled_from(sorted(KINDS)), "id": st.sampled_from("ab")}
        ).flatmap(
            lambda named: st.dictionaries(WORDS, VALUES, max_size=4).map(lambda given: {**given, **named})
        ),
        max_size=6,
    )
)
def test_any_items_make_a_rule_set(items: list[Any]) -> None:
    ruleset = RuleSet.read(items)
    ruleset.match(FACTS)
    ruleset.refusing_problem(FACTS)
    again = RuleSet.read(items, previous=ruleset.items)
    assert again.revision == ruleset.revision
    assert len(ruleset.records) + len(ruleset.problems) == len(items)


SCOPES = st.sampled_from(
    [{}, {"scope": {"project": "p"}}, {"scope": {"key": ["k", "x"]}}, {"scope": {"function": "y"}}]
)
MODELS = ("gpt-5", "GPT-*", "\u0130*", "\u0130x", "*5", ["gpt-5", "o3"], {"not": "gpt-5"}, ["gpt-*", "o3"])
TOKENS = (10, [9, 10], {"gt": 9}, {"lte": 10}, {"lt": 10}, {"gte": 11})
WHENS = st.sampled_from(
    [
        *({"model": value} for value in MODELS),
        *({"input_tokens": value} for value in TOKENS),
        *({"hour": {"gt": 1, "lt": 20}, "weekday": day} for day in ("mon", ["sat", "sun"], "s*")),
        *({"max_tokens": value} for value in ({"lt": 5}, {"gt": 5}, {"exists": False}, 5)),
        {},
    ]
)
RULE = st.builds(
    lambda make, scope, when, enabled: make("x", **scope, when=when, enabled=enabled),
    st.sampled_from([route, access, limit, budget]),
    SCOPES,
    WHENS,
    st.sampled_from([True, True, True, False]),
)
CALLS = st.builds(
    Facts,
    model=st.sampled_from([None, "gpt-5", "GPT-5", "o3", "\u0130x", "i\u0307x"]),
    project=st.sampled_from("pq"),
    key=st.sampled_from("kx"),
    function=st.sampled_from([None, "y"]),
    input_tokens=st.integers(8, 12),
    max_tokens=st.sampled_from([None, 4, 5, 6]),
    weekday=st.sampled_from(["mon", "sat"]),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(RULE, max_size=12), CALLS)
def test_the_index_finds_what_a_scan_of_all_records_finds(items: list[Item], facts: Facts) -> None:
    ruleset = RuleSet.read([{**item, "id": f"r{number}"} for number, item in enumerate(items)])
    found = ruleset.match(facts)
    scanned = [rule.record for rule in ruleset._rules if rule.outcome(facts) is None]
    assert [*found.routes, *found.access, *found.limits, *found.budgets] == scanned
    assert [step.outcome.startswith(("applied", "matched")) for step in found.steps] == [
        rule.outcome(facts) is None for rule in ruleset._rules
    ]
