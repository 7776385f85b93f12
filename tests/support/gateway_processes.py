"""Gateways in processes of their own, with different seeds for Python's hashes. Their tables are lists.

    async with GatewayProcesses(8, records) as gateways:
        status, model = await gateways.chat(3, {"model": "twin", "messages": [...]}, x_session_id="s1")

`python -m tests.support.gateway_processes` is one of them: it reads and writes a line of JSON a request.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.gateways import Json, start_gateway

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-W", "error", "-m", "tests.support.gateway_processes")
Answer = tuple[int, str | None]  # its status, and the model of `x-sluice-model`


class GatewayProcesses:
    """`async with` starts the processes, and ends them."""

    def __init__(self, count: int, records: list[Json]) -> None:
        self._count, self._records = count, records
        self._locks = [asyncio.Lock() for _ in range(count)]
        self._processes: list[Process] = []

    async def __aenter__(self) -> Self:
        self._processes = [await self._start(seed) for seed in range(1, self._count + 1)]
        await asyncio.gather(*(self._ask(number, self._records) for number in range(self._count)))
        return self

    async def _start(self, seed: int) -> Process:
        environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
        return await asyncio.create_subprocess_exec(
            *COMMAND, cwd=ROOT, env=environment, stdin=PIPE, stdout=PIPE
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()
            await process.communicate()

    async def chat(self, number: int, body: Json, **headers: str) -> Answer:
        """The answer of one of the processes. It serves one request at a time."""
        async with self._locks[number]:
            status, model = await self._ask(number, [body, headers])
            return status, model

    async def _ask(self, number: int, question: Any) -> Any:
        process = self._processes[number]
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(question).encode() + b"\n")
        return json.loads(await process.stdout.readline())


async def _serve() -> None:
    gateway = start_gateway(json.loads(sys.stdin.readline()))
    _answer("ready")
    while line := await asyncio.to_thread(sys.stdin.readline):
        body, headers = json.loads(line)
        response = await gateway.chat(headers=headers, **body)
        _answer([response.status, response.headers.get("x-sluice-model")])


def _answer(content: Any) -> None:
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_serve())
