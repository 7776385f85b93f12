"""Measures the time that Sluice takes for a long conversation: `python -m bench.conversation [MESSAGES]`.

Gateway and provider run in one process, without a socket, and the provider answers at once. For comparison it
prints the time to parse the body and write it again, which any gateway needs.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable

import httpx

from tests.support.canned_answers import completion
from tests.support.gateways import model, provider, start_gateway

ROUNDS = 200
TOOL = {"name": "look", "description": "Looks.", "parameters": {"type": "object", "properties": {"q": {}}}}


def conversation(turns: int) -> list[dict[str, object]]:
    """Returns a system message, and for each turn a question, a call, its result and an answer."""
    messages: list[dict[str, object]] = [{"role": "system", "content": "You are an agent. " * 40}]
    for turn in range(turns):
        call = {
            "id": f"call_{turn}",
            "type": "function",
            "function": {"name": "look", "arguments": '{"q":1}'},
        }
        messages += (
            {"role": "user", "content": f"Step {turn}, and take care of it please."},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call["id"], "content": "result " * 20},
            {"role": "assistant", "content": "I did it. " * 10},
        )
    return messages


def answer(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json=completion())


async def shortest_time(work: Callable[[], Awaitable[object]]) -> float:
    """Returns the microseconds of the shortest of ROUNDS runs; the others were disturbed by the machine."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await work()
        times.append(time.perf_counter() - began)
    return min(times) * 1e6


async def main(turns: int) -> None:
    records = [provider("http://up.invalid"), model("up/m")]
    gateway = start_gateway(records, upstream=httpx.MockTransport(answer), clock=time.monotonic)
    tools = [{"type": "function", "function": {**TOOL, "name": f"look_{at}"}} for at in range(10)]
    body = json.dumps({"model": "up/m", "messages": conversation(turns), "tools": tools}).encode()

    async def relay() -> None:
        assert (await gateway.post("/v1/chat/completions", body)).status == 200

    async def parse_and_write() -> None:
        json.dumps(json.loads(body))

    relaying, parsing = await shortest_time(relay), await shortest_time(parse_and_write)
    size = f"{len(body)} bytes, {4 * turns + 1} messages"
    print(f"{size}: {relaying:.0f} us; to parse and write: {parsing:.0f} us")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) // 4 if sys.argv[1:] else 100))
