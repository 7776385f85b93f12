"""A loop on which nobody waits: its clock stands still while there is work, and jumps when there is none.

    def test_after_an_hour() -> None:
        async def story() -> None:
            await asyncio.sleep(3600)
        run(story())

So a limit is never passed because a machine is busy, and what waits or works for ever fails, not hangs.
Async tests run on it (conftest.py), both ends of their sockets in one process. While a thread works time goes
slowly; another process would be left behind. That a task holds the loop up is seen in bench/, not here.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

T = TypeVar("T")

QUIET = 0.003  # real seconds in which what was sent over loopback has arrived
PATIENCE = 60.0  # real seconds in which a thread of somebody else may have something to say
SPINS = 2_000_000  # rounds of the loop
SLOWER = 5  # than the real clock is this one while a thread works: a busy machine is no slow answer


class _Jumps(selectors.DefaultSelector):
    """Reports what has happened, and otherwise says how long it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.rounds = 0  # since time passed
        self.threads = 0  # at work

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            found = super().select(PATIENCE)
            assert found, "nothing will ever happen"
            return found
        self.rounds += 1
        assert self.rounds < SPINS, "the loop has work without end, and no time passes"
        if self.threads:
            return self._slowly(timeout)
        sockets = len(self.get_map()) > 1  # beside the loop's own
        found = super().select(min(timeout, QUIET) if sockets else 0)
        if not found and timeout > 0:
            self.now, self.rounds = self.now + timeout, 0
        return found

    def _slowly(self, timeout: float) -> list[tuple[selectors.SelectorKey, int]]:
        began = time.monotonic()
        found = super().select(timeout * SLOWER)
        self.now += (time.monotonic() - began) / SLOWER
        return found


class Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumps = _Jumps()
        super().__init__(self._jumps)

    def time(self) -> float:
        return self._jumps.now

    async def getaddrinfo(self, host: Any, port: Any, **how: Any) -> Any:
        """Names that are never there (RFC 6761) are not asked of the machine's resolver: it may be slow."""
        if host.endswith(b".invalid" if isinstance(host, bytes) else ".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return await super().getaddrinfo(host, port, **how)

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, work: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        self._jumps.threads += 1
        future = super().run_in_executor(executor, work, *args)
        future.add_done_callback(self._back)
        return future

    def _back(self, _: object) -> None:
        self._jumps.threads -= 1


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs it on such a loop of its own, which begins at 0. `clock` of this module is the time there."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(work)


def clock() -> float:
    return asyncio.get_running_loop().time()


async def timed(work: Awaitable[Any]) -> tuple[float, Any]:
    """How long it took, and what it gave."""
    began = clock()
    result = await work
    return clock() - began, result
