"""The embedded DynamoDB: conditional writes at once are as exact as DynamoDB's."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from handler.aws.errors import StoreError
from handler.aws.sdk import call_aws, create_client
from handler.local.create_tables import create_tables
from handler.local.database import serve_database
from handler.settings import Settings
from handler.store import counts


@pytest.fixture
def quick_switches() -> Iterator[None]:
    """Lets threads interrupt each other at every step."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("quick_switches")
def test_a_limit_admits_exactly_as_many_as_it_says() -> None:
    with serve_database() as endpoint:
        settings = Settings(environment={"AWS_ENDPOINT_URL_DYNAMODB": endpoint})
        client = create_client(settings)
        create_tables(client, settings)

        def take(number: int) -> bool:
            update = counts.take(
                "c", 1, room=19, hits=1, slot=None, write=f"{number:016x}", expires_at=2_000_000_000
            )
            try:
                call_aws(client, "update_item", update.arguments(settings.state_table))
            except StoreError as error:
                return error.code != "ConditionalCheckFailedException"
            return True

        with ThreadPoolExecutor(8) as threads:
            assert sum(threads.map(take, range(60))) == 20
