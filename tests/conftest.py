"""How tests run: async ones on a warped loop, unless other processes have a part in it; made-up examples are
the same ones every time (`--hypothesis-profile long` makes up many others).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest
from hypothesis import settings

from tests.support.virtual_clock import Loop

settings.register_profile("same", derandomize=True)
settings.register_profile("long", max_examples=5000, deadline=None)
settings.load_profile("same")


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"loop": asyncio.new_event_loop if item.get_closest_marker("slow") else Loop}
