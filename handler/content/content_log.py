"""Writes entries and edits to the bucket, beside the requests.

A write that fails costs an entry and one log line; while the next ones fail for the same reason, no other.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from handler.aws.errors import StoreError
from handler.errors import Json
from handler.store.background import BackgroundTasks, safe_message
from handler.store.bucket import Bucket
from rules import LogRecord

if TYPE_CHECKING:
    from handler.content.recording import Recording

NOT_LOGGED = "content not logged"  # in /health and the log
NO_BUCKET = "a `log` record applies, but SLUICE_BUCKET names no bucket"
MAX_WAITING = 64_000_000  # bytes of entries that wait to be written

# Fields of a request's log line that entries do not have.
_NOT_IN_ENTRIES = frozenset({"level", "message", "source_ip", "user_agent"})
# Fields that hold what clients, or models, wrote.
_CONTENT = ("request", "answer", "tags", "user", "session", "agent", "error", "attempts")


class ContentLog:
    """The content log of one process. `report`: gets a message and fields; `now`: epoch seconds."""

    def __init__(
        self,
        bucket: Bucket | None,
        *,
        report: Callable[[str, dict[str, Any]], None],
        now: Callable[[], float],
    ) -> None:
        self._bucket = bucket
        self._report = report
        self._now = now
        self._tasks = BackgroundTasks()
        self._waiting = 0  # bytes
        self._problem: str | None = None  # why the last write failed

    def problems(self) -> list[dict[str, Any]]:
        """List why the last write failed, for /health."""
        return [] if self._problem is None else [{"what": NOT_LOGGED, "problem": self._problem}]

    def start_write(self, recording: Recording, line: Json, tags: Mapping[str, str]) -> None:
        """Write an entry in the background. `line`: the request's log line; `tags`: uncut."""
        size = recording.size
        if self._waiting + size > MAX_WAITING:
            self._note(f"more than {MAX_WAITING:,} bytes wait to be written")
            return
        self._waiting += size

        async def write() -> None:
            try:
                await self.write(recording.record, line, lambda: _content(recording, tags))
            finally:
                self._waiting -= size

        self._tasks.start(write(), lambda _: None)  # noted already

    async def write(self, record: LogRecord, line: Json, content: Callable[[], Json]) -> None:
        """Write an entry: fields of a request's log line, and `content`, which a thread makes.

        Raises StoreError.
        """
        # Few gateways need these: not at a cold start.
        from handler.content.keys import entry_key
        from handler.content.redaction import redact_values, redactor

        at = self._utc_now()
        fields = {name: value for name, value in line.items() if name not in _NOT_IN_ENTRIES}

        def entry() -> Json:
            made = {"at": timestamp(at), **fields, **content()}
            redact = redactor(record.redact)
            return made | {name: redact_values(made[name], redact) for name in _CONTENT if name in made}

        await self._put(entry_key(record.days, at, line["project"], line["request_id"]), entry)

    async def write_edit(self, project: str, edit: Json) -> None:
        """Write an edit of the tags of a project's entries. Raises StoreError."""
        from handler.content.keys import edit_key

        at = self._utc_now()
        await self._put(edit_key(project, at), lambda: {"at": timestamp(at), **edit})

    def _utc_now(self) -> datetime:
        return datetime.fromtimestamp(self._now(), UTC)

    async def settle(self, seconds: float) -> None:
        """Wait at most `seconds` for the writes."""
        await self._tasks.settle(seconds)

    async def _put(self, key: str, make: Callable[[], Json]) -> None:
        try:
            if self._bucket is None:
                raise StoreError(NO_BUCKET)
            await self._bucket.put(key, await self._bucket.run(lambda: compress(make())))
        except Exception as error:
            self._note(safe_message(error, StoreError))
            raise
        self._problem = None

    def _note(self, problem: str) -> None:
        if self._problem != problem:
            self._report(NOT_LOGGED, {"problem": problem})
        self._problem = problem


def compress(value: Any) -> bytes:
    """Return JSON in gzip."""
    return gzip.compress(json.dumps(value, separators=(",", ":")).encode(), mtime=0)


def _content(recording: Recording, tags: Mapping[str, str]) -> Json:
    return {
        "tags": dict(tags),
        "request": recording.request,
        "answer": recording.answer(),
        "truncated": recording.truncated,
    }


def timestamp(at: datetime) -> str:
    """Return a time in UTC as entries and edits have it, in milliseconds; such texts sort by time."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
