"""The JSON of an explanation (contract, section 8), and the records that a key may see."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rules import Decision
from rules.decision import Rejection
from tests.support.small_catalog import make_decision

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
    return make_decision(
        records=RECORDS, input_tokens=1_000, tools=1, tags={"team": "red"}, live={"stale": True}
    )


def test_an_assumed_price_is_marked() -> None:
    explained = make_decision("openai/new", input_tokens=1_000, max_tokens=10).explain()
    cost = {"min": 0.01, "max": 0.0105, "assumed": True}  # those of openai/big
    assert explained["candidates"] == [{"model": "openai/new", "cost": cost}]


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
            {"kind": "limit", "id": "rate", "requests": 5, "per": "minute"},
            {"kind": "budget", "id": "money", "usd": 5.0, "per": "day"},
        ],
        "timeouts": {"total": 30},
        "facts": {
            "operation": "chat",
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


def test_an_explanation_is_plain_json(decision: Decision) -> None:
    assert json.loads(json.dumps(decision.explain())) == decision.explain()


def test_only_the_visible_records_are_shown(decision: Decision) -> None:
    seen = decision.explain(visible=frozenset({("route", "everyone"), ("limit", "rate")}))
    assert [step["id"] for step in seen["steps"]] == ["everyone", "rate"]
    assert [limit["id"] for limit in seen["limits"]] == ["rate"]
    assert "theirs" not in json.dumps(seen)


def test_at_most_twenty_rejections_are_listed_with_a_count_of_the_others() -> None:
    many = Decision(
        facts=make_decision().facts,
        reason=make_decision().reason,
        rejections=tuple(Rejection(f"a/{n}", "no credential") for n in range(23)),
    ).explain()
    assert len(many["rejections"]) == 20
    assert many["more_rejections"] == 3
    assert "more_rejections" not in make_decision().explain()


def test_a_refusal_is_explained() -> None:
    explanation = make_decision("openay/mid").explain()
    assert explanation["error"]["code"] == "model_not_found"
    assert explanation["error"]["param"] == "model"
    assert explanation["candidates"] == []


def test_an_unknown_price_is_null() -> None:
    assert make_decision("mistral/brand-new").explain()["candidates"] == [
        {"model": "mistral/brand-new", "cost": None}
    ]


def test_a_candidate_that_is_cooling_down_has_its_seconds() -> None:
    explanation = make_decision(
        "openai/mid", fallbacks=("openai/big",), live={"cooling": {"openai/mid": 4.96}}
    ).explain()
    assert [(one["model"], one.get("cooling")) for one in explanation["candidates"]] == [
        ("openai/big", None),
        ("openai/mid", 5.0),
    ]
    probed = make_decision("openai/mid", live={"cooling": {"openai/mid": 0.0}}).explain()
    assert probed["candidates"][0]["cooling"] == 0.0, "a request tries it now"


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param({"prefer": "cheap"}, "cheap", id="the preference of the request"),
        pytest.param({"model": "auto:fast"}, "fast", id="the preference of the name"),
        pytest.param(
            {"records": [{"kind": "route", "id": "r", "prefer": "quality"}]},
            "quality",
            id="the preference of the rule",
        ),
        pytest.param({}, None, id="no preference"),
    ],
)
def test_the_preference_of_a_decision(request_: dict[str, Any], expected: str | None) -> None:
    assert make_decision(**request_).explain()["prefer"] == expected


def test_the_rule_that_applied_is_shown_even_if_no_record_is_visible() -> None:
    mine = make_decision(records=RECORDS).explain(visible=frozenset())
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
            None, {"everybodys", "mine", "theirs", "nobodys", "acme-secret"}, id="a key that sees all records"
        ),
        pytest.param(frozenset(), {"everybodys", "mine"}, id="a key that sees only records of its scope"),
    ],
)
def test_the_records_that_cannot_be_read_are_named(
    visible: frozenset[tuple[str, str]] | None, expected: set[str]
) -> None:
    explanation = make_decision(records=UNREADABLE).explain(visible=visible)
    assert {one["id"] for one in explanation["problems"]} == expected
    assert explanation["problems"][0] == {
        "kind": "route",
        "id": "everybodys",
        "field": "modle",
        "problem": "unknown field, did you mean `model`?",
        "instead": "skipped",
    }


def test_without_a_visible_bad_record_there_are_no_problems() -> None:
    assert "problems" not in make_decision(records=RECORDS).explain()
    assert "problems" not in make_decision(records=UNREADABLE[2:]).explain(visible=frozenset())


def test_the_cache_record_that_applies_is_named() -> None:
    record = {"kind": "cache", "id": "short", "ttl": 60, "scope": {"project": "support"}}
    assert make_decision("openai/mid", [record], project="support").explain()["cache"] == "short"
    assert "cache" not in make_decision("openai/mid", [record], project="other").explain()
