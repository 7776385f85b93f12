"""Adoption: bad records change nothing, and sets that are too large are refused."""

from __future__ import annotations

from typing import Any

import pytest

from rules.errors import RuleSetTooLarge
from rules.facts.facts import Facts
from rules.records.scope import Scope
from rules.ruleset import RuleSet
from tests.rules.test_ruleset import BAD, FACTS, GOOD, Item, access, budget, limit, route

LAST, SKIPPED, REFUSES = "last readable version", "skipped", "refuses its scope"
OPEN = "skipped: it restricts nobody"


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
        pytest.param([limit("a", each="session")], ["a"], id="each session without another record"),
        pytest.param([budget("a", each="agent")], ["a"], id="each agent without another record"),
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
