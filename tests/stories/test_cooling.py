"""A provider that keeps failing goes last, is tried by one request at a time, and has its place back soon."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.asgi import call
from tests.support.canned_answers import Act, Reply, chunk, completion, finish, stream, whole
from tests.support.gateways import KEY, MANAGE, RunningGateway, model, provider, start_gateway
from tests.support.upstream import Upstream
from tests.support.virtual_clock import clock

NOON = 1_763_640_000.0
PRICE = {"input": 1, "output": 2}
DOWN = whole(status=503)
ROUTE = {"kind": "route", "id": "r", "model": "up/main", "fallbacks": ["up/spare"], "retries": 0}


class World:
    """A gateway before an upstream whose model `main` fails, on a clock that jumps."""

    def __init__(self, upstream: Upstream, **route: Any) -> None:
        self.upstream = upstream
        records = [provider(upstream.url), model("up/main", price=PRICE), model("up/spare", price=PRICE)]
        self.gateway: RunningGateway = start_gateway(
            [*records, {**ROUTE, **route}], now=lambda: NOON + clock()
        )
        upstream.script("main", DOWN)
        upstream.script("spare", whole(completion()))

    async def chat(self, **fields: Any) -> str:
        """Who answered."""
        response = await self.gateway.chat(**fields)
        assert response.status == 200
        return response.headers["x-sluice-model"]

    async def explained(self) -> list[tuple[str, float | None]]:
        response = await self.gateway.post("/v1/explain", {"messages": [{"role": "user", "content": "hi"}]})
        return [(one["model"], one.get("cooling")) for one in response.json["candidates"]]

    @property
    def asked(self) -> int:
        """How often `main` was asked."""
        return len(self.upstream.requests_for("main"))

    async def down(self) -> None:
        for _ in range(3):
            assert await self.chat() == "up/spare"
        assert self.asked == 3


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with Upstream() as upstream:
        world = World(upstream)
        yield world
        await world.gateway.gateway.aclose()


async def test_it_goes_last_and_explain_and_health_say_so(world: World) -> None:
    assert await world.explained() == [("up/main", None), ("up/spare", None)]
    await world.down()
    (first, cooling), (last, left) = await world.explained()
    assert (first, cooling, last) == ("up/spare", None, "up/main")
    assert left is not None
    assert 4 < left <= 5
    assert await world.chat() == "up/spare"
    assert world.asked == 3
    await world.gateway.get("/v1/models", key=MANAGE)  # health asks nobody who a key is
    detailed = (await world.gateway.get("/health", key=MANAGE)).json
    assert set(detailed["cooling"]) == {"up/main"}
    for key in (None, KEY):
        assert "cooling" not in (await world.gateway.get("/health", key=key)).json
    await world.gateway.gateway.settle()
    assert set(world.gateway.tables.state) == {"up/main"}


async def test_of_fifty_at_once_one_tries_it_again(world: World) -> None:
    await world.down()
    await asyncio.sleep(5)
    assert await world.explained() == [("up/main", None), ("up/spare", None)]
    assert set(await asyncio.gather(*(world.chat() for _ in range(50)))) == {"up/spare"}
    assert world.asked == 4
    world.upstream.script("main", whole(completion()))
    await asyncio.sleep(10)
    answered = await asyncio.gather(*(world.chat() for _ in range(50)))
    assert answered.count("up/main") >= 1
    assert await world.chat() == "up/main"
    assert "cooling" not in (await world.gateway.get("/health", key=MANAGE)).json
    await world.gateway.gateway.settle()
    assert not world.gateway.tables.state


async def test_while_one_tries_it_the_others_see_it_cooling(world: World) -> None:
    await world.down()
    await asyncio.sleep(5)
    world.upstream.script("main", Reply(pieces=(Act.STALL,), chunked=True))
    leave = asyncio.Event()
    body = json.dumps({"messages": [{"role": "user", "content": "hi"}]}).encode()
    headers = {"authorization": f"Bearer {KEY}"}
    path = "/v1/chat/completions"
    probe = asyncio.create_task(
        call(world.gateway.app, "POST", path, headers=headers, body=body, leave=leave)
    )
    await world.upstream.until("requests", 7)
    assert await world.explained() == [("up/spare", None), ("up/main", 0.0)]
    assert await world.chat() == "up/spare"
    leave.set()
    await probe
    assert await world.explained() == [("up/main", None), ("up/spare", None)], "the next may try"


async def test_a_stream_is_a_probe_until_its_first_content(world: World) -> None:
    await world.down()
    await asyncio.sleep(5)
    goes_on = asyncio.Event()
    world.upstream.script("main", stream(chunk("Hel"), goes_on, chunk("lo"), finish()))
    probe = asyncio.create_task(world.chat(stream=True))
    await world.upstream.until("requests", 7)
    for _ in range(500):
        if (await world.explained())[0][0] == "up/main":
            break
        await asyncio.sleep(0.01)
    assert await world.explained() == [("up/main", None), ("up/spare", None)]
    goes_on.set()
    assert await probe == "up/main"


async def test_streams_that_begin_and_break_off_count_too(world: World) -> None:
    world.upstream.script("main", stream(chunk("Hel"), Act.CUT, done=False))
    world.upstream.script("spare", stream(chunk("Hello"), finish()))
    for _ in range(5):
        assert await world.chat(stream=True) == "up/main"
    assert await world.chat(stream=True) == "up/spare"


async def test_last_is_not_away(world: World) -> None:
    await world.down()
    world.upstream.script("spare", DOWN)
    world.upstream.script("main", whole(completion()))
    assert await world.chat() == "up/main", "the last of the plan, and it answers"
    assert await world.explained() == [("up/main", None), ("up/spare", None)]


@pytest.mark.parametrize("every", [2.0, 3.0, 5.0])
async def test_after_a_minutes_outage_it_is_used_again_within_thirty_seconds(
    world: World, every: float
) -> None:
    at, first = 0.0, None
    while first is None and at < 120:
        if at >= 60:
            world.upstream.script("main", whole(completion()))
        if await world.chat() == "up/main":
            first = at
        at += every
        await asyncio.sleep(every)
    assert first is not None
    assert 60 <= first <= 90
    assert world.asked <= 9, "of some twenty requests"
    assert await world.chat() == "up/main"


async def test_another_instance_learns_of_it(world: World) -> None:
    await world.down()
    await world.gateway.gateway.settle()
    other = World(world.upstream)
    other.gateway.tables.state = world.gateway.tables.state
    await other.gateway.gateway.start()
    await other.gateway.gateway.settle()
    assert [model for model, _ in await other.explained()] == ["up/spare", "up/main"]
    await other.gateway.gateway.aclose()


async def test_after_a_restore_nothing_cools(world: World) -> None:
    await world.down()
    world.gateway.tables.state = {}
    await world.gateway.gateway.after_restore()
    assert await world.explained() == [("up/main", None), ("up/spare", None)]
