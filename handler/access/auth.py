"""Authenticates requests: turns the API key in the headers into a Key (contract, section 2).

The key itself is only hashed: no exception, repr or log line ever holds it. A failure of the store is never a
401: a known key works on for a while, and an unknown one gets 503.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from handler.access import last_use
from handler.access.keys import Key, display_id, hash_key, is_well_formed, malformed_reason, read_key
from handler.access.last_use import LastUse, end_of_last_use
from handler.aws.errors import StoreError
from handler.errors import Unauthenticated, Unavailable
from handler.settings import Settings
from handler.store.attributes import Item
from handler.store.background import BackgroundTasks
from rules import Fields, InvalidRecord

UNKNOWN_TTL = 10.0  # seconds that a hash without an enabled key is cached
UNREADABLE_TTL = 600.0  # seconds that /health names an unreadable record after its key was last used
MAX_CACHED = 10_000  # enabled keys, and as many hashes without one
RETRY = 5.0  # seconds after a failure of the store until a known key is read again
# Problems, as /health and the log name them.
NOT_READ = "keys not read"
NOT_READABLE = "key not readable"

KEY_HEADERS = ("x-api-key", "x-goog-api-key")  # Anthropic's and Google's; they hold a key alone

# AWS's SDKs sign their requests, unless they find an API key of Bedrock's.
_SIGNED = "the request is signed with AWS credentials; set AWS_BEARER_TOKEN_BEDROCK to a key of Sluice's"
_CHALLENGE = {"www-authenticate": "Bearer"}  # https://www.rfc-editor.org/rfc/rfc6750#section-3


T = TypeVar("T")


class KeyStore(last_use.KeyStore, Protocol):
    """The part of the store that this module needs."""

    async def load_key(self, hash: str) -> Item | None: ...


class _CachedKey(Fields):
    """An enabled key as last read."""

    key: Key
    read_at: float  # when that read began
    due: float  # when it is to be read again
    use_written_until: float  # the end of the last day of use in the record, in epoch seconds


class Auth:
    """The authentication of one instance, with a cache of keys.

    `clock`: monotonic seconds; `now`: epoch seconds. A request waits `timeout` seconds for a known key to be
    read again, and `first_timeout` seconds for the first read of a key. `on_read` is called when a read
    starts, `report` with a message and fields for each new problem.
    """

    def __init__(
        self,
        store: KeyStore,
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
        self._reads = BackgroundTasks()
        self._last_use = LastUse(store, now=now, report=report)
        self.invalidate()

    def invalidate(self) -> None:
        """Forget every key, since a SnapStart restore may come weeks later. Also drops running reads."""
        self._reads.cancel()
        self._known: dict[str, _CachedKey] = {}  # by hash
        # hash -> until when it is cached, and the key if it is disabled or unreadable
        self._unknown: dict[str, tuple[float, Key | None]] = {}
        # hash -> until when /health names the record, and its problem
        self._unreadable: dict[str, tuple[float, dict[str, Any]]] = {}
        self.problem: str | None = None  # why the last read failed

    def forget(self, hash: str) -> None:
        """Read this key again before it is next used, because its record was changed."""
        self._known.pop(hash, None)
        self._unknown.pop(hash, None)

    async def authenticate(self, headers: Mapping[str, str]) -> Key:
        """Return the caller's key. Raises Unauthenticated, or Unavailable when the store fails."""
        hash = hash_key(_extract_key(headers))
        key = await self._find(hash)
        if key is None or not key.enabled or key.is_expired(self._now()):
            raise _invalid_key(key)
        if known := self._known.get(hash):
            known.use_written_until = self._last_use.record(hash, known.use_written_until)
        return key

    async def authenticate_again(self, headers: Mapping[str, str]) -> Key:
        """Return the caller's key as its record is now. Raises Unauthenticated and StoreError."""
        key = await self._read(hash_key(_extract_key(headers)))
        if key is None or not key.enabled or key.is_expired(self._now()):
            raise _invalid_key(key)
        return key

    def cached_key(self, headers: Mapping[str, str]) -> Key:
        """Return the caller's key from the cache. Raises Unauthenticated where it is not there."""
        known = self._known.get(hash_key(_extract_key(headers)))
        if known is None or self._clock() >= known.due or known.key.is_expired(self._now()):
            raise _invalid_key(None)
        return known.key

    def problems(self) -> list[dict[str, Any]]:
        """List for /health why keys cannot be read, and the unreadable records of keys used lately."""
        unread = [] if self.problem is None else [{"what": NOT_READ, "problem": self.problem}]
        now = self._clock()
        bad = [{"what": NOT_READABLE, **found} for until, found in self._unreadable.values() if now < until]
        return [*unread, *bad]

    @property
    def ready(self) -> bool:
        """False when no request can be served: no key is cached, and reading keys has failed."""
        return self.problem is None or bool(self._known)

    async def settle(self, seconds: float = 1.0) -> None:
        """Wait at most `seconds` for the background tasks."""
        began = (clock := asyncio.get_running_loop().time)()
        await self._reads.settle(seconds)
        await self._last_use.settle(max(0.0, began + seconds - clock()))

    async def _find(self, hash: str) -> Key | None:
        now, known = self._clock(), self._known.get(hash)
        if known and now < known.due:
            return known.key
        until, disabled = self._unknown.get(hash, (now, None))
        if now < until:
            return disabled
        read = self._reads.running(hash) or self._start_read(hash)
        await asyncio.wait({read}, timeout=self._timeout if known else self._first_timeout)
        if read.done() and not read.cancelled() and not isinstance(read.exception(), StoreError):
            return read.result()  # or raises: any other exception is an internal error
        stale_until = known.read_at + self._max_stale if known else now
        if known is None or self._clock() >= stale_until:
            raise Unavailable(
                "The API key cannot be checked now; try again shortly.",
                code="store_unavailable",
                retry_after=1,
            )
        known.due = min(self._clock() + RETRY, stale_until)
        return known.key

    def _start_read(self, hash: str) -> asyncio.Task[Key | None]:
        read = self._reads.start(self._read(hash), self._read_failed, name=hash)
        self._on_read()
        return read

    def _read_failed(self, error: BaseException) -> None:
        if isinstance(error, StoreError):  # any other error is raised to the requests that wait
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
            cached = _CachedKey(
                key=key, read_at=began, due=began + self._ttl, use_written_until=end_of_last_use(record)
            )
            _put_bounded(self._known, hash, cached)
        else:
            _put_bounded(self._unknown, hash, (began + UNKNOWN_TTL, key))
        return key

    def _read_record(self, hash: str, record: Item) -> Key:
        """Return the record's key. For an unreadable record, report it once and return a disabled key."""
        try:
            key = read_key(record)
        except InvalidRecord as error:
            key = Key(id=display_id(hash, record), enabled=False)
            problem = {"id": key.id, "field": error.field, "problem": error.problem}
            _, last = self._unreadable.pop(hash, (0.0, None))
            if last != problem:
                self._report(NOT_READABLE, problem)
            _put_bounded(self._unreadable, hash, (self._clock() + UNREADABLE_TTL, problem))
        else:
            self._unreadable.pop(hash, None)
        return key


def _extract_key(headers: Mapping[str, str]) -> str:
    """Return the key in the headers. Raises Unauthenticated if there is none or it is malformed."""
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    bearer = token if scheme.lower() == "bearer" else ""
    texts = (bearer, *(headers.get(name, "") for name in KEY_HEADERS))
    given = [key for text in texts if (key := text.strip())]
    for key in given:
        if is_well_formed(key):
            return key
    if given:
        raise _invalid_key(None, f"The API key is not valid: {malformed_reason(given[0])}.")
    raise Unauthenticated(
        f"No API key was given{_describe_headers(headers)}."
        " Send it as `Authorization: Bearer <key>` or `x-api-key: <key>`.",
        code="missing_api_key",
        headers=_CHALLENGE,
    )


def _describe_headers(headers: Mapping[str, str]) -> str:
    """Describe what the headers hold in place of a key, without quoting it."""
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    found = {
        "`authorization` is empty": "authorization" in headers and not scheme,
        "`authorization` has nothing after `Bearer`": scheme.lower() == "bearer",
        "`authorization` has no scheme before the key": bool(scheme) and not token,
        _SIGNED: scheme.upper().startswith("AWS4-"),
        "`authorization` has another scheme than `Bearer`": bool(scheme),
        "`x-api-key` is empty": "x-api-key" in headers,
        "`api-key` is not read": "api-key" in headers,
        "`x-goog-api-key` is empty": "x-goog-api-key" in headers,
    }
    return next((f": {description}" for description, holds in found.items() if holds), "")


def _invalid_key(key: Key | None, message: str = "The API key is not valid.") -> Unauthenticated:
    """Return the one error for unknown, disabled and expired keys. Only the log names the key."""
    error = Unauthenticated(message, code="invalid_api_key", headers=_CHALLENGE)
    if key is not None:
        error.key_id, error.project = key.id, key.project
    return error


def _put_bounded(cache: dict[str, T], hash: str, value: T) -> None:
    if len(cache) >= MAX_CACHED:
        del cache[next(iter(cache))]  # the one that was read longest ago
    cache[hash] = value
