"""Shares the cooldowns of candidates between instances, through ONE item of the State table.

    {"id": "cooling", "expires_at": 1763600600,                       the whole item's time to live
     "openai/gpt-5": {"at": 1763599990.5, "until": 1763600010.5, "level": 3},
     "groq/llama-4": ...}

Each candidate has one attribute, named by its key (which contains a `/`, unlike `id`). A GetItem reads
them all; an UpdateItem sets or removes one without touching the others, and creates the item if needed.
If two instances write the same candidate at once, the write's condition keeps the longer cooldown.

A task reads the item when a refresh of the rules starts. It is written only when a candidate's state changes.
All of this is best effort: without State, each instance uses what it sees itself. A write removes expired
attributes; the item holds at most MAX_SHARED candidates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from handler.aws.errors import StoreError
from handler.relay.cooldown import IN_A_ROW, Cooldown, Opening
from handler.store.attributes import Item
from handler.store.background import BackgroundTasks, safe_message

MAX_SHARED = 100  # candidates in the item
MAX_REMOVED = 20  # expired ones that one write removes
MAX_TASKS = 20  # reads and writes under way; more are not started while the store hangs
ITEM_TTL = 3600  # seconds until the item expires, without another write
PROBLEM = "cooldowns not shared"  # the log's message

Report = Callable[[str, dict[str, Any]], None]


class State(Protocol):
    """The calls on the store that sharing needs."""

    async def load_cooldowns(self) -> Item: ...
    async def save_cooldown(
        self, id: str, opening: Item | None, *, gone: Iterable[str], expires_at: int
    ) -> None: ...


class SharedCooldown:
    """Keeps a Cooldown and the State table in step, in the background. A problem is reported once."""

    def __init__(self, cooldown: Cooldown, store: State, *, report: Report, now: Callable[[], float]) -> None:
        self._cooldown = cooldown
        self._store = store
        self._report = report
        self._now = now
        self._tasks = BackgroundTasks()
        self._reported = False
        self._known: dict[str, float] = {}  # by candidate in State: when it expires
        cooldown.on_change = self._changed

    def refresh(self) -> None:
        """Start reading what other instances saw."""
        if len(self._tasks) < MAX_TASKS:
            self._tasks.start(self._read(), self._failed)

    async def settle(self, seconds: float) -> None:
        await self._tasks.settle(seconds)

    def invalidate(self) -> None:
        """Forget everything, as after a restore."""
        self._tasks.cancel()
        self._known = {}
        self._cooldown.invalidate()

    async def _read(self) -> None:
        before = set(self._known)
        found = await self._store.load_cooldowns()
        openings = {id: _opening(value) for id, value in found.items() if "/" in id}
        for id, opening in openings.items():
            if opening is not None:
                self._cooldown.adopt(id, opening)
        self._cooldown.reopened(before - set(openings))
        self._known = {id: opening.until if opening else 0.0 for id, opening in openings.items()}
        self._reported = False

    def _changed(self, id: str, opening: Opening | None) -> None:
        worth = id in self._known or (opening is not None and len(self._known) < MAX_SHARED)
        if worth and len(self._tasks) < MAX_TASKS:
            self._tasks.start(self._write(id, opening), self._failed)

    async def _write(self, id: str, opening: Opening | None) -> None:
        now = self._now()
        gone = [one for one, until in self._known.items() if one != id and until + IN_A_ROW < now]
        gone = gone[:MAX_REMOVED]
        item = opening._asdict() if opening else None
        await self._store.save_cooldown(id, item, gone=gone, expires_at=int(now) + ITEM_TTL)
        for one in (*gone, id):
            self._known.pop(one, None)
        if opening:
            self._known[id] = opening.until
        self._reported = False

    def _failed(self, error: BaseException) -> None:
        if not self._reported:
            self._report(PROBLEM, {"problem": safe_message(error, StoreError)})
        self._reported = True


def _opening(value: Any) -> Opening | None:
    """The opening; None if the value is not one."""
    if not isinstance(value, Mapping):
        return None
    try:
        return Opening(float(value["at"]), float(value["until"]), int(value["level"]))
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None
