"""Which candidate limits and budgets leave, before a provider is asked and in the middle of a call.

Whole gateways over State in memory. By default an answer uses 7 tokens of input and 3 of output, and costs
13,000 nano-dollars.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from handler.aws.errors import StoreError
from tests.support.asgi import Response
from tests.support.atomic_items import AtomicItems, Table
from tests.support.canned_answers import Act, chunk, completion, finish, role, stream, usage, whole
from tests.support.gateways import Json, RunningGateway, model, provider, start_gateway
from tests.support.ledgers import counted, reserved
from tests.support.upstream import Upstream
from tests.support.virtual_clock import now

PRICE = {"input": 1, "output": 2}  # dollars per million tokens
COST = 13_000  # of one answer


class Scene:
    """Gateways that share one State table. Models: main, spare, big (a thousand times the price), free."""

    def __init__(self, upstream: Upstream) -> None:
        self.upstream, self.table = upstream, Table()
        self.hook: Any = None
        for name in ("main", "spare", "big", "free"):
            upstream.script(name, whole(completion()))

    def gateway(self, *records: Json) -> RunningGateway:
        models = [model(f"up/{name}", price=PRICE) for name in ("main", "spare")]
        models.append(model("up/big", price={"input": 1000, "output": 2000}))
        models.append(model("up/free", price={"input": 0, "output": 0}, auto=False))
        items = AtomicItems(self.table, self.hook) if self.hook else AtomicItems(self.table)
        return start_gateway([provider(self.upstream.url), *models, *records], state=items, now=now)


@pytest.fixture
def scene(upstream: Upstream) -> Scene:
    return Scene(upstream)


def limit(id: str = "burst", **fields: Any) -> Json:
    count = {} if "tokens" in fields else {"requests": 1}
    return {"kind": "limit", "id": id, "per": "day", **count, **fields}


def budget(id: str = "money", **fields: Any) -> Json:
    return {"kind": "budget", "id": id, "usd": 0.0001, "per": "month", **fields}


def route(**fields: Any) -> Json:
    return {"kind": "route", "id": "r", "retries": 0, **fields}


def of(name: str) -> Json:
    return {"when": {"model": f"up/{name}"}}


async def ask(gateway: RunningGateway, **fields: Any) -> Response:
    response = await gateway.chat(**{"model": "up/main", "max_tokens": 3, **fields})
    await gateway.gateway.settle()
    return response


async def answers(gateway: RunningGateway, count: int, **fields: Any) -> list[Any]:
    """Ask in turn. Returns the model and the reason of each answer, or the code of its error."""
    found: list[Any] = []
    for _ in range(count):
        response = await ask(gateway, **fields)
        names = (response.headers.get("x-sluice-model"), response.headers.get("x-sluice-reason"))
        found.append(names if response.status == 200 else response.error["code"])
    return found


# Before a provider is asked.


@pytest.mark.parametrize(
    ("records", "fields", "expected"),
    [
        pytest.param(
            [limit(**of("main"))],
            {"fallback_models": ["up/spare"]},
            [("up/main", "requested"), ("up/spare", "fallback")],
            id="a limit of one model: the next candidate",
        ),
        pytest.param(
            [limit()],
            {"fallback_models": ["up/spare", "up/free"]},
            [("up/main", "requested"), "rate_limit_exceeded"],
            id="a limit of all models: a refusal",
        ),
        pytest.param(
            [budget(usd=0.000013)],
            {"fallback_models": ["up/spare", "up/free"]},
            [("up/main", "requested"), ("up/free", "fallback")],
            id="a budget that is used up: a free model",
        ),
        pytest.param(
            [budget(usd=0.00003)],
            {"model": "up/big", "fallback_models": ["up/main"]},
            [("up/main", "fallback"), ("up/main", "fallback"), "budget_exceeded"],
            id="a budget that is too small for one: a candidate that needs less",
        ),
        pytest.param(
            [budget(usd=0.00003, then={"model": "up/spare", "override": True})],
            {"model": "up/big", "fallback_models": ["up/main"]},
            [("up/spare", "budget")],
            id="a budget with a then: that chooses",
        ),
        pytest.param(
            [limit(**of("main")), limit("more", **of("spare"))],
            {"fallback_models": ["up/spare"]},
            [("up/main", "requested"), ("up/spare", "fallback"), "rate_limit_exceeded"],
            id="limits of every candidate: a refusal in the end",
        ),
    ],
)
async def test_the_candidate_that_is_left(
    scene: Scene, records: list[Json], fields: Json, expected: list[Any]
) -> None:
    assert await answers(scene.gateway(*records), len(expected), **fields) == expected
    assert reserved(scene.table) == 0


SPARE = {"model": "up/spare"}


@pytest.mark.parametrize(
    ("records", "asked", "expected"),
    [
        pytest.param([budget(then=SPARE)], "up/main", "budget_exceeded", id="a named model: a refusal"),
        pytest.param([budget(then=SPARE)], "auto", ("up/spare", "budget"), id="no named model: the then"),
        pytest.param(
            [budget(then={**SPARE, "override": True})],
            "up/main",
            ("up/spare", "budget"),
            id="a named model, and an override",
        ),
        pytest.param(
            [budget(then={"prefer": "cheap"})], "auto", ("up/main", "budget"), id="another preference"
        ),
        pytest.param(
            [budget(then={**SPARE, "override": True}), budget("second", **of("spare"))],
            "up/main",
            "budget_exceeded",
            id="the model of the then is under a budget that is used up too",
        ),
        pytest.param(
            [
                budget(then={**SPARE, "override": True}),
                budget("second", **of("spare"), then={"model": "up/free", "override": True}),
            ],
            "up/main",
            ("up/free", "budget"),
            id="that budget has a then of its own",
        ),
        pytest.param(
            [budget(then={**SPARE, "override": True}), limit("spares", **of("spare"), requests=1)],
            "up/main",
            [("up/spare", "budget"), "rate_limit_exceeded"],
            id="the model of the then has a limit",
        ),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_the_then_of_a_used_up_budget(
    scene: Scene, records: list[Json], asked: str, expected: Any, streamed: bool
) -> None:
    for name in ("main", "spare", "free"):
        scene.upstream.script(name, stream(role(), finish(), usage()) if streamed else whole(completion()))
    gateway = scene.gateway(
        *[{**each, "usd": 1e-6} if each["kind"] == "budget" else each for each in records]
    )
    twice = expected if isinstance(expected, list) else [expected] * 2  # the second time, the instance knows
    assert await answers(gateway, 2, model=asked, stream=streamed) == twice
    assert reserved(scene.table) == 0


async def test_what_a_then_chose_is_counted_by_the_budget_that_is_used_up(scene: Scene) -> None:
    gateway = scene.gateway(budget(usd=1e-6, then={**SPARE, "override": True}))
    await answers(gateway, 3)
    assert counted(scene.table) == {"money": 3 * COST}


# In the middle of a call.


async def test_a_fallback_whose_limit_is_used_up_does_not_hide_the_failure(scene: Scene) -> None:
    scene.upstream.script("main", whole({"error": {"message": "It is broken."}}, status=500))
    gateway = scene.gateway(limit(**of("spare")), route(fallbacks=["up/spare"]))
    assert await answers(gateway, 2, model="up/spare") == [("up/spare", "requested"), "rate_limit_exceeded"]
    response = await ask(gateway)
    assert (response.status, response.error["code"]) == (502, "upstream_error")
    assert "up/main (server, 500)" in response.error["message"]
    assert len(scene.upstream.requests_for("spare")) == 1


async def test_a_fallback_after_one_without_a_limit_left_is_asked(scene: Scene) -> None:
    scene.upstream.script("main", whole(status=500))
    gateway = scene.gateway(limit(**of("spare")), route(fallbacks=["up/spare", "up/free"]))
    assert await answers(gateway, 2) == [("up/spare", "fallback"), ("up/free", "fallback")]


async def test_a_retry_takes_nothing_more_unless_the_failure_used_something(scene: Scene) -> None:
    scene.upstream.script("main", whole(status=500), whole(completion()))
    gateway = scene.gateway(limit(requests=1), limit("t", tokens=100), route(retries=1))
    assert await answers(gateway, 1) == [("up/main", "requested")]
    assert counted(scene.table) == {"burst": 1, "t": 10}


async def test_a_hedge_reserves_too_and_is_not_started_when_that_is_refused(scene: Scene) -> None:
    scene.upstream.script("main", stream(5.0, role(), chunk("late"), finish(), usage()))
    scene.upstream.script("spare", stream(role(), chunk("hedge"), finish(), usage()))
    rule = route(fallbacks=["up/spare"], hedge_after=1)
    gateway = scene.gateway(limit(**of("spare")), budget(usd=1), rule)
    hedged = await ask(gateway, stream=True)
    assert (hedged.status, hedged.content) == (200, "hedge")
    waited = await ask(gateway, stream=True)
    assert (waited.status, waited.content) == (200, "late")
    assert len(scene.upstream.requests_for("spare")) == 1
    logged = [line for line in gateway.lines if line["message"] == "request"]
    assert counted(scene.table)["money"] == sum(round(line["cost"] * 1e9) for line in logged)
    assert reserved(scene.table) == 0


@pytest.mark.parametrize("on_failure", ["allow", "refuse"])
async def test_a_hedge_that_the_store_cannot_count_does_not_end_the_call(
    scene: Scene, on_failure: str
) -> None:
    down = False

    async def hook(when: str, method: str) -> None:
        if down:
            raise StoreError("update item state: no answer")

    scene.hook = hook
    scene.upstream.script("main", stream(5.0, role(), chunk("late"), finish(), usage()))
    scene.upstream.script("spare", stream(9.0, role(), chunk("later"), finish(), usage()))
    rule = route(fallbacks=["up/spare"], hedge_after=1)
    gateway = scene.gateway(limit(**of("spare"), requests=9, on_store_failure=on_failure), rule)
    asking = asyncio.ensure_future(ask(gateway, stream=True))
    await scene.upstream.until("requests", 1)
    down = True
    await asyncio.sleep(3)
    assert len(scene.upstream.requests_for("spare")) == (1 if on_failure == "allow" else 0)
    down = False
    response = await asking
    assert (response.status, response.content) == (200, "late")


async def test_a_broken_stream_is_not_resumed_by_a_candidate_without_a_limit_left(scene: Scene) -> None:
    scene.upstream.script("main", stream(role(), chunk("Hel"), Act.CUT))
    scene.upstream.script("spare", stream(role(), chunk("Hello"), finish(), usage()))
    rule = route(fallbacks=["up/spare"], recovery="resume")
    gateway = scene.gateway(limit(**of("spare")), limit("t", tokens=10_000), rule)
    resumed = await ask(gateway, stream=True)
    assert (resumed.content, resumed.events[-1]) == ("Hello", "[DONE]")
    broken = await ask(gateway, stream=True)
    error = broken.events[-1]["error"]
    assert (error["code"], error["type"]) == ("upstream_error", "upstream_error")
    assert len(scene.upstream.requests_for("spare")) == 1
    assert reserved(scene.table) == 0


# Clients that leave.


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.03, 0.5])
async def test_a_client_that_leaves_before_a_provider_is_asked_is_not_counted(
    scene: Scene, seconds: float
) -> None:
    async def slowly(when: str, method: str) -> None:
        await asyncio.sleep(0.3)

    scene.hook = slowly
    gateway, leave = scene.gateway(limit(requests=5), budget()), asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, leave.set)
    await gateway.chat(model="up/main", max_tokens=3, leave=leave)
    await gateway.gateway.settle()
    assert scene.upstream.requests == []
    assert set(counted(scene.table).values()) <= {0}
