"""Reads and writes single items of a table, in plain values; conditional writes and transactions too.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.UpdateExpressions.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from secrets import token_hex
from typing import Any, NamedTuple, TypeVar

from handler.aws.client import AwsClient
from handler.aws.errors import PARSE_ERRORS, StoreError
from handler.store.attributes import Item, deserialize_item, serialize_item
from rules import EMPTY

T = TypeVar("T")

TIMEOUT = 8.0  # seconds for one method: more than two attempts of the client take
BATCH = 100  # items in one BatchGetItem
MAX_ROUNDS = 5  # of a BatchGetItem whose items DynamoDB returns only in part

# Errors after which the same call may succeed in a moment.
BUSY = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)
# Reasons of a cancelled transaction that mean the same.
_BUSY_REASONS = frozenset({"ProvisionedThroughputExceeded", "ThrottlingError", "TransactionConflict"})


class ConditionFailed(StoreError):
    """The condition of a write did not hold, so nothing was written.

    items: for each write of the call, its item as it is stored; None if that write's condition held.
    """

    def __init__(self, message: str, items: Sequence[Item | None]) -> None:
        super().__init__(message, code="ConditionalCheckFailedException")
        self.items = tuple(items)


class StoreBusy(StoreError):
    """The call was throttled or met another transaction. Nothing was written; it may succeed in a moment."""


class Update(NamedTuple):
    """An update of one item, which is created if there is none.

    `expression` and `condition` are DynamoDB's; `names` and `values`: by their placeholders, without # and :.
    """

    id: str
    expression: str
    condition: str = ""
    names: Mapping[str, str] = EMPTY
    values: Mapping[str, Any] = EMPTY

    def arguments(self, table: str) -> dict[str, Any]:
        """Return the arguments of UpdateItem, and of an update in TransactWriteItems."""
        arguments = {
            "TableName": table,
            "Key": serialize_item({"id": self.id}),
            "UpdateExpression": self.expression,
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        if self.condition:
            arguments["ConditionExpression"] = self.condition
        if self.names:
            arguments["ExpressionAttributeNames"] = {f"#{name}": value for name, value in self.names.items()}
        if self.values:
            typed = serialize_item(self.values)
            arguments["ExpressionAttributeValues"] = {f":{name}": value for name, value in typed.items()}
        return arguments


async def within(seconds: float, call: Awaitable[T]) -> T:
    """Await a call. Raises StoreError after `seconds`, and for an answer that cannot be read."""
    try:
        async with asyncio.timeout(seconds):
            return await call
    except TimeoutError as error:
        raise StoreError(f"no answer within {seconds:g} s") from error
    except PARSE_ERRORS as error:
        raise StoreError(f"an answer that cannot be read ({type(error).__name__})") from error


class Items:
    """The items of one table whose partition key is `id`. Every method raises StoreError.

    timeout: the most seconds that a method takes.
    """

    def __init__(self, client: AwsClient, table: str, *, timeout: float = TIMEOUT) -> None:
        self._client = client
        self._table = table
        self._timeout = timeout

    async def get(self, id: str, *, consistent: bool = False) -> Item | None:
        """Return an item, or None."""
        return await self._within(self._get(id, consistent))

    async def get_many(self, ids: Sequence[str], *, consistent: bool = False) -> dict[str, Item]:
        """Return the items of `ids` that exist, by id."""
        return await self._within(self._get_many(list(dict.fromkeys(ids)), consistent))

    async def put(self, item: Item) -> None:
        """Write an item in the place of the one with its id."""
        await self._within(self._call("put_item", {"Item": serialize_item(item)}))

    async def update(self, update: Update) -> Item:
        """Update one item and return all of it as it is now. Raises ConditionFailed and StoreBusy too."""
        return await self._within(self._update(update))

    async def transact(self, updates: Sequence[Update], *, token: str | None = None) -> None:
        """Do all updates, or none. A call that is sent twice counts once. Raises as `update` does.

        token: of calls with these updates that count once within ten minutes; at most 36 characters.

        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
        """
        await self._within(self._transact(updates, token or token_hex(16)))

    async def delete(self, id: str) -> None:
        await self._within(self._call("delete_item", {"Key": serialize_item({"id": id})}))

    async def query(
        self, index: str, partition: tuple[str, str], *, prefix: str = "", limit: int = 10_000
    ) -> list[str]:
        """Return the ids of the items in one partition of an index, at most `limit`, in their order.

        `partition`: name and value of the index's key; `prefix`: how the ids begin.
        """
        return await self._within(self._query(index, partition, prefix, limit))

    async def _within(self, call: Awaitable[T]) -> T:
        return await within(self._timeout, call)

    async def _call(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        return await self._client.call(operation, {"TableName": self._table, **arguments})

    async def _get(self, id: str, consistent: bool) -> Item | None:
        answer = await self._call(
            "get_item", {"Key": serialize_item({"id": id}), "ConsistentRead": consistent}
        )
        item = deserialize_item(answer.get("Item") or {})
        if item and item.get("id") != id:
            raise StoreError(f"get item {self._table}: an answer about another item")
        return item or None

    async def _get_many(self, ids: list[str], consistent: bool) -> dict[str, Item]:
        found: dict[str, Item] = {}
        for first in range(0, len(ids), BATCH):
            keys = [serialize_item({"id": id}) for id in ids[first : first + BATCH]]
            request: Any = {self._table: {"Keys": keys, "ConsistentRead": consistent}}
            for _ in range(MAX_ROUNDS):
                answer = await self._client.call("batch_get_item", {"RequestItems": request})
                for typed in answer.get("Responses", {}).get(self._table, ()):
                    item = deserialize_item(typed)
                    found[item["id"]] = item
                request = answer.get("UnprocessedKeys")
                if not request:
                    break
            else:
                raise StoreBusy(f"batch get item {self._table}: throttled")
        return {id: found[id] for id in ids if id in found}

    async def _update(self, update: Update) -> Item:
        try:
            arguments = {**update.arguments(self._table), "ReturnValues": "ALL_NEW"}
            answer = await self._client.call("update_item", arguments)
        except StoreError as error:
            if error.code == "ConditionalCheckFailedException":
                stored = deserialize_item(error.details.get("Item") or {})
                raise ConditionFailed(str(error), [stored]) from error
            raise _sorted(error) from error
        return deserialize_item(answer["Attributes"])

    async def _transact(self, updates: Sequence[Update], token: str) -> None:
        writes = [{"Update": update.arguments(self._table)} for update in updates]
        arguments = {"TransactItems": writes, "ClientRequestToken": token}
        try:
            await self._client.call("transact_write_items", arguments)
        except StoreError as error:
            raise transaction_error(error) from error

    async def _query(self, index: str, partition: tuple[str, str], prefix: str, limit: int) -> list[str]:
        name, value = partition
        condition = "#partition = :partition" + (" AND begins_with(id, :prefix)" if prefix else "")
        arguments: dict[str, Any] = {
            "IndexName": index,
            "KeyConditionExpression": condition,
            "ExpressionAttributeNames": {"#partition": name},
            "ExpressionAttributeValues": serialize_item(
                {":partition": value, **({":prefix": prefix} if prefix else {})}
            ),
        }
        ids: list[str] = []
        while len(ids) < limit:
            page = await self._call("query", {**arguments, "Limit": limit - len(ids)})
            ids += [deserialize_item(item)["id"] for item in page.get("Items", ())]
            if not page.get("LastEvaluatedKey"):
                break
            arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"]
        return ids


def transaction_error(error: StoreError) -> StoreError:
    """Return the error of a transaction as ConditionFailed or StoreBusy, if it means one of them."""
    reasons = error.details.get("CancellationReasons") or ()
    codes = [reason.get("Code") for reason in reasons]
    if "ConditionalCheckFailed" in codes:
        failed = [
            deserialize_item(reason.get("Item") or {}) if code == "ConditionalCheckFailed" else None
            for code, reason in zip(codes, reasons, strict=True)
        ]
        return ConditionFailed(str(error), failed)
    if not _BUSY_REASONS.isdisjoint(codes):
        return StoreBusy(str(error), code=error.code)
    return _sorted(error)


def _sorted(error: StoreError) -> StoreError:
    return StoreBusy(str(error), code=error.code) if error.code in BUSY else error
