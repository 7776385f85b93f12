"""The command line, with new tables."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.handler.cli.command_line import CommandLine
from tests.support.tables import dynamodb


@pytest.fixture
def cli() -> Iterator[CommandLine]:
    with dynamodb() as client:
        yield CommandLine(client)
