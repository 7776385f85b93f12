"""Fills the tables of a local run: with example rules and a new key, or with the records of files.

A bad record is reported and still stored, so that its author sees how the gateway handles it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from handler.access.keys import generate_key, make_key_record
from handler.aws.errors import StoreError
from handler.aws.sdk import call_aws
from handler.settings import Settings
from handler.store.attributes import serialize_item
from rules import InvalidRecord, read_record
from rules.review.command_line import InvalidInput, read_json, read_records

EXAMPLES = Path(__file__).with_name("examples.json")
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeds:
    """The entries of the given files; None without a file."""

    rules: list[Any] | None = None
    keys: list[Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedResult:
    """How many entries were stored, and the key that was created for this run."""

    rules: int
    keys: int
    new_key: str | None = None


def read_seeds(*, rules: str | None, keys: str | None) -> Seeds:
    """Read the files of `--rules` and `--keys`. Raises InvalidInput."""
    return Seeds(rules=read_records(rules) if rules else None, keys=_read_list(keys) if keys else None)


def _read_list(path: str) -> list[Any]:
    entries = read_json(path)
    if not isinstance(entries, list):
        raise InvalidInput(f"{path}: this is not a JSON list of keys")
    return entries


def store_seeds(
    client: Any, settings: Settings, seeds: Seeds, *, examples: bool, report: Report
) -> SeedResult:
    """Put each entry, and with `examples` the example rules and a new key in place of missing files.

    `client`: a botocore DynamoDB client. `report` is called with the problem of each bad entry. Raises
    StoreError when the store cannot be used.
    """
    rules, keys, new_key = seeds.rules, seeds.keys, None
    if examples and rules is None:
        rules = read_records(str(EXAMPLES))
    if examples and keys is None:
        new_key = generate_key()
        keys = [{"key": new_key, "id": "local", "name": "made for this run", "scopes": ["manage", "admin"]}]
    return SeedResult(
        rules=sum(
            _put(client, settings.rules_table, item, report) for item in _valid_rules(rules or [], report)
        ),
        keys=sum(_put(client, settings.keys_table, item, report) for item in _valid_keys(keys or [], report)),
        new_key=new_key,
    )


def _valid_rules(entries: list[Any], report: Report) -> Iterator[Mapping[str, Any]]:
    """Yield the entries that the table can hold, and report every problem."""
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, Mapping):
            report(f"rule {number}: expected a record (a JSON object), got {_abbreviate(entry)}")
            continue
        try:
            read_record(entry)
        except InvalidRecord as error:
            report(f"rule {number}{_name(entry)}: {error}")
        if all(isinstance(entry.get(name), str) and entry[name] for name in ("kind", "id")):
            yield entry


def _valid_keys(entries: list[Any], report: Report) -> Iterator[Mapping[str, Any]]:
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, Mapping):
            report(f"key {number}: expected a record (a JSON object)")
            continue
        try:
            yield make_key_record(entry, now=datetime.now(UTC))
        except InvalidRecord as error:
            report(f"key {number}: {error}")


def _put(client: Any, table: str, item: Mapping[str, Any], report: Report) -> bool:
    """Store an item. Returns False, after a report, if DynamoDB cannot hold it."""
    try:
        call_aws(client, "put_item", {"TableName": table, "Item": serialize_item(item)})
    except ValueError as error:
        report(f"{table}{_name(item)}: {error}")
        return False
    except StoreError as error:
        if error.code != "ValidationException":
            raise
        report(f"{table}{_name(item)}: {error}")
        return False
    return True


def _name(entry: Mapping[str, Any]) -> str:
    """Return the kind and id of an entry that has them: " (route long-prompts)"."""
    name = " ".join(str(entry[field]) for field in ("kind", "id") if isinstance(entry.get(field), str))
    return f" ({name})" if name else ""


def _abbreviate(entry: Any) -> str:
    text = json.dumps(entry)
    return text if len(text) <= 40 else f"{text[:40]}..."
