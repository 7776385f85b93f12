"""A hedge: a second attempt that is started while the first one is silent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


async def race(
    first: Coroutine[Any, Any, T],
    second: Callable[[], Coroutine[Any, Any, T] | None],
    *,
    after: float,
    settles: Callable[[T], bool],
    discard: Callable[[T], Awaitable[None]],
) -> T:
    """Run `first` and, when it has no result after `after` seconds, `second()` at the same time.

    Returns the first result that `settles` the race, or else the last. The other run is cancelled; `discard`
    gets each result that is not returned.
    """
    tasks = [asyncio.create_task(first)]
    try:
        await asyncio.wait(tasks, timeout=after)
        if not tasks[0].done() and (hedge := second()) is not None:
            tasks.append(asyncio.create_task(hedge))
        winner = await _winner(tasks, settles)
        await _end([task for task in tasks if task is not winner], discard)
    except BaseException:
        await _end(tasks, discard)
        raise
    return winner.result()


async def _end(tasks: Sequence[asyncio.Task[T]], discard: Callable[[T], Awaitable[None]]) -> None:
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        if not isinstance(result, BaseException):
            await discard(result)


async def _winner(tasks: Sequence[asyncio.Task[T]], settles: Callable[[T], bool]) -> asyncio.Task[T]:
    running = list(tasks)
    while True:
        await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        for task in [task for task in running if task.done()]:
            running.remove(task)
            result = task.result()
            if not running or settles(result):
                return task
