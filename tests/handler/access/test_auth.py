"""Authentication: the key in the headers, the cache of keys, and a failing store, which is never a 401."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from handler.access import auth as module
from handler.access.auth import Auth
from handler.access.keys import Key, generate_key, hash_key
from handler.aws.errors import StoreError
from handler.errors import GatewayError, Unauthenticated, Unavailable
from handler.settings import Settings
from handler.store.attributes import Item

KEY = generate_key()
OTHER = generate_key()
RECORD: Item = {"hash": hash_key(KEY), "id": "k1", "name": "ci", "project": "support", "enabled": True}


class Fake:
    """A store in memory that can be slow or down."""

    def __init__(self, *records: Item) -> None:
        self.records = {record["hash"]: dict(record) for record in records}
        self.days: list[str] = []  # as written
        self.error: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.reads = 0

    async def load_key(self, hash: str) -> Item | None:
        self.reads += 1
        await self.gate.wait()
        if self.error:
            raise self.error
        return self.records.get(hash)

    async def save_last_used(self, hash: str, day: str) -> None:
        self.days.append(day)
        if self.error:
            raise self.error
        self.records[hash] = {**self.records[hash], "last_used": day}


DEFAULTS = Settings()


class World:
    """Auth over a fake store, with its two clocks."""

    def __init__(self, *records: Item, settings: Settings = DEFAULTS, timeout: float = 30) -> None:
        self.store = Fake(*records)
        self.time = 1000.0
        self.date = 1_800_000_000.0
        self.lines: list[tuple[str, dict[str, Any]]] = []
        self.auth = Auth(
            self.store,
            settings,
            clock=lambda: self.time,
            now=lambda: self.date,
            timeout=timeout,
            first_timeout=timeout,
            report=lambda what, found: self.lines.append((what, found)),
        )

    async def call(self, key: str = KEY) -> Key:
        return await self.auth.authenticate({"authorization": f"Bearer {key}"})

    async def refusal(self, key: str = KEY) -> GatewayError:
        with pytest.raises(GatewayError) as failure:
            await self.call(key)
        assert key not in f"{failure.value!r} {failure.value.body()} {failure.value.headers}"
        return failure.value


def store_error(text: str = "get item t: throttled") -> StoreError:
    return StoreError(text)


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"authorization": f"Bearer {KEY}"}, id="a bearer token"),
        pytest.param({"authorization": f"bearer   {KEY} "}, id="in small letters, with spaces"),
        pytest.param({"x-api-key": KEY}, id="x-api-key"),
        pytest.param({"x-api-key": KEY, "authorization": "Basic dTpw"}, id="x-api-key and basic auth"),
        pytest.param({"x-api-key": KEY, "authorization": "Bearer eyJh"}, id="x-api-key and another token"),
        pytest.param({"x-api-key": "dummy", "authorization": f"Bearer {KEY}"}, id="a dummy x-api-key"),
    ],
)
async def test_a_key_is_found_in(headers: dict[str, str]) -> None:
    world = World(RECORD)
    key = await world.auth.authenticate(headers)
    assert (key.id, key.name, key.project, key.models) == ("k1", "ci", "support", None)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param({}, "missing_api_key", id="no header"),
        pytest.param({"authorization": ""}, "missing_api_key", id="an empty header"),
        pytest.param({"authorization": "Bearer "}, "missing_api_key", id="an empty token"),
        pytest.param({"authorization": "Basic dTpw"}, "missing_api_key", id="another scheme"),
        pytest.param({"authorization": KEY}, "missing_api_key", id="no scheme"),
        pytest.param({"x-api-key": " "}, "missing_api_key", id="a blank x-api-key"),
        pytest.param({"authorization": "Bearer sk-other"}, "invalid_api_key", id="another form"),
        pytest.param({"authorization": f"Bearer {KEY}x"}, "invalid_api_key", id="one character more"),
        pytest.param({"authorization": f"Bearer {KEY[:-1]}"}, "invalid_api_key", id="one character less"),
        pytest.param(
            {"authorization": f"Bearer {KEY[:-1]}é"}, "invalid_api_key", id="a letter that is not ASCII"
        ),
        pytest.param(
            {"authorization": f"Bearer {KEY}, Bearer {KEY}"}, "invalid_api_key", id="two keys joined"
        ),
        pytest.param({"x-api-key": KEY + "\n"}, None, id="a line end is trimmed"),
        pytest.param({"x-api-key": "x" * 100_000}, "invalid_api_key", id="a huge key"),
    ],
)
async def test_without_a_well_formed_key_the_store_is_not_called(
    headers: dict[str, str], code: str | None
) -> None:
    world = World(RECORD)
    if code is None:
        assert (await world.auth.authenticate(headers)).id == "k1"
        return
    with pytest.raises(Unauthenticated) as failure:
        await world.auth.authenticate(headers)
    assert (failure.value.status, failure.value.code) == (401, code)
    assert failure.value.headers == {"www-authenticate": "Bearer"}
    assert world.store.reads == 0


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        pytest.param({}, "No API key was given. Send", id="nothing"),
        pytest.param({"authorization": " "}, "`authorization` is empty", id="an empty header"),
        pytest.param({"authorization": "Bearer"}, "nothing after `Bearer`", id="a scheme alone"),
        pytest.param({"authorization": "bearer  "}, "nothing after `Bearer`", id="a scheme and a blank"),
        pytest.param({"authorization": KEY}, "no scheme before the key", id="a key alone"),
        pytest.param({"authorization": f"Basic {KEY}"}, "another scheme than `Bearer`", id="another scheme"),
        pytest.param({"x-api-key": ""}, "`x-api-key` is empty", id="an empty x-api-key"),
        pytest.param({"api-key": KEY}, "`api-key` is not read", id="Azure's header"),
        pytest.param({"x-goog-api-key": ""}, "`x-goog-api-key` is empty", id="Google's header, empty"),
        pytest.param({"x-api-key": "sk-proj-1"}, "begins with `sk-sluice-`", id="another service's key"),
        pytest.param({"x-api-key": f'"{KEY}"'}, "begins with `sk-sluice-`", id="a key in quotes"),
        pytest.param({"x-api-key": f"{KEY[:-1]}é"}, "may hold only", id="a letter with an accent"),
        pytest.param({"x-api-key": f"{KEY},{KEY}"}, "may hold only", id="two keys"),
        pytest.param({"x-api-key": KEY[:-1]}, "has 42 characters instead of 43", id="a key cut off"),
        pytest.param({"x-api-key": "sk-sluice-"}, "may hold only", id="a beginning alone"),
    ],
)
async def test_a_malformed_key_is_refused_with_the_reason_and_is_never_quoted(
    headers: dict[str, str], message: str
) -> None:
    with pytest.raises(Unauthenticated) as failure:
        await World(RECORD).auth.authenticate(headers)
    assert message in failure.value.message
    assert KEY[12:30] not in failure.value.message


async def test_unknown_disabled_and_expired_keys_get_the_same_error() -> None:
    bodies = []
    for records in (
        [],
        [{**RECORD, "enabled": False}],
        [{**RECORD, "expires_at": 1}],
        [{**RECORD, "scopes": 7}],
    ):
        refusal = await World(*records).refusal()
        assert refusal.status == 401
        bodies.append(refusal.body())
    assert all(body == bodies[0] for body in bodies)


async def test_a_key_is_read_once_per_time_to_live() -> None:
    world = World(RECORD)
    for seconds, reads in ((0, 1), (59.9, 1), (0.2, 2), (59, 2), (2, 3)):
        world.time += seconds
        await world.call()
        assert world.store.reads == reads


async def test_a_revoked_key_is_refused_within_the_time_to_live() -> None:
    world = World(RECORD)
    await world.call()
    world.store.records[hash_key(KEY)] = {**RECORD, "enabled": False}
    world.time += 59
    await world.call()
    world.time += 1
    assert (await world.refusal()).code == "invalid_api_key"


async def test_an_unknown_key_is_cached_for_ten_seconds() -> None:
    world = World()
    for seconds, reads in ((0, 1), (9.9, 1), (0.2, 2)):
        world.time += seconds
        await world.refusal()
        assert world.store.reads == reads
    world.store.records[hash_key(KEY)] = RECORD
    world.time += 10
    assert (await world.call()).id == "k1"


async def test_a_cached_key_ends_at_its_date() -> None:
    world = World({**RECORD, "expires_at": 1_800_000_060})
    await world.call()
    world.date += 59
    await world.call()
    world.date += 1
    assert (await world.refusal()).code == "invalid_api_key"
    assert world.store.reads == 1


async def test_a_hundred_requests_read_a_key_once() -> None:
    world = World(RECORD)
    world.store.gate.clear()
    requests = [asyncio.ensure_future(world.call()) for _ in range(100)]
    await asyncio.sleep(0)
    world.store.gate.set()
    assert {key.id for key in await asyncio.gather(*requests)} == {"k1"}
    assert world.store.reads == 1


@pytest.mark.parametrize("hangs", [True, False], ids=["the store hangs", "the store is down"])
async def test_a_failing_store_means_503_for_an_unknown_key(hangs: bool) -> None:
    world = World(RECORD, timeout=0.01 if hangs else 30)
    world.store.error = store_error()
    if hangs:
        world.store.gate.clear()
    refusal = await world.refusal()
    assert isinstance(refusal, Unavailable)
    assert (refusal.status, refusal.code, refusal.retry_after) == (503, "store_unavailable", 1)
    world.store.gate.set()
    await world.auth.settle(30)
    world.store.error = None
    assert (await world.call()).id == "k1"


@pytest.mark.parametrize("hangs", [True, False], ids=["the store hangs", "the store is down"])
async def test_while_the_store_fails_a_cached_key_works_for_an_hour(hangs: bool) -> None:
    world = World(RECORD)
    await world.call()
    world.auth._timeout = 0.01 if hangs else 30
    world.store.error = store_error()
    if hangs:
        world.store.gate.clear()
    world.time += 3599
    assert (await world.call()).id == "k1"
    world.time += 1
    assert (await world.refusal()).code == "store_unavailable"
    world.store.gate.set()
    await world.auth.settle(30)


async def test_while_the_store_fails_a_cached_key_is_not_read_at_every_request() -> None:
    world = World(RECORD)
    await world.call()
    world.store.error = store_error()
    world.time += 60
    for _ in range(10):
        await world.call()
    assert world.store.reads == 2
    world.time += 5
    await world.call()
    assert world.store.reads == 3


async def test_a_late_read_still_revokes_the_key() -> None:
    world = World(RECORD)
    await world.call()
    world.auth._timeout = 0.01
    world.time += 60
    world.store.gate.clear()
    del world.store.records[hash_key(KEY)]
    assert (await world.call()).id == "k1"
    world.store.gate.set()
    await world.auth.settle(30)
    assert (await world.refusal()).code == "invalid_api_key"


async def test_a_failing_store_does_not_make_an_unknown_key_known() -> None:
    world = World()
    await world.refusal()
    world.store.error = store_error()
    world.time += 11
    assert (await world.refusal()).status == 503


@pytest.mark.parametrize(("ttl", "stale"), [(0, 0), (0, 3600), (60, 0)])
async def test_a_good_key_works_with_any_setting(ttl: float, stale: float) -> None:
    world = World(RECORD, settings=Settings(key_ttl=ttl, key_max_stale=stale))
    for _ in range(3):
        assert (await world.call()).id == "k1"
        world.time += 1
    world.time += 60
    world.store.error = store_error()
    if stale:
        assert (await world.call()).id == "k1"
    else:
        assert (await world.refusal()).status == 503


async def test_an_internal_error_is_raised_to_the_caller() -> None:
    world = World(RECORD)
    world.store.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await world.call()


async def test_the_caches_are_bounded_and_unknown_hashes_evict_no_key() -> None:
    world = World(RECORD)
    await world.call()
    for number in range(module.MAX_CACHED + 10):
        assert await world.auth._find(f"{number}") is None
    assert len(world.auth._unknown) == module.MAX_CACHED
    reads = world.store.reads
    await world.call()
    assert world.store.reads == reads


async def test_the_oldest_of_too_many_keys_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CACHED", 2)
    keys = [generate_key() for _ in range(3)]
    world = World(*({**RECORD, "hash": hash_key(key), "id": key[-5:]} for key in keys))
    for key in (*keys, keys[2], keys[1], keys[0]):
        assert (await world.call(key)).id == key[-5:]
    assert world.store.reads == 4


async def test_a_restore_forgets_every_key() -> None:
    world = World(RECORD)
    await world.call()
    world.store.gate.clear()
    waiting = asyncio.ensure_future(world.call(OTHER))
    await asyncio.sleep(0)
    world.auth.invalidate()
    with pytest.raises(Unavailable):
        await waiting
    world.store.gate.set()
    world.store.records.clear()
    assert (await world.refusal()).code == "invalid_api_key"


async def test_a_request_that_is_cancelled_does_not_cancel_the_read() -> None:
    world = World(RECORD)
    world.store.gate.clear()
    first, second = asyncio.ensure_future(world.call()), asyncio.ensure_future(world.call())
    await asyncio.sleep(0)
    first.cancel()
    world.store.gate.set()
    assert (await second).id == "k1"
    assert world.store.reads == 1


async def test_a_cached_key_is_found_without_a_read_for_its_time_to_live() -> None:
    world = World({**RECORD, "expires_at": 1_800_000_100})
    headers = {"x-api-key": KEY}
    with pytest.raises(Unauthenticated):
        world.auth.cached_key(headers)
    await world.call()
    assert world.auth.cached_key(headers).id == "k1"
    world.date += 100
    with pytest.raises(Unauthenticated):
        world.auth.cached_key(headers)
    world.date -= 100
    world.time += 60
    with pytest.raises(Unauthenticated):
        world.auth.cached_key(headers)
    assert world.store.reads == 1


async def test_auth_does_not_hold_the_key_itself() -> None:
    world = World(RECORD)
    await world.call()
    fields: Any = (world.auth._known, world.auth._unknown, vars(world.auth._reads))
    assert KEY not in repr(fields)


DAY = 86_400.0


async def test_the_day_of_use_is_written_once_a_day() -> None:
    world = World(RECORD)
    for _ in range(3):
        await world.call()
    await world.auth.settle()
    assert world.store.days == ["2027-01-15"]
    world.date += DAY
    world.time += 5.0
    await world.call()
    await world.auth.settle()
    assert world.store.days == ["2027-01-15", "2027-01-16"]
    again = World(world.store.records[hash_key(KEY)])
    again.date = world.date
    await again.call()
    await again.auth.settle()
    assert again.store.days == [], "another instance reads that the day is written"


@pytest.mark.parametrize("last", ["yesterday", "", None, 7, "2027-13-01", "2027-01-14"])
async def test_the_day_of_use_is_written_whatever_the_record_holds(last: Any) -> None:
    world = World({**RECORD, "last_used": last})
    await world.call()
    await world.auth.settle()
    assert world.store.records[hash_key(KEY)]["last_used"] == "2027-01-15"


@pytest.mark.parametrize("fields", [{"enabled": False}, {"expires_at": 1}, {"models": "a, b"}])
async def test_no_day_of_use_is_written_for_a_refused_key(fields: Item) -> None:
    world = World({**RECORD, **fields})
    await world.refusal()
    await world.auth.settle()
    assert world.store.days == []


async def test_a_failed_write_of_the_day_delays_no_request_and_is_reported_once() -> None:
    world = World(RECORD)
    await world.call()
    world.store.error = store_error("update item t: access denied")
    await world.auth.settle()
    assert (await world.call()).id == "k1"
    world.store.error = None
    world.time += 61
    await world.call()
    await world.auth.settle()
    assert world.store.days == ["2027-01-15"] * 2, "it is written again when the record is read again"
    problem = {"problem": "update item t: access denied"}
    assert world.lines == [("last use of keys not written", problem)]
    assert world.auth.problems() == []


@pytest.mark.parametrize(
    ("fields", "known"),
    [
        pytest.param({"enabled": False}, ("k1", "support"), id="disabled"),
        pytest.param({"expires_at": 1}, ("k1", "support"), id="expired"),
        pytest.param({"models": "a, b"}, ("k1", "default"), id="unreadable"),
        pytest.param({"id": 7}, (f"key-{hash_key(KEY)[:10]}", "default"), id="without a readable id"),
    ],
)
async def test_the_log_names_the_key_that_is_refused(fields: Item, known: tuple[str, str]) -> None:
    world = World({**RECORD, **fields})
    for _ in range(2):
        refusal = await world.refusal()
        assert isinstance(refusal, Unauthenticated)
        assert (refusal.key_id, refusal.project) == known
        assert known[0] not in f"{refusal.body()} {refusal.headers}"


async def test_an_unreadable_record_is_reported_once_and_listed_until_it_is_corrected() -> None:
    world = World({**RECORD, "models": "openai/*, local/*"})
    for _ in range(3):
        await world.refusal()
        world.time += 11
    words = 'is one text, but has to be a list: ["openai/*", "local/*"]'
    found = {"id": "k1", "field": "models", "problem": words}
    assert world.lines == [("key not readable", found)]
    assert world.auth.problems() == [{"what": "key not readable", **found}]
    world.time += 600
    assert world.auth.problems() == [], "it may have been corrected or deleted meanwhile"
    await world.refusal()
    assert world.auth.problems() == [{"what": "key not readable", **found}]
    assert len(world.lines) == 1
    world.time += 11
    world.store.records[hash_key(KEY)]["models"] = ["openai/*", "local/*"]
    assert (await world.call()).models == ("openai/*", "local/*")
    assert world.auth.problems() == []
