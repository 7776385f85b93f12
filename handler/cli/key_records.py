"""Names and shows keys on the command line. Nothing here prints a key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from handler.access.keys import PREFIX, hash_key, is_well_formed
from handler.aws.errors import StoreError
from handler.cli.tables import Tables
from handler.cli.terminal import Row, Terminal
from handler.manage.keys import BY_HASH
from rules.review.check import assume_all_available
from rules.review.command_line import InvalidInput, read_ruleset
from rules.review.lint import check_patterns

HEAD = ("ID", "NAME", "PROJECT", "STATE", "SCOPES", "MODELS", "CREATED", "EXPIRES", "LAST USED")


def name_of(text: str, terminal: Terminal) -> str:
    """Return the name of a key, which `text` gives by its id or as the key; `-` reads standard input.

    Raises InvalidInput, whose message never holds a key.
    """
    text = (terminal.read().decode("utf-8", "replace") if text == "-" else text).strip()
    if is_well_formed(text):
        return BY_HASH + hash_key(text)
    if PREFIX in text:
        raise InvalidInput(f"a key is `{PREFIX}` and 43 characters: give all of it, or its id")
    return text


def pattern_warnings(tables: Tables, records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield warnings of patterns that match no model, or nothing if the rules cannot be read.

    `records`: as `describe` returns them.
    """
    listed = {record["id"]: record["models"] for record in records if isinstance(record["models"], list)}
    try:
        ruleset = read_ruleset(tables.read_rules().items if listed else ())
    except (StoreError, InvalidInput):
        return
    catalog, _ = assume_all_available(ruleset)
    for id, patterns in listed.items():
        for problem in check_patterns(patterns, ruleset, catalog):
            yield f"warning: {id}: `models`: {problem}"


def table_row(record: Mapping[str, Any]) -> Row:
    """Return one row of `keys list`, with a cell for each column of HEAD."""
    cells = {**record, "state": state_of(record)}
    return tuple(format_cell(cells[_FIELDS.get(name, name.lower())]) for name in HEAD)


_FIELDS = {"CREATED": "created_at", "EXPIRES": "expires_at", "LAST USED": "last_used"}


def format_cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(value) or "none"
    return "" if value is None else str(value)


def state_of(record: Mapping[str, Any]) -> str:
    return f"{record['state']} ({record['problem']})" if record["problem"] else record["state"]
