"""The rules as last read: a time to live, a refresh beside the request, the last good set in trouble.

Contract, section 5: "Reading" and "A bad record changes nothing". The store is asked only in tasks of their
own: a request waits for them a bounded time, and what they could not do is in `status`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from handler.errors import Unavailable
from handler.settings import Settings
from handler.store.attributes import Item
from handler.store.background import BackgroundTasks, safe_message
from handler.store.dynamodb import StoreError
from rules import Problem, RuleSet, RuleSetTooLarge

STALE = 4  # times the time to live: older than that, a request waits for the refresh
EMPTY = 300.0  # seconds that an emptied table leaves the set from before in force
RETRY = 1.0  # seconds after a failure, doubling up to the time to live; not while there are no rules at all
SLOW = 0.7  # seconds of the first read after which the rules that State holds are read, too
KEPT = "last readable version"  # what RuleSet.read says of a bad record whose earlier version it found

# What can be wrong with the set as a whole, as /health and the log name it.
NOT_READ = "rules not read"
NOT_SAVED = "rules not saved for new instances"
EMPTIED = "rules table empty"

Report = Callable[[str, dict[str, Any]], None]


class Rules(Protocol):
    """What a snapshot asks of the store."""

    async def load_rules(self) -> list[Item]: ...
    async def load_adopted(self) -> tuple[str, list[Item]] | None: ...
    async def save_adopted(self, revision: str, items: Iterable[Mapping[str, Any]]) -> None: ...


class View(NamedTuple):
    """The rules one request goes by. `age`: seconds since the table said so, None when only State did."""

    ruleset: RuleSet
    stale: bool
    age: float | None


class Snapshot:
    """`await snapshot()` gives the View of this moment; raises Unavailable while no rules were ever read.

    `report` gets one message with fields for each newly seen problem. A request waits `timeout` seconds for
    a refresh, `first_timeout` for the first read of all. `beside` is called when one begins.
    """

    def __init__(
        self,
        store: Rules,
        settings: Settings,
        *,
        report: Report,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
        timeout: float = 0.3,
        first_timeout: float = 2.0,
        on_refresh: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._ttl = settings.rules_ttl
        self._report = report
        self._clock = clock
        self._jitter = jitter
        self._timeout, self._first_timeout = timeout, first_timeout
        self._on_refresh = on_refresh
        self._beside = BackgroundTasks()
        self.invalidate()

    def invalidate(self) -> None:
        """Forgets everything: a SnapStart restore may wake weeks later. What is being read now is dropped."""
        self._beside.cancel()
        self._ruleset: RuleSet | None = None
        self._items: list[Item] | None = None  # what `_ruleset` was made of; None: not final, read it again
        self._read_at: float | None = None
        self._due = 0.0  # when the next refresh may start
        self._failures = 0  # in a row
        self._empty_since: float | None = None
        self._stored: str | None = None  # the revision State is known to hold
        self._stale = False
        self._told: dict[str, str] = {}  # troubles with the set as a whole, by what failed
        self._bad: frozenset[Problem] = frozenset()  # problems of single records, as last told
        self._reading: asyncio.Task[None] | None = None
        self._saving: asyncio.Task[None] | None = None

    async def current(self) -> View:
        asked = self._clock()
        self.start_refresh()
        if self._reading and self._old():
            timeout = self._timeout if self._ruleset else self._first_timeout
            await asyncio.wait({self._reading}, timeout=timeout)
        if self._ruleset is None:
            raise Unavailable(
                "The routing rules could not be read yet; try again shortly.",
                code="store_unavailable",
                retry_after=1,
            )
        self._stale = self._old() and (self._read_at is None or self._read_at < asked)
        return View(self._ruleset, self._stale, self._age())

    def start_refresh(self) -> None:
        """Starts the refresh if it is due: it may run while the request waits for something else."""
        if self._clock() >= self._due and (self._reading is None or self._reading.done()):
            self._reading = self._beside.start(self._refresh(), self._not_read)
            self._on_refresh()

    async def settle(self, seconds: float = 1.0) -> None:
        """Waits at most `seconds` for what runs beside requests: before a freeze, or at exit."""
        await self._beside.settle(seconds)

    @property
    def ready(self) -> bool:
        """False when no rules can be read and there are none from before: nothing can be served."""
        return self._ruleset is not None or not self._failures

    def status(self) -> dict[str, Any]:
        """What /health says. Asks nobody."""
        age, problems = self._age(), self.problems()
        return {
            "status": "degraded" if self._stale or problems else "ok",
            "rules": {
                "revision": self._ruleset.revision if self._ruleset else None,
                "age_s": None if age is None else round(age, 1),
                "stale": self._stale,
                "skipped": len(problems) - len(self._told),
            },
        }

    def problems(self) -> list[dict[str, Any]]:
        """Which records are not in force as saved, and why; before them, what is wrong with the whole set."""
        bad = self._ruleset.problems if self._ruleset else ()
        return [*({"what": what, "problem": why} for what, why in self._told.items()), *map(_fields, bad)]

    def _age(self) -> float | None:
        return None if self._read_at is None else self._clock() - self._read_at

    def _old(self) -> bool:
        age = self._age()
        return age is None or age > STALE * self._ttl

    def _not_read(self, error: BaseException) -> None:
        self._failures += 1
        longest = RETRY if self._ruleset is None else self._ttl
        self._due = self._clock() + min(longest, RETRY * 2 ** min(self._failures - 1, 10))
        self._tell(NOT_READ, safe_message(error, StoreError, RuleSetTooLarge))

    async def _refresh(self) -> None:
        began = self._clock()
        try:
            items = await self._read()
            if not items and await self._keeps_old(began):
                self._tell(EMPTIED, "the rules from before stay in force for 5 minutes")
            elif items is not self._items:
                await self._adopt(items)
        except (StoreError, RuleSetTooLarge):
            if self._ruleset is None:
                await self._adopt_stored()
            raise
        self._read_at, self._failures = began, 0
        self._due = began + self._ttl * (0.8 + 0.4 * self._jitter())
        self._told.pop(NOT_READ, None)
        self._save()

    async def _read(self) -> list[Item]:
        """The table's records. While there are none at all and it is slow, those that State holds must do."""
        if self._ruleset is not None:
            return await self._store.load_rules()
        reading = asyncio.ensure_future(self._store.load_rules())
        late = asyncio.ensure_future(self._adopt_stored(after=SLOW))
        try:
            return await reading
        finally:
            for task in (reading, late):
                task.cancel()

    async def _keeps_old(self, now: float) -> bool:
        """Whether an empty table leaves the rules in force: nobody empties it on purpose in one go."""
        if self._ruleset is None:
            await self._adopt_stored()
        if self._ruleset is None or not self._ruleset.items:
            return False
        if self._empty_since is None:
            self._empty_since = now
        self._items = None
        return now - self._empty_since < EMPTY

    async def _adopt_stored(self, *, after: float = 0) -> None:
        """What other instances had in force, for one that has read nothing yet."""
        await asyncio.sleep(after)
        with contextlib.suppress(StoreError):  # then there is nothing to go by, and the caller says so
            if found := await self._store.load_adopted():
                self._stored, items = found
                self._ruleset = RuleSet.read(items)

    async def _adopt(self, items: list[Item]) -> None:
        known = self._ruleset.items if self._ruleset else {}
        ruleset, final = RuleSet.read(items, previous=known), True
        if any(problem.instead != KEPT for problem in ruleset.problems):
            try:
                found = await self._store.load_adopted()
            except StoreError:
                final = False
            else:
                stored = {(item["kind"], item["id"]): item for item in found[1]} if found else {}
                ruleset = RuleSet.read(items, previous={**stored, **known})
        self._ruleset, self._items, self._empty_since = ruleset, items if final else None, None
        self._told.pop(EMPTIED, None)
        for problem in (one for one in ruleset.problems if one not in self._bad):
            self._report("rule not readable", _fields(problem))
        self._bad = frozenset(ruleset.problems)

    def _save(self) -> None:
        """Beside the request, when another revision is in force than State is known to hold."""
        ruleset, final = self._ruleset, self._items is not None
        if ruleset is None or not final or ruleset.revision == self._stored:
            return
        something = ruleset.items or self._stored is not None
        if something and (self._saving is None or self._saving.done()):
            self._saving = self._beside.start(
                self._save_adopted(ruleset),
                lambda error: self._tell(NOT_SAVED, safe_message(error, StoreError)),
            )

    async def _save_adopted(self, ruleset: RuleSet) -> None:
        await self._store.save_adopted(ruleset.revision, ruleset.items.values())
        self._stored = ruleset.revision
        self._told.pop(NOT_SAVED, None)

    def _tell(self, what: str, problem: str) -> None:
        if self._told.get(what) != problem:
            self._report(what, {"problem": problem})
        self._told[what] = problem


def _fields(problem: Problem) -> dict[str, Any]:
    return {name: getattr(problem, name) for name in ("kind", "id", "field", "problem", "instead")}
