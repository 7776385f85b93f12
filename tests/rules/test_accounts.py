"""Several credentials of a provider: each is a candidate of its own. The limits of a plan count models."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from rules import Decision
from tests.support.small_catalog import Item, access, make_decision, route

KEYS = ("A_KEY", "B_KEY", "C_KEY")
SESSIONS = [f"s{n}" for n in range(300)]


def decided(
    model: str | None = "openai/big", records: list[Item] | None = None, *, cooling: Any = None, **facts: Any
) -> Decision:
    live = {"accounts": {"openai": KEYS}, "cooling": cooling or {}}
    return make_decision(model, records or [], live=live, **facts)


def keys(decision: Decision) -> list[str]:
    return [candidate.key for candidate in decision.candidates]


def test_without_a_conversation_the_credentials_are_tried_in_the_order_of_the_record() -> None:
    assert keys(decided()) == [f"openai/big {key}" for key in KEYS]
    assert keys(decided(session="s", records=[route(affinity="none")])) == [
        f"openai/big {key}" for key in KEYS
    ]


def test_sessions_are_spread_over_the_accounts() -> None:
    firsts = Counter(keys(decided(session=session))[0] for session in SESSIONS)
    assert all(70 < count < 130 for count in firsts.values())
    assert len(firsts) == 3


@pytest.mark.parametrize(
    ("cooling", "expected"),
    [
        pytest.param(
            {"openai/big A_KEY": 5.0},
            ["openai/big B_KEY", "openai/big C_KEY", "gemini/pro", "openai/big A_KEY"],
            id="an account goes last",
        ),
        pytest.param(
            {f"openai/big {key}": 5.0 for key in KEYS},
            ["gemini/pro", "openai/big A_KEY", "openai/big B_KEY", "openai/big C_KEY"],
            id="all accounts go last",
        ),
        pytest.param(
            {"openai/big": 5.0},
            ["openai/big A_KEY", "openai/big B_KEY", "openai/big C_KEY", "gemini/pro"],
            id="the key of a provider with one credential is another",
        ),
    ],
)
def test_each_account_cools_down_separately(cooling: dict[str, float], expected: list[str]) -> None:
    assert keys(decided(records=[route(fallbacks=["gemini/pro"])], cooling=cooling)) == expected


def test_only_the_sessions_of_an_account_that_cools_down_move() -> None:
    for session in SESSIONS[:60]:
        before, after = (
            keys(decided(session=session, cooling=cooling))[0] for cooling in ({}, {"openai/big B_KEY": 9.0})
        )
        assert (before != after) is (before == "openai/big B_KEY")


def test_the_limits_of_a_plan_count_models() -> None:
    candidates = keys(decided(None, prefer="cheap", records=[access(models=["*/*"])]))
    models = list(dict.fromkeys(key.split()[0] for key in candidates))
    assert models == ["groq/org/Open-7B", "openai/mini", "gemini/pro", "xai/wide", "openai/mid"]
    assert len(candidates) == 3 + 2 * len(KEYS)


def test_the_explanation_names_the_credential() -> None:
    explained = decided(session="s").explain()
    first = explained["candidates"][0]
    assert first["credential"] in KEYS
    assert explained["affinity"] == {
        "by": "session",
        "model": "openai/big",
        "credential": first["credential"],
        "among": ["openai/big"],
    }
    assert "credential" not in decided("gemini/pro").explain()["candidates"][0]
    assert "affinity" not in decided().explain()


def test_fallbacks_and_limits_are_those_of_the_model() -> None:
    limit: Item = {"kind": "limit", "id": "l", "requests": 5, "per": "minute", "when": {"model": "openai/*"}}
    decision = decided("gemini/pro", [limit, route(fallbacks=["openai/big"])])
    assert decision.fallbacks == {"openai/big"}
    assert decision.limits[0].candidates == {"openai/big"}


def test_a_single_usable_credential_of_several_is_the_one_that_is_used() -> None:
    decision = make_decision("openai/big", session="s", live={"accounts": {"openai": ("B_KEY",)}})
    assert keys(decision) == ["openai/big B_KEY"]
    assert decision.affinity is None
