"""Objects of a bucket on moto, and the errors of S3."""

from __future__ import annotations

import io
from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError, ReadTimeoutError

from handler.aws.errors import StoreError
from handler.settings import Settings
from handler.store.bucket import MAX_BYTES, Bucket, open_bucket
from tests.support.buckets import NAME, FailingClient, bucket, refused


@pytest.fixture
def objects() -> Iterator[Bucket]:
    with bucket() as objects:
        yield objects


async def test_an_object_is_written_and_read(objects: Bucket) -> None:
    assert await objects.get("log/a") is None
    await objects.put("log/a", b"one")
    await objects.put("log/a", b"two")
    assert await objects.get("log/a") == b"two"


async def test_keys_are_listed_in_order_by_prefix(objects: Bucket) -> None:
    for key in ("log/2", "log/1", "log/3", "cache/1"):
        await objects.put(key, b"")
    assert await objects.keys("log/") == ["log/1", "log/2", "log/3"]
    assert await objects.keys("log/", after="log/1") == ["log/2", "log/3"]
    assert await objects.keys("log/", limit=2) == ["log/1", "log/2"]
    assert await objects.keys("none/") == []


async def test_a_listing_of_several_pages_is_whole(objects: Bucket) -> None:
    keys = [f"log/{number:04}" for number in range(1_003)]
    for key in keys:
        await objects.put(key, b"")
    assert await objects.keys("log/") == keys
    assert await objects.keys("log/", limit=1_001) == keys[:1_001]


FAILURES = [
    pytest.param(refused("AccessDenied"), "put object: access denied", id="denied"),
    pytest.param(refused("NoSuchBucket"), "put object: there is no such bucket", id="no bucket"),
    pytest.param(refused("SlowDown"), "put object: throttled", id="throttled"),
    pytest.param(refused("InternalError"), "put object: InternalError", id="an error inside S3"),
    pytest.param(NoCredentialsError(), "put object: no AWS credentials were found", id="no credentials"),
    pytest.param(
        ReadTimeoutError(endpoint_url="https://s3.internal"),
        "put object: no answer (read timeout)",
        id="slow",
    ),
    pytest.param(
        EndpointConnectionError(endpoint_url="https://s3.internal"),
        "put object: no answer (endpoint connection)",
        id="down",
    ),
]


@pytest.mark.parametrize(("error", "text"), FAILURES)
async def test_an_error_is_told_in_plain_words(error: Exception, text: str) -> None:
    with pytest.raises(StoreError) as failure:
        await Bucket(NAME, lambda: FailingClient(error)).put("log/a", b"")
    assert str(failure.value) == text


class Answers:
    """A client that gives these answers."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    def __getattr__(self, operation: str) -> Any:
        return lambda **_: self.answers[operation]


class BrokenBody(io.BytesIO):
    def read(self, size: int | None = -1, /) -> bytes:
        raise ReadTimeoutError(endpoint_url="https://s3.internal")


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        pytest.param(
            {"ContentLength": MAX_BYTES + 1, "Body": io.BytesIO()},
            "get object: more than 32,000,000 bytes",
            id="an object that is too large",
        ),
        pytest.param(
            {"ContentLength": 1, "Body": BrokenBody()},
            "get object: no answer (read timeout)",
            id="a body that breaks off",
        ),
        pytest.param({}, "get object: an answer that is not AWS's (KeyError)", id="an answer without a body"),
    ],
)
async def test_an_object_that_cannot_be_read_is_an_error(answer: Any, text: str) -> None:
    with pytest.raises(StoreError) as failure:
        await Bucket(NAME, lambda: Answers(get_object=answer)).get("a")
    assert str(failure.value) == text


@pytest.mark.parametrize(
    "page",
    [
        pytest.param({"Contents": [{"Size": 1}]}, id="an entry without a key"),
        pytest.param({"Contents": 3}, id="no list"),
        pytest.param([], id="no object"),
    ],
)
async def test_a_listing_that_cannot_be_read_is_an_error(page: Any) -> None:
    with pytest.raises(StoreError, match="is not AWS"):
        await Bucket(NAME, lambda: Answers(list_objects_v2=page)).keys("log/")


async def test_a_listing_that_never_ends_is_left_at_its_limit() -> None:
    page = {"Contents": [{"Key": "a"}] * 1_000, "IsTruncated": True}
    listed = await Bucket(NAME, lambda: Answers(list_objects_v2=page)).keys("a", limit=5_000)
    assert len(listed) == 5_000


async def test_a_call_that_hangs_ends_at_the_time_limit() -> None:
    release = Event()
    objects = Bucket(NAME, lambda: Answers(put_object=release.wait(5)), timeout=0.01)
    with pytest.raises(StoreError, match=r"no answer within 0\.01 s"):
        await objects.put("a", b"")
    release.set()


async def test_the_client_is_made_once_and_again_after_a_failure() -> None:
    made: list[Any] = []

    def connect() -> Any:
        made.append(1)
        if len(made) == 1:
            raise StoreError("s3: no AWS region is configured")
        return Answers(put_object={})

    objects = Bucket(NAME, connect)
    assert made == []
    with pytest.raises(StoreError, match="region"):
        await objects.put("a", b"")
    await objects.put("a", b"")
    await objects.put("a", b"")
    assert len(made) == 2


def test_without_the_setting_there_is_no_bucket() -> None:
    assert open_bucket(Settings()) is None
    named = open_bucket(Settings(bucket="content"))
    assert named is not None
    assert named.name == "content"
