"""Runs tasks in the background, so that no request has to wait for them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")
OnError = Callable[[BaseException], None]


class BackgroundTasks:
    """The running tasks of one owner, at most one of each name."""

    def __init__(self) -> None:
        self._tasks: dict[object, asyncio.Task[Any]] = {}  # by name; one without a name by itself

    def __len__(self) -> int:
        return len(self._tasks)

    def running(self, name: str) -> asyncio.Task[Any] | None:
        """The task of that name, if it has not ended yet."""
        task = self._tasks.get(name)
        return None if task is None or task.done() else task

    def start(
        self, work: Coroutine[Any, Any, T], on_error: OnError, *, name: str | None = None
    ) -> asyncio.Task[T]:
        """Run `work` as a task and pass its exception, if any, to `on_error`. `name` must not be running."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[name or task] = task
        task.add_done_callback(partial(self._finish, name or task, on_error))
        return task

    def cancel(self) -> None:
        """Cancel every task. New ones may start at once under the same names."""
        for task in self._tasks.values():
            task.cancel()
        self._tasks = {}

    async def settle(self, seconds: float) -> None:
        """Wait at most `seconds` for all tasks, including those that start meanwhile."""
        if not self._tasks:  # nearly always: a time limit would cost more than the rest
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._tasks:
                    await asyncio.wait(self._tasks.values())

    def _finish(self, name: object, on_error: OnError, task: asyncio.Task[Any]) -> None:
        if self._tasks.get(name) is task:
            del self._tasks[name]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            on_error(error)


def safe_message(error: BaseException, *expected: type[Exception]) -> str:
    """The message of an expected exception; for any other, only its class name."""
    return str(error) if isinstance(error, expected) else f"internal error ({type(error).__name__})"
