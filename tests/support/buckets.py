"""An S3 in this process with one bucket, and clients that fail, for tests of what is stored there."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from botocore.exceptions import ClientError
from moto import mock_aws

from handler.store.bucket import Bucket
from tests.support.aws import aws_client

T = TypeVar("T")

NAME = "content"


@contextmanager
def s3(name: str = NAME) -> Iterator[Any]:
    """A botocore S3 client with an empty bucket, which is deleted at exit."""
    with mock_aws():
        client = aws_client("s3")
        client.create_bucket(Bucket=name)
        yield client


class InlineBucket(Bucket):
    """A bucket that is called in the event loop's own thread, so that a busy machine is not a slow S3."""

    async def run(self, work: Callable[[], T]) -> T:
        return work()


@contextmanager
def bucket() -> Iterator[Bucket]:
    with s3() as client:
        yield InlineBucket(NAME, lambda: client)


class FailingClient:
    """A client of which every operation raises `error`."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.calls: list[str] = []

    def __getattr__(self, operation: str) -> Any:
        def call(**_: Any) -> Any:
            self.calls.append(operation)
            raise self.error

        return call


def refused(code: str, operation: str = "PutObject") -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "arn:aws:s3:::content of 123456789012"}}, operation
    )


def stored(client: Any, prefix: str = "log/", name: str = NAME) -> dict[str, Any]:
    """The JSON of the objects whose keys begin with `prefix`, by key."""
    listed = client.list_objects_v2(Bucket=name, Prefix=prefix).get("Contents", ())
    keys = [entry["Key"] for entry in listed]
    bodies = (client.get_object(Bucket=name, Key=key)["Body"].read() for key in keys)
    return dict(zip(keys, (json.loads(gzip.decompress(body)) for body in bodies), strict=True))
