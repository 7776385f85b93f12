"""An event loop whose clock stops while there is work, and jumps to the next timer when there is none.

    def test_after_an_hour() -> None:
        async def story() -> None:
            await asyncio.sleep(3600)
        run(story())

A busy machine does not exceed a time limit, and a test that waits or works without end fails, not hangs.
Async tests run on this loop (conftest.py), with both ends of their sockets in one process. While a thread
works, the clock runs slowly; other processes cannot keep up with it. bench/ measures what blocks the loop.
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

QUIET = 0.003  # real seconds in which loopback delivers what was sent
PATIENCE = 60.0  # real seconds that a foreign thread may take to wake the loop
SPINS = 2_000_000  # rounds of the loop
SLOWER = 5  # times slower than the real clock, while a thread works: a busy machine is not a slow answer


class _Jumps(selectors.DefaultSelector):
    """Reports events; if there are none, advances `now` by the time it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.rounds = 0  # since the clock moved
        self.threads = 0  # at work

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            found = super().select(PATIENCE)
            assert found, "no event and no timer: the test would hang"
            return found
        self.rounds += 1
        assert self.rounds < SPINS, "the loop works without end, and its clock does not move"
        if self.threads:
            return self._slowly(timeout)
        sockets = len(self.get_map()) > 1  # more than the loop's own
        found = super().select(min(timeout, QUIET) if sockets else 0)
        if not found and timeout > 0:
            self.now, self.rounds = self.now + timeout, 0
        return found

    def _slowly(self, timeout: float) -> list[tuple[selectors.SelectorKey, int]]:
        began = time.monotonic()
        found = super().select(timeout * SLOWER)
        self.now += (time.monotonic() - began) / SLOWER
        return found


class VirtualClockLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumps = _Jumps()
        super().__init__(self._jumps)

    def time(self) -> float:
        return self._jumps.now

    async def getaddrinfo(self, host: Any, port: Any, **how: Any) -> Any:
        """Fails at once for `.invalid` names (RFC 6761): the machine's resolver may be slow."""
        if host.endswith(b".invalid" if isinstance(host, bytes) else ".invalid"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return await super().getaddrinfo(host, port, **how)

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, work: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        self._jumps.threads += 1
        future = super().run_in_executor(executor, work, *args)
        future.add_done_callback(self._thread_done)
        return future

    def _thread_done(self, _: object) -> None:
        self._jumps.threads -= 1

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Wait for threads without the time limit of Python 3.12, which would be over at once."""
        await super().shutdown_default_executor()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs `work` on a loop of its own, whose `clock()` begins at 0."""
    with asyncio.Runner(loop_factory=VirtualClockLoop) as runner:
        return runner.run(work)


def clock() -> float:
    return asyncio.get_running_loop().time()


def now() -> float:
    """Epoch seconds that pass with `clock`, from noon of 20 November 2025."""
    return 1_763_640_000.0 + clock()


async def timed(work: Awaitable[Any]) -> tuple[float, Any]:
    """The seconds that `work` took, and its result."""
    began = clock()
    result = await work
    return clock() - began, result
