"""Conversations stay where their prompts are cached, whichever instance a turn reaches."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from tests.support.gateways import RunningGateway, model, provider, start_gateway
from tests.support.prompt_cache import CachingProviders

PROVIDERS = ("pa", "pb", "pc", "pd")
CONVERSATIONS, TURNS, INSTANCES = 20, 8, 8


@pytest.fixture
async def upstream() -> AsyncIterator[CachingProviders]:
    async with CachingProviders() as upstream:
        yield upstream


def instances(records: Sequence[Any]) -> list[RunningGateway]:
    return [start_gateway(records) for _ in range(INSTANCES)]


def pool(upstream: CachingProviders) -> list[Any]:
    rows = [provider(upstream.address_of(name), name) for name in PROVIDERS]
    price = {"input": 1, "output": 2}
    return [*rows, *(model(f"{name}/{name}-twin", pool="twin", price=price) for name in PROVIDERS)]


async def talk(gateways: Sequence[RunningGateway], turns: range, *, named: bool) -> dict[int, list[str]]:
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
            response = await chance.choice(gateways).chat(model="twin", messages=messages, headers=headers)
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
    before = await talk(gateways, range(TURNS), named=True)
    dead = before[0][0]
    upstream.down[dead.partition("/")[0], "up-secret"] = 503
    upstream.hits.clear()
    upstream.misses.clear()
    after = await talk(gateways, range(TURNS, 2 * TURNS), named=True)
    moved = [number for number, models in before.items() if models[0] == dead]
    for number, models in after.items():
        assert len(set(models)) == 1
        assert (models[0] == before[number][0]) is (number not in moved)
    assert sum(upstream.misses.values()) == len(moved), "each of them misses once"
    assert sum(upstream.hits.values()) == CONVERSATIONS * TURNS - len(moved)
    await close(gateways)
