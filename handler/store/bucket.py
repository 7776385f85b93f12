"""Reads and writes the objects of an S3 bucket, in threads of its own.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from threading import Lock
from typing import Any, TypeVar

from handler.aws.errors import StoreError
from handler.aws.sdk import aws_errors, call_aws, create_client
from handler.settings import Settings

T = TypeVar("T")

TIMEOUT = 10.0  # seconds for one method
READ_TIMEOUT = 4.0  # seconds of silence; two attempts fit into TIMEOUT
THREADS = 4
MAX_BYTES = 32_000_000  # of an object that `get` reads
PAGE = 1000  # keys that S3 lists at once


class Bucket:
    """The objects of one bucket. Every method raises StoreError, after `timeout` seconds at the latest.

    `connect` makes the client. It is called in a thread when the bucket is first used, because S3's client
    takes long to make and few requests need it.
    """

    def __init__(
        self, name: str, connect: Callable[[], Any], *, timeout: float = TIMEOUT, threads: int = THREADS
    ) -> None:
        self.name = name
        self._connect = connect
        self._timeout = timeout
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(threads, "bucket")

    async def put(self, key: str, data: bytes) -> None:
        """Write an object in the place of the one with that key."""
        await self.run(lambda: call_aws(self._client, "put_object", {**self._address(key), "Body": data}))

    async def get(self, key: str) -> bytes | None:
        """Return an object's bytes. None if there is none, which S3 says only to those who may list."""
        return await self.run(lambda: self._get(key))

    async def keys(self, prefix: str, *, after: str = "", limit: int = 10_000) -> list[str]:
        """Return the keys that begin with `prefix` and follow `after`, in order, at most `limit`."""
        return await self.run(lambda: self._keys(prefix, after, limit))

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` in one of the bucket's threads."""
        try:
            async with asyncio.timeout(self._timeout):
                return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except TimeoutError as error:
            raise StoreError(f"no answer within {self._timeout:g} s") from error

    @cached_property
    def _made_client(self) -> Any:
        return self._connect()

    @property
    def _client(self) -> Any:
        with self._lock:  # botocore's sessions are not for several threads, its clients are
            return self._made_client

    def _address(self, key: str) -> dict[str, str]:
        return {"Bucket": self.name, "Key": key}

    def _get(self, key: str) -> bytes | None:
        try:
            answer = call_aws(self._client, "get_object", self._address(key))
            with aws_errors("get object"):
                if answer["ContentLength"] <= MAX_BYTES:
                    return bytes(answer["Body"].read())
                answer["Body"].close()
            raise StoreError(f"get object: more than {MAX_BYTES:,} bytes")
        except StoreError as error:
            if error.code == "NoSuchKey":
                return None
            raise

    def _keys(self, prefix: str, after: str, limit: int) -> list[str]:
        keys: list[str] = []
        while len(keys) < limit:
            page = call_aws(
                self._client,
                "list_objects_v2",
                {
                    "Bucket": self.name,
                    "Prefix": prefix,
                    "StartAfter": keys[-1] if keys else after,
                    "MaxKeys": min(PAGE, limit - len(keys)),
                },
            )
            with aws_errors("list objects"):
                found = [entry["Key"] for entry in page.get("Contents", ())]
                more = bool(found) and page.get("IsTruncated", False)
            keys += found
            if not more:
                break
        return keys


def open_bucket(settings: Settings) -> Bucket | None:
    """Return the bucket that the settings name; None if they name none."""
    if settings.bucket is None:
        return None
    return Bucket(settings.bucket, lambda: create_client(settings, service="s3", read_timeout=READ_TIMEOUT))
