"""The commands `logs export` and `logs tag`, which read the content log's bucket (docs/content-log.md)."""

from __future__ import annotations

import asyncio
import json
import re
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from handler.cli.fine_tuning import NoExample, example_of
from handler.cli.keys import parse_duration
from handler.cli.logged_entries import Condition, read_entries, read_where
from handler.cli.tables import BUCKET_THREADS, Command, Connect
from handler.cli.terminal import Terminal
from handler.content.content_log import compress, timestamp
from handler.content.keys import edit_key, entries_prefix, project_segment
from handler.errors import Json
from handler.store.bucket import Bucket
from rules import RETENTION
from rules.review.command_line import InvalidInput

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
MAX_TAGS, LONGEST_NAME, LONGEST_VALUE = 16, 64, 512  # as in requests


def _raw(entry: Json) -> Json:
    return entry


FORMATS: Mapping[str, Callable[[Json], Json]] = {"openai": example_of, "raw": _raw}


def bucket_arguments(parser: ArgumentParser, *, since: str) -> None:
    parser.add_argument("--bucket", metavar="NAME", help="use this bucket instead")
    parser.add_argument(
        "--since",
        metavar="TIME",
        type=parse_duration,
        default=parse_duration(since),
        help=f"how far back to look, such as 12h or 30d ({since})",
    )


def export_arguments(parser: ArgumentParser) -> None:
    bucket_arguments(parser, since="7d")
    parser.add_argument("--project", metavar="NAME", help="only entries of this project (all)")
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="only entries with this value, such as tags.good=yes or 'model=openai/*'; != excludes it",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="openai",
        help="openai: what its fine-tuning takes; raw: whole entries (%(default)s)",
    )


def tag_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="request id, from the answer's x-request-id")
    parser.add_argument("tags", nargs="+", metavar="NAME=VALUE", help="the tag to set; NAME= removes it")
    parser.add_argument("--project", metavar="NAME", default="default", help="project (%(default)s)")
    bucket_arguments(parser, since="30d")


def export_logs(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    """Print a line of JSON for each entry. What is left out, and why, goes to standard error."""
    where = [read_where(text) for text in args.where]
    bucket = connect().bucket()
    left_out = asyncio.run(_export(args, where, bucket, terminal))
    for reason, count in sorted(left_out.items()):
        terminal.warn(f"{count} left out: entries with {reason}")
    return 0


async def _export(
    args: Namespace, where: Sequence[Condition], bucket: Bucket, terminal: Terminal
) -> Counter[str]:
    since, form = datetime.now(UTC) - args.since, FORMATS[args.format]
    left_out: Counter[str] = Counter()
    async for entry in read_entries(bucket, since, project=args.project, where=where):
        try:
            terminal.print(json.dumps(form(entry)))
        except NoExample as reason:
            left_out[str(reason)] += 1
    return left_out


def tag_entry(args: Namespace, connect: Connect, terminal: Terminal) -> int:
    """Write an edit of an entry's tags. Exit code 1 if there is no such entry."""
    if not _REQUEST_ID.fullmatch(args.id):
        raise InvalidInput(f"{args.id!r} is not a request id")
    tags = _read_tags(args.tags)
    bucket, now = connect().bucket(), datetime.now(UTC)
    edit = {
        "at": timestamp(now),
        "filters": [{"field": "requestId", "equals": args.id}],
        "tags": tags,
    }

    async def write() -> int:
        found = [key async for key in _find(bucket, args, now)]
        if found:
            await bucket.put(edit_key(args.project, now), compress(edit))
        return len(found)

    if not (count := asyncio.run(write())):
        days = f"the last {args.since.days} days" if args.since.days else "this time"
        terminal.warn(f"sluice: {days}: no entry of project {args.project} with the request id {args.id}")
        return 1
    terminal.warn(f"{args.id}: tags of {count} {'entry' if count == 1 else 'entries'} changed")
    return 0


async def _find(bucket: Bucket, args: Namespace, now: datetime) -> AsyncIterator[str]:
    """Yield the keys of the entries with this id. Each retention has a prefix, and in it each day."""
    segment, first = project_segment(args.project), (now - args.since).date()
    days: list[date] = [first + timedelta(n) for n in range((now.date() - first).days + 1)]
    prefixes = [entries_prefix(retention, day, segment, args.id) for retention in RETENTION for day in days]
    for start in range(0, len(prefixes), BUCKET_THREADS):
        listings = (bucket.keys(prefix) for prefix in prefixes[start : start + BUCKET_THREADS])
        for keys in await asyncio.gather(*listings):
            for key in keys:
                yield key


def _read_tags(texts: Sequence[str]) -> dict[str, str | None]:
    tags: dict[str, str | None] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not 1 <= len(name) <= LONGEST_NAME or len(value) > LONGEST_VALUE:
            raise InvalidInput(f"{text[:80]!r} is not NAME=VALUE")
        tags[name] = value or None
    if len(tags) > MAX_TAGS:
        raise InvalidInput(f"more than {MAX_TAGS} tags")
    return tags


# Each verb: its help, its command, and a function that adds its arguments.
VERBS: Mapping[str, tuple[str, Command, Callable[[ArgumentParser], object]]] = {
    "export": ("print logged requests and answers as lines of JSON", export_logs, export_arguments),
    "tag": ("change the tags of a logged request", tag_entry, tag_arguments),
}
