"""Writes records and their differences as text for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from handler.cli.terminal import escape
from handler.manage.changes import Changes, format_compact, quote, record_name, sort_records
from handler.store.attributes import Item

WIDTH = 100  # of a line, in columns


def format_indented(value: Any, indent: str = "", *, open: bool = True) -> str:
    """Return JSON on several lines. `open`: also where the value would fit on one line."""
    line = format_compact(value)
    if not isinstance(value, dict | list) or not value or (not open and len(indent) + len(line) <= WIDTH):
        return line
    inner = indent + "  "
    if isinstance(value, dict):
        members = [f"{quote(name)}: {format_indented(one, inner, open=False)}" for name, one in value.items()]
        return "{\n" + ",\n".join(inner + member for member in members) + "\n" + indent + "}"
    return (
        "[\n"
        + ",\n".join(inner + format_indented(one, inner, open=False) for one in value)
        + "\n"
        + indent
        + "]"
    )


def format_records(items: Iterable[Mapping[str, Any]]) -> str:
    """Return a JSON list of the records with each field on a line."""
    records = ["  " + format_indented(item, "  ") for item in sort_records(items)]
    return "[\n" + ",\n".join(records) + "\n]" if records else "[]"


def format_rule_file(revision: str, items: Iterable[Mapping[str, Any]]) -> str:
    """Return what `rules pull` prints: the revision of the table and its records."""
    records = format_records(items).replace("\n", "\n  ")
    return f'{{\n  "revision": {quote(revision)},\n  "records": {records}\n}}'


def change_lines(changes: Changes) -> Iterator[str]:
    """Yield a line for each changed record, and one for each field of it that differs."""
    yield from (f"+ {_title(item)}" for item in changes.added)
    for before, after in changes.changed:
        yield f"~ {_title(after)}"
        yield from _differences(before, after)
    yield from (f"- {_title(item)}" for item in changes.removed)


def _title(item: Mapping[str, Any]) -> str:
    return "/".join(map(escape, record_name(item)))


def _differences(before: Item, after: Item) -> Iterator[str]:
    for field in {**before, **after}:
        old, new = (format_compact(item[field]) if field in item else None for item in (before, after))
        if old != new:
            yield f"    {field}: {_short(old)} -> {_short(new)}"


def _short(text: str | None) -> str:
    if text is None:
        return "(none)"
    return text if len(text) <= WIDTH else text[: WIDTH - 3] + "..."
