"""Finds, describes and updates the records of keys for the command line. Nothing here prints a key.

`keys rotate` leaves two records with one id, the older one marked as replaced. To rules and logs they are one
key.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

from handler.access.keys import PREFIX, REPLACED, display_id, hash_key, is_well_formed, read_key
from handler.aws.errors import StoreError
from handler.aws.sdk import call_aws
from handler.cli.tables import Tables
from handler.cli.terminal import Row, Terminal
from handler.store.attributes import Item, deserialize_item, serialize_item
from handler.store.tables import LAST_USED
from rules import InvalidRecord
from rules.review.check import assume_all_available
from rules.review.command_line import InvalidInput, read_ruleset
from rules.review.lint import check_patterns

HEAD = ("ID", "NAME", "PROJECT", "STATE", "SCOPES", "MODELS", "CREATED", "EXPIRES", "LAST USED")


def find_records(tables: Tables, name: str, terminal: Terminal) -> list[Item]:
    """Return the records of a key, which `name` gives by its id or as the key; `-` reads standard input.

    Raises InvalidInput, whose message never holds a key.
    """
    name = (terminal.read().decode("utf-8", "replace") if name == "-" else name).strip()
    if is_well_formed(name):
        key = serialize_item({"hash": hash_key(name)})
        arguments = {"TableName": tables.settings.keys_table, "Key": key, "ConsistentRead": True}
        if item := call_aws(tables.client, "get_item", arguments).get("Item"):
            return [deserialize_item(item)]
        raise InvalidInput("that key is not in the table")
    if PREFIX in name:
        raise InvalidInput(f"a key is `{PREFIX}` and 43 characters: give all of it, or its id")
    items = tables.read_keys()
    ids = [display_id(str(item["hash"]), item) for item in items]
    if found := [item for item, id in zip(items, ids, strict=True) if id == name]:
        return found
    suggestions = get_close_matches(name, ids, n=1)
    hint = f", did you mean {suggestions[0]}?" if suggestions else ""
    raise InvalidInput(f"there is no key with the id {name}{hint}")


def current_record(items: list[Item]) -> Item:
    """Return the one record that `keys rotate` has not replaced. Raises InvalidInput if there are several."""
    current = [item for item in items if REPLACED not in item] or items
    if len(current) > 1:
        raise InvalidInput(f"{len(current)} keys have this id: give the key itself")
    return current[0]


def with_fields(item: Item, fields: Mapping[str, Any]) -> Item:
    """Return the record with the fields of an update. None removes a field."""
    return {name: value for name, value in {**item, **fields}.items() if value is not None}


def update_record(
    tables: Tables, item: Item, fields: Mapping[str, Any], terminal: Terminal, *, within: float
) -> None:
    """Write the fields and print the key's new state. `within`: seconds until every instance uses it."""
    call_aws(tables.client, "update_item", update_request(tables.settings.keys_table, item, fields))
    now = describe(with_fields(item, fields), datetime.now(UTC))
    terminal.print(f"{now['id']}: {_state(now)}; in force within {within:g} seconds")


def update_request(
    table: str, item: Item, fields: Mapping[str, Any], *, unless: str | None = None
) -> dict[str, Any]:
    """Return the arguments of UpdateItem for an existing record that does not have the field `unless`."""
    values = {f":{name}": value for name, value in fields.items() if value is not None}
    removed = [f"#{name}" for name, value in fields.items() if value is None]
    sets = "SET " + ", ".join(f"#{name[1:]} = {name}" for name in values) if values else ""
    condition = f" AND attribute_not_exists(#{unless})" if unless else ""
    return {
        "TableName": table,
        "Key": serialize_item({"hash": item["hash"]}),
        "UpdateExpression": f"{sets} {'REMOVE ' + ', '.join(removed) if removed else ''}".strip(),
        "ConditionExpression": f"attribute_exists(#hash){condition}",
        "ExpressionAttributeNames": {"#hash": "hash", **{f"#{name}": name for name in fields}},
        **({"ExpressionAttributeValues": serialize_item(values)} if values else {}),
    }


def format_date(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def describe(item: Item, now: datetime) -> dict[str, Any]:
    """Return the fields of a record to show, without the hash. `problem`: why it cannot be read."""
    description: dict[str, Any] = {
        "id": display_id(str(item.get("hash")), item),
        "name": item.get("name"),
        "project": item.get("project"),
        "state": "disabled",
        "problem": None,
        "scopes": None,
        "models": None,
        "created_at": item.get("created_at"),
        "expires_at": item.get("expires_at"),
        "last_used": item.get(LAST_USED),
        "replaced_at": item.get(REPLACED),
        "metadata": item.get("metadata"),
    }
    try:
        key = read_key(item)
    except InvalidRecord as error:
        return {**description, "problem": str(error)}
    on = "on" if REPLACED not in item else "replaced"
    return {
        **description,
        "project": key.project,
        "state": "disabled" if not key.enabled else "expired" if key.is_expired(now.timestamp()) else on,
        "scopes": sorted(key.scopes),
        "models": "all" if key.models is None else list(key.models),
        "expires_at": key.expires_at and format_date(datetime.fromtimestamp(key.expires_at, UTC)),
    }


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


def sort_key(record: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(format_cell(record[name]) for name in ("id", "replaced_at", "created_at"))


def table_row(record: Mapping[str, Any]) -> Row:
    """Return one row of `keys list`, with a cell for each column of HEAD."""
    cells = {**record, "state": _state(record)}
    return tuple(format_cell(cells[_FIELDS.get(name, name.lower())]) for name in HEAD)


_FIELDS = {"CREATED": "created_at", "EXPIRES": "expires_at", "LAST USED": "last_used"}


def format_cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(value) or "none"
    return "" if value is None else str(value)


def _state(record: Mapping[str, Any]) -> str:
    return f"{record['state']} ({record['problem']})" if record["problem"] else record["state"]
