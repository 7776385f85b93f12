"""A person at the command line, with tables of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.handler.cli.person import Person
from tests.support.tables import dynamodb


@pytest.fixture
def person() -> Iterator[Person]:
    with dynamodb() as client:
        yield Person(client)
