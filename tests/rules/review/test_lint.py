"""Warnings of readable records: those that never apply, match no model, or name no key."""

from __future__ import annotations

from typing import Any

import pytest

from rules import RuleSet
from rules.review.lint import KnownKeys, find_warnings
from tests.support.small_catalog import CATALOG

Item = dict[str, Any]


def route(id: str = "r", **fields: Any) -> Item:
    return {"kind": "route", "id": id, "prefer": "fast", **fields}


def access(id: str = "a", **fields: Any) -> Item:
    return {"kind": "access", "id": id, **fields}


def warned(records: list[Item], keys: KnownKeys | None = None) -> list[str]:
    ruleset = RuleSet.read(records)
    assert not ruleset.problems
    catalog = CATALOG.with_records(
        ruleset.enabled("model"),  # type: ignore[arg-type]
        {record.id: "openai" for record in ruleset.enabled("provider")},
    )
    return [str(finding) for finding in find_warnings(ruleset, catalog, keys)]


OWN: Item = {"kind": "provider", "id": "own", "base_url": "https://own.example/v1"}
BEHIND = "`record`: never applies: route/a goes first"


@pytest.mark.parametrize(
    ("records", "line"),
    [
        pytest.param(
            [route("a"), route("b")], f"route/b: {BEHIND} (its id comes first)", id="the same again"
        ),
        pytest.param(
            [route("a", priority=1), route("b", when={"hour": 3})],
            f"route/b: {BEHIND} (its priority is higher)",
            id="a higher priority that asks less",
        ),
        pytest.param(
            [
                route("a", scope={"project": ["p", "q"]}, when={"hour": 3}, priority=1),
                route("b", scope={"project": "p"}, when={"hour": 3, "tools": True}),
            ],
            f"route/b: {BEHIND}",
            id="a wider scope and fewer conditions",
        ),
        pytest.param(
            [{"kind": "cache", "id": "a", "ttl": 1}, {"kind": "cache", "id": "b", "ttl": 2}],
            "cache/b: `record`: never applies: cache/a goes first",
            id="another kind of which one applies",
        ),
        pytest.param(
            [route(when={"hour": {"gte": 22, "lt": 6}})],
            "route/r: `when.hour`: never holds: hour gte 22 and hour lt 6",
            id="hours over midnight",
        ),
        pytest.param(
            [route(when={"tools": {"is": False, "gt": 0}})], "`when.tools`: never", id="none, and some"
        ),
        pytest.param(
            [route(when={"bucket": {"gt": 98, "not": 99}})], "`when.bucket`: never", id="no number is left"
        ),
        pytest.param(
            [route(when={"weekday": {"in": ["sat", "sun"], "like": "m*"}})],
            "`when.weekday`: never",
            id="no weekday is left",
        ),
        pytest.param(
            [route(when={"user": {"is": "ann", "exists": False}})], "`when.user`: never", id="absent, and ann"
        ),
        pytest.param(
            [route(when={"stream": {"not": True, "is": True}})], "`when.stream`: never", id="a flag"
        ),
        pytest.param(
            [access(models=[], scope={"project": "p"}, when={"project": "q"})],
            "access/a: `when.project`: never holds: project is 'q' in this scope",
            id="a condition against its own scope",
        ),
        pytest.param([access()], "access/a: `record`: has no effect", id="an access record of two fields"),
        pytest.param(
            [access(deny=["opneai/*"])], "`deny`: no model in the catalogue matches", id="a provider"
        ),
        pytest.param([access(deny=["openai/mdi"])], "did you mean openai/mid", id="a deny of a misspelt id"),
        pytest.param([access(models=["mdi"])], "did you mean mid?", id="a misspelt pool"),
        pytest.param([access(models=["openai/x*"])], "matches 'openai/x*'", id="a pattern of no model"),
        pytest.param([access(models=["old"])], "'old' is retired", id="a pattern for a retired pool"),
        pytest.param([access(models=["openai/old"])], "its successor openai/mid", id="and for its id"),
        pytest.param(
            [{"kind": "alias", "id": "team", "models": ["mid"]}, access(models=["team"])],
            "'team' is an alias: use patterns of its members",
            id="a pattern for an alias",
        ),
        pytest.param(
            [route(when={"model": {"not": ["mid", "mdi"]}})],
            "`when.model`: no model",
            id="a condition on a model",
        ),
        pytest.param([route(model="mdi")], "`model`: there is no model 'mdi', did you mean mid", id="a name"),
        pytest.param([route(fallbacks=["xai:7b"])], "no model 'xai:7b'", id="a tag of a local server"),
        pytest.param(
            [route(model="groq/org/open-7c")],
            "`model`: the catalogue does not list 'groq/org/open-7c', did you mean groq/org/Open-7B?",
            id="a letter of a pin",
        ),
        pytest.param(
            [{"kind": "alias", "id": "team", "models": ["groq/org/opne-7b"]}],
            "`models`: the catalogue does not list 'groq/org/opne-7b', did you mean groq/org/Open-7B?",
            id="two letters of an alias's member",
        ),
        pytest.param(
            [access(models=["groq/org/opne-7b"])],
            "did you mean groq/org/Open-7B?",
            id="and of what is admitted",
        ),
        pytest.param(
            [{"kind": "model", "id": "corp/chat", "provider": "corp", "name": "chat"}],
            "`provider`: no built-in provider and no provider record is called 'corp'",
            id="a model of no provider",
        ),
    ],
)
def test_what_is_warned_of(records: list[Item], line: str) -> None:
    (found,) = warned(records)
    assert line in found


@pytest.mark.parametrize(
    "records",
    [
        pytest.param([], id="nothing"),
        pytest.param([route("a", when={"hour": 3}), route("b")], id="conditions before none"),
        pytest.param([route("a", scope={"project": "p"}), route("b")], id="a scope before none"),
        pytest.param([route("a", priority=1, enabled=False), route("b")], id="a disabled one hides nothing"),
        pytest.param(
            [route("a", priority=1, scope={"project": "p"}), route("b", scope={"project": ["p", "q"]})],
            id="a narrower scope first",
        ),
        pytest.param([access("a", deny=["mid"]), access("b", deny=["mid"])], id="of access all apply"),
        pytest.param([route(when={"hour": {"gte": 22}, "weekday": "sat"})], id="what can hold"),
        pytest.param([route(when={"user": {"like": "a*", "not": "ann"}})], id="values that cannot be listed"),
        pytest.param([route(when={"max_tokens": {"exists": False}})], id="an absent number"),
        pytest.param(
            [access(models=[], when={"model": {"is": "mid", "like": "openai/*"}})], id="two names of one"
        ),
        pytest.param([access(deny=["MID", "openai/*", "*", "old", "google/*"])], id="what models are called"),
        pytest.param([access(models=["openai/mid", "open-7b"])], id="what is admitted"),
        pytest.param(
            [access(models=["openai/new"]), route(model="openai/new")], id="a pin that is not listed"
        ),
        pytest.param([route(model="groq/org/open-8b")], id="another number: a newer model"),
        pytest.param([route(model="own/open-7c"), OWN], id="a letter of another provider's model"),
        pytest.param(
            [OWN, {"kind": "model", "id": "own/chat", "provider": "own", "name": "chat"}],
            id="a model of one's own",
        ),
        pytest.param(
            [OWN, access(models=["own/*"], deny=["own/x"])], id="a provider of which nothing is listed"
        ),
        pytest.param([access(enabled=False, deny=["opneai/*"])], id="a disabled record"),
    ],
)
def test_what_is_not_warned_of(records: list[Item]) -> None:
    assert warned(records) == []


def test_a_scope_without_a_key_is_warned_of_where_the_keys_are_known() -> None:
    records = [route(scope={"project": ["support", "suport"], "key": "k9"})]
    assert warned(records) == []
    assert warned(records, KnownKeys(ids=frozenset({"k1"}), projects=frozenset({"support"}))) == [
        "route/r: `scope.key`: there is no key with the id 'k9'",
        "route/r: `scope.project`: there is no key of project 'suport'",
    ]
