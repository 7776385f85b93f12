"""On which loop an async test runs: a warped one, unless other processes have a part in it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest

from tests.warp import Loop


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"loop": asyncio.new_event_loop if item.get_closest_marker("slow") else Loop}
