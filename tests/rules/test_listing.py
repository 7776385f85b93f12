"""The models that GET /models lists for a key."""

from __future__ import annotations

from typing import Any

from rules import Refusal, list_models
from rules.admission import LiveState
from rules.facts.facts import Facts
from rules.ruleset import RuleSet
from tests.support.small_catalog import (
    ALL_PROVIDERS,
    CATALOG,
    Item,
    access,
    alias,
)


def items(
    records: list[Item], *, available: frozenset[str] = ALL_PROVIDERS, **facts: Any
) -> list[dict[str, Any]]:
    found = list_models(RuleSet.read(records), CATALOG, LiveState(available=available), Facts(**facts))
    assert not isinstance(found, Refusal)
    return found


def listed(records: list[Item], **options: Any) -> list[str]:
    return [item["id"] for item in items(records, **options)]


def test_the_models_that_a_key_may_use() -> None:
    records = [access(models=["openai/*"]), alias("best", "openai/mid"), alias("barred", "gemini/pro")]
    assert listed(records) == [
        *("auto", "auto:cheap", "auto:fast", "auto:quality", "auto:balanced"),
        "best",
        *("big", "mid", "mid-2025-01-31", "mini"),
        *("openai/big", "openai/mid", "openai/mid-2025-01-31", "openai/mini"),
    ]


def test_an_alias_replaces_the_pool_of_its_name() -> None:
    assert listed([alias("big", "openai/mini")], available=frozenset({"openai"})).count("big") == 1


def test_no_model_is_listed_in_a_scope_that_an_unreadable_record_refuses() -> None:
    ruleset = RuleSet.read([access(modls=[], scope={"project": "theirs"})])
    world = LiveState(available=ALL_PROVIDERS)
    found = list_models(ruleset, CATALOG, world, Facts(project="theirs"))
    assert isinstance(found, Refusal)
    assert found.code == "rule_unreadable"
    assert isinstance(list_models(ruleset, CATALOG, world, Facts(project="ours")), list)


def test_models_without_a_credential_are_not_listed() -> None:
    assert listed([], available=frozenset({"mistral"})) == [
        *("auto", "auto:cheap", "auto:fast", "auto:quality", "auto:balanced"),
        *("open-7b", "mistral/open-7b"),
    ]
    assert listed([], available=frozenset({"openai"}), key_models=()) == []


def test_a_listed_model_has_its_context_window_and_its_price() -> None:
    by_id = {item["id"]: item for item in items([])}
    assert by_id["openai/mini"] == {
        "id": "openai/mini",
        "object": "model",
        "created": 0,
        "owned_by": "openai",
        "context_length": 100_000,
        "pricing": {"prompt": "0.0000002", "completion": "0.000001"},
    }
    assert "pricing" not in by_id["mistral/open-7b"]
    assert "context_length" not in by_id["xai/wide"]
    assert by_id["open-7b"]["owned_by"] == "sluice"
