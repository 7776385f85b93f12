"""Reads the entries of the content log from the bucket, with their tags as they are now."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from handler.aws.errors import StoreError
from handler.cli.tables import BUCKET_THREADS
from handler.content.content_log import timestamp
from handler.content.keys import EntryKey, days_prefixes, edits_prefix, project_segment, read_entry_key
from handler.content.tag_edits import TagEdits
from handler.errors import Json
from handler.store.bucket import PAGE, Bucket
from rules import compile_pattern
from rules.review.command_line import InvalidInput

MAX_EDITS = 100_000  # of one project
# Fields of an entry that a condition may name, and tags.<name>.
FIELDS = (
    *("request_id", "key", "project", "function", "user", "session", "agent", "path", "status", "stream"),
    *("asked_model", "model", "reason", "rule", "left", "truncated"),
)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of `--where`: a field, a pattern of its text, and whether that must match or must not."""

    field: str
    matches: Callable[[str], bool]
    negated: bool

    def holds(self, entry: Json) -> bool:
        family, _, name = self.field.partition(".")
        value = entry["tags"].get(name) if family == "tags" else entry.get(self.field)
        text = value if isinstance(value, str) else json.dumps(value)
        return (value is not None and self.matches(text)) is not self.negated


def read_where(text: str) -> Condition:
    """Return the condition of "tags.good=yes", "model=openai/*" or "status!=200". Raises InvalidInput."""
    field, equals, value = text.partition("=")
    negated, field = field.endswith("!"), field.removesuffix("!").strip()
    family, _, name = field.partition(".")
    if not equals or not (field in FIELDS or (family == "tags" and name)):
        raise InvalidInput(
            f"--where {text[:80]!r}: expected FIELD=VALUE; fields: tags.NAME, {', '.join(FIELDS)}"
        )
    return Condition(field, compile_pattern(value.strip()), negated)


async def read_entries(
    bucket: Bucket, since: datetime, *, project: str | None = None, where: Sequence[Condition] = ()
) -> AsyncIterator[Json]:
    """Yield the entries since a time, of one project or of all, for which all conditions hold.

    They come in the order of their keys: by retention, day, project and id. Raises StoreError.
    """
    edits: dict[str, TagEdits] = {}
    async for key, entry in _read_all(bucket, since, project_segment(project) if project else None):
        if entry["at"] < timestamp(since):
            continue
        if key.project not in edits:
            edits[key.project] = TagEdits(await _read_edits(bucket, key.project, since))
        entry = edits[key.project].apply(entry)
        if all(condition.holds(entry) for condition in where):
            yield entry


async def _read_all(
    bucket: Bucket, since: datetime, segment: str | None
) -> AsyncIterator[tuple[EntryKey, Json]]:
    for prefix, after in days_prefixes(since.date()):
        listed = [after]
        while listed:
            listed = await bucket.keys(prefix, after=listed[-1], limit=PAGE)
            keys = [key for key in map(read_entry_key, listed) if key and segment in (None, key.project)]
            async for found in _read_objects(bucket, keys):
                yield found


async def _read_objects(bucket: Bucket, keys: Sequence[EntryKey]) -> AsyncIterator[tuple[EntryKey, Json]]:
    """Yield the entries of these keys, several of which are read at a time, but those that have expired."""
    for start in range(0, len(keys), BUCKET_THREADS):
        some = keys[start : start + BUCKET_THREADS]
        for key, found in zip(some, await _read_some(bucket, [each.key for each in some]), strict=True):
            if found is not None:
                yield key, found


async def _read_edits(bucket: Bucket, segment: str, since: datetime) -> list[Json]:
    prefix = edits_prefix(segment)
    keys = await bucket.keys(prefix, after=f"{prefix}{since:%Y-%m-%d}", limit=MAX_EDITS)
    edits: list[Json] = []
    for start in range(0, len(keys), BUCKET_THREADS):
        found = await _read_some(bucket, keys[start : start + BUCKET_THREADS])
        edits += [edit for edit in found if edit is not None]
    return edits


async def _read_some(bucket: Bucket, keys: Sequence[str]) -> list[Json | None]:
    return [
        None if data is None else _parse(key, data)
        for key, data in zip(keys, await asyncio.gather(*map(bucket.get, keys)), strict=True)
    ]


def _parse(key: str, data: bytes) -> Any:
    try:
        return json.loads(gzip.decompress(data))
    except (OSError, EOFError, ValueError) as error:
        raise StoreError(f"{key}: not an object of the content log") from error
