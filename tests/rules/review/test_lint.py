"""Warnings of readable records that never apply, match no model, or name no key."""

from __future__ import annotations

from typing import Any

import pytest

from rules import RuleSet
from rules.review.known_names import MAX_COMPARED
from rules.review.lint import KnownKeys, find_warnings
from tests.support.small_catalog import CATALOG, access

Item = dict[str, Any]


def route(id: str = "r", **fields: Any) -> Item:
    return {"kind": "route", "id": id, "prefer": "fast", **fields}


def warnings_of(records: list[Item], keys: KnownKeys | None = None) -> list[str]:
    ruleset = RuleSet.read(records)
    assert not ruleset.problems
    catalog = CATALOG.with_records(
        ruleset.enabled("model"),  # type: ignore[arg-type]
        {record.id: "openai" for record in ruleset.enabled("provider")},
    )
    return [str(warning) for warning in find_warnings(ruleset, catalog, keys)]


OWN: Item = {"kind": "provider", "id": "own", "base_url": "https://own.example/v1"}
BEHIND = "`record`: never applies: route/a goes first"


@pytest.mark.parametrize(
    ("records", "line"),
    [
        pytest.param(
            [route("a"), route("b")], f"route/b: {BEHIND} (its id comes first)", id="an equal route"
        ),
        pytest.param(
            [route("a", priority=1), route("b", when={"hour": 3})],
            f"route/b: {BEHIND} (its priority is higher)",
            id="a route of higher priority with fewer conditions",
        ),
        pytest.param(
            [
                route("a", scope={"project": ["p", "q"]}, when={"hour": 3}, priority=1),
                route("b", scope={"project": "p"}, when={"hour": 3, "tools": True}),
            ],
            f"route/b: {BEHIND}",
            id="a route of wider scope with fewer conditions",
        ),
        *(
            pytest.param(
                [{"kind": "model", "id": "xai/a", "provider": "xai", "name": "a", "price": price}],
                f"model/xai/a: `{line}",
                id=id,
            )
            for price, line, id in (
                (
                    {"input": 2.5e-06, "output": 1},
                    "price.input`: is below $0.001 per million tokens: is it the price of one token?",
                    "a price of a token",
                ),
                (
                    {"input": 0, "output": 6000},
                    "price.output`: is above $5000 per million tokens",
                    "a price above any model's",
                ),
                (
                    {"input": 1, "output": 1, "tiers": [{"above": 9, "cache_write": 0.0001}]},
                    "price.tiers[0].cache_write`: is below $0.001 per million tokens",
                    "a price of a token in a tier",
                ),
            )
        ),
        pytest.param(
            [{"kind": "cache", "id": "a", "ttl": 1}, {"kind": "cache", "id": "b", "ttl": 2}],
            "cache/b: `record`: never applies: cache/a goes first",
            id="another kind of which only one record applies",
        ),
        pytest.param(
            [route(when={"hour": {"gte": 22, "lt": 6}})],
            "route/r: `when.hour`: never holds: hour gte 22 and hour lt 6",
            id="hours over midnight",
        ),
        pytest.param(
            [route(when={"tools": {"is": False, "gt": 0}})],
            "`when.tools`: never",
            id="no tools and some tools",
        ),
        pytest.param(
            [route(when={"bucket": {"gt": 98, "not": 99}})],
            "`when.bucket`: never",
            id="numbers that exclude all values",
        ),
        pytest.param(
            [route(when={"weekday": {"in": ["sat", "sun"], "like": "m*"}})],
            "`when.weekday`: never",
            id="weekdays that exclude each other",
        ),
        pytest.param(
            [route(when={"user": {"is": "ann", "exists": False}})],
            "`when.user`: never",
            id="a user that is absent and ann",
        ),
        pytest.param(
            [route(when={"stream": {"not": True, "is": True}})],
            "`when.stream`: never",
            id="a flag that excludes itself",
        ),
        pytest.param(
            [access(models=[], scope={"project": "p"}, when={"project": "q"})],
            "access/a: `when.project`: never holds: project is 'q' in this scope",
            id="a condition against its own scope",
        ),
        pytest.param(
            [access()], "access/a: `record`: has no effect", id="an access record without models and deny"
        ),
        pytest.param(
            [access(deny=["opneai/*"])],
            "`deny`: no model in the catalogue matches",
            id="a misspelt provider in deny",
        ),
        pytest.param([access(deny=["openai/mdi"])], "did you mean openai/mid", id="a misspelt id in deny"),
        pytest.param([access(models=["mdi"])], "did you mean mid?", id="a misspelt pool in models"),
        pytest.param([access(models=["openai/x*"])], "matches 'openai/x*'", id="a pattern of no model"),
        pytest.param([access(models=["old"])], "'old' is retired", id="a pattern for a retired pool"),
        pytest.param(
            [access(models=["openai/old"])], "its successor openai/mid", id="a pattern for a retired id"
        ),
        pytest.param(
            [{"kind": "alias", "id": "team", "models": ["mid"]}, access(models=["team"])],
            "'team' is an alias: use patterns of its members",
            id="a pattern for an alias",
        ),
        pytest.param(
            [route(when={"model": {"not": ["mid", "mdi"]}})],
            "`when.model`: no model",
            id="a misspelt name in a condition",
        ),
        pytest.param(
            [route(model="mdi")],
            "`model`: there is no model 'mdi', did you mean mid",
            id="a misspelt name in a route",
        ),
        pytest.param([route(fallbacks=["xai:7b"])], "no model 'xai:7b'", id="a tag of a local server"),
        pytest.param(
            [route(model="groq/org/open-7c")],
            "`model`: the catalogue does not list 'groq/org/open-7c', did you mean groq/org/Open-7B?",
            id="a pin with a wrong letter",
        ),
        pytest.param(
            [{"kind": "alias", "id": "team", "models": ["groq/org/opne-7b"]}],
            "`models`: the catalogue does not list 'groq/org/opne-7b', did you mean groq/org/Open-7B?",
            id="a member of an alias with two swapped letters",
        ),
        pytest.param(
            [access(models=["groq/org/opne-7b"])],
            "did you mean groq/org/Open-7B?",
            id="a pattern with two swapped letters",
        ),
        pytest.param(
            [{"kind": "model", "id": "corp/chat", "provider": "corp", "name": "chat"}],
            "`provider`: no built-in provider and no provider record is called 'corp'",
            id="a model without a provider",
        ),
        pytest.param(
            [{"kind": "limit", "id": "t", "tokens": 4096, "per": "minute"}],
            "`tokens`: refuses requests that do not limit their output: each reserves 4096 and its input",
            id="a limit that is smaller than what a request reserves",
        ),
        pytest.param(
            [{"kind": "budget", "id": "b", "usd": 5, "per": "day", "notify": "http://hooks/x"}],
            "`notify`: is not https, so alerts are sent only where SLUICE_PRIVATE_UPSTREAMS is set",
            id="an address that is not https",
        ),
        pytest.param(
            [{"kind": "mcp", "id": "m", "url": "http://tools/mcp"}],
            "`url`: is not https, so its tools are run only where SLUICE_PRIVATE_UPSTREAMS is set",
            id="a tool server that is not https",
        ),
    ],
)
def test_a_record_without_effect_has_a_warning(records: list[Item], line: str) -> None:
    (found,) = warnings_of(records)
    assert line in found


@pytest.mark.parametrize(
    "records",
    [
        pytest.param([], id="an empty set"),
        pytest.param(
            [route("a", when={"hour": 3}), route("b")], id="a route with conditions before one without"
        ),
        pytest.param(
            [route("a", scope={"project": "p"}), route("b")], id="a route with a scope before one without"
        ),
        pytest.param(
            [route("a", priority=1, enabled=False), route("b")], id="a disabled route before another"
        ),
        pytest.param(
            [route("a", priority=1, scope={"project": "p"}), route("b", scope={"project": ["p", "q"]})],
            id="a route of narrower scope before another",
        ),
        pytest.param(
            [access("a", deny=["mid"]), access("b", deny=["mid"])], id="access records, which all apply"
        ),
        pytest.param([route(when={"hour": {"gte": 22}, "weekday": "sat"})], id="conditions that can hold"),
        pytest.param([route(when={"user": {"like": "a*", "not": "ann"}})], id="values that cannot be listed"),
        pytest.param([route(when={"max_tokens": {"exists": False}})], id="an absent number"),
        pytest.param(
            [access(models=[], when={"model": {"is": "mid", "like": "openai/*"}})],
            id="conditions on two names of one model",
        ),
        pytest.param(
            [access(deny=["MID", "openai/*", "*", "old", "google/*"])], id="names in every spelling"
        ),
        pytest.param([access(models=["openai/mid", "open-7b"])], id="patterns that match"),
        pytest.param(
            [access(models=["openai/new"]), route(model="openai/new")], id="a pin that is not listed"
        ),
        pytest.param([route(model="groq/org/open-8b")], id="a pin with another number, maybe a newer model"),
        pytest.param(
            [route(model="own/open-7c"), OWN], id="a model of another provider that differs by a letter"
        ),
        pytest.param(
            [OWN, {"kind": "model", "id": "own/chat", "provider": "own", "name": "chat"}],
            id="a model of a provider record",
        ),
        pytest.param(
            [OWN, access(models=["own/*"], deny=["own/x"])],
            id="patterns for a provider without listed models",
        ),
        pytest.param([access(enabled=False, deny=["opneai/*"])], id="a disabled record"),
    ],
)
def test_a_record_with_effect_has_no_warning(records: list[Item]) -> None:
    assert warnings_of(records) == []


def test_a_scope_without_a_key_has_a_warning_if_the_keys_are_known() -> None:
    records = [route(scope={"project": ["support", "suport"], "key": "k9"})]
    assert warnings_of(records) == []
    assert warnings_of(records, KnownKeys(ids=frozenset({"k1"}), projects=frozenset({"support"}))) == [
        "route/r: `scope.key`: there is no key with the id 'k9'",
        "route/r: `scope.project`: there is no key of project 'suport'",
    ]


def test_a_set_with_too_many_patterns_says_that_not_all_were_looked_up() -> None:
    good = [f"{'*' * first}o{'*' * last}" for first in range(1, 60) for last in range(1, 60)]
    assert len(good) > MAX_COMPARED
    (line,) = warnings_of([access(f"a{part}", models=good[part::9]) for part in range(9)])
    assert "not all were looked up" in line


def test_of_one_unknown_name_each_record_is_told() -> None:
    lines = warnings_of(
        [route("a", model="opneai/x", priority=1, when={"hour": 1}), route("b", model="opneai/x")]
    )
    assert [line.partition(":")[0] for line in lines] == ["route/a", "route/b"]
