"""Gateways in processes of their own agree where a conversation's prompt is cached."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.support.gateway_processes import GatewayProcesses
from tests.support.gateways import model, provider
from tests.support.prompt_cache import CachingProviders

pytestmark = pytest.mark.slow

PROVIDERS = ("pa", "pb", "pc", "pd")
TURNS, PROCESSES = 8, 8
BY_SESSION = [f"s{number}" for number in range(20)]
BY_FIRST_MESSAGES = [f"m{number}" for number in range(20)]
Models = dict[str, set[str]]  # the models that answered each conversation


class Scene:
    """Four providers of one model at the same price, and the gateways. A turn goes to any of these."""

    def __init__(self, gateways: GatewayProcesses, providers: dict[str, CachingProviders]) -> None:
        self.gateways, self.providers = gateways, providers
        self._chance = random.Random(7)

    async def play(self, conversations: list[str], turns: range) -> Models:
        """The turns of all conversations at once, each with the turn before in its prompt."""
        models: Models = {name: set() for name in conversations}
        for turn in turns:
            places = [(name, self._chance.randrange(PROCESSES)) for name in conversations]
            answers = await asyncio.gather(*(self._take_turn(name, turn, at) for name, at in places))
            for (name, _), (status, answered) in zip(places, answers, strict=True):
                assert status == 200
                models[name].add(str(answered))
        return models

    async def _take_turn(self, name: str, turn: int, process: int) -> tuple[int, str | None]:
        messages = [
            {"role": ("user", "assistant")[each % 2], "content": f"{name}: message {each}"}
            for each in range(2 * turn + 1)
        ]
        headers = {"x_session_id": name} if name in BY_SESSION else {}
        return await self.gateways.chat(process, {"model": "twin", "messages": messages}, **headers)

    def count(self) -> tuple[int, int]:
        """Hits and misses since the last count."""
        counters = [(each.hits, each.misses) for each in self.providers.values()]
        counted = sum(hits.total() for hits, _ in counters), sum(misses.total() for _, misses in counters)
        for each in (counter for pair in counters for counter in pair):
            each.clear()
        return counted


def records(providers: dict[str, CachingProviders]) -> list[Any]:
    rows = [provider(at.address_of(name), name) for name, at in providers.items()]
    price = {"input": 1, "output": 2}
    return [*rows, *(model(f"{name}/{name}-twin", pool="twin", price=price) for name in providers)]


async def test_every_turn_goes_where_its_cache_is_and_a_dead_provider_costs_each_conversation_one_miss() -> (
    None
):
    async with AsyncExitStack() as stack:
        providers = {name: await stack.enter_async_context(CachingProviders()) for name in PROVIDERS}
        gateways = await stack.enter_async_context(GatewayProcesses(PROCESSES, records(providers)))
        scene, before = Scene(gateways, providers), Models()
        for conversations in (BY_SESSION, BY_FIRST_MESSAGES):
            models = await scene.play(conversations, range(TURNS))
            assert all(len(each) == 1 for each in models.values())
            assert set.union(*models.values()) == {f"{name}/{name}-twin" for name in PROVIDERS}
            assert scene.count() == (20 * TURNS - 20, 20), "all turns that could hit"
            before |= models

        (dead,) = before["s0"]
        await providers[dead.partition("/")[0]].close()
        after = await scene.play([*BY_SESSION, *BY_FIRST_MESSAGES], range(TURNS, 2 * TURNS))
        moved = {name for name, models in before.items() if dead in models}
        assert {name for name in before if after[name] != before[name]} == moved
        assert all(len(each) == 1 for each in after.values())
        assert scene.count() == (40 * TURNS - len(moved), len(moved)), "each of them misses once"
