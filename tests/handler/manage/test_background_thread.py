"""Long work beside the requests."""

from __future__ import annotations

import asyncio
import threading

import pytest

from handler.manage.background_thread import in_thread


async def test_requests_are_served_while_it_works() -> None:
    served = threading.Event()
    working = asyncio.create_task(in_thread(served.wait, 10))
    await asyncio.sleep(0)
    served.set()
    assert await working


async def test_one_work_waits_for_the_other() -> None:
    names = await asyncio.gather(*(in_thread(threading.get_ident) for _ in range(5)))
    assert len(set(names)) == 1
    assert names[0] != threading.get_ident()


async def test_an_error_of_the_work_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        await in_thread(divmod, 1, 0)
