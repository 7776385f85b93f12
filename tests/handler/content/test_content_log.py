"""Bounds of the content log; tests/stories/test_content_log.py has what a gateway writes."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from handler.content.content_log import MAX_WAITING, ContentLog
from handler.content.recording import Recording
from handler.store.bucket import Bucket
from rules import LogRecord, read_record

LINE = {"project": "p", "request_id": "r", "level": "INFO"}


class Waiting(Bucket):
    """A bucket whose writes wait for `release`."""

    def __init__(self) -> None:
        super().__init__("content", lambda: None)
        self.release = asyncio.Event()
        self.written: list[str] = []

    async def put(self, key: str, data: bytes) -> None:
        await self.release.wait()
        self.written.append(key)


def recording(size: int) -> Recording:
    record = read_record({"kind": "log", "id": "l", "sample": 1, "days": 1})
    assert isinstance(record, LogRecord)
    return Recording(record, {}, size)


async def test_entries_that_wait_have_bounded_memory() -> None:
    bucket, reports = Waiting(), list[Any]()
    log = ContentLog(bucket, report=lambda *report: reports.append(report), now=time.time)
    for size in (MAX_WAITING - 10, 11, 12, 10):
        log.start_write(recording(size), LINE, {})
    assert reports == [("content not logged", {"problem": "more than 64,000,000 bytes wait to be written"})]
    bucket.release.set()
    await log.settle(1)
    assert len(bucket.written) == 2
    log.start_write(recording(MAX_WAITING), LINE, {})
    await log.settle(1)
    assert len(bucket.written) == 3


async def test_settling_ends_while_a_write_hangs() -> None:
    log = ContentLog(Waiting(), report=lambda *_: None, now=time.time)
    log.start_write(recording(1), LINE, {})
    began = asyncio.get_running_loop().time()
    await log.settle(1)
    assert asyncio.get_running_loop().time() - began < 4


async def test_an_entry_that_cannot_be_made_is_a_problem_and_no_exception() -> None:
    reports: list[Any] = []
    log = ContentLog(Waiting(), report=lambda *report: reports.append(report), now=time.time)
    broken = recording(1)
    broken.add(b'{"not": json}')
    log.start_write(broken, LINE, {})
    await log.settle(1)
    assert reports == [("content not logged", {"problem": "internal error (JSONDecodeError)"})]
    assert log.problems() == [{"what": "content not logged", "problem": "internal error (JSONDecodeError)"}]
