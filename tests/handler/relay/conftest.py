"""A relay over sockets, as a fixture."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.running_relay import RunningRelay, run_relay


@pytest.fixture
async def relay() -> AsyncIterator[RunningRelay]:
    async with run_relay() as made:
        yield made
