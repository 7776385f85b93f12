"""What a request costs in DynamoDB, for each configuration: the table of docs/performance.md."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.support.canned_answers import completion
from tests.support.capacity import Capacity
from tests.support.gateways import Json, model, provider, start_gateway
from tests.support.state import InlineItems
from tests.support.tables import dynamodb
from tests.support.virtual_clock import now

PAGE = (Path(__file__).parents[2] / "docs" / "performance.md").read_text()
WRITE, READ = 0.625, 0.125  # dollars per million units, on demand, us-east-1

REQUESTS = {"kind": "limit", "id": "requests", "requests": 1000, "per": "day"}
TOKENS = {"kind": "limit", "id": "tokens", "tokens": 100_000_000, "per": "day"}
BUDGET = {"kind": "budget", "id": "money", "usd": 20, "per": "month"}
ALL = [REQUESTS, TOKENS, BUDGET]


class Cost(NamedTuple):
    """DynamoDB's part of one request: calls that it waits for, other calls, and units."""

    before: int
    after: int
    write_units: int
    read_units: float

    def dollars(self) -> float:
        return self.write_units * WRITE + self.read_units * READ


def four_limits() -> list[Json]:
    return [{**REQUESTS, "id": f"requests-{n}"} for n in range(4)]


def used_up(record: Json) -> Json:
    """The record with the least that it can admit: one request, or what one request costs."""
    return {**record, **({"requests": 1} if record["kind"] == "limit" else {"usd": 0.000015})}


AGAIN = "refused again within a second"
SPARE = {"then": {"model": "up/spare", "override": True}}
CASES = {
    "none": ([], Cost(0, 1, 1, 0)),
    "a limit of requests": ([REQUESTS], Cost(1, 1, 2, 0)),
    "a limit of tokens": ([TOKENS], Cost(1, 2, 3, 0)),
    "a budget": ([BUDGET], Cost(1, 2, 3, 0)),
    "four limits of requests": (four_limits(), Cost(1, 2, 9, 4)),
    "two limits and a budget": (ALL, Cost(1, 4, 9, 3)),
    "refused by a budget": ([used_up(BUDGET)], Cost(1, 0, 1, 0)),
    "refused by a budget, beside two limits": ([REQUESTS, TOKENS, used_up(BUDGET)], Cost(1, 0, 6, 0)),
    AGAIN: ([used_up(BUDGET)], Cost(0, 0, 0, 0)),
    "a used-up budget with `then`": ([used_up({**BUDGET, **SPARE})], Cost(0, 2, 2, 0)),
}


@pytest.fixture
def capacity() -> Iterator[tuple[InlineItems, Capacity]]:
    with dynamodb() as client:
        yield InlineItems(client), Capacity(client)


async def cost_of(records: list[Json], items: InlineItems, capacity: Capacity, pause: float) -> Cost:
    """Returns the cost of a request of an instance that has answered some before.

    pause: seconds between two requests. Nothing waits for reads: they follow a transaction, which does not
    return its items.
    """
    before = 0

    def answer(_: httpx.Request) -> httpx.Response:
        nonlocal before
        before = capacity.calls.total() - capacity.calls["BatchGetItem"]
        return httpx.Response(200, json=completion())

    models = [model(f"up/{name}", price={"input": 1, "output": 2}) for name in ("main", "spare")]
    gateway = start_gateway(
        [provider("http://up.invalid"), *models, *records],
        state=items,
        now=now,
        upstream=httpx.MockTransport(answer),
    )
    for _ in range(3):
        before = 0
        capacity.reset()
        response = await gateway.chat(model="up/main", max_tokens=3)
        if response.status != 200:
            before = capacity.calls.total()
        await gateway.gateway.settle()
        await asyncio.sleep(pause)
    return Cost(before, capacity.calls.total() - before, capacity.write_units, capacity.read_units)


@pytest.mark.parametrize("name", CASES)
async def test_the_cost_of_a_request(name: str, capacity: tuple[InlineItems, Capacity]) -> None:
    records, expected = CASES[name]
    pause = 0 if name == AGAIN else 2
    assert await cost_of(records, *capacity, pause) == expected


@pytest.mark.parametrize("name", CASES)
def test_the_page_states_it(name: str) -> None:
    cost = CASES[name][1]
    cells = (name, cost.before, cost.after, cost.write_units, cost.read_units, f"{cost.dollars():.2f}")
    assert f"| {' | '.join(map(str, cells))} |" in PAGE
