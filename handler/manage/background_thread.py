"""Does work that may take seconds in a thread, so that requests are served meanwhile.

There is one such thread, whose work waits in line: of several, each would slow the requests down further.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Return the result of `work` with these arguments."""
    return await asyncio.get_running_loop().run_in_executor(_thread(), lambda: work(*args, **options))


@cache
def _thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="sluice-background")
