"""Reads, reviews and writes the table of rules, for the command line and the console.

A write names the revision that it was made for, and is refused when the table has another one by then. Each
record is written on the condition that it is still as it was read, so nothing is overwritten unseen.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from secrets import token_hex
from typing import Any, NamedTuple

from handler.aws.client import AwsClient
from handler.aws.errors import StoreError
from handler.manage.background_thread import in_thread
from handler.manage.changes import Changes, Name, compare, format_compact, record_name, sort_records
from handler.manage.history import NoSuchEntry, read_entry
from handler.manage.writes import TURN, take_turn, writes_of
from handler.settings import Settings
from handler.store.attributes import Item, deserialize_item, serialize_item
from handler.store.history import delete_message, save_message
from handler.store.items import ConditionFailed, Items, StoreBusy, transaction_error
from handler.store.tables import scan
from rules import Problem, RuleSet, RuleSetTooLarge
from rules.review.check import FailedTest, run_tests, warnings
from rules.review.lint import KnownKeys, RuleWarning

MAX_CHANGES = 99  # of one TransactWriteItems, which takes 100 items: one more is the turn
MAX_TESTING = 20.0  # seconds for the tests of a set
TRIES = 5  # of a transaction that met another one or was throttled, after a pause of 0.2 s that doubles
Sleep = Callable[[float], Awaitable[object]]


class StoredRules(NamedTuple):
    """The table of rules at one moment."""

    revision: str
    items: list[Item]


class Review(NamedTuple):
    """What a set of records would be in the place of another one."""

    revision: str
    problems: tuple[Problem, ...]
    new_problems: tuple[Problem, ...]  # that the set has by what it changes: it cannot be written
    warnings: tuple[RuleWarning, ...]
    tests: tuple[str, ...]  # the ids of all tests of the set
    failed: tuple[FailedTest, ...]
    changes: Changes

    @property
    def ok(self) -> bool:
        return not (self.new_problems or self.failed)


class RulesChanged(Exception):
    """The table is not at the revision that a write was made for. Nothing was written, or only `written`.

    revision: of the table now. changes: since that revision, or, where it is not known any more
    (`since_base` is False), what makes the table of the records that were to be written.
    """

    def __init__(self, revision: str, changes: Changes, *, since_base: bool = True, written: int = 0) -> None:
        super().__init__("the table of rules changed since it was read")
        self.revision, self.changes = revision, changes
        self.since_base, self.written = since_base, written


class RulesRefused(Exception):
    """The records cannot be read, or fail a test of the set. Nothing was written."""

    def __init__(self, review: Review) -> None:
        super().__init__("the records cannot be read, or a test of the set fails")
        self.review = review


class Pushed(NamedTuple):
    """What was written, and the revision of the table after it."""

    revision: str
    changes: Changes


async def read_rules(client: AwsClient, settings: Settings) -> StoredRules:
    """Return every record as it is stored now. Raises StoreError."""
    found = scan(client, settings.rules_table, consistent=True)
    items = [deserialize_item(item) async for item in found]
    return StoredRules(await in_thread(table_revision, items), items)


def table_revision(items: Sequence[Any]) -> str:
    """Return the revision of these records: the gateway's own, unless some of them cannot be read."""
    try:
        ruleset = RuleSet.read(items)
    except RuleSetTooLarge:
        return _content_revision(items)
    return _content_revision(items) if ruleset.problems else ruleset.revision


def _content_revision(items: Iterable[Any]) -> str:
    texts = (format_compact(item) for item in sort_records(items))
    return sha256("\n".join(texts).encode()).hexdigest()[:12]


def review(before: Sequence[Item], after: Sequence[Any], known: KnownKeys | None = None) -> Review:
    """Return what is wrong with `after`, and what it changes. Raises RuleSetTooLarge.

    after: whatever a person wrote. known: the keys that scopes may name; None if they are unknown.
    """
    ruleset = RuleSet.read(after)
    storable, unstorable = _split_storable(after)
    problems = (*ruleset.problems, *unstorable)
    changes = compare(before, storable)
    touched = {record_name(item) for item in (*changes.added, *(after for _, after in changes.changed))}
    old = {problem.message for problem in _problems_of(before)}
    return Review(
        revision=ruleset.revision if not problems else _content_revision(storable),
        problems=problems,
        new_problems=tuple(
            one for one in problems if (one.kind, one.id) in touched or one.message not in old
        ),
        warnings=warnings(ruleset, known),
        tests=tuple(test.id for test in ruleset.enabled("test")),
        failed=tuple(run_tests(ruleset, seconds=MAX_TESTING)),
        changes=changes,
    )


def _problems_of(items: Sequence[Item]) -> Sequence[Problem]:
    try:
        return RuleSet.read(items).problems
    except RuleSetTooLarge:
        return ()


def _split_storable(items: Iterable[Any]) -> tuple[list[Item], list[Problem]]:
    """Return the items that DynamoDB can store, and a problem for each other one that can be read."""
    storable: dict[Name, Item] = {}
    problems = []
    for item in items:
        if not isinstance(item, Mapping) or not all(_is_text(item.get(name)) for name in ("kind", "id")):
            continue  # reading it has given a problem
        try:
            serialize_item(item)
            storable.setdefault(record_name(item), dict(item))
        except (RecursionError, ValueError) as error:
            problems.append(
                Problem(
                    kind=item["kind"], id=item["id"], field="record", problem=str(error), instead="skipped"
                )
            )
    return [*storable.values()], problems


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


async def push(
    client: AwsClient,
    settings: Settings,
    base: str,
    records: Sequence[Any],
    *,
    message: str | None = None,
    sleep: Sleep = asyncio.sleep,
) -> Pushed:
    """Make the table hold exactly these records, if it still has the revision `base`.

    A table with another revision is taken too if the records have every change since `base` already, as after
    a push that broke off. `message`: what the history says about the set, at most MAX_MESSAGE characters.
    At most 99 changes are written all or not at all. More are written in steps of 99: additions first, then
    changes, then removals. If that breaks off, pushing again writes what is left.
    Of several pushes at once only one is written, even if they change different records: each was reviewed
    without the others.
    Raises RulesChanged, RulesRefused, RuleSetTooLarge and StoreError.
    """
    state = Items(client, settings.state_table)
    turn = (await state.get(TURN, consistent=True) or {}).get("turn")
    stored = await read_rules(client, settings)
    reviewed = await in_thread(review, stored.items, records)
    await check_base(client, settings, base, stored, records)
    if not reviewed.ok:
        raise RulesRefused(reviewed)
    if message and settings.history_days and reviewed.changes.number:
        await save_message(state, reviewed.revision, message, now=time.time())
    try:
        await _write(client, settings, stored, reviewed, turn, sleep)
    except RulesChanged:
        if message:
            with suppress(StoreError):  # it expires
                await delete_message(state, reviewed.revision)
        raise
    return Pushed(reviewed.revision, reviewed.changes)


async def check_base(
    client: AwsClient, settings: Settings, base: str, stored: StoredRules, records: Sequence[Any]
) -> None:
    """Raise RulesChanged if the table changed since `base`, unless the records have all of these changes."""
    if stored.revision == base:
        return
    try:
        past = (await read_entry(client, settings, base)).items
    except (NoSuchEntry, StoreError):  # the push is refused in any case: only the reason is less exact
        past = None
    refuse_unseen(stored, records, past)


def refuse_unseen(stored: StoredRules, records: Sequence[Any], past: Sequence[Item] | None) -> None:
    """Raise RulesChanged unless `records` have all changes since `past`; None: it is not known any more."""
    storable, _ = _split_storable(records)
    left = compare(storable, stored.items)
    if left.number and past is None:
        raise RulesChanged(stored.revision, left, since_base=False)
    since = compare(past or (), stored.items)
    if since.names & left.names:
        raise RulesChanged(stored.revision, since)


async def _write(
    client: AwsClient,
    settings: Settings,
    stored: StoredRules,
    reviewed: Review,
    turn: str | None,
    sleep: Sleep,
) -> None:
    """Write the changes. `turn`: as it was before the table was read; None: there was none."""
    writes = [*writes_of(settings.rules_table, reviewed.changes)]
    for start in range(0, len(writes), MAX_CHANGES):
        last, turn = turn, token_hex(8)
        own = {"Update": take_turn(last, turn).arguments(settings.state_table)}
        try:
            await _transact(client, [*writes[start : start + MAX_CHANGES], own], sleep)
        except ConditionFailed:
            now = await read_rules(client, settings)
            if now.revision == reviewed.revision:
                return  # an earlier try was done after all
            others = compare(stored.items, now.items)
            raise RulesChanged(now.revision, others, written=start) from None
        except StoreError as error:
            raise StoreError(f"{error}{_progress(error, start, len(writes))}", code=error.code) from error


def _progress(error: StoreError, written: int, number: int) -> str:
    """Say how much is written after an error of DynamoDB, or of the way to it."""
    if number > MAX_CHANGES:
        return f"; {written} of {number} changes are written for certain: push again to write the others"
    return "" if error.code else "; either all changes are written or none: push again to see which"


async def _transact(client: AwsClient, writes: Sequence[Any], sleep: Sleep) -> None:
    """Write all or nothing. A call whose answer is lost counts once, by its token."""
    arguments = {"TransactItems": writes, "ClientRequestToken": token_hex(16)}
    for attempt in range(1, TRIES + 1):
        try:
            await client.call("transact_write_items", arguments)
            return
        except StoreError as error:
            known = transaction_error(error)
            if not isinstance(known, StoreBusy) or attempt == TRIES:
                raise known from error
        await sleep(0.1 * 2**attempt)
