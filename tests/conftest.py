"""How tests run: async ones on the virtual clock, unless they are slow and start other processes.

Generated examples are the same in every run; `--hypothesis-profile long` generates many others.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Generator, Mapping

import pytest
from hypothesis import settings

from tests.support.upstream import Upstream
from tests.support.virtual_clock import VirtualClockLoop

settings.register_profile("same", derandomize=True, deadline=None)  # no test asserts how long work takes
settings.register_profile("long", max_examples=5000, deadline=None)
settings.load_profile("same")


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"loop": asyncio.new_event_loop if item.get_closest_marker("slow") else VirtualClockLoop}


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Keep the garbage collector from the modules and the tests, which all stay to the end of the run."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 20, 20)


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with Upstream() as server:
        yield server
