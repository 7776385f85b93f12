"""Budgets, usage totals and log lines count the same nano-dollars, whatever happens to requests."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from tests.support.atomic_items import AtomicItems, Table
from tests.support.canned_answers import Act, Json, Reply, chunk, completion, finish, role, stream, whole
from tests.support.gateways import RunningGateway, model, provider, start_gateway
from tests.support.ledgers import counted, reserved
from tests.support.upstream import Request, Upstream
from tests.support.virtual_clock import now

REQUESTS = 200
MODELS = ("a", "b", "c")


class Unreliable(Upstream):
    """A provider that answers, fails, stalls and breaks off at random, with usages of all sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.chance = random.Random(4)

    def usage(self) -> Json:
        prompt, written = self.chance.randrange(1, 9999), self.chance.randrange(1, 999)
        cached = self.chance.randrange(prompt)
        details = {"prompt_tokens_details": {"cached_tokens": cached}}
        return {"prompt_tokens": prompt, "completion_tokens": written, **details}

    def _reply(self, request: Request) -> Reply:
        wait, streamed = self.chance.choice([0.0, 0.0, 0.3, 2.5]), request.json.get("stream")
        match self.chance.randrange(10):
            case 0:
                return whole(status=500)
            case 1:
                return whole(status=429, headers={"retry-after": "1"})
            case 2:
                return Reply(status=None, pieces=(wait, Act.RESET))
            case 3 if streamed:
                return stream(
                    wait, role(), chunk("Hel"), self.chance.choice([Act.CUT, Act.STALL]), done=False
                )
            case 4 if not streamed:
                return whole(completion(usage=None))
            case _ if streamed:
                last = {**chunk(), "choices": [], "usage": self.usage()}
                return stream(wait, role(), chunk("Hello"), finish(), last)
        return Reply(
            status=200, headers={"content-type": "application/json"}, chunked=True,
            pieces=(wait, *whole(completion(usage=self.usage())).pieces),
        )  # fmt: skip


def records(url: str) -> list[Json]:
    prices = [
        {"input": 0.0370001, "output": 1.1300007, "cached_input": 0.0123457},
        {"input": 3, "output": 15},
    ]
    own = [model(f"up/{name}", price=prices[n % 2]) for n, name in enumerate(MODELS)]
    rule = {
        "kind": "route", "id": "r", "retries": 1, "hedge_after": 1, "recovery": "resume",
        "fallbacks": ["up/b", "up/c"], "timeouts": {"first_token": 2, "idle": 2, "total": 6},
    }  # fmt: skip
    counters: list[Json] = [
        {"kind": "budget", "id": "all", "usd": 10_000, "per": "month"},
        {"kind": "budget", "id": "users", "usd": 5_000, "per": "day", "each": "user"},
        {"kind": "limit", "id": "tokens", "tokens": 10**9, "per": "hour"},
        {"kind": "budget", "id": "of-b", "usd": 5_000, "per": "month", "when": {"model": "up/b"}},
    ]
    return [provider(url), *own, rule, *counters]


def logged(gateways: list[RunningGateway]) -> list[Json]:
    return [line for each in gateways for line in each.lines if line["message"] == "request"]


async def test_the_sums_are_equal_to_the_nano_dollar() -> None:
    chance, table = random.Random(5), Table()
    async with Unreliable() as upstream:
        gateways = [start_gateway(records(upstream.url), state=AtomicItems(table), now=now) for _ in range(3)]

        async def request(number: int) -> None:
            gateway, leave = gateways[number % 3], asyncio.Event()
            await asyncio.sleep(chance.random() * 60)
            if chance.random() < 0.2:
                asyncio.get_running_loop().call_later(chance.random() * 3, leave.set)
            fields: Any = {"stream": True} if chance.random() < 0.5 else {}
            name = chance.choice(MODELS)
            await gateway.chat(model=f"up/{name}", user=f"u{number % 5}", leave=leave, **fields)
            if chance.random() < 0.3:
                await gateway.gateway.settle()

        await asyncio.gather(*(request(number) for number in range(REQUESTS)))
        for gateway in gateways:
            await gateway.gateway.settle()
            await gateway.gateway.aclose()
    lines = logged(gateways)
    assert len(lines) == REQUESTS
    assert {line["status"] for line in lines} >= {200}
    assert any(line["left"] for line in lines)
    assert any(len(line["attempts"]) > 2 for line in lines)
    assert any(line["resumed"] for line in lines)
    cost = sum(round(line["cost"] * 1e9) for line in lines if line["cost"] is not None)
    tokens = sum(
        line["usage"].get(part, 0) for line in lines if line["usage"] for part in ("input", "output")
    )
    totals = counted(table)
    assert reserved(table) == 0
    assert (totals["all"], totals["users"], totals["tokens"]) == (cost, cost, tokens)
    assert 0 < totals["of-b"] < cost
    rows = [item for id, item in table.items.items() if id.startswith("usage/")]
    assert sum(item.get("cost", 0) for item in rows) == cost
