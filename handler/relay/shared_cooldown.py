"""What instances tell each other of candidates that cool down, through ONE item of the State table.

    {"id": "cooling", "expires_at": 1763600600,                       the whole item's time to live
     "openai/gpt-5": {"at": 1763599990.5, "until": 1763600010.5, "level": 3},
     "groq/llama-4": ...}

One attribute per candidate (their ids hold a `/`, so none is `id` or `expires_at`): a GetItem reads them all,
and an UpdateItem sets or removes one without touching its neighbours, the first one making the item. Two
instances that write the same candidate at once: the one that cools it longer wins, by the write's condition.

It is read when a refresh of the rules begins, in a task of its own, and written on transitions only. All of
it is best effort: without State each instance goes by what it sees itself. Attributes that expired go with
the next write; over MOST candidates nothing more is told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from handler.relay.cooldown import IN_A_ROW, Cooldown, Opening
from handler.store.attributes import Item
from handler.store.background import BackgroundTasks, safe_message
from handler.store.dynamodb import StoreError

MOST = 100  # candidates in the item
MOST_REMOVED = 20  # expired ones that go with one write
UNDER_WAY = 20  # reads and writes at most: a store that hangs gathers no more of them
KEPT = 3600  # seconds until the item expires, without another write
TROUBLE = "cooldowns not shared"  # as the log names it

Report = Callable[[str, dict[str, Any]], None]


class State(Protocol):
    """What sharing asks of the store."""

    async def load_cooldowns(self) -> Item: ...
    async def save_cooldown(
        self, id: str, opening: Item | None, *, gone: Iterable[str], expires_at: int
    ) -> None: ...


class Sharing:
    """Keeps a Cooldown and State in step, beside requests. One line tells of trouble, until it is over."""

    def __init__(self, cooldown: Cooldown, store: State, *, report: Report, now: Callable[[], float]) -> None:
        self._cooldown = cooldown
        self._store = store
        self._report = report
        self._now = now
        self._beside = BackgroundTasks()
        self._told = False
        self._known: dict[str, float] = {}  # by candidate in State: when it expires
        cooldown.on_change = self._changed

    def refresh(self) -> None:
        """Starts reading what the others saw."""
        if len(self._beside) < UNDER_WAY:
            self._beside.start(self._read(), self._failed)

    async def settle(self, seconds: float) -> None:
        await self._beside.settle(seconds)

    def invalidate(self) -> None:
        """Forgets everything, as after a restore."""
        self._beside.cancel()
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
        self._told = False

    def _changed(self, id: str, opening: Opening | None) -> None:
        worth = id in self._known or (opening is not None and len(self._known) < MOST)
        if worth and len(self._beside) < UNDER_WAY:
            self._beside.start(self._write(id, opening), self._failed)

    async def _write(self, id: str, opening: Opening | None) -> None:
        now = self._now()
        gone = [one for one, until in self._known.items() if one != id and until + IN_A_ROW < now]
        gone = gone[:MOST_REMOVED]
        item = opening._asdict() if opening else None
        await self._store.save_cooldown(id, item, gone=gone, expires_at=int(now) + KEPT)
        for one in (*gone, id):
            self._known.pop(one, None)
        if opening:
            self._known[id] = opening.until
        self._told = False

    def _failed(self, error: BaseException) -> None:
        if not self._told:
            self._report(TROUBLE, {"problem": safe_message(error, StoreError)})
        self._told = True


def _opening(value: Any) -> Opening | None:
    """None for what cannot be read."""
    if not isinstance(value, Mapping):
        return None
    try:
        return Opening(float(value["at"]), float(value["until"]), int(value["level"]))
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None
