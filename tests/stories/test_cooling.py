"""Cooldown: a provider that keeps failing goes last, gets single probes, and returns after it recovers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.atomic_items import AtomicItems
from tests.support.canned_answers import Act, Reply, chunk, completion, finish, stream, whole
from tests.support.gateways import KEY, MANAGE, Json, RunningGateway, model, provider, start_gateway
from tests.support.upstream import Upstream
from tests.support.virtual_clock import now

PRICE = {"input": 1, "output": 2}
DOWN = whole(status=503)
ROUTE = {"kind": "route", "id": "r", "model": "up/main", "fallbacks": ["up/spare"], "retries": 0}


class Scene:
    """A gateway on the virtual clock. The model `main` of its provider fails."""

    def __init__(self, upstream: Upstream, *more: Json, **route: Any) -> None:
        self.upstream = upstream
        records = [provider(upstream.url), model("up/main", price=PRICE), model("up/spare", price=PRICE)]
        records = [*records, {**ROUTE, **route}, *more]
        self.gateway: RunningGateway = start_gateway(records, now=now, state=AtomicItems())
        upstream.script("main", DOWN)
        upstream.script("spare", whole(completion()))

    async def chat(self, **fields: Any) -> str:
        """The model that answered."""
        response = await self.gateway.chat(**fields)
        assert response.status == 200
        return response.headers["x-sluice-model"]

    async def explained(self) -> list[tuple[str, float | None]]:
        response = await self.gateway.post("/v1/explain", {"messages": [{"role": "user", "content": "hi"}]})
        return [(one["model"], one.get("cooling")) for one in response.json["candidates"]]

    @property
    def requests(self) -> int:
        """The number of requests for `main`."""
        return len(self.upstream.requests_for("main"))

    async def down(self) -> None:
        for _ in range(3):
            assert await self.chat() == "up/spare"
        assert self.requests == 3


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with Upstream() as upstream:
        scene = Scene(upstream)
        yield scene
        await scene.gateway.gateway.aclose()


async def test_it_goes_last_and_explain_and_health_report_it(scene: Scene) -> None:
    assert await scene.explained() == [("up/main", None), ("up/spare", None)]
    await scene.down()
    (first, cooling), (last, left) = await scene.explained()
    assert (first, cooling, last) == ("up/spare", None, "up/main")
    assert left is not None
    assert 4 < left <= 5
    assert await scene.chat() == "up/spare"
    assert scene.requests == 3
    await scene.gateway.get("/v1/models", key=MANAGE)  # health uses cached keys only
    detailed = (await scene.gateway.get("/health", key=MANAGE)).json
    assert set(detailed["cooling"]) == {"up/main"}
    for key in (None, KEY):
        assert "cooling" not in (await scene.gateway.get("/health", key=key)).json
    await scene.gateway.gateway.settle()
    assert set(scene.gateway.tables.cooling) == {"up/main"}


async def test_of_fifty_requests_one_probes_it(scene: Scene) -> None:
    await scene.down()
    await asyncio.sleep(5)
    assert await scene.explained() == [("up/main", None), ("up/spare", None)]
    assert set(await asyncio.gather(*(scene.chat() for _ in range(50)))) == {"up/spare"}
    assert scene.requests == 4
    scene.upstream.script("main", whole(completion()))
    await asyncio.sleep(10)
    answered = await asyncio.gather(*(scene.chat() for _ in range(50)))
    assert answered.count("up/main") >= 1
    assert await scene.chat() == "up/main"
    assert "cooling" not in (await scene.gateway.get("/health", key=MANAGE)).json
    await scene.gateway.gateway.settle()
    assert not scene.gateway.tables.cooling


async def test_it_cools_for_other_requests_during_a_probe(scene: Scene) -> None:
    await scene.down()
    await asyncio.sleep(5)
    scene.upstream.script("main", Reply(pieces=(Act.STALL,), chunked=True))
    leave = asyncio.Event()
    probe = asyncio.create_task(scene.gateway.chat(leave=leave))
    await scene.upstream.until("requests", 7)
    assert await scene.explained() == [("up/spare", None), ("up/main", 0.0)]
    assert await scene.chat() == "up/spare"
    leave.set()
    await probe
    assert await scene.explained() == [("up/main", None), ("up/spare", None)], "the next may try"


async def test_a_request_whose_limit_forbids_the_probe_leaves_it_to_the_next(upstream: Upstream) -> None:
    limit = {"kind": "limit", "id": "l", "requests": 3, "per": "day", "when": {"model": "up/main"}}
    scene = Scene(upstream, limit)
    await scene.down()
    await asyncio.sleep(5)
    assert await scene.chat() == "up/spare"
    assert scene.requests == 3, "its limit is used up"
    assert await scene.explained() == [("up/main", None), ("up/spare", None)]


async def test_a_stream_is_a_probe_until_its_first_content(scene: Scene) -> None:
    await scene.down()
    await asyncio.sleep(5)
    resume = asyncio.Event()
    scene.upstream.script("main", stream(chunk("Hel"), resume, chunk("lo"), finish()))
    probe = asyncio.create_task(scene.chat(stream=True))
    await scene.upstream.until("requests", 7)
    for _ in range(500):
        if (await scene.explained())[0][0] == "up/main":
            break
        await asyncio.sleep(0.01)
    assert await scene.explained() == [("up/main", None), ("up/spare", None)]
    resume.set()
    assert await probe == "up/main"


async def test_streams_that_break_off_count_as_failures(scene: Scene) -> None:
    scene.upstream.script("main", stream(chunk("Hel"), Act.CUT, done=False))
    scene.upstream.script("spare", stream(chunk("Hello"), finish()))
    for _ in range(5):
        assert await scene.chat(stream=True) == "up/main"
    assert await scene.chat(stream=True) == "up/spare"


async def test_a_cooling_candidate_is_still_used_last(scene: Scene) -> None:
    await scene.down()
    scene.upstream.script("spare", DOWN)
    scene.upstream.script("main", whole(completion()))
    assert await scene.chat() == "up/main", "the last of the plan, and it answers"
    assert await scene.explained() == [("up/main", None), ("up/spare", None)]


@pytest.mark.parametrize("every", [2.0, 3.0, 5.0])
async def test_it_is_used_again_thirty_seconds_after_an_outage_of_a_minute(
    scene: Scene, every: float
) -> None:
    at, first = 0.0, None
    while first is None and at < 120:
        if at >= 60:
            scene.upstream.script("main", whole(completion()))
        if await scene.chat() == "up/main":
            first = at
        at += every
        await asyncio.sleep(every)
    assert first is not None
    assert 60 <= first <= 90
    assert scene.requests <= 9, "of some twenty requests"
    assert await scene.chat() == "up/main"


async def test_another_instance_reads_the_cooldown(scene: Scene) -> None:
    await scene.down()
    await scene.gateway.gateway.settle()
    other = Scene(scene.upstream)
    other.gateway.tables.cooling = scene.gateway.tables.cooling
    await other.gateway.gateway.start()
    await other.gateway.gateway.settle()
    assert [model for model, _ in await other.explained()] == ["up/spare", "up/main"]
    await other.gateway.gateway.aclose()


async def test_nothing_cools_after_a_restore(scene: Scene) -> None:
    await scene.down()
    scene.gateway.tables.cooling = {}
    await scene.gateway.gateway.after_restore()
    assert await scene.explained() == [("up/main", None), ("up/spare", None)]
