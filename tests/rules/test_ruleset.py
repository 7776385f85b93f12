"""Rule sets: which records match, in which order; that a bad record changes nothing; the revision."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.errors import RuleSetTooLarge
from rules.facts.facts import Facts
from rules.records.kinds import KINDS
from rules.records.scope import Scope
from rules.ruleset import RuleSet
from tests.rules.records.test_kinds import VALUES, WORDS

LAST, SKIPPED, REFUSES = "last readable version", "skipped", "refuses its scope"
OPEN = "skipped: it restricts nobody"

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
OURS = {"project": "p"}


@pytest.mark.parametrize(
    ("bad", "last", "instead", "field"),
    [
        pytest.param(BAD, GOOD, LAST, "modle", id="a route keeps its last readable version"),
        pytest.param(BAD, None, SKIPPED, "modle", id="a new route is skipped"),
        pytest.param(BAD, route("a", x=1), SKIPPED, "modle", id="an unreadable last version is not used"),
        pytest.param(
            {**BAD, "enabled": False},
            GOOD,
            LAST,
            "modle",
            id="a disabled bad route keeps its last readable version",
        ),
        pytest.param(limit("a", per="year"), None, SKIPPED, "per", id="a new limit is skipped"),
        pytest.param(
            access("a", modls=[]),
            access("a", models="a/*"),
            LAST,
            "modls",
            id="an access record keeps its last readable version",
        ),
        pytest.param(
            access("a", modls=[], scope=OURS),
            None,
            REFUSES,
            "modls",
            id="a new access record refuses its project",
        ),
        pytest.param(
            budget("a", usd="$200", scope={"key": "k"}),
            None,
            REFUSES,
            "usd",
            id="a new budget refuses its key",
        ),
        pytest.param(
            access("a", modls=[]),
            None,
            OPEN,
            "modls",
            id="a new access record without a scope refuses nobody",
        ),
        pytest.param(
            budget("a", usd="$200"), None, OPEN, "usd", id="a new budget without a scope refuses nobody"
        ),
        pytest.param(
            access("a", modls=[], scope={"function": "f"}),
            None,
            OPEN,
            "modls",
            id="a new access record of a function refuses nobody",
        ),
        pytest.param(
            access("a", modls=[], scope=OURS, enabled="OFF"),
            None,
            SKIPPED,
            "modls",
            id="a disabled access record refuses nobody",
        ),
        pytest.param(
            access("a", enabled="maybe", scope=OURS),
            None,
            REFUSES,
            "enabled",
            id="an unreadable enabled counts as true",
        ),
        pytest.param(
            access("a", scope={}),
            None,
            OPEN,
            "scope",
            id="an access record with an unreadable scope refuses nobody",
        ),
        pytest.param({"kind": "acess", "id": "a"}, None, SKIPPED, "kind", id="an unknown kind is skipped"),
        pytest.param(
            {"kind": "access", "scope": OURS},
            None,
            REFUSES,
            "id",
            id="an access record without an id refuses its project",
        ),
        pytest.param({"id": "a"}, None, SKIPPED, "kind", id="a record without a kind is skipped"),
        pytest.param("record", None, SKIPPED, "record", id="an item that is not a record is skipped"),
        pytest.param(
            route("a", note="x" * 70_000),
            GOOD,
            LAST,
            "record",
            id="a route that is too large keeps its last readable version",
        ),
    ],
)
def test_a_bad_record_changes_nothing(bad: Any, last: Item | None, instead: str, field: str) -> None:
    kind = bad.get("kind", "") if isinstance(bad, dict) else ""
    other = route("other", priority=5)
    ruleset = RuleSet.read([bad, other], previous={(kind, "a"): last} if last else {})
    (problem,) = ruleset.problems
    assert (problem.instead, problem.field) == (instead, field)
    assert ruleset.items == {("route", "other"): other} | ({(kind, "a"): last} if instead == LAST else {})
    assert (ruleset.refusing_problem(FACTS) is problem) is (instead == REFUSES)
    assert str(problem).startswith(f"{problem.kind}/{problem.id}: `{field}`: ")


def test_a_bad_record_refuses_its_scope_only() -> None:
    ruleset = RuleSet.read([access("a", scope={"project": ["p", "q"], "key": "k"}, modls=[])])
    assert ruleset.problems[0].scope == Scope(project=("p", "q"), key=("k",))
    assert ruleset.refusing_problem(FACTS) is ruleset.problems[0]
    assert ruleset.refusing_problem(Facts(project="p", key="other")) is None
    assert ruleset.refusing_problem(Facts(project="other", key="k")) is None


def test_a_removed_record_is_no_longer_in_force() -> None:
    assert RuleSet.read([], previous={("route", "a"): GOOD}).records == ()


def test_the_second_record_of_the_same_name_is_a_problem() -> None:
    ruleset = RuleSet.read([GOOD, route("a", model="groq/llama")], previous={("route", "a"): route("a")})
    assert ruleset.items == {("route", "a"): GOOD}
    assert [(problem.field, problem.instead) for problem in ruleset.problems] == [("id", SKIPPED)]


@pytest.mark.parametrize(
    ("items", "problems"),
    [
        pytest.param([limit("a", each="user")], ["a"], id="each user without another record"),
        pytest.param([limit("a", each="tag.team")], ["a"], id="each of a tag without another record"),
        pytest.param([limit("a", each="key")], [], id="each key needs no other record"),
        pytest.param([limit("a", each="user"), limit("b")], [], id="with a record without each"),
        pytest.param(
            [limit("a", each="user"), limit("b", each="project")], [], id="with a record by project"
        ),
        pytest.param(
            [limit("a", each="user"), limit("b", each="tag.x")],
            ["a", "b"],
            id="two records that callers can evade",
        ),
        pytest.param(
            [limit("a", each="user"), limit("b", enabled=False)], ["a"], id="with a disabled record"
        ),
        pytest.param([limit("a", each="user", enabled=False)], [], id="a disabled one"),
        pytest.param([limit("a", each="user"), budget("b")], ["a"], id="with a record of another kind"),
        pytest.param(
            [limit("a", each="user"), limit("b", scope={"project": "p"})],
            ["a"],
            id="with a record of another scope",
        ),
        pytest.param(
            [limit("a", each="user", scope={"key": ["k", "l"]}), limit("b", scope={"key": {"l", "k"}})],
            [],
            id="with a record of the same scope in other words",
        ),
        pytest.param(
            [limit("a", each="user"), limit("b", when={"hour": 3})],
            ["a"],
            id="with a record that has more conditions",
        ),
        pytest.param(
            [limit("a", each="user", when={"hour": 3}), limit("b")],
            [],
            id="with a record that has fewer conditions",
        ),
        pytest.param(
            [limit("a", each="user", when={"hour": 3}), limit("b", when={"hour": "3"})],
            [],
            id="with a record that has the same condition",
        ),
        pytest.param([{"kind": "provider", "id": "acme"}], ["acme"], id="a provider without an address"),
        pytest.param([{"kind": "provider", "id": "ollama"}], [], id="a built-in provider without an address"),
    ],
)
def test_a_record_that_is_invalid_in_its_set_is_a_problem(items: list[Item], problems: list[str]) -> None:
    assert [problem.id for problem in RuleSet.read(items).problems] == problems


def test_a_record_that_becomes_invalid_in_its_set_keeps_its_last_version() -> None:
    both = RuleSet.read([limit("a", each="user"), limit("b")])
    left = RuleSet.read([limit("a", each="user")], previous=both.items)
    assert [problem.instead for problem in left.problems] == [LAST]
    assert [record.id for record in left.records] == ["a"]


def test_a_new_budget_that_callers_can_evade_refuses_its_scope() -> None:
    ruleset = RuleSet.read([budget("a", each="user", scope={"project": "p"})])
    assert ruleset.refusing_problem(FACTS) is not None
    assert ruleset.refusing_problem(Facts(project="q")) is None


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


def test_a_set_of_more_than_a_thousand_records_is_not_adopted() -> None:
    many = [route(f"r{at}") for at in range(1_001)]
    with pytest.raises(RuleSetTooLarge, match="1001 records") as caught:
        RuleSet.read(many)
    assert caught.value.records == 1_001
    assert len(RuleSet.read(many[:1_000]).records) == 1_000


def test_a_set_of_more_than_a_megabyte_is_not_adopted() -> None:
    large = [route(f"r{at}", note="x" * 60_000) for at in range(18)]
    with pytest.raises(RuleSetTooLarge) as caught:
        RuleSet.read(large)
    assert caught.value.bytes > 1_048_576
    assert len(RuleSet.read(large[:17]).records) == 17


def test_a_record_that_is_nested_too_deep_is_a_problem() -> None:
    deep: list[Any] = []
    deep.append(deep)
    assert [problem.problem for problem in RuleSet.read([route("a", set={"x": deep})]).problems] == [
        "is nested deeper than 32 levels"
    ]


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
