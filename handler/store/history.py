"""The rules in force, as State keeps them for new instances, and the history of the sets that were in force.

Items of State: `adopted` is the set in force and `history` the number of the newest entry. Entry 7 is
`history#7`, with its records in the parts `history#7#<revision>#0` and so on; `message#<revision>` is what
the writer of a revision said about it.

The set in force and its entry are written in one transaction, on the condition that no other instance was
first, and after the instance has seen that the table still holds the set. So each entry was in the table
after the one before it, no revision is lost in a crash, and none is there twice unless the table returned to
it.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from handler.aws.errors import StoreError
from handler.store.attributes import Item
from handler.store.compressed import ADOPTED, compress, decompress
from handler.store.items import ConditionFailed, Items, StoreBusy, Update
from rules import Frozen

HISTORY, MESSAGE = "history", "message"  # ids, and how ids begin
DAY = 86_400  # seconds
TRIES = 6  # to write an adopted set while other instances do
MAX_NAMES = 100_000  # bytes of the names in an entry, of the 400 KB that an item may have
MAX_SUMMARY = 50  # characters
MAX_MESSAGE = 1_000  # characters
MESSAGE_DAYS = 7  # that a message waits for an instance to adopt its revision
MAX_SKEW = 300  # seconds that the clock of a writer may be behind the clock of an instance
PAGE = 100  # entries that are read at once
MAX_LISTED = 1_000

Names = tuple[str, ...]  # of records: "route/long-prompts"


class Entry(Frozen):
    """A set of rules that was in force, and how its records differ from the set before it."""

    number: int
    revision: str
    previous: str = ""  # revision; "" for the first entry
    at: int  # epoch seconds when the first instance adopted it
    message: str = ""
    added: Names = ()
    changed: Names = ()
    removed: Names = ()
    more: int = 0  # names that did not fit
    parts: int

    @property
    def time(self) -> str:
        return datetime.fromtimestamp(self.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def summary(self) -> str:
        """The names of what changed, like "+ route/a, ~ route/b", or only how many they are."""
        signs = (("+", self.added), ("~", self.changed), ("-", self.removed))
        text = ", ".join(f"{sign} {name}" for sign, names in signs for name in names)
        if len(text) <= MAX_SUMMARY and not self.more:
            return text
        number = self.more + sum(len(names) for _, names in signs)
        return f"{number} records"

    def as_json(self) -> dict[str, Any]:
        names = ("number", "revision", "previous", "message", "more")
        return {
            **{name: getattr(self, name) for name in names},
            "at": self.time,
            "changes": {name: [*getattr(self, name)] for name in ("added", "changed", "removed")},
        }


class UnreadableRules(StoreError):
    """The adopted rules in State are damaged, or another instance removes their parts."""


async def load_adopted(items: Items) -> tuple[str, list[Item]] | None:
    """Return revision and records of the rules that were last saved as adopted, or None."""
    head = await items.get(ADOPTED, consistent=True)
    return (head["revision"], await _adopted_records(items, head)) if head else None


async def _adopted_records(items: Items, head: Item) -> list[Item]:
    try:
        more = [(await items.get(id, consistent=True) or {})["part"] for id in _adopted_ids(head)]
        return decompress([head["part"], *more])
    except (LookupError, TypeError, ValueError) as error:
        raise UnreadableRules("the adopted rules in State cannot be read") from error


def _adopted_ids(head: Mapping[str, Any]) -> list[str]:
    """Return the ids of the parts after the first; they hold the revision, so that two sets never mix."""
    return [f"{ADOPTED}#{head['revision']}#{number}" for number in range(1, head.get("parts", 1))]


async def adopt(
    items: Items,
    revision: str,
    records: Sequence[Mapping[str, Any]],
    *,
    days: float,
    is_current: Callable[[], Awaitable[bool]],
    now: Callable[[], float] = time.time,
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
) -> bool:
    """Save the set in force and an entry of it, unless State has this revision. Raises StoreError.

    days: that the entry stays; 0 writes none. is_current: reads whether the table still holds the set; False
    is returned where it does not, since an instance that read it later saves another set.
    """
    parts = compress(records)
    for attempt in range(TRIES):
        head = await items.get(ADOPTED, consistent=True) or {}
        if head.get("revision") == revision:
            return True
        newest = (await items.get(HISTORY, consistent=True) or {}) if days else {}
        if not await is_current():
            return False
        try:
            if days and head and not newest and attempt == 0:
                await _save_earlier(items, head, days, now())
                continue
            updates = [await _adopt_update(items, revision, parts, head)]
            if days:
                updates += await _entry_updates(items, revision, records, parts, head, newest, days, now())
            await items.transact(updates)
        except (ConditionFailed, StoreBusy):
            await sleep(random.random() * 0.05 * 2**attempt)
            continue
        for id in _adopted_ids(head) if head else ():
            await items.delete(id)
        return True
    raise StoreBusy("the adopted rules: other instances write at the same time")


async def _save_earlier(items: Items, head: Item, days: float, now: float) -> None:
    """Begin the history with the set in force, which was adopted while no history was kept."""
    with suppress(UnreadableRules):
        records = await _adopted_records(items, head)
        await items.transact(
            await _entry_updates(items, head["revision"], records, compress(records), {}, {}, days, now)
        )


async def _adopt_update(items: Items, revision: str, parts: Sequence[bytes], head: Item) -> Update:
    """Write the parts after the first, and return the update that puts the set in the place of `head`."""
    values = {"revision": revision, "parts": len(parts), "part": parts[0]}
    for id, part in zip(_adopted_ids(values), parts[1:], strict=True):
        await items.put({"id": id, "part": part})
    return _written(ADOPTED, values, "revision", head)


async def _entry_updates(
    items: Items,
    revision: str,
    records: Iterable[Mapping[str, Any]],
    parts: Sequence[bytes],
    head: Item,
    newest: Item,
    days: float,
    now: float,
) -> list[Update]:
    """Write the parts of an entry, and return the updates that add it."""
    number, expires_at = newest.get("number", 0) + 1, int(now + days * DAY)
    for index, part in enumerate(parts):
        await items.put({"id": _part_id(number, revision, index), "part": part, "expires_at": expires_at})
    entry = {
        "number": number,
        "revision": revision,
        "previous": head.get("revision", ""),
        "at": int(now),
        "message": await _load_message(items, revision, since=newest.get("at", 0)),
        **await _changed_names(items, head, records),
        "parts": len(parts),
        "expires_at": expires_at,
    }
    counter = {"number": number, "at": int(now)}
    return [
        _written(HISTORY, counter, "number", newest),
        _written(f"{HISTORY}#{number}", entry, "revision", {}),
    ]


def _written(id: str, values: Mapping[str, Any], guard: str, before: Mapping[str, Any]) -> Update:
    """Return the update that sets `values` if the attribute `guard` is as in `before`."""
    known = guard in before
    return Update(
        id,
        "SET " + ", ".join(f"#{name} = :{name}" for name in values),
        f"#{guard} = :before" if known else f"attribute_not_exists(#{guard})",
        {name: name for name in values},
        {**values, **({"before": before[guard]} if known else {})},
    )


def _part_id(number: int, revision: str, index: int) -> str:
    return f"{HISTORY}#{number}#{revision}#{index}"


async def _changed_names(items: Items, head: Item, records: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    try:
        before = _by_name(await _adopted_records(items, head)) if head else {}
    except StoreError:
        before = {}
    after = _by_name(records)
    names = {
        "added": sorted(after.keys() - before.keys()),
        "changed": sorted(name for name in after.keys() & before.keys() if after[name] != before[name]),
        "removed": sorted(before.keys() - after.keys()),
    }
    left, more = MAX_NAMES, 0
    for listed in names.values():
        while sum(len(name.encode()) for name in listed) > left:
            listed.pop()
            more += 1
        left -= sum(len(name.encode()) for name in listed)
    return {**names, "more": more}


def _by_name(records: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {f"{record['kind']}/{record['id']}": record for record in records}


async def save_message(items: Items, revision: str, message: str, *, now: float) -> None:
    """Keep what the writer of a revision says about it, until an instance adopts the revision."""
    item = {"id": f"{MESSAGE}#{revision}", "message": message[:MAX_MESSAGE], "at": int(now)}
    await items.put({**item, "expires_at": int(now) + MESSAGE_DAYS * DAY})


async def delete_message(items: Items, revision: str) -> None:
    """Forget the message about a revision that was not written after all."""
    await items.delete(f"{MESSAGE}#{revision}")


async def _load_message(items: Items, revision: str, *, since: int) -> str:
    """Return the message about a revision, unless it is of an earlier time that the table had it."""
    found = await items.get(f"{MESSAGE}#{revision}", consistent=True) or {}
    return str(found.get("message", "")) if found.get("at", 0) >= since - MAX_SKEW else ""


async def list_entries(
    items: Items, *, limit: int = 20, before: int | None = None, now: float | None = None
) -> list[Entry]:
    """Return the newest entries, or those older than the number `before`, the newest first.

    At most MAX_LISTED. Raises StoreError.
    """
    newest = int((await items.get(HISTORY) or {}).get("number", 0))
    number, found = newest if before is None else min(newest, before - 1), list[Entry]()
    limit, now = min(limit, MAX_LISTED), time.time() if now is None else now
    while number > 0 and len(found) < limit:
        ids = [f"{HISTORY}#{each}" for each in range(number, max(0, number - PAGE), -1)]
        stored = await items.get_many(ids)
        entries = [_read_entry(item) for item in stored.values() if item.get("expires_at", 0) > now]
        found += entries
        if not entries:
            break  # the older ones have expired too
        number -= PAGE
    return found[:limit]


def _read_entry(item: Item) -> Entry:
    known = {name: item[name] for name in Entry.field_names if name in item}
    return Entry.of({name: tuple(each) if isinstance(each, list) else each for name, each in known.items()})


async def find_entry(items: Items, which: str, *, now: float | None = None) -> Entry | None:
    """Return the entry of a number, or the newest one whose revision begins with a text of 4 or more."""
    if re.fullmatch("[0-9]{1,9}", which):
        number = int(which)
        found = await list_entries(items, limit=1, before=number + 1, now=now)
        return next((entry for entry in found if entry.number == number), None)
    if len(which) < 4:
        return None
    entries = await list_entries(items, limit=MAX_LISTED, now=now)
    return next((entry for entry in entries if entry.revision.startswith(which)), None)


async def load_records(items: Items, entry: Entry) -> list[Item]:
    """Return the records of an entry. Raises StoreError."""
    ids = [_part_id(entry.number, entry.revision, index) for index in range(entry.parts)]
    found = await items.get_many(ids)
    try:
        return decompress([found[id]["part"] for id in ids])
    except (LookupError, TypeError, ValueError) as error:
        raise StoreError(f"entry {entry.number} of the history cannot be read") from error
