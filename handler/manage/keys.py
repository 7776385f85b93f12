"""Reads and changes the records of keys, for the command line and the console.

A key is named by its id, or by BY_HASH and its SHA-256 in hexadecimal. Only `find_key` returns a hash. The
functions raise StoreError, InvalidRecord for a bad field, and InvalidInput.

`rotate` leaves two records with one id, the older one marked as replaced. To rules and logs they are one key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from typing import Any, NamedTuple

from handler.access.keys import REPLACED, display_id, generate_key, make_key_record, read_key
from handler.aws.client import AwsClient
from handler.errors import Json
from handler.manage.background_thread import in_thread
from handler.settings import Settings
from handler.store.attributes import Item, deserialize, deserialize_item, serialize_item
from handler.store.tables import LAST_USED, scan
from rules import EMPTY, InvalidRecord
from rules.review.command_line import InvalidInput

MAX_KEYS = 10_000  # that are listed
MAX_COMPARED, LONGEST = 1_000, 100  # ids, and characters of one, that are compared for a suggestion
BY_HASH = "sha256:"  # names a key by its hash, in the place of its id
_HASH = re.compile("[0-9a-f]{64}")
_NOT_INHERITED = frozenset({"hash", "created_at", LAST_USED, REPLACED})  # by the new key of a rotation


Now = Callable[[], datetime]  # in UTC
OnChange = Callable[[str], object]  # gets the hash of a record that was changed


def utc_now() -> datetime:
    return datetime.now(UTC)


class NoSuchKey(InvalidInput):
    """There is no key of that name."""


class NewKey(NamedTuple):
    """A key, which is shown this once, and its record as `describe` returns it.

    old_until: when the key that it replaces expires; None if there is none, or if that one is disabled.
    """

    key: str
    record: Json
    old_until: str | None = None


async def list_keys(client: AwsClient, settings: Settings, *, now: Now = utc_now) -> list[Json]:
    """Return the records of all keys, at most MAX_KEYS, sorted by id."""
    found: list[Any] = []
    async for stored in scan(client, settings.keys_table, consistent=True):
        found.append(stored)
        if len(found) == MAX_KEYS:
            break
    return await in_thread(_describe_all, found, now())


def _describe_all(stored: Sequence[Any], now: datetime) -> list[Json]:
    return sorted((describe(deserialize_item(item), now) for item in stored), key=_sort_key)


async def show_key(client: AwsClient, settings: Settings, name: str, *, now: Now = utc_now) -> list[Json]:
    """Return the records of one key, the current one first."""
    return [describe(item, now()) for item in await find_key(client, settings, name)]


async def create_key(
    client: AwsClient, settings: Settings, fields: Mapping[str, Any], *, now: Now = utc_now
) -> NewKey:
    """Create a key with these fields of a record."""
    at, key = now(), generate_key()
    record = make_key_record({"key": key, **fields}, now=at)
    _refuse_past(record, at)
    await client.call("put_item", {"TableName": settings.keys_table, "Item": serialize_item(record)})
    return NewKey(key, describe(record, at))


async def update_key(
    client: AwsClient,
    settings: Settings,
    name: str,
    fields: Mapping[str, Any],
    *,
    now: Now = utc_now,
    on_change: OnChange = lambda hash: None,
) -> list[Json]:
    """Change fields of a key and return the changed records. None removes a field.

    `enabled: False` changes all records of the key, the unreadable ones too; anything else the current one.
    """
    at, items = now(), await find_key(client, settings, name)
    disables = fields.get("enabled") is False
    changes = {str(item["hash"]): {"enabled": False} for item in items if disables}
    if rest := {field: value for field, value in fields.items() if not (disables and field == "enabled")}:
        item = _current(items)
        _refuse_past(rest, at)
        read_key(_with_fields(item, fields))
        changes[str(item["hash"])] = dict(fields)
    by_hash = {str(item["hash"]): item for item in items}
    for hash, change in changes.items():
        await client.call("update_item", _update(settings.keys_table, hash, change))
        on_change(hash)
    return [describe(_with_fields(by_hash[hash], change), at) for hash, change in changes.items()]


async def rotate_key(
    client: AwsClient,
    settings: Settings,
    name: str,
    overlap: timedelta,
    fields: Mapping[str, Any] = EMPTY,
    *,
    now: Now = utc_now,
    on_change: OnChange = lambda hash: None,
) -> NewKey:
    """Create a key with the id and the rights of the old one, which expires after `overlap`.

    Both are written in one transaction. fields: of the new record, besides those that it inherits.
    """
    at, key, table = now(), generate_key(), settings.keys_table
    item = _current(await find_key(client, settings, name))
    old = read_key(item)
    inherited = {field: value for field, value in item.items() if field not in _NOT_INHERITED}
    record = make_key_record({**inherited, **fields, "key": key, "enabled": True}, now=at)
    _refuse_past(record, at)
    ends = at + overlap
    if old.expires_at is not None:
        ends = min(ends, datetime.fromtimestamp(old.expires_at, UTC))
    until = {"expires_at": format_date(ends), REPLACED: format_date(at)}
    update = _update(table, item["hash"], until, unless=REPLACED)
    put = {"TableName": table, "Item": serialize_item(record)}
    await client.call("transact_write_items", {"TransactItems": [{"Put": put}, {"Update": update}]})
    on_change(str(item["hash"]))
    return NewKey(key, describe(record, at), format_date(ends) if old.enabled else None)


async def find_key(client: AwsClient, settings: Settings, name: str) -> list[Item]:
    """Return the stored records of a key, the current one first. Raises NoSuchKey."""
    hash = name.removeprefix(BY_HASH)
    if hash != name:
        key = serialize_item({"hash": hash})
        arguments = {"TableName": settings.keys_table, "Key": key, "ConsistentRead": True}
        found_item = (await client.call("get_item", arguments)).get("Item") if _HASH.fullmatch(hash) else None
        if found_item:
            return [deserialize_item(found_item)]
        raise NoSuchKey("that key is not in the table")
    found, ids = list[Item](), list[str]()
    async for stored in scan(client, settings.keys_table, consistent=True):
        id = display_id(stored["hash"]["S"], {"id": deserialize(stored.get("id"))})
        if id == name:
            found.append(deserialize_item(stored))
        elif len(ids) < MAX_COMPARED:
            ids.append(id)
    if found:
        return sorted(found, key=lambda item: REPLACED in item)
    suggestions = await in_thread(get_close_matches, name[:LONGEST], ids, n=1)
    name = name[:LONGEST]
    hint = f", did you mean {suggestions[0]}?" if suggestions else ""
    raise NoSuchKey(f"there is no key with the id {name}{hint}")


def _current(items: Sequence[Item]) -> Item:
    """Return the one record that a rotation has not replaced. Raises InvalidInput if there are several."""
    current = [item for item in items if REPLACED not in item] or items
    if len(current) > 1:
        raise InvalidInput(f"{len(current)} keys have this id: give the key itself")
    return current[0]


def _with_fields(item: Item, fields: Mapping[str, Any]) -> Item:
    return {name: value for name, value in {**item, **fields}.items() if value is not None}


def _refuse_past(fields: Mapping[str, Any], now: datetime) -> None:
    """Raise InvalidRecord if a key with these fields would have expired already."""
    given = {name: value for name, value in fields.items() if name == "expires_at" and value is not None}
    if read_key({"id": "new", **given}).is_expired(now.timestamp()):
        raise InvalidRecord("expires_at", "is in the past")


def _update(table: str, hash: str, fields: Mapping[str, Any], *, unless: str | None = None) -> dict[str, Any]:
    """Return the arguments of UpdateItem for an existing record that does not have the field `unless`."""
    values = {f":{name}": value for name, value in fields.items() if value is not None}
    removed = [f"#{name}" for name, value in fields.items() if value is None]
    sets = "SET " + ", ".join(f"#{name[1:]} = {name}" for name in values) if values else ""
    condition = f" AND attribute_not_exists(#{unless})" if unless else ""
    return {
        "TableName": table,
        "Key": serialize_item({"hash": hash}),
        "UpdateExpression": f"{sets} {'REMOVE ' + ', '.join(removed) if removed else ''}".strip(),
        "ConditionExpression": f"attribute_exists(#hash){condition}",
        "ExpressionAttributeNames": {"#hash": "hash", **{f"#{name}": name for name in fields}},
        **({"ExpressionAttributeValues": serialize_item(values)} if values else {}),
    }


def format_date(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def describe(item: Item, now: datetime) -> Json:
    """Return the fields of a record to show, without the hash. `problem`: why it cannot be read."""
    description: Json = {
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


def _sort_key(record: Json) -> tuple[str, ...]:
    return tuple(str(record[name] or "") for name in ("id", "replaced_at", "created_at"))
