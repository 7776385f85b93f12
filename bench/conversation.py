"""What a long conversation costs of our own work: `python -m bench.conversation [MESSAGES]`.

One process, a provider that answers at once: no socket is in the figures. Beside it stands what any gateway
needs that reads a body and writes it again.
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
    """A system message, and for each turn a question, a call, its result and an answer."""
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


async def quickest(work: Callable[[], Awaitable[object]]) -> float:
    """Microseconds of the quickest of some runs: the others tell of the machine."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await work()
        times.append(time.perf_counter() - began)
    return min(times) * 1e6


async def main(turns: int) -> None:
    gateway = start_gateway([provider("http://up.invalid"), model("up/m")], clock=time.monotonic)
    gateway.gateway.relay._transport = httpx.MockTransport(answer)
    tools = [{"type": "function", "function": {**TOOL, "name": f"look_{at}"}} for at in range(10)]
    body = json.dumps({"model": "up/m", "messages": conversation(turns), "tools": tools}).encode()

    async def ours() -> None:
        assert (await gateway.post("/v1/chat/completions", body)).status == 200

    async def read_and_written() -> None:
        json.dumps(json.loads(body))

    mine, least = await quickest(ours), await quickest(read_and_written)
    print(f"{len(body)} bytes, {4 * turns + 1} messages: {mine:.0f} us; read and written {least:.0f} us")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) // 4 if sys.argv[1:] else 100))
