"""Reads how much a key has left of its limits and budgets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from handler.access.counters import WINDOWS, Counter, bucket_of_value
from handler.access.keys import Key
from handler.errors import Json
from handler.store.items import Items
from rules import NANO, BudgetRecord, LimitRecord, RuleSet


class _Limit(NamedTuple):
    record: LimitRecord | BudgetRecord
    ends: float  # epoch seconds
    counter: Counter | None  # None: callers choose the value of `each`, so there are many counters


async def read_limits(items: Items, ruleset: RuleSet, key: Key, now: datetime) -> list[Json]:
    """Return each limit and budget whose scope covers the key, with what is left of it in this window.

    Amounts that requests have reserved, and that instances hold ready for requests, count as used. `used` and
    `left` are None where callers choose the value of `each`. now: in UTC. Raises StoreError.
    """
    found = [*_limits_of(ruleset, key, now)]
    stored = await items.get_many([each.counter.id for each in found if each.counter], consistent=True)
    return [
        _described(each, stored.get(each.counter.id, {}) if each.counter else None, now) for each in found
    ]


def _limits_of(ruleset: RuleSet, key: Key, now: datetime) -> Iterator[_Limit]:
    values = {None: "*", "key": bucket_of_value(key.id), "project": bucket_of_value(key.project)}
    for record in (*ruleset.enabled("limit"), *ruleset.enabled("budget")):
        scope = record.scope
        assert isinstance(record, LimitRecord | BudgetRecord)
        if (scope.key is None or key.id in scope.key) and (
            scope.project is None or key.project in scope.project
        ):
            window, ends = WINDOWS[record.per](now)
            bucket = values.get(record.each)
            yield _Limit(record, ends, (bucket and Counter(record, bucket, window, ends)) or None)


def _described(limit: _Limit, item: Json | None, now: datetime) -> Json:
    record = limit.record
    used = None if item is None else min(max(int(item.get("n", 0)), 0), record.amount)
    left = None if used is None else record.amount - used
    return {
        "kind": record.kind,
        "id": record.id,
        "per": record.per,
        "each": record.each,
        "unit": record.unit,
        "limit": _amount(record.amount, record.unit),
        "used": _amount(used, record.unit),
        "left": _amount(left, record.unit),
        "resets_in": round(limit.ends - now.timestamp(), 1),
        "when": [condition.text for condition in record.when],
    }


def _amount(amount: int | None, unit: str) -> int | float | None:
    return amount / NANO if amount is not None and unit == "usd" else amount
