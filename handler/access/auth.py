"""Who is calling: an API key becomes a Key (contract, section 2).

The key goes from the header into its hash and nowhere else: no exception, repr or log line ever holds it.
Store trouble is never a 401: a key that was good goes on for a while, one never asked about gets 503.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from handler.access import last_use
from handler.access.keys import Key, display_id, hash_key, is_well_formed, malformed_reason, read_key
from handler.access.last_use import LastUse, written_until
from handler.errors import Unauthenticated, Unavailable
from handler.settings import Settings
from handler.store.attributes import Item
from handler.store.dynamodb import StoreError
from rules import InvalidRecord

UNKNOWN_TTL = 10.0  # seconds that a hash without a usable key is remembered
UNREADABLE_TTL = 600.0  # seconds that /health names a record after its key was presented last
MOST = 10_000  # keys remembered by one instance, and as many such hashes
# What can be wrong, as /health and the log name it.
NOT_READ = "keys not read"
NOT_READABLE = "key not readable"
RETRY = 5.0  # seconds after trouble before the store is asked about a known key again

_CHALLENGE = {"www-authenticate": "Bearer"}  # https://www.rfc-editor.org/rfc/rfc6750#section-3


T = TypeVar("T")


class Keys(last_use.Keys, Protocol):
    """What authentication asks of the store."""

    async def load_key(self, hash: str) -> Item | None: ...


@dataclass(slots=True)
class _Known:
    """A usable key as last read."""

    key: Key
    read_at: float  # when that read began
    due: float  # when it is to be read again
    used_until: float  # the end of the last day whose use is written, in epoch seconds


class Auth:
    """`await auth(headers)` gives the caller's Key; raises Unauthenticated, or Unavailable in store trouble.

    `clock`: monotonic seconds; `now`: epoch seconds. A request waits `timeout` seconds for news of a known
    key, `first_timeout` for the first read of one. `beside` is called when one begins: it may start others.
    `report` gets one message with fields when trouble with the store begins.
    """

    def __init__(
        self,
        store: Keys,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        timeout: float = 0.3,
        first_timeout: float = 2.0,
        on_read: Callable[[], None] = lambda: None,
        report: Callable[[str, dict[str, Any]], None] = lambda what, found: None,
    ) -> None:
        self._store = store
        self._report = report
        self._on_read = on_read
        self._ttl = settings.key_ttl
        self._max_stale = settings.key_max_stale
        self._clock = clock
        self._now = now
        self._timeout = timeout
        self._first_timeout = first_timeout
        self._reads: dict[str, asyncio.Task[Key | None]] = {}
        self._last_use = LastUse(store, now=now, report=report)
        self.invalidate()

    def invalidate(self) -> None:
        """Forgets every key: after a SnapStart restore, none is as fresh as it looks."""
        for task in self._reads.values():
            task.cancel()
        self._reads = {}
        self._known: dict[str, _Known] = {}
        self._unknown: dict[str, tuple[float, Key | None]] = {}  # hash -> until when, and whose it is
        # hash -> until when /health names it, and what is wrong with the record
        self._unreadable: dict[str, tuple[float, dict[str, Any]]] = {}
        self.problem: str | None = None  # why the last read failed

    async def authenticate(self, headers: Mapping[str, str]) -> Key:
        hash = hash_key(_presented(headers))
        key = await self._find(hash)
        if key is None or not key.enabled or key.is_expired(self._now()):
            raise _invalid(key)
        if known := self._known.get(hash):
            known.used_until = self._last_use.note(hash, known.used_until)
        return key

    def cached_key(self, headers: Mapping[str, str]) -> Key:
        """The caller's Key as this instance has it, without asking the store; else raises Unauthenticated."""
        known = self._known.get(hash_key(_presented(headers)))
        if known is None or self._clock() >= known.due or known.key.is_expired(self._now()):
            raise _invalid(None)
        return known.key

    def problems(self) -> list[dict[str, Any]]:
        """Lists for /health why keys cannot be read, and the unreadable records of keys presented here."""
        unread = [] if self.problem is None else [{"what": NOT_READ, "problem": self.problem}]
        now = self._clock()
        bad = [{"what": NOT_READABLE, **found} for until, found in self._unreadable.values() if now < until]
        return [*unread, *bad]

    @property
    def ready(self) -> bool:
        """False when no key can be read and none is known from before: nobody can be served."""
        return self.problem is None or bool(self._known)

    async def settle(self, seconds: float = 1.0) -> None:
        """Waits at most `seconds` for background work: before a freeze, or at exit."""
        writing = asyncio.create_task(self._last_use.settle(seconds))
        await asyncio.wait({writing, *self._reads.values()}, timeout=seconds)

    async def _find(self, hash: str) -> Key | None:
        now, known = self._clock(), self._known.get(hash)
        if known and now < known.due:
            return known.key
        until, refused = self._unknown.get(hash, (now, None))
        if now < until:
            return refused
        task = self._reading(hash)
        await asyncio.wait({task}, timeout=self._timeout if known else self._first_timeout)
        if _answered(task):
            return task.result()
        last = known.read_at + self._max_stale if known else now
        if known is None or self._clock() >= last:
            raise Unavailable(
                "The API key cannot be checked now; try again shortly.",
                code="store_unavailable",
                retry_after=1,
            )
        known.due = min(self._clock() + RETRY, last)
        return known.key

    def _reading(self, hash: str) -> asyncio.Task[Key | None]:
        """The one read of this key that is under way."""
        if hash not in self._reads:
            task = self._reads[hash] = asyncio.get_running_loop().create_task(self._read(hash))
            task.add_done_callback(lambda done: self._done(hash, done))
            self._on_read()
        return self._reads[hash]

    def _done(self, hash: str, task: asyncio.Task[Key | None]) -> None:
        if self._reads.get(hash) is task:
            del self._reads[hash]
        error = None if task.cancelled() else task.exception()  # fetched, in case that nobody waits any more
        if isinstance(error, StoreError):
            if self.problem is None:
                self._report(NOT_READ, {"problem": str(error)})
            self.problem = str(error)

    async def _read(self, hash: str) -> Key | None:
        began = self._clock()
        record = await self._store.load_key(hash)
        self.problem = None
        key = self._read_record(hash, record) if record else None
        self._known.pop(hash, None)
        self._unknown.pop(hash, None)
        if record and key and key.enabled:
            _remember(self._known, hash, _Known(key, began, began + self._ttl, written_until(record)))
        else:
            _remember(self._unknown, hash, (began + UNKNOWN_TTL, key))
        return key

    def _read_record(self, hash: str, record: Item) -> Key:
        """The key; a disabled one where the record cannot be read, which is reported once."""
        try:
            key = read_key(record)
        except InvalidRecord as error:
            key = Key(id=display_id(hash, record), enabled=False)
            found = {"id": key.id, "field": error.field, "problem": error.problem}
            _, last = self._unreadable.pop(hash, (0.0, None))
            if last != found:
                self._report(NOT_READABLE, found)
            _remember(self._unreadable, hash, (self._clock() + UNREADABLE_TTL, found))
        else:
            self._unreadable.pop(hash, None)
        return key


def _presented(headers: Mapping[str, str]) -> str:
    """The key in the headers. What cannot be one is refused here, before any read."""
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    bearer = token if scheme.lower() == "bearer" else ""
    given = [key for text in (bearer, headers.get("x-api-key", "")) if (key := text.strip())]
    for key in given:
        if is_well_formed(key):
            return key
    if given:
        raise _invalid(None, f"The API key is not valid: {malformed_reason(given[0])}.")
    raise Unauthenticated(
        f"No API key was given{_found_instead(headers)}."
        " Send it as `Authorization: Bearer <key>` or `x-api-key: <key>`.",
        code="missing_api_key",
        headers=_CHALLENGE,
    )


def _found_instead(headers: Mapping[str, str]) -> str:
    """Says what the headers hold in place of a key, without repeating any of it."""
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    found = {
        "`authorization` is empty": "authorization" in headers and not scheme,
        "`authorization` has nothing after `Bearer`": scheme.lower() == "bearer",
        "`authorization` has no scheme before the key": bool(scheme) and not token,
        "`authorization` has another scheme than `Bearer`": bool(scheme),
        "`x-api-key` is empty": "x-api-key" in headers,
        "`api-key` is not read": "api-key" in headers,
        "`x-goog-api-key` is not read": "x-goog-api-key" in headers,
    }
    return next((f": {what}" for what, there in found.items() if there), "")


def _invalid(key: Key | None, message: str = "The API key is not valid.") -> Unauthenticated:
    """The one error for unknown, disabled and expired keys; only the log says which it was."""
    error = Unauthenticated(message, code="invalid_api_key", headers=_CHALLENGE)
    if key is not None:
        error.key_id, error.project = key.id, key.project
    return error


def _answered(task: asyncio.Task[Key | None]) -> bool:
    """False in store trouble. Any other exception is an answer: a fault of ours, to be raised."""
    return task.done() and not task.cancelled() and not isinstance(task.exception(), StoreError)


def _remember(cache: dict[str, T], hash: str, value: T) -> None:
    if len(cache) >= MOST:
        del cache[next(iter(cache))]  # the one read longest ago
    cache[hash] = value
