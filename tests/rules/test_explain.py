"""The JSON of an explanation (contract, section 8): what is in it, and what a key may not see."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rules import Decision
from rules.decision import Rejection
from tests.support.small_catalog import decided

RECORDS: list[dict[str, Any]] = [
    {"kind": "route", "id": "long-prompts", "when": {"input_tokens": {"gt": 8000}}, "model": "gemini/pro"},
    {
        "kind": "route",
        "id": "everyone",
        "model": "openai/mid",
        "fallbacks": ["groq/org/open-7b"],
        "timeouts": {"total": 30},
    },
    {"kind": "route", "id": "theirs", "model": "openai/big", "scope": {"project": "theirs"}},
    {"kind": "limit", "id": "rate", "requests": 5, "per": "minute"},
    {"kind": "budget", "id": "money", "usd": 5, "per": "day"},
]


@pytest.fixture
def decision() -> Decision:
    return decided(records=RECORDS, input_tokens=1_000, tools=1, tags={"team": "red"}, live={"stale": True})


def test_the_whole_explanation(decision: Decision) -> None:
    assert decision.explain() == {
        "reason": "rule",
        "rule": "everyone",
        "revision": decision.revision,
        "stale": True,
        "prefer": None,
        "candidates": [{"model": "openai/mid", "cost": {"min": 0.002, "max": 0.04296}}],
        "rejections": [{"model": "groq/org/Open-7B", "why": "does not support tools"}],
        "steps": [
            {"kind": "route", "id": "theirs", "outcome": "out of scope"},
            {"kind": "route", "id": "long-prompts", "outcome": "failed: input_tokens gt 8000, got 1000"},
            {"kind": "route", "id": "everyone", "outcome": "applied"},
            {"kind": "limit", "id": "rate", "outcome": "applied"},
            {"kind": "budget", "id": "money", "outcome": "applied"},
        ],
        "limits": [
            {"kind": "limit", "id": "rate", "requests": 5, "per": "minute", "active": False},
            {"kind": "budget", "id": "money", "usd": 5.0, "per": "day", "active": False},
        ],
        "timeouts": {"total": 30},
        "facts": {
            "dialect": "openai",
            "project": "default",
            "key": "",
            "stream": False,
            "tools": 1,
            "images": 0,
            "audio": 0,
            "files": 0,
            "messages": 0,
            "input_tokens": 1_000,
            "hour": 12,
            "weekday": "mon",
            "bucket": 0,
            "tags": {"team": "red"},
        },
    }


def test_it_is_plain_json(decision: Decision) -> None:
    assert json.loads(json.dumps(decision.explain())) == decision.explain()


def test_only_the_visible_records_are_shown(decision: Decision) -> None:
    seen = decision.explain(visible=frozenset({("route", "everyone"), ("limit", "rate")}))
    assert [step["id"] for step in seen["steps"]] == ["everyone", "rate"]
    assert [limit["id"] for limit in seen["limits"]] == ["rate"]
    assert "theirs" not in json.dumps(seen)


def test_twenty_rejections_and_then_a_count() -> None:
    many = Decision(
        facts=decided().facts,
        reason=decided().reason,
        rejections=tuple(Rejection(f"a/{n}", "no credential") for n in range(23)),
    ).explain()
    assert len(many["rejections"]) == 20
    assert many["more_rejections"] == 3
    assert "more_rejections" not in decided().explain()


def test_a_refusal_is_explained() -> None:
    explained = decided("openay/mid").explain()
    assert explained["error"]["code"] == "model_not_found"
    assert explained["error"]["param"] == "model"
    assert explained["candidates"] == []


def test_an_unknown_price_is_null() -> None:
    assert decided("openai/brand-new").explain()["candidates"] == [
        {"model": "openai/brand-new", "cost": None}
    ]


def test_a_candidate_that_cools_down_says_for_how_long() -> None:
    explained = decided(
        "openai/mid", fallbacks=("openai/big",), live={"cooling": {"openai/mid": 4.96}}
    ).explain()
    assert [(one["model"], one.get("cooling")) for one in explained["candidates"]] == [
        ("openai/big", None),
        ("openai/mid", 5.0),
    ]
    probed = decided("openai/mid", live={"cooling": {"openai/mid": 0.0}}).explain()
    assert probed["candidates"][0]["cooling"] == 0.0, "somebody tries it just now"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param({"prefer": "cheap"}, "cheap", id="the request's"),
        pytest.param({"model": "auto:fast"}, "fast", id="the name's"),
        pytest.param(
            {"records": [{"kind": "route", "id": "r", "prefer": "quality"}]}, "quality", id="the rule's"
        ),
        pytest.param({}, None, id="none"),
    ],
)
def test_the_preference_that_counted(asked: dict[str, Any], expected: str | None) -> None:
    assert decided(**asked).explain()["prefer"] == expected


def test_a_model_and_its_fallbacks_may_be_named_in_a_rule_of_another_scope() -> None:
    """The rule that applied is named to the key it applied to; the others are not."""
    mine = decided(records=RECORDS).explain(visible=frozenset())
    assert (mine["rule"], mine["steps"], mine["limits"]) == ("everyone", [], [])


UNREADABLE: list[dict[str, Any]] = [
    {"kind": "route", "id": "everybodys", "modle": "x"},
    {"kind": "route", "id": "mine", "retries": 9, "scope": {"project": "default"}},
    {"kind": "budget", "id": "theirs", "usd": "lots", "scope": {"project": "theirs"}},
    {"kind": "route", "id": "nobodys", "scope": {}},
    {"kind": "alias", "id": "acme-secret", "modles": []},
]


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        pytest.param(
            None, {"everybodys", "mine", "theirs", "nobodys", "acme-secret"}, id="all, to who sees all"
        ),
        pytest.param(frozenset(), {"everybodys", "mine"}, id="to others those of a readable scope, theirs"),
    ],
)
def test_the_records_that_cannot_be_read_are_named(
    visible: frozenset[tuple[str, str]] | None, expected: set[str]
) -> None:
    explained = decided(records=UNREADABLE).explain(visible=visible)
    assert {one["id"] for one in explained["problems"]} == expected
    assert explained["problems"][0] == {
        "kind": "route",
        "id": "everybodys",
        "field": "modle",
        "problem": "unknown field, did you mean `model`?",
        "instead": "skipped",
    }


def test_without_a_bad_record_there_are_no_problems() -> None:
    assert "problems" not in decided(records=RECORDS).explain()
    assert "problems" not in decided(records=UNREADABLE[2:]).explain(visible=frozenset())
