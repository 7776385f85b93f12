"""Conversations stay where their prompts are cached: at a provider of a pool, at an account of a provider."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from tests.support.gateways import MANAGE, RunningGateway, model, provider, start_gateway
from tests.support.prompt_cache import CachingProviders

PROVIDERS = ("pa", "pb", "pc", "pd")
SECRETS = {f"{letter}_KEY": f"canary-{letter}-0123456789" for letter in "ABC"}
CONVERSATIONS, TURNS, INSTANCES = 20, 8, 8


@pytest.fixture
async def upstream() -> AsyncIterator[CachingProviders]:
    async with CachingProviders() as upstream:
        yield upstream


def instances(records: Sequence[Any]) -> list[RunningGateway]:
    environment: dict[str, Any] = SECRETS
    return [start_gateway(records, **environment) for _ in range(INSTANCES)]


def pool(upstream: CachingProviders) -> list[Any]:
    rows = [provider(upstream.address_of(name), name) for name in PROVIDERS]
    price = {"input": 1, "output": 2}
    return [*rows, *(model(f"{name}/{name}-twin", pool="twin", price=price) for name in PROVIDERS)]


def accounts(upstream: CachingProviders, **fields: Any) -> list[Any]:
    """A provider with three credentials, and another one."""
    row = provider(upstream.address_of("pa"), "pa", credential=[*SECRETS], **fields)
    return [row, provider(upstream.address_of("pb"), "pb"), model("pa/twin"), model("pb/other")]


async def talk(
    gateways: Sequence[RunningGateway], turns: range, *, named: bool = True, model: str = "twin"
) -> dict[int, list[str]]:
    """Each turn of each conversation at a random instance. Returns the models that answered."""
    chance, models = random.Random(7), dict[int, list[str]]()
    for turn in turns:
        for number in range(CONVERSATIONS):
            history = [f"{number}: message {each}" for each in range(2 * turn + 1)]
            messages = [
                {"role": ("user", "assistant")[each % 2], "content": text}
                for each, text in enumerate(history)
            ]
            headers = {"x_session_id": f"s{number}"} if named else {}
            response = await chance.choice(gateways).chat(model=model, messages=messages, headers=headers)
            assert response.status == 200
            models.setdefault(number, []).append(response.headers["x-sluice-model"])
    return models


async def close(gateways: Sequence[RunningGateway]) -> None:
    for each in gateways:
        await each.gateway.aclose()


@pytest.mark.parametrize(
    "named",
    [pytest.param(True, id="by session"), pytest.param(False, id="by first messages")],
)
async def test_every_turn_of_a_conversation_goes_where_its_cache_is(
    upstream: CachingProviders, named: bool
) -> None:
    gateways = instances(pool(upstream))
    models = await talk(gateways, range(TURNS), named=named)
    assert all(len(set(each)) == 1 for each in models.values())
    assert len({each[0] for each in models.values()}) == len(PROVIDERS), "all providers are used"
    assert sum(upstream.hits.values()) == CONVERSATIONS * (TURNS - 1), "all turns that could hit"
    await close(gateways)


async def test_when_a_provider_dies_only_its_conversations_miss_and_only_once(
    upstream: CachingProviders,
) -> None:
    gateways = instances(pool(upstream))
    before = await talk(gateways, range(TURNS))
    dead = before[0][0]
    upstream.down[dead.partition("/")[0], "up-secret"] = 503
    upstream.hits.clear()
    upstream.misses.clear()
    after = await talk(gateways, range(TURNS, 2 * TURNS))
    moved = [number for number, models in before.items() if models[0] == dead]
    for number, models in after.items():
        assert len(set(models)) == 1
        assert (models[0] == before[number][0]) is (number not in moved)
    assert sum(upstream.misses.values()) == len(moved), "each of them misses once"
    assert sum(upstream.hits.values()) == CONVERSATIONS * TURNS - len(moved)
    await close(gateways)


async def test_every_turn_of_a_conversation_goes_to_the_account_where_its_cache_is(
    upstream: CachingProviders,
) -> None:
    gateways = instances(accounts(upstream))
    await talk(gateways, range(TURNS), model="pa/twin")
    assert sum(upstream.hits.values()) == CONVERSATIONS * (TURNS - 1)
    assert {secret for _, secret in upstream.hits} == set(SECRETS.values()), "all accounts are used"
    await close(gateways)


@pytest.mark.parametrize("status", [401, 402, 403, 404, 429])
async def test_when_an_account_fails_only_its_conversations_miss_and_only_once(
    upstream: CachingProviders, status: int
) -> None:
    gateways = instances(accounts(upstream))
    await talk(gateways, range(2), model="pa/twin")
    moved = upstream.misses["pa", SECRETS["B_KEY"]]
    upstream.down["pa", SECRETS["B_KEY"]] = status
    upstream.hits.clear()
    upstream.misses.clear()
    models = await talk(gateways, range(2, 5), model="pa/twin")
    assert {each for turns in models.values() for each in turns} == {"pa/twin"}
    assert sum(upstream.misses.values()) == moved > 0
    assert sum(upstream.hits.values()) == 3 * CONVERSATIONS - moved
    assert "canary" not in str([gateway.lines for gateway in gateways])
    await close(gateways)


async def explain(gateway: RunningGateway, session: str) -> Any:
    body = {"model": "pa/twin", "messages": [{"role": "user", "content": "Hello"}]}
    return (await gateway.post("/v1/explain", body, x_session_id=session)).json


async def session_at(gateway: RunningGateway, credential: str) -> str:
    """A session whose account is this one."""
    for number in range(100):
        explained = await explain(gateway, session := f"s{number}")
        if explained["affinity"]["credential"] == credential:
            return session
    raise AssertionError("no session has this account")


async def test_log_health_and_explanation_name_the_credential_and_never_show_it(
    upstream: CachingProviders,
) -> None:
    gateway = start_gateway(accounts(upstream), A_KEY=SECRETS["A_KEY"], B_KEY=SECRETS["B_KEY"])
    session = await session_at(gateway, "B_KEY")
    upstream.down["pa", SECRETS["B_KEY"]] = 401
    answer = await gateway.chat(model="pa/twin", headers={"x_session_id": session})
    assert answer.status == 200
    attempts = gateway.lines[-1]["attempts"]
    assert [(each["credential"], each["class"]) for each in attempts] == [("B_KEY", "auth"), ("A_KEY", "ok")]
    await gateway.get("/v1/models", key=MANAGE)  # health uses cached keys only
    health = (await gateway.get("/health", key=MANAGE)).json
    assert set(health["cooling"]) == {"pa/twin B_KEY"}
    assert health["unavailable"] == {"pa C_KEY": "no credential C_KEY"}
    explained = await explain(gateway, session)
    assert [(each["credential"], "cooling" in each) for each in explained["candidates"]] == [
        ("A_KEY", False),
        ("B_KEY", True),
    ]
    upstream.down["pa", SECRETS["A_KEY"]] = 401
    failed = await gateway.chat(model="pa/twin", headers={"x_session_id": session})
    assert failed.status == 502
    assert "canary" not in f"{gateway.lines} {health} {explained} {failed.json} {answer.headers}"
    await gateway.gateway.aclose()


async def test_a_failure_of_the_provider_goes_to_the_next_model_and_not_to_another_account(
    upstream: CachingProviders,
) -> None:
    rule = {"kind": "route", "id": "r", "fallbacks": ["pb/other"], "retries": 0}
    gateway = start_gateway([*accounts(upstream), rule], A_KEY="a" * 20, B_KEY="b" * 20)
    upstream.down |= {("pa", "a" * 20): 503, ("pa", "b" * 20): 503}
    answer = await gateway.chat(model="pa/twin")
    assert answer.headers["x-sluice-model"] == "pb/other"
    assert answer.headers["x-sluice-attempts"] == "2"
    await gateway.gateway.aclose()


async def test_an_embedding_goes_to_the_next_account_too(upstream: CachingProviders) -> None:
    gateway = start_gateway(accounts(upstream), A_KEY="a" * 20, B_KEY="b" * 20)
    upstream.down["pa", "a" * 20] = 429
    await gateway.post("/v1/embeddings", {"model": "pa/vectors", "input": "Hello"})
    attempts = gateway.lines[-1]["attempts"]
    assert [(each["credential"], each["class"]) for each in attempts] == [
        ("A_KEY", "rate_limit"),
        ("B_KEY", "ok"),
    ]
    await gateway.gateway.aclose()


async def test_a_provider_without_any_of_its_credentials_is_not_available(upstream: CachingProviders) -> None:
    gateway = start_gateway(accounts(upstream))
    answer = await gateway.chat(model="pa/twin")
    assert answer.status == 503
    assert "no credential A_KEY; no credential B_KEY; no credential C_KEY" in answer.json["error"]["message"]
    await gateway.gateway.aclose()
