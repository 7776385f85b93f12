"""Rules, keys and what instances share, in DynamoDB: plain values out, StoreError when there is no answer.

`Store` is what a request sees: calls of dynamodb.py in threads, so that the loop goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, TypeVar

from handler.settings import Settings
from handler.store.attributes import Item, deserialize_item, item_size, serialize_item
from handler.store.compressed import packed, unpacked
from handler.store.dynamodb import GARBAGE, StoreError, call_aws, scan
from rules import MAX_BYTES, MAX_RECORDS

T = TypeVar("T")

# Logical id of each table in template.yaml -> the setting that names the table.
TABLES: Mapping[str, str] = {
    "RulesTable": "rules_table",
    "KeysTable": "keys_table",
    "StateTable": "state_table",
}
LAST_USED = "last_used"  # the only attribute of a key's record that the gateway writes

ADOPTED, COOLING = "adopted", "cooling"  # what they are called in State: the adopted rules, the cooling ones
BUDGET = 8.0  # seconds of one call here: more than two attempts of the client take
KEY_READS, OTHERS = 6, 3  # at once; together no more than the client keeps connections


class Store:
    """What a request needs of DynamoDB. Every method raises StoreError, after `budget` seconds at the latest.

    It has threads of its own: reads that hang must hold up neither the look-up of a provider's name, which is
    the loop's own threads' work, nor, when they are of keys, the rules.
    """

    def __init__(self, client: Any, settings: Settings, *, budget: float = BUDGET) -> None:
        self._client = client
        self._settings = settings
        self._budget = budget
        self._key_reads = ThreadPoolExecutor(KEY_READS, "keys")
        self._others = ThreadPoolExecutor(OTHERS, "rules")
        self._seen: tuple[list[dict[str, Any]], list[Item]] = ([], [])

    async def load_rules(self) -> list[Item]:
        """Every record of the Rules table, or StoreError: never a part of them.

        The same list again when the table has not changed: `is` tells, and nobody changes it.
        """
        return await self._in(self._others, self._rules)

    async def load_key(self, hash: str) -> Item | None:
        """The item of one key, None when there is none."""
        return await self._in(self._key_reads, lambda: self._get(self._settings.keys_table, {"hash": hash}))

    async def save_last_used(self, hash: str, day: str) -> None:
        """Writes the day into the record of a key, unless it is there already."""
        await self._in(self._others, lambda: self._save_last_used(hash, day))

    async def load_adopted(self) -> tuple[str, list[Item]] | None:
        """Revision and records of the rules last saved as adopted; None when none ever were."""
        return await self._in(self._others, self._adopted)

    async def save_adopted(self, revision: str, items: Iterable[Mapping[str, Any]]) -> None:
        """Saves the rules in force for instances to come, unless State holds this revision already."""
        await self._in(self._others, lambda: self._save_adopted(revision, list(items)))

    async def load_cooldowns(self) -> Item:
        """What State holds of candidates that cool down, as sharing.py lays it out."""
        key = {"id": COOLING}
        return await self._in(self._others, lambda: self._get(self._settings.state_table, key) or {})

    async def save_cooldown(
        self, id: str, opening: Item | None, *, gone: Iterable[str], expires_at: int
    ) -> None:
        """Sets one candidate's opening, unless a longer one is there, or removes it; and removes `gone`."""
        await self._in(self._others, lambda: self._save_cooling(id, opening, [*gone], expires_at))

    async def _in(self, threads: Executor, work: Callable[[], T]) -> T:
        try:
            async with asyncio.timeout(self._budget):
                return await asyncio.get_running_loop().run_in_executor(threads, work)
        except TimeoutError as error:
            raise StoreError(f"no answer within {self._budget:g} s") from error
        except GARBAGE as error:
            raise StoreError(f"an answer that cannot be read ({type(error).__name__})") from error

    def _rules(self) -> list[Item]:
        found: list[dict[str, Any]] = []
        total = 0
        for item in scan(self._client, self._settings.rules_table):
            found.append(item)
            total += item_size(item)
            if len(found) > MAX_RECORDS or total > MAX_BYTES:
                raise StoreError(
                    f"the rules table holds more than {MAX_RECORDS:,} records or {MAX_BYTES:,} bytes"
                )
        if found != self._seen[0]:
            self._seen = found, [deserialize_item(item) for item in found]
        return self._seen[1]

    def _get(self, table: str, key: Mapping[str, Any], *, consistent: bool = False) -> Item | None:
        arguments = {"TableName": table, "Key": serialize_item(key), "ConsistentRead": consistent}
        item = deserialize_item(call_aws(self._client, "get_item", arguments).get("Item") or {})
        if item and any(item.get(name) != value for name, value in key.items()):
            raise StoreError(f"get item {table}: an answer about another item")
        return item or None

    def _state(self, id: str) -> Item | None:
        return self._get(self._settings.state_table, {"id": id}, consistent=True)

    def _adopted(self) -> tuple[str, list[Item]] | None:
        head = self._state(ADOPTED)
        if head is None:
            return None
        try:
            parts = [head["part"], *((self._state(id) or {})["part"] for id in _part_ids(head))]
            return head["revision"], unpacked(parts)
        except (LookupError, TypeError, ValueError) as error:
            raise StoreError("the adopted rules in State cannot be read") from error

    def _save_adopted(self, revision: str, items: list[Mapping[str, Any]]) -> None:
        if (self._state(ADOPTED) or {}).get("revision") == revision:
            return
        first, *more = packed(items)
        head = {"id": ADOPTED, "revision": revision, "parts": 1 + len(more), "part": first}
        for id, part in zip(_part_ids(head), more, strict=True):
            self._put({"id": id, "part": part}, {})
        for id in self._replace(head):
            arguments = {"TableName": self._settings.state_table, "Key": serialize_item({"id": id})}
            call_aws(self._client, "delete_item", arguments)

    def _replace(self, head: Item) -> list[str]:
        """Puts the head; returns the parts nobody needs now. None when another instance was faster."""
        try:
            answer = self._put(head, _unless_stored(head["revision"]))
        except StoreError as error:
            if error.code == "ConditionalCheckFailedException":
                return []
            raise
        return _part_ids(deserialize_item(answer.get("Attributes", {})))

    def _save_cooling(self, id: str, opening: Item | None, gone: list[str], expires_at: int) -> None:
        update = _cooling_update(id, opening, gone, expires_at)
        self._update(self._settings.state_table, {"id": COOLING}, update)

    def _save_last_used(self, hash: str, day: str) -> None:
        # The function may write this one attribute of a key, and none of what the key may do (template.yaml).
        update = {
            "UpdateExpression": "SET #day = :day",
            "ConditionExpression": "attribute_exists(#hash) AND (attribute_not_exists(#day) OR #day <> :day)",
            "ExpressionAttributeNames": {"#hash": "hash", "#day": LAST_USED},
            "ExpressionAttributeValues": serialize_item({":day": day}),
        }
        self._update(self._settings.keys_table, {"hash": hash}, update)

    def _update(self, table: str, key: Item, update: Mapping[str, Any]) -> None:
        """Does nothing where its condition does not hold."""
        try:
            call_aws(self._client, "update_item", {"TableName": table, "Key": serialize_item(key), **update})
        except StoreError as error:
            if error.code != "ConditionalCheckFailedException":
                raise

    def _put(self, item: Item, options: Mapping[str, Any]) -> Any:
        arguments = {"TableName": self._settings.state_table, "Item": serialize_item(item), **options}
        return call_aws(self._client, "put_item", arguments)


def _unless_stored(revision: str) -> dict[str, Any]:
    return {
        "ConditionExpression": "attribute_not_exists(id) OR #revision <> :revision",
        "ExpressionAttributeNames": {"#revision": "revision"},
        "ExpressionAttributeValues": serialize_item({":revision": revision}),
        "ReturnValues": "ALL_OLD",
    }


def _cooling_update(id: str, opening: Item | None, gone: list[str], expires_at: int) -> dict[str, Any]:
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


def _part_ids(head: Mapping[str, Any]) -> list[str]:
    """Where the parts after the first one are: their ids name the revision, so that no two sets ever mix."""
    return [f"{ADOPTED}#{head['revision']}#{number}" for number in range(1, head.get("parts", 1))]
