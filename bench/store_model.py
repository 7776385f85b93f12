"""A model of DynamoDB on virtual time, for simulations: its published limits, and usual latencies.

An item takes 1,000 write units a second; up to a second's worth that was not used is saved. What is beyond is
throttled, and botocore repeats the call once, after up to a second. A write costs one unit, whether or not
its condition holds, and two in a transaction. A transaction holds its items from its first phase to its
second; other writes to them fail meanwhile, and cost a unit each.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html
https://www.usenix.org/conference/atc23/presentation/idziorek (the two phases)
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from random import Random
from types import CodeType
from typing import Any

from handler.store.attributes import Item
from handler.store.items import ConditionFailed, Items, StoreBusy, Update
from tests.support.virtual_clock import clock

UNITS = 1000  # per second and item
UPDATE, TRANSACT, READ = 0.004, 0.010, 0.004  # seconds, median
SPREAD = 0.4  # sigma of the logarithm: the 99th percentile is 2.5 times the median
ARRIVAL, HOLD = 0.3, 0.4  # parts of a call's time: until it is carried out; that a transaction holds items

_TRANSLATIONS = (
    (r"attribute_not_exists\(#(\w+)\)", r"(names['\1'] not in item)"),
    (r"attribute_exists\(#(\w+)\)", r"(names['\1'] in item)"),
    (r"#(\w+)", r"item.get(names['\1'])"),
    (r":(\w+)", r"values['\1']"),
    (r"<>", "!="),
    (r" = ", " == "),
    (r"\bAND\b", "and"),
    (r"\bOR\b", "or"),
)


class ModelItems(Items):
    """The items of one table. `tally`: calls by operation, units, conflicts and throttled calls."""

    def __init__(self, random: Random) -> None:
        self.items: dict[str, Item] = {}
        self.tally: Counter[str] = Counter()
        self._random = random
        self._held: set[str] = set()
        self._units: dict[str, tuple[float, float]] = {}  # by item: units left, and when that was

    async def get_many(self, ids: Sequence[str], *, consistent: bool = False) -> dict[str, Item]:
        self.tally["reads"] += 1
        await asyncio.sleep(self._latency(READ))
        return {id: dict(self.items[id]) for id in ids if id in self.items}

    async def update(self, update: Update) -> Item:
        await self._carried_out([update], 1)
        return dict(self.items[update.id])

    async def transact(self, updates: Sequence[Update], *, token: str | None = None) -> None:
        await self._carried_out(updates, 2)

    async def _carried_out(self, updates: Sequence[Update], units: int) -> None:
        for _ in range(2):
            try:
                return await self._try(updates, units)
            except StoreBusy as error:
                if error.code != "ThrottlingException":
                    raise
            await asyncio.sleep(self._random.random())
        return await self._try(updates, units)

    async def _try(self, updates: Sequence[Update], units: int) -> None:
        seconds = self._latency(UPDATE if units == 1 else TRANSACT)
        self.tally["writes" if units == 1 else "transactions"] += 1
        await asyncio.sleep(seconds * ARRIVAL)
        ids = {update.id for update in updates}
        try:
            self._check(updates, units)
            if units == 2:
                self._held |= ids
                await asyncio.sleep(seconds * HOLD)
                self._held -= ids
            for update in updates:
                self.items[update.id] = _updated(update, self.items.get(update.id, {}))
        finally:
            await asyncio.sleep(seconds * (1 - ARRIVAL - (HOLD if units == 2 else 0)))

    def _check(self, updates: Sequence[Update], units: int) -> None:
        if any(self._left(update.id) < units for update in updates):
            self.tally["throttled"] += 1
            raise StoreBusy("throttled", code="ThrottlingException")
        conflict = any(update.id in self._held for update in updates)
        for update in updates:
            spent = 1 if conflict else units
            self.tally["units"] += spent
            self._units[update.id] = self._left(update.id) - spent, clock()
        if conflict:
            self.tally["conflicts"] += 1
            raise StoreBusy("conflict", code="TransactionConflictException")
        stored = [dict(self.items.get(update.id, {})) for update in updates]
        failed = [not _holds(update, item) for update, item in zip(updates, stored, strict=True)]
        if any(failed):
            self.tally["conditions"] += 1
            items = (item if bad else None for item, bad in zip(stored, failed, strict=True))
            raise ConditionFailed("condition", tuple(items))

    def _left(self, id: str) -> float:
        left, then = self._units.get(id, (UNITS, clock()))
        return min(UNITS, left + (clock() - then) * UNITS)

    def _latency(self, median: float) -> float:
        return median * self._random.lognormvariate(0, SPREAD)


@lru_cache
def _condition(text: str) -> CodeType:
    for pattern, replacement in _TRANSLATIONS:
        text = re.sub(pattern, replacement, text)
    return compile(text or "True", "<condition>", "eval")


def _holds(update: Update, item: Item) -> bool:
    return bool(
        eval(_condition(update.condition), {"item": item, "names": update.names, "values": update.values})
    )


Change = Callable[[Item, Mapping[str, str], Mapping[str, Any]], None]


@lru_cache
def _changes(text: str) -> tuple[Change, ...]:
    """Return what SET, ADD and REMOVE in an update's expression do to an item."""
    changes: list[Change] = []
    for action, parts in re.findall(r"(SET|ADD|REMOVE) (.+?)(?= SET | ADD | REMOVE |$)", text):
        for part in parts.split(", "):
            name, *rest = re.findall(r"[#:](\w+)", part)
            changes.append(_change(action, name, rest[-1] if rest else "", "-" in part))
    return tuple(changes)


def _change(action: str, name: str, value: str, minus: bool) -> Change:
    def change(item: Item, names: Mapping[str, str], values: Mapping[str, Any]) -> None:
        attribute = names[name]
        if action == "REMOVE":
            item.pop(attribute, None)
        elif action == "ADD":
            item[attribute] = item.get(attribute, 0) + values[value]
        else:
            item[attribute] = item[attribute] - values[value] if minus else values[value]

    return change


def _updated(update: Update, stored: Item) -> Item:
    item = {"id": update.id, **stored}
    for change in _changes(update.expression):
        change(item, update.names, update.values)
    return item
