"""Work beside requests: tasks that none of them has to wait for, and whose failures have a place to go."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any


class BackgroundTasks:
    """The tasks of one owner that are under way."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(
        self, work: Coroutine[Any, Any, None], failed: Callable[[BaseException], None]
    ) -> asyncio.Task[None]:
        """Whatever it dies of is told to `failed`, and is never an exception that nobody fetched."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._done(done, failed))
        return task

    def cancel(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def settle(self, seconds: float) -> None:
        """Waits at most `seconds` for all of it: before a freeze, or at exit."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._tasks:
                    await asyncio.wait(self._tasks)

    def _done(self, task: asyncio.Task[None], failed: Callable[[BaseException], None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            failed(error)


def safe_message(error: BaseException, *expected: type[Exception]) -> str:
    """What may be said of a failure: the words of those that are made for it, of any other its name."""
    return str(error) if isinstance(error, expected) else f"internal error ({type(error).__name__})"
