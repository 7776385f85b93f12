"""An operator, with new tables."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.handler.console.operator import Operator
from tests.support.tables import dynamodb


@pytest.fixture(scope="module")
def database() -> Iterator[Any]:
    with dynamodb() as client:
        yield client


@pytest.fixture
async def operator(database: Any) -> AsyncIterator[Operator]:
    made = Operator(database)
    yield made
    await made.running.gateway.aclose()
