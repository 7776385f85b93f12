"""Counts the calls of a DynamoDB client and the capacity units that AWS would bill.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import ceil
from typing import Any

Typed = Mapping[str, Any]


def size_of(item: Typed) -> int:
    """Return the bytes of an item in typed JSON."""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(typed: Typed) -> int:
    ((kind, value),) = typed.items()
    if kind == "N":
        return 1 + ceil(len(value.lstrip("-").replace(".", "")) / 2)
    if kind == "M":
        return 3 + len(value) + size_of(value)
    return 1 if kind in ("BOOL", "NULL") else len(value.encode())


class Capacity:
    """Counts what goes through `client`: writes and reads, which may be transactions, and their units.

    A failed condition costs what the write would have cost. A new item with the key of the index costs a unit
    more, since the index has keys only.
    """

    def __init__(self, client: Any) -> None:
        self.calls: Counter[str] = Counter()  # by operation
        self.write_units = 0
        self.read_units = 0.0
        self._call = client._make_api_call
        client._make_api_call = self._counted

    def reset(self) -> None:
        self.calls.clear()
        self.write_units, self.read_units = 0, 0.0

    def _counted(self, operation: str, arguments: Any) -> Any:
        self.calls[operation] += 1
        if operation == "UpdateItem":
            return self._write(operation, arguments, [arguments], 1)
        if operation == "TransactWriteItems":
            updates = [each["Update"] for each in arguments["TransactItems"]]
            return self._write(operation, arguments, updates, 2)
        answer = self._call(operation, arguments)
        if operation == "BatchGetItem":
            for table, items in answer["Responses"].items():
                full = 1 if arguments["RequestItems"][table].get("ConsistentRead") else 0.5
                self.read_units += sum(full * ceil(size_of(item) / 4096) for item in items)
        return answer

    def _write(self, operation: str, arguments: Any, updates: list[Any], each: int) -> Any:
        before = [self._stored(update) for update in updates]
        try:
            return self._call(operation, arguments)
        finally:
            for update, old in zip(updates, before, strict=True):
                new = self._stored(update)
                self.write_units += each * max(1, ceil(max(size_of(old), size_of(new)) / 1024))
                self.write_units += "usage_day" in new and "usage_day" not in old

    def _stored(self, update: Any) -> Typed:
        key = {"TableName": update["TableName"], "Key": update["Key"]}
        item: Typed = self._call("GetItem", {**key, "ConsistentRead": True}).get("Item", {})
        return item
