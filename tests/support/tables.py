"""A DynamoDB in this process with the three tables of template.yaml, for tests of the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from moto import mock_aws

from handler.local.create_tables import create_tables
from handler.settings import Settings
from tests.support.aws import aws_client

SETTINGS = Settings()


@contextmanager
def dynamodb(settings: Settings = SETTINGS) -> Iterator[Any]:
    """A botocore DynamoDB client with empty tables, which are deleted at exit.

    @pytest.fixture
    def client() -> Iterator[Any]:
        with dynamodb() as client:
            yield client
    """
    with mock_aws():
        client = aws_client("dynamodb")
        _serialize(client)
        create_tables(client, settings)
        yield client


def _serialize(client: Any) -> None:
    """Makes `client` run its calls one at a time.

    DynamoDB checks a write's condition and writes in one step. moto does not: two threads that write the
    same item could both find their condition true.
    """
    lock, call = Lock(), client._make_api_call

    def one_at_a_time(operation: str, arguments: Any) -> Any:
        with lock:
            return call(operation, arguments)

    client._make_api_call = one_at_a_time
