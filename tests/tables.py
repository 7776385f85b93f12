"""A DynamoDB in this process with the three tables of template.yaml: what store tests run against.

moto's DynamoDB is not atomic under threads: good for everything but counting.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.session import Session
from moto import mock_aws

from handler.local.tables import create_tables
from handler.settings import Settings

SETTINGS = Settings()


@contextmanager
def dynamodb(settings: Settings = SETTINGS) -> Iterator[Any]:
    """A botocore DynamoDB client whose tables exist and are empty; they are gone at exit.

    @pytest.fixture
    def client() -> Iterator[Any]:
        with dynamodb() as client:
            yield client
    """
    with mock_aws():
        client = Session().create_client(
            "dynamodb",
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        create_tables(client, settings)
        yield client
