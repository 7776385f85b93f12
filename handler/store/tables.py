"""Reads and writes the tables of rules, keys and shared state, for requests."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any

from handler.aws.client import AwsClient
from handler.aws.errors import StoreError
from handler.settings import Settings
from handler.store.attributes import Item, deserialize_item, item_size, serialize_item
from handler.store.compressed import ADOPTED, MAX_PART
from handler.store.items import TIMEOUT, Items, within
from rules import MAX_BYTES, MAX_RECORDS

# Logical id of each table in template.yaml -> the setting that names the table.
TABLES: Mapping[str, str] = {
    "RulesTable": "rules_table",
    "KeysTable": "keys_table",
    "StateTable": "state_table",
}
LAST_USED = "last_used"  # the only attribute of a key's record that the gateway writes

COOLDOWNS = "cooling"  # the id of their item in State
COMPILED = "compiled#"  # how the ids of compiled rules begin; the version of the code follows
COMPILED_DAYS = 60  # that they stay: each version of the code has an item, and makes it again if need be


class Store:
    """The three tables. Every method raises StoreError, after `timeout` seconds at the latest."""

    def __init__(self, client: AwsClient, settings: Settings, *, timeout: float = TIMEOUT) -> None:
        self._client = self.client = client
        self._settings = settings
        self._timeout = timeout
        self.state = Items(client, settings.state_table, timeout=timeout)
        self._last_rules: tuple[list[dict[str, Any]], list[Item]] = ([], [])  # typed and plain

    async def load_rules(self) -> list[Item]:
        """Return every record of the Rules table, never only some of them.

        While the table does not change it is the same list object, which callers must not modify.
        """
        return await within(self._timeout, self._load_rules())

    async def load_key(self, hash: str) -> Item | None:
        """Return the record of one key, or None."""
        return await within(self._timeout, self._get(self._settings.keys_table, {"hash": hash}))

    async def save_last_used(self, hash: str, day: str) -> None:
        """Write the day into the record of a key, unless the record has it already."""
        await within(self._timeout, self._save_last_used(hash, day))

    async def load_adopted(self) -> tuple[str, list[Item]] | None:
        """Return revision and records of the rules that were last saved as adopted, or None."""
        from handler.store.history import load_adopted  # few starts need it

        return await within(self._timeout, load_adopted(self.state))

    async def save_adopted(self, revision: str, items: Iterable[Mapping[str, Any]]) -> bool:
        """Save the rules in force for new instances and in the history, unless State holds this revision.

        False: they are not in force any more, because the table changed since `load_rules` read it.
        """
        return await within(self._timeout, self._save_adopted(revision, list(items), self._last_rules[1]))

    async def load_compiled(self, version: str) -> bytes | None:
        """Return the rules as `save_compiled` stored them for this version of the code, or None."""
        return await within(self._timeout, self._load_compiled(version))

    async def save_compiled(self, version: str, data: bytes) -> None:
        """Save compiled rules for instances with this version of the code, if they fit an item."""
        await within(self._timeout, self._save_compiled(version, data))

    async def load_cooldowns(self) -> Item:
        """Return State's item of the cooldowns; relay/shared_cooldown.py describes its attributes."""
        key = {"id": COOLDOWNS}
        return await within(self._timeout, self._get(self._settings.state_table, key)) or {}

    async def save_cooldown(
        self, id: str, opening: Item | None, *, gone: Iterable[str], expires_at: int
    ) -> None:
        """Set one candidate's opening, unless State has a longer one, or remove it; and remove `gone`."""
        await within(self._timeout, self._save_cooldown(id, opening, [*gone], expires_at))

    async def _load_rules(self) -> list[Item]:
        found = await self._scan_rules()
        if found != self._last_rules[0]:
            self._last_rules = found, [deserialize_item(item) for item in found]
        return self._last_rules[1]

    async def _scan_rules(self, *, consistent: bool = False) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        total = 0
        async for item in scan(self._client, self._settings.rules_table, consistent=consistent):
            found.append(item)
            total += item_size(item)
            if len(found) > MAX_RECORDS or total > MAX_BYTES:
                raise StoreError(
                    f"the rules table holds more than {MAX_RECORDS:,} records or {MAX_BYTES:,} bytes"
                )
        return found

    async def _save_adopted(self, revision: str, items: list[Mapping[str, Any]], loaded: list[Item]) -> bool:
        head = await self._get(self._settings.state_table, {"id": ADOPTED}, consistent=True)
        if (head or {}).get("revision") == revision:
            return True
        from handler.store.history import adopt  # only where the rules changed

        async def is_current() -> bool:
            stored = [deserialize_item(item) for item in await self._scan_rules(consistent=True)]
            return _by_key(stored) == _by_key(loaded)

        days = self._settings.history_days
        return await adopt(self.state, revision, items, days=days, is_current=is_current)

    async def _get(self, table: str, key: Mapping[str, Any], *, consistent: bool = False) -> Item | None:
        arguments = {"TableName": table, "Key": serialize_item(key), "ConsistentRead": consistent}
        item = deserialize_item((await self._client.call("get_item", arguments)).get("Item") or {})
        if item and any(item.get(name) != value for name, value in key.items()):
            raise StoreError(f"get item {table}: an answer about another item")
        return item or None

    async def _load_compiled(self, version: str) -> bytes | None:
        found = await self._get(self._settings.state_table, {"id": f"{COMPILED}{version}"})
        data = (found or {}).get("data")
        return data if isinstance(data, bytes) else None

    async def _save_compiled(self, version: str, data: bytes) -> None:
        if len(data) <= MAX_PART:
            expires_at = int(time.time()) + COMPILED_DAYS * 86_400
            await self._put({"id": f"{COMPILED}{version}", "data": data, "expires_at": expires_at})

    async def _save_cooldown(self, id: str, opening: Item | None, gone: list[str], expires_at: int) -> None:
        update = _cooldown_update(id, opening, gone, expires_at)
        await self._update(self._settings.state_table, {"id": COOLDOWNS}, update)

    async def _save_last_used(self, hash: str, day: str) -> None:
        # The function may write this one attribute of a key, and none of what the key may do (template.yaml).
        update = {
            "UpdateExpression": "SET #day = :day",
            "ConditionExpression": "attribute_exists(#hash) AND (attribute_not_exists(#day) OR #day <> :day)",
            "ExpressionAttributeNames": {"#hash": "hash", "#day": LAST_USED},
            "ExpressionAttributeValues": serialize_item({":day": day}),
        }
        await self._update(self._settings.keys_table, {"hash": hash}, update)

    async def _update(self, table: str, key: Item, update: Mapping[str, Any]) -> None:
        """Update an item, unless the condition of `update` does not hold."""
        try:
            arguments = {"TableName": table, "Key": serialize_item(key), **update}
            await self._client.call("update_item", arguments)
        except StoreError as error:
            if error.code != "ConditionalCheckFailedException":
                raise

    async def _put(self, item: Item, **options: Any) -> Any:
        arguments = {"TableName": self._settings.state_table, "Item": serialize_item(item), **options}
        return await self._client.call("put_item", arguments)


async def scan(client: AwsClient, table: str, *, consistent: bool = False) -> AsyncIterator[dict[str, Any]]:
    """Yield every item of a table in typed JSON, page after page."""
    start: dict[str, Any] = {}
    while True:
        page = await client.call("scan", {"TableName": table, "ConsistentRead": consistent, **start})
        for item in page.get("Items", ()):
            yield item
        if not page.get("LastEvaluatedKey"):
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def _by_key(records: Iterable[Item]) -> dict[Any, Item]:
    return {(record["kind"], record["id"]): record for record in records}


def _cooldown_update(id: str, opening: Item | None, gone: list[str], expires_at: int) -> dict[str, Any]:
    removed = gone if opening else [*gone, id]
    names = {f"#{number}": name for number, name in enumerate(removed)} | {"#expires": "expires_at"}
    values: dict[str, Any] = {":expires": expires_at}
    update, longer = "SET #expires = :expires", {}
    if opening:
        names |= {"#id": id, "#until": "until"}
        values |= {":opening": opening, ":until": opening["until"]}
        update += ", #id = :opening"
        longer = {"ConditionExpression": "attribute_not_exists(#id) OR #id.#until < :until"}
    if removed:
        update += " REMOVE " + ", ".join(f"#{number}" for number in range(len(removed)))
    return {
        "UpdateExpression": update,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": serialize_item(values),
        **longer,
    }
