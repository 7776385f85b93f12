"""The last hours and the newest requests, through a whole gateway: what the console reads of them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from itertools import count
from typing import Any

import pytest

from handler.aws.errors import StoreError
from tests.support.canned_answers import chunk, completion, finish, stream, usage, whole
from tests.support.gateways import KEY, MANAGE, NARROW, RunningGateway, model, provider, start_gateway
from tests.support.state import InlineItems
from tests.support.tables import dynamodb
from tests.support.upstream import Upstream

NOON = 1_795_953_600
PRICE = {"input": 1, "output": 2}
ALL = ["unknown", "limited", "last", "refused", "failed", "streamed", "first"]
PRIVATE = "the caller's own words"


@pytest.fixture
def items() -> Iterator[InlineItems]:
    with dynamodb() as client:
        yield InlineItems(client)


@pytest.fixture
async def gateway(upstream: Upstream, items: InlineItems) -> AsyncIterator[RunningGateway]:
    made = start(upstream, items)
    yield made
    await made.gateway.aclose()


def start(upstream: Upstream, items: InlineItems, console: str = "on") -> RunningGateway:
    ticks = count()
    records = [provider(upstream.url), *(model(f"up/{name}", price=PRICE) for name in ("small", "large"))]
    limit = {"kind": "limit", "id": "few", "scope": {"project": "ops"}, "requests": 1, "per": "day"}
    return start_gateway(
        [*records, limit], now=lambda: NOON + next(ticks) / 1000, state=items, SLUICE_CONSOLE=console
    )


async def read(gateway: RunningGateway, path: str, key: str = MANAGE) -> Any:
    response = await gateway.get(f"/console/api/{path}", key=key)
    assert response.status == 200, response.body
    return response.json


async def serve_some(upstream: Upstream, gateway: RunningGateway) -> None:
    """Answer a whole answer, a stream and a failure, and refuse one request by a limit and one by its key."""
    upstream.script(
        "small", whole(completion()), stream(chunk("Hello"), finish(), usage()), whole(completion())
    )
    upstream.script("large", whole({"error": {"message": PRIVATE}}, status=500))
    private: Any = {
        "messages": [{"role": "user", "content": PRIVATE}],
        "user": PRIVATE,
        "tags": {"a": PRIVATE},
    }
    await gateway.chat(model="up/small", headers={"x-request-id": "first"}, **private)
    await gateway.chat(model="up/small", stream=True, headers={"x-request-id": "streamed"})
    await gateway.chat(model="up/large", headers={"x-request-id": "failed"})
    await gateway.chat(model="up/large", key=NARROW, headers={"x-request-id": "refused"})
    await gateway.chat(model="up/small", key=MANAGE, headers={"x-request-id": "last"})
    await gateway.chat(model="up/small", key=MANAGE, headers={"x-request-id": "limited"})
    await gateway.chat(model="up/small", key="sk-sluice-unknown", headers={"x-request-id": "unknown"})
    await gateway.get("/health")


async def test_the_console_reads_what_was_served(upstream: Upstream, gateway: RunningGateway) -> None:
    await serve_some(upstream, gateway)
    found = await read(gateway, "activity?hours=2")
    assert [hour["total"]["requests"] for hour in found["hours"]] == [0, 6]
    hour = found["hours"][1]
    assert hour["total"]["errors"] == 3
    assert hour["by"]["project"]["support"]["requests"] == 4
    assert {name: one["requests"] for name, one in hour["by"]["key"].items()} == {"k1": 3, "m1": 2, "n1": 1}
    assert hour["by"]["model"]["up/small"]["first_token"]["count"] == 1
    lines = [line for line in gateway.lines if line["message"] == "request"]
    assert hour["total"]["cost"] == pytest.approx(sum(line["cost"] or 0 for line in lines))


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        pytest.param("", ALL, id="all"),
        pytest.param("limit=1", ["unknown"], id="the newest"),
        pytest.param("key=k1", ["failed", "streamed", "first"], id="of a key"),
        pytest.param("model=large", ["refused", "failed"], id="of a model, asked for or used"),
        pytest.param("status=429", ["limited"], id="of a status"),
        pytest.param("status=4xx&key=n1", ["refused"], id="of a class of statuses and a key"),
        pytest.param("status=error", ["unknown", "limited", "refused", "failed"], id="errors"),
        pytest.param("id=streamed", ["streamed"], id="of an id"),
        pytest.param("id=", ALL, id="no id"),
    ],
)
async def test_the_newest_requests(
    upstream: Upstream, gateway: RunningGateway, query: str, ids: list[str]
) -> None:
    await serve_some(upstream, gateway)
    found = (await read(gateway, f"requests?{query}"))["data"]
    assert [line["request_id"] for line in found] == ids


async def test_another_instance_reads_the_same_once_it_is_written(
    upstream: Upstream, items: InlineItems, gateway: RunningGateway
) -> None:
    await serve_some(upstream, gateway)
    own = await read(gateway, "requests"), await read(gateway, "activity")
    await gateway.gateway.aclose()
    other = start(upstream, items)
    assert (await read(other, "requests"), await read(other, "activity")) == own
    line = await read(other, "requests/limited")
    assert (line["status"], line["error"]["code"]) == (429, "rate_limit_exceeded")
    assert "limit few" in line["error"]["message"]
    assert (await read(other, "requests/failed"))["attempts"][0]["class"] == "server"
    missing = await other.get("/console/api/requests/none", key=MANAGE)
    assert (missing.status, missing.error["code"]) == (404, "request_not_found")
    await other.gateway.aclose()


async def test_nothing_that_a_caller_or_a_provider_wrote_is_kept(
    upstream: Upstream, items: InlineItems, gateway: RunningGateway
) -> None:
    await serve_some(upstream, gateway)
    await gateway.gateway.aclose()
    assert "words" not in json.dumps(await read(start(upstream, items), "requests"))


async def test_a_console_that_is_off_keeps_nothing(upstream: Upstream, items: InlineItems) -> None:
    gateway = start(upstream, items, console="off")
    await serve_some(upstream, gateway)
    await gateway.gateway.aclose()
    assert gateway.gateway._activity is None


async def test_a_store_that_is_down_leaves_requests_alone(
    upstream: Upstream, items: InlineItems, gateway: RunningGateway
) -> None:
    upstream.script("small", whole(completion()))
    items.down = StoreError("access denied")
    for _ in range(3):
        assert (await gateway.chat(model="up/small")).status == 200
    await gateway.gateway.settle()
    assert [line["message"] for line in gateway.lines].count("activity not written") == 1
    response = await gateway.get("/console/api/activity", key=MANAGE)
    assert (response.status, response.error["code"]) == (503, "store_unavailable")
    items.down = None
    await gateway.gateway.aclose()
    assert (await read(gateway, "activity"))["hours"][-1]["total"]["requests"] == 3


@pytest.mark.parametrize(
    ("path", "param"),
    [
        pytest.param("activity?hours=0", "hours", id="no hours"),
        pytest.param("activity?hours=193", "hours", id="too many hours"),
        pytest.param("activity?hours=-1", "hours", id="a negative number"),
        pytest.param("activity?hours=1e1", "hours", id="no whole number"),
        pytest.param("activity?hours=٣", "hours", id="other digits"),
        pytest.param("activity?hour=1", "hour", id="a misspelt name"),
        pytest.param("requests?limit=201", "limit", id="too many lines"),
        pytest.param("requests?status=6xx", "status", id="no status"),
        pytest.param("requests?status=ok", "status", id="a word"),
        pytest.param("requests/x?limit=1", "limit", id="a parameter where there is none"),
    ],
)
async def test_a_bad_parameter_is_named(gateway: RunningGateway, path: str, param: str) -> None:
    response = await gateway.get(f"/console/api/{path}", key=MANAGE)
    assert (response.status, response.error["param"]) == (400, param)


@pytest.mark.parametrize("path", ["activity", "requests", "requests/first"])
async def test_a_chat_key_reads_nothing(gateway: RunningGateway, path: str) -> None:
    response = await gateway.get(f"/console/api/{path}", key=KEY)
    assert (response.status, response.error["code"]) == (403, "scope_required")
