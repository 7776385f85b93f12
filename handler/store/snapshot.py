"""Caches the rules, refreshes them in the background, and keeps the last good set when the store fails.

Contract, section 5: "Reading" and "A bad record changes nothing". Only background tasks call the store. A
request waits a limited time for them, and `status` lists their failures.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from handler.aws.errors import StoreError
from handler.errors import Unavailable
from handler.settings import Settings
from handler.store.attributes import Item
from handler.store.background import BackgroundTasks, safe_message
from rules import Problem, RuleSet, RuleSetTooLarge, code_version

STALE = 4  # times the time to live: requests wait for the refresh of rules that are older
EMPTY = 300.0  # seconds that the old rules stay in force after the table was emptied
RETRY = 1.0  # seconds after a failure, doubling up to the time to live; constant while there are no rules
COMPILED = 0.1  # seconds that a first read waits for the compiled rules: to read records takes about as long
SLOW = 0.7  # seconds that the first read may take until the adopted rules in State are read as well
LAST_READABLE = "last readable version"  # RuleSet.read names it for a bad record whose old version it found

REFRESH, SAVE, COMPILE = "refresh", "save", "compile"  # the background tasks
# Problems of the whole set, as /health and the log name them.
NOT_READ = "rules not read"
NOT_SAVED = "rules not saved for new instances"
EMPTIED = "rules table empty"

Report = Callable[[str, dict[str, Any]], None]


class RuleStore(Protocol):
    """The part of the store that this module needs."""

    async def load_rules(self) -> list[Item]: ...
    async def load_adopted(self) -> tuple[str, list[Item]] | None: ...
    async def save_adopted(self, revision: str, items: Iterable[Mapping[str, Any]]) -> bool: ...
    async def load_compiled(self, version: str) -> bytes | None: ...
    async def save_compiled(self, version: str, data: bytes) -> None: ...


class View(NamedTuple):
    """The rules of one request. `age`: seconds since the table was read; None when they come from State."""

    ruleset: RuleSet
    stale: bool
    age: float | None


class Snapshot:
    """The cached rules of one instance.

    `report` is called with a message and fields for each new problem, `on_refresh` when a refresh starts. A
    request waits `timeout` seconds for a refresh, and `first_timeout` seconds for the first read.
    """

    def __init__(
        self,
        store: RuleStore,
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
        self._tasks = BackgroundTasks()
        self.invalidate()

    def invalidate(self) -> None:
        """Forget everything, since a SnapStart restore may come weeks later. Also drops a running read."""
        self._tasks.cancel()
        self._ruleset: RuleSet | None = None
        self._items: list[Item] | None = None  # of `_ruleset`; None: it is not final and has to be made again
        self._read_at: float | None = None
        self._due = 0.0  # when the next refresh may start
        self._failures = 0  # in a row
        self._empty_since: float | None = None
        self._saved: str | None = None  # the revision that State is known to hold
        self._compiled: RuleSet | None = None  # State needs no compiled form of it any more
        self._stale = False
        self._set_problems: dict[str, str] = {}  # of the whole set, by what failed
        self._record_problems: frozenset[Problem] = frozenset()  # of single records, as last reported

    async def current(self) -> View:
        """Return the rules in force. Raises Unavailable while no rules were ever read."""
        began = self._clock()
        self.start_refresh()
        if self._is_old() and (refresh := self._tasks.running(REFRESH)):
            await asyncio.wait({refresh}, timeout=self._timeout if self._ruleset else self._first_timeout)
        if self._ruleset is None:
            raise Unavailable(
                "The routing rules could not be read yet; try again shortly.",
                code="store_unavailable",
                retry_after=1,
            )
        self._stale = self._is_old() and (self._read_at is None or self._read_at < began)
        return View(self._ruleset, self._stale, self._age())

    def start_refresh(self) -> None:
        """Start the refresh if it is due. It can run while the request waits for something else."""
        if self._clock() >= self._due and not self._tasks.running(REFRESH):
            self._tasks.start(self._refresh(), self._refresh_failed, name=REFRESH)
            self._on_refresh()

    async def adopt_revision(self, revision: str) -> None:
        """Read the table until it has this revision, which was just written, for a few seconds at most."""
        for pause in (0.0, 0.1, 0.3, 0.6):  # a read may not see the write yet
            await asyncio.sleep(pause)
            for _ in range(2):  # a refresh that is running may have begun before the write
                if self._ruleset is not None and self._ruleset.revision == revision:
                    return
                self._due = min(self._due, self._clock())
                self.start_refresh()
                if refresh := self._tasks.running(REFRESH):
                    await asyncio.wait({refresh}, timeout=self._timeout)

    async def settle(self, seconds: float = 1.0) -> None:
        """Wait at most `seconds` for the background tasks."""
        await self._tasks.settle(seconds)

    @property
    def ready(self) -> bool:
        """False when no request can be served: there are no rules, and reading them has failed."""
        return self._ruleset is not None or not self._failures

    def status(self) -> dict[str, Any]:
        """Return the state of the rules for /health, without calling the store."""
        age, problems = self._age(), self.problems()
        return {
            "status": "degraded" if self._stale or problems else "ok",
            "rules": {
                "revision": self._ruleset.revision if self._ruleset else None,
                "age_s": None if age is None else round(age, 1),
                "stale": self._stale,
                "skipped": len(problems) - len(self._set_problems),
            },
        }

    def problems(self) -> list[dict[str, Any]]:
        """List the problems of the whole set, then those of the records that are not in force as saved."""
        of_set = [{"what": what, "problem": problem} for what, problem in self._set_problems.items()]
        return [*of_set, *map(_fields, self._ruleset.problems if self._ruleset else ())]

    def _age(self) -> float | None:
        return None if self._read_at is None else self._clock() - self._read_at

    def _is_old(self) -> bool:
        age = self._age()
        return age is None or age > STALE * self._ttl

    def _refresh_failed(self, error: BaseException) -> None:
        self._failures += 1
        longest = RETRY if self._ruleset is None else self._ttl
        self._due = self._clock() + min(longest, RETRY * 2 ** min(self._failures - 1, 10))
        self._add_problem(NOT_READ, safe_message(error, StoreError, RuleSetTooLarge))

    async def _refresh(self) -> None:
        began = self._clock()
        try:
            items, compiled = await self._read()
            if not items and await self._keeps_old_rules(began):
                self._add_problem(EMPTIED, "the old rules stay in force for 5 minutes")
            elif items is not self._items:
                await self._adopt(items, compiled)
        except (StoreError, RuleSetTooLarge):
            if self._ruleset is None:
                await self._adopt_saved()
            raise
        self._read_at, self._failures = began, 0
        self._due = began + self._ttl * (0.8 + 0.4 * self._jitter())
        self._set_problems.pop(NOT_READ, None)
        self._save()

    async def _read(self) -> tuple[list[Item], bytes | None]:
        """Return the table's records and, for a first read, the compiled rules in State, if there are any.

        While a first read is slow, the adopted rules in State are used.
        """
        if self._ruleset is not None:
            return await self._store.load_rules(), None
        reading = asyncio.ensure_future(self._store.load_rules())
        compiled = asyncio.ensure_future(self._load_compiled())
        fallback = asyncio.ensure_future(self._adopt_saved(after=SLOW))
        try:
            items = await reading
            await asyncio.wait({compiled}, timeout=COMPILED if items else 0)
            return items, compiled.result() if compiled.done() else None
        finally:
            for task in (reading, compiled, fallback):
                task.cancel()

    async def _load_compiled(self) -> bytes | None:
        with contextlib.suppress(Exception):  # then the records are read as they are written
            return await self._store.load_compiled(code_version())
        return None

    async def _keeps_old_rules(self, now: float) -> bool:
        """Return True while an empty table leaves the rules in force: it was probably emptied by mistake."""
        if self._ruleset is None:
            await self._adopt_saved()
        if self._ruleset is None or not self._ruleset.items:
            return False
        if self._empty_since is None:
            self._empty_since = now
        self._items = None
        return now - self._empty_since < EMPTY

    async def _adopt_saved(self, *, after: float = 0) -> None:
        """Adopt the rules that other instances had in force, where this one has read none yet."""
        await asyncio.sleep(after)
        with contextlib.suppress(StoreError):  # then there are no rules, and `current` raises Unavailable
            if found := await self._store.load_adopted():
                self._saved, items = found
                self._ruleset = RuleSet.read(items)

    async def _adopt(self, items: list[Item], compiled: bytes | None) -> None:
        ruleset, final = RuleSet.of_compiled(compiled, items), True
        if ruleset is not None:
            self._compiled = ruleset
        else:
            ruleset, final = await self._validated(items)
        self._ruleset, self._items, self._empty_since = ruleset, items if final else None, None
        self._set_problems.pop(EMPTIED, None)
        for problem in ruleset.problems:
            if problem not in self._record_problems:
                self._report("rule not readable", _fields(problem))
        self._record_problems = frozenset(ruleset.problems)

    async def _validated(self, items: list[Item]) -> tuple[RuleSet, bool]:
        """Read the records. False: what replaces the bad ones is not known, because State cannot be read."""
        known = self._ruleset.items if self._ruleset else {}
        ruleset = RuleSet.read(items, previous=known)
        if all(problem.instead == LAST_READABLE for problem in ruleset.problems):
            return ruleset, True
        try:
            found = await self._store.load_adopted()
        except StoreError:
            return ruleset, False
        saved = {(item["kind"], item["id"]): item for item in found[1]} if found else {}
        return RuleSet.read(items, previous={**saved, **known}), True

    def _save(self) -> None:
        """Save the rules in the background if State is not known to hold this revision."""
        ruleset, final = self._ruleset, self._items is not None
        if ruleset and final and ruleset is not self._compiled and not self._tasks.running(COMPILE):
            self._tasks.start(self._compile(ruleset), lambda error: None, name=COMPILE)
        if ruleset is None or not final or ruleset.revision == self._saved or self._tasks.running(SAVE):
            return
        if ruleset.items or self._saved is not None:  # an empty set is worth saving only over another one
            self._tasks.start(self._save_adopted(ruleset), self._save_failed, name=SAVE)

    async def _save_adopted(self, ruleset: RuleSet) -> None:
        if await self._store.save_adopted(ruleset.revision, ruleset.items.values()):
            self._saved = ruleset.revision
        self._set_problems.pop(NOT_SAVED, None)

    async def _compile(self, ruleset: RuleSet) -> None:
        """Save the compiled rules for new instances with this version of the code, unless State has them."""
        if ruleset.items and not ruleset.problems:
            found = await self._store.load_compiled(code_version())
            if RuleSet.of_compiled(found, [*ruleset.items.values()]) is None and (data := ruleset.compiled()):
                await self._store.save_compiled(code_version(), data)
        self._compiled = ruleset

    def _save_failed(self, error: BaseException) -> None:
        self._add_problem(NOT_SAVED, safe_message(error, StoreError))

    def _add_problem(self, what: str, problem: str) -> None:
        """Report the problem unless it was there already."""
        if self._set_problems.get(what) != problem:
            self._report(what, {"problem": problem})
        self._set_problems[what] = problem


def _fields(problem: Problem) -> dict[str, Any]:
    return {name: getattr(problem, name) for name in ("kind", "id", "field", "problem", "instead")}
