"""What a local run begins with: example rules and a fresh key, or the records of the caller's own files.

A bad record is reported and stored all the same: its author wants to see how the gateway serves beside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from handler.access.keys import generate_key, make_key_record
from handler.settings import Settings
from handler.store.attributes import serialize_item
from handler.store.dynamodb import StoreError, call_aws
from rules import InvalidRecord, read_record
from rules.review.command_line import InvalidInput, read_json

EXAMPLES = Path(__file__).with_name("examples.json")
Report = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeds:
    """The entries of the files given; None where none was."""

    rules: list[Any] | None = None
    keys: list[Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeded:
    """How many entries were stored, and the key that was made for this run."""

    rules: int
    keys: int
    made: str | None = None


def read_seeds(*, rules: str | None, keys: str | None) -> Seeds:
    """Raises InvalidInput."""
    return Seeds(rules=_entries(rules) if rules else None, keys=_entries(keys) if keys else None)


def _entries(path: str) -> list[Any]:
    entries = read_json(path)
    if not isinstance(entries, list):
        raise InvalidInput(f"{path}: this is not a JSON list of records")
    return entries


def seed(client: Any, settings: Settings, seeds: Seeds, *, examples: bool, report: Report) -> Seeded:
    """Puts the seeds, or where there are none and `examples` is wanted the examples, record by record.

    client: a botocore DynamoDB client. Raises StoreError when the store cannot be used.
    """
    rules, keys, made = seeds.rules, seeds.keys, None
    if examples and rules is None:
        rules = _entries(str(EXAMPLES))
    if examples and keys is None:
        made = generate_key()
        keys = [{"key": made, "id": "local", "name": "made for this run", "scopes": ["manage"]}]
    return Seeded(
        rules=sum(_put(client, settings.rules_table, item, report) for item in _rules(rules or [], report)),
        keys=sum(_put(client, settings.keys_table, item, report) for item in _keys(keys or [], report)),
        made=made,
    )


def _rules(entries: list[Any], report: Report) -> Iterator[Mapping[str, Any]]:
    """The entries that a table can hold; what is wrong with any is reported."""
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, Mapping):
            report(f"rule {number}: this is no record but {_shown(entry)}")
            continue
        try:
            read_record(entry)
        except InvalidRecord as error:
            report(f"rule {number}{_named(entry)}: {error}")
        if all(isinstance(entry.get(name), str) and entry[name] for name in ("kind", "id")):
            yield entry


def _keys(entries: list[Any], report: Report) -> Iterator[Mapping[str, Any]]:
    for number, entry in enumerate(entries, 1):
        if not isinstance(entry, Mapping):
            report(f"key {number}: this is no record")
            continue
        try:
            yield make_key_record(entry, now=datetime.now(UTC))
        except InvalidRecord as error:
            report(f"key {number}: {error}")


def _put(client: Any, table: str, item: Mapping[str, Any], report: Report) -> bool:
    """Whether the item was stored: one that DynamoDB cannot hold is reported."""
    try:
        call_aws(client, "put_item", {"TableName": table, "Item": serialize_item(item)})
    except ValueError as error:
        report(f"{table}{_named(item)}: {error}")
        return False
    except StoreError as error:
        if error.code != "ValidationException":
            raise
        report(f"{table}{_named(item)}: {error}")
        return False
    return True


def _named(entry: Mapping[str, Any]) -> str:
    """Its kind and id where it has them: " (route long-prompts)"."""
    told = " ".join(str(entry[name]) for name in ("kind", "id") if isinstance(entry.get(name), str))
    return f" ({told})" if told else ""


def _shown(entry: Any) -> str:
    text = json.dumps(entry)
    return text if len(text) <= 40 else f"{text[:40]}..."
