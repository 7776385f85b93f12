"""Reads usage totals for a range of days and groups them: for GET /usage and the command `usage`."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from handler.errors import InvalidRequest, Json
from handler.store.attributes import Item
from handler.store.items import Items
from handler.store.usage_totals import COUNTS, INDEX, OTHER, id_prefix
from rules import NANO

DIMENSIONS = ("day", "project", "key", "model", "session", "agent")
FORMATS = ("json", "csv")
DEFAULTS = {"from": "7d", "to": "1d", "by": "day", "format": "json"}
MAX_DAYS = 92
MAX_DIMENSIONS = 8
ROWS_A_DAY = 10_000  # read of one day
MAX_ROWS = 50_000  # read for one report
MAX_GROUPS = 10_000  # returned
DAYS_AT_ONCE = 4
ROWS_AT_ONCE = 1_000  # of one call, which has a time limit


class Question(NamedTuple):
    """What a report is about. `by`: DIMENSIONS and `tag.<name>`; `first` and `last`: days, both included."""

    first: date
    last: date
    by: tuple[str, ...]
    format: str

    @property
    def days(self) -> list[str]:
        """The days, the newest first."""
        count = (self.last - self.first).days + 1
        return [f"{self.last - timedelta(days=ago)}" for ago in range(count)]


class Caller(NamedTuple):
    """The key whose usage alone may be read."""

    project: str
    key: str


class Group(NamedTuple):
    """Usage of one combination of values, in the order of the question's `by`; None: the row has none."""

    values: tuple[str | None, ...]
    counts: Mapping[str, int]


class Report(NamedTuple):
    """`truncated`: there was more than the report may read or return."""

    question: Question
    groups: Sequence[Group]  # the most expensive first
    total: Mapping[str, int]
    truncated: bool

    def as_json(self) -> Json:
        by = self.question.by
        return {
            "object": "usage",
            "from": f"{self.question.first}",
            "to": f"{self.question.last}",
            "by": list(by),
            "data": [
                {**dict(zip(by, group.values, strict=True)), **_numbers(group.counts)}
                for group in self.groups
            ],
            "total": _numbers(self.total),
            "truncated": self.truncated,
        }

    def as_csv(self) -> str:
        """Return comma-separated values whose cells no spreadsheet takes for a formula."""
        import csv  # few reports are CSV: not at a cold start
        from io import StringIO

        text = StringIO()
        writer = csv.writer(text, lineterminator="\r\n")  # https://www.rfc-editor.org/rfc/rfc4180
        writer.writerow([*map(_cell, self.question.by), *COUNTS])
        for group in self.groups:
            writer.writerow([*map(_cell, group.values), *map(str, _texts(group.counts))])
        return text.getvalue()


def read_question(parameters: Mapping[str, str], today: date) -> Question:
    """Return the question of these parameters: `from`, `to`, `by`, `format`. Raises InvalidRequest."""
    for name in parameters:
        if name not in DEFAULTS:
            raise InvalidRequest(f"{name[:99]}: there are only {', '.join(DEFAULTS)}", param=name[:99])
    given = {**DEFAULTS, **{name: text for name, text in parameters.items() if text or name == "by"}}
    first, last = (_read_day(name, given[name], today) for name in ("from", "to"))
    if last < first:
        raise InvalidRequest("from: is after `to`", param="from")
    if (last - first).days >= MAX_DAYS:
        raise InvalidRequest(f"from: at most {MAX_DAYS} days", param="from")
    if given["format"] not in FORMATS:
        raise InvalidRequest(f"format: expected one of {', '.join(FORMATS)}", param="format")
    return Question(first, last, _read_dimensions(given["by"]), given["format"])


async def read_report(items: Items, question: Question, caller: Caller | None = None) -> Report:
    """Read and group the totals, of one caller or of all. Raises StoreError."""
    groups: dict[tuple[str | None, ...], Counter[str]] = {}
    getters = [_getter(name) for name in question.by]

    def add(row: Item) -> None:
        group = groups.setdefault(tuple(get(row) for get in getters), Counter())
        group.update({name: row[name] for name in COUNTS if name in row})

    read, truncated = 0, False
    for days in _batches(question.days, DAYS_AT_ONCE):
        if read >= MAX_ROWS:
            truncated = True
            break
        for rows, more in await asyncio.gather(*(_add_day(items, day, caller, add) for day in days)):
            read, truncated = read + rows, truncated or more
    total: Counter[str] = Counter()
    for counts in groups.values():
        total.update(counts)
    ordered = sorted(
        (Group(values, counts) for values, counts in groups.items()),
        key=lambda group: (-group.counts["cost"], -group.counts["requests"], list(map(str, group.values))),
    )
    return Report(question, ordered[:MAX_GROUPS], total, truncated or len(ordered) > MAX_GROUPS)


async def _add_day(
    items: Items, day: str, caller: Caller | None, add: Callable[[Item], None]
) -> tuple[int, bool]:
    """Pass the items of a day to `add`, and return their number, and whether there are more.

    Few are in memory at once: with the tags that callers choose, the items of some days are hundreds of
    megabytes.
    """
    prefix = id_prefix(day, *caller) if caller else ""
    ids = await items.query(INDEX, (INDEX, day), prefix=prefix, limit=ROWS_A_DAY + 1)
    added = 0
    for some in _batches(ids[:ROWS_A_DAY], ROWS_AT_ONCE):
        for row in (await items.get_many(some)).values():
            if caller is None or (row["project"], row["key"]) == caller:  # a second look at whose it is
                add(row)
                added += 1
    return added, len(ids) > ROWS_A_DAY


def _batches(texts: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (texts[first : first + size] for first in range(0, len(texts), size))


def _read_day(name: str, text: str, today: date) -> date:
    """Read a date, or a number of days that end today: `1d` is today, `7d` the day six days before."""
    number = text.removesuffix("d")
    if number != text and number.isascii() and number.isdecimal() and 0 < len(number) <= 4 and int(number):
        return today - timedelta(days=int(number) - 1)
    try:
        if len(text) == len("2026-01-31"):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise InvalidRequest(f"{name}: expected a date like 2026-01-31, or days like 7d", param=name)


def _read_dimensions(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    for name in names:
        if name not in DIMENSIONS and not (name.startswith("tag.") and name != "tag."):
            known = ", ".join(DIMENSIONS)
            raise InvalidRequest(f"by: expected some of {known}, tag.<name>, got {name[:99]!r}", param="by")
    if len(names) > MAX_DIMENSIONS:
        raise InvalidRequest(f"by: at most {MAX_DIMENSIONS}, got {len(names)}", param="by")
    return names


def _getter(name: str) -> Callable[[Item], str | None]:
    """Return a function that gives an item's value of a dimension."""
    if not name.startswith("tag."):
        attribute = INDEX if name == "day" else name
        return lambda row: row.get(attribute)

    def get_tag(row: Item) -> str | None:
        tags: Mapping[str, str] = row.get("tags", {})
        return tags.get(name.removeprefix("tag."), tags.get(OTHER))

    return get_tag


def _numbers(counts: Mapping[str, int]) -> dict[str, Any]:
    numbers = {name: counts.get(name, 0) for name in COUNTS}
    return {**numbers, "cost": numbers["cost"] / NANO, "cost_nano": numbers["cost"]}


def format_dollars(nano: int) -> str:
    """Return nano-dollars as dollars, exactly."""
    return f"{nano // NANO}.{nano % NANO:09d}"


def _texts(counts: Mapping[str, int]) -> list[str]:
    return [
        format_dollars(counts.get(name, 0)) if name == "cost" else str(counts.get(name, 0)) for name in COUNTS
    ]


def _cell(value: str | None) -> str:
    """Return a value as a cell. Spreadsheets take a text that begins with one of these for a formula.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    text = value or ""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text
