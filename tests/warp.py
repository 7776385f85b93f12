"""A loop on which nobody waits: its clock stands still, and jumps when there is nothing to do.

    def test_after_an_hour() -> None:
        async def story() -> None:
            await asyncio.sleep(3600)
        run(story)

For stories without threads and without sockets: it would jump ahead of them.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any


class _Jumps(selectors.DefaultSelector):
    """Reports what has happened, and otherwise says how long it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0 if timeout is not None else 1)
        if not found and timeout is not None:
            self.now += timeout
        return found


class Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumps = _Jumps()
        super().__init__(self._jumps)

    def time(self) -> float:
        return self._jumps.now


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs it. On such a loop, `clock` of this module is the time."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(story())


def clock() -> float:
    return asyncio.get_running_loop().time()


async def timed(work: Awaitable[Any]) -> tuple[float, Any]:
    """How long it took, and what it gave."""
    began = clock()
    result = await work
    return clock() - began, result
