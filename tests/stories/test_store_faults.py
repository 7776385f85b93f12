"""DynamoDB throttled, slow, refusing, missing, unreadable: what callers and /health see.

The first tests run over hours of virtual time (tests/support/virtual_clock.py), the others against a faulty
DynamoDB on loopback (tests/support/dynamodb.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from handler.aws.errors import StoreError
from tests.support.asgi import Response
from tests.support.dynamodb import Database, Fault
from tests.support.gateways import (
    KEY,
    KEYS,
    MANAGE,
    NARROW,
    Json,
    RunningGateway,
    key_item,
    model,
    provider,
    start_gateway,
)
from tests.support.virtual_clock import clock, now, run, timed

NOBODY = "sk-sluice-" + "z" * 43
CHAT = {"messages": [{"role": "user", "content": "hi"}], "model": "up/m"}
RECORDS = [
    provider("http://127.0.0.1:9"),
    model("up/m", price={"input": 1, "output": 2}),
    {"kind": "route", "id": "first", "fallbacks": ["up/other"]},
    {"kind": "access", "id": "some", "models": ["up/*"]},
]
KNOWN_LIMIT = 0.601  # seconds that a known key may wait: 0.3 for the key and 0.3 for the rules
LIMIT = 2.001  # seconds that any caller may wait


def start(*records: Json) -> RunningGateway:
    """A gateway on the virtual clock."""
    return start_gateway(records or RECORDS, clock=clock, now=now)


async def ask(gateway: RunningGateway, key: str = KEY) -> tuple[float, Response]:
    took, response = await timed(gateway.post("/v1/explain", CHAT, key=key))
    return took, response


async def health(gateway: RunningGateway) -> Json:
    """The health without a key. Checks that it takes no time and reads no store."""
    calls = len(gateway.tables.calls)
    took, response = await timed(gateway.get("/health", key=None))
    assert (took, len(gateway.tables.calls)) == (0, calls)
    return {**response.json, "code": response.status}


def is_retryable(response: Response) -> bool:
    assert response.status != 401, "store trouble is never a 401"
    return response.status == 503 and response.error["code"] == "store_unavailable" and _seconds(response) > 0


def _seconds(response: Response) -> float:
    return float(response.headers["retry-after"])


Break = Callable[[RunningGateway], None]


def fails(text: str, *calls: str) -> Break:
    def act(gateway: RunningGateway) -> None:
        gateway.tables.down = StoreError(text)
        gateway.tables.hit = calls or gateway.tables.hit

    return act


def waits(seconds: float, *calls: str) -> Break:
    """Makes calls wait so long and fail: the store gives up after 8 s."""

    async def pause() -> None:
        await asyncio.sleep(min(seconds, 8))
        raise StoreError("no answer within 8 s")

    def act(gateway: RunningGateway) -> None:
        gateway.tables.pause = pause
        gateway.tables.hit = calls or gateway.tables.hit

    return act


def repair(gateway: RunningGateway) -> None:
    gateway.tables.down = None
    gateway.tables.pause = _at_once


async def _at_once() -> None:
    pass


FAULTS = [
    pytest.param(fails("scan t: throttled"), id="throttled"),
    pytest.param(fails("scan t: access denied"), id="access denied"),
    pytest.param(fails("scan t: there is no such table"), id="table missing, or the wrong region"),
    pytest.param(fails("scan t: no answer (endpoint connection)"), id="unreachable"),
    pytest.param(waits(30), id="slow: 30 s"),
    pytest.param(waits(float("inf")), id="silent"),
]


@pytest.mark.parametrize("fault", FAULTS)
def test_known_keys_and_rules_serve_for_an_hour_and_recovery_is_noticed(fault: Break) -> None:
    async def scenario() -> None:
        gateway = start()
        assert (await ask(gateway))[1].json["stale"] is False
        assert (await health(gateway))["status"] == "ok"
        fault(gateway)
        began = clock()
        for later in (1, 20, 59, 61, 70, 200, 1000, 3000, 3590):
            await asyncio.sleep(began + later - clock())
            took, response = await ask(gateway)
            assert (response.status, took <= KNOWN_LIMIT) == (200, True), later
            assert response.json["candidates"][0]["model"] == "up/m"
            assert response.json["stale"] is (later > 60)
        now = await health(gateway)
        assert (now["code"], now["status"], now["rules"]["stale"]) == (200, "degraded", True)
        assert now["rules"]["age_s"] > 3500
        await asyncio.sleep(20)
        took, response = await ask(gateway)
        assert is_retryable(response), "a key that nobody could check for an hour"
        assert took <= LIMIT
        repair(gateway)
        await asyncio.sleep(16)
        assert (await ask(gateway))[1].status == 200
        await gateway.gateway.settle()
        assert (await ask(gateway))[1].json["stale"] is False
        assert (await health(gateway))["status"] == "ok"
        await gateway.gateway.aclose()

    run(scenario())


@pytest.mark.parametrize("fault", FAULTS)
def test_an_unknown_key_gets_a_retryable_error_and_is_then_served(fault: Break) -> None:
    async def scenario() -> None:
        gateway = start()
        await ask(gateway)
        fault(gateway)
        for key in (NARROW, NOBODY, NARROW):
            took, response = await ask(gateway, key)
            assert is_retryable(response)
            assert took <= LIMIT
        repair(gateway)
        await asyncio.sleep(8.1)
        assert (await ask(gateway, NARROW))[1].status == 200
        assert (await ask(gateway, NOBODY))[1].status == 401
        await gateway.gateway.aclose()

    run(scenario())


@pytest.mark.parametrize("fault", FAULTS)
def test_a_new_instance_without_store_gives_retryable_errors_and_recovers(fault: Break) -> None:
    async def scenario() -> None:
        gateway = start()
        fault(gateway)
        await gateway.gateway.start()
        for _ in range(3):
            took, response = await ask(gateway)
            assert is_retryable(response)
            assert took <= LIMIT
        await asyncio.sleep(20)
        now = await health(gateway)
        assert (now["code"], now["status"], now["rules"]["revision"]) == (503, "degraded", None)
        await ask(gateway)
        repair(gateway)
        await asyncio.sleep(8.1)
        await ask(gateway)
        assert (await ask(gateway))[1].status == 200
        now = await health(gateway)
        assert (now["code"], now["status"]) == (200, "ok")
        await gateway.gateway.aclose()

    run(scenario())


RULES_ONLY = [
    pytest.param(fails("scan t: throttled", "rules"), id="throttled"),
    pytest.param(waits(30, "rules"), id="slow: 30 s"),
]


@pytest.mark.parametrize("fault", RULES_ONLY)
def test_a_new_instance_without_rules_uses_those_that_others_adopted(fault: Break) -> None:
    async def scenario() -> None:
        old, new = start(), start()
        await ask(old)
        await old.gateway.settle()
        new.tables.saved = old.tables.saved
        fault(new)
        took, response = await ask(new)
        assert (response.status, response.json["stale"]) == (200, True)
        assert response.json["candidates"][0]["model"] == "up/m"
        assert took <= LIMIT
        took, response = await ask(new)
        assert (response.status, took <= KNOWN_LIMIT) == (200, True)
        await asyncio.sleep(10)
        now = await health(new)
        assert (now["code"], now["status"], now["rules"]["stale"]) == (200, "degraded", True)
        repair(new)
        await asyncio.sleep(16)
        await ask(new)
        await new.gateway.settle()
        assert (await ask(new))[1].json["stale"] is False
        for one in (old, new):
            await one.gateway.aclose()

    run(scenario())


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(
            fails("get item t: access denied", "adopted", "save_adopted", "cooling"), id="access denied"
        ),
        pytest.param(waits(30, "adopted", "save_adopted", "cooling"), id="slow: 30 s"),
    ],
)
def test_requests_do_not_wait_for_the_state_table(fault: Break) -> None:
    async def scenario() -> None:
        gateway = start()
        fault(gateway)
        for _ in range(5):
            took, response = await ask(gateway)
            assert (response.status, response.json["stale"], took) == (200, False, 0)
            await asyncio.sleep(20)
        errors = [line["message"] for line in gateway.lines if line.get("level") == "ERROR"]
        assert sorted(errors) == ["cooldowns not shared", "rules not saved for new instances"], "once each"
        await gateway.gateway.aclose()

    run(scenario())


def test_keys_that_cannot_be_read_are_reported() -> None:
    async def scenario() -> None:
        known, new = start(), start()
        await ask(known)
        for gateway in (known, new):
            fails("get item t: there is no such table", "key")(gateway)
            assert is_retryable((await ask(gateway, NARROW))[1])
        assert (await ask(known))[1].status == 200
        await asyncio.sleep(10)
        assert [(now := await health(gateway))["code"] for gateway in (known, new)] == [200, 503]
        assert now["status"] == "degraded"
        response = await known.get("/health", key=KEY)
        assert (response.status, response.json["status"]) == (200, "degraded")
        errors = [line for line in known.lines if line["message"] == "keys not read"]
        assert [line["problem"] for line in errors] == ["get item t: there is no such table"]
        for gateway in (known, new):
            repair(gateway)
            assert (await ask(gateway, NARROW))[1].status == 200
            await gateway.gateway.settle()
            assert (await health(gateway))["code"] == 200
            assert (await health(gateway))["status"] == "ok"
            await gateway.gateway.aclose()

    run(scenario())


def test_unreadable_items_change_only_health() -> None:
    async def scenario() -> None:
        gateway = start()
        before = (await ask(gateway))[1].json
        gateway.tables.records = [
            provider("http://127.0.0.1:9"),
            model("up/m", price={"input": "a lot"}),
            {"kind": "route", "id": "first", "fallbacks": 5},
            {"kind": "access", "id": "some", "modles": ["up/*"]},
            {"kind": "rout", "id": "new"},
            {"id": "no kind"},
            {},
        ]
        await asyncio.sleep(20)
        await ask(gateway)
        await gateway.gateway.settle()
        after = (await ask(gateway))[1].json
        assert after["candidates"] == before["candidates"]
        now = await health(gateway)
        assert (now["code"], now["status"], now["rules"]["stale"]) == (200, "degraded", False)
        assert now["rules"]["skipped"] == 6
        await gateway.get("/v1/models", key=MANAGE)  # health uses cached keys only
        response = await gateway.get("/health", key=MANAGE)
        assert {"first", "some", "up/m"} <= {problem["id"] for problem in response.json["problems"]}
        await gateway.gateway.aclose()

    run(scenario())


def test_an_unreadable_key_record_disables_only_that_key() -> None:
    async def scenario() -> None:
        gateway = start()
        broken = key_item(NARROW, id="n1", models={"a": 1})
        gateway.tables.keys[broken["hash"]] = broken
        assert (await ask(gateway, NARROW))[1].status == 401
        assert (await ask(gateway, KEY))[1].status == 200
        await gateway.gateway.aclose()

    run(scenario())


def test_an_emptied_table_leaves_the_rules_in_force_for_five_minutes() -> None:
    async def scenario() -> None:
        gateway = start()
        await ask(gateway)
        gateway.tables.records = []
        for _ in range(15):
            await asyncio.sleep(20)
            assert (await ask(gateway))[1].status == 200
            await gateway.gateway.settle()
        assert (await health(gateway))["status"] == "degraded"
        for _ in range(3):
            await asyncio.sleep(20)
            await ask(gateway)
            await gateway.gateway.settle()
        assert (await ask(gateway))[1].json["error"]["code"] == "model_not_found"
        assert (await health(gateway))["status"] == "ok"
        await gateway.gateway.aclose()

    run(scenario())


def test_key_and_rules_are_read_together_and_only_for_a_well_formed_key() -> None:
    async def scenario() -> None:
        gateway = start()
        gateway.tables.pause = _a_second
        for key in (None, "sk-openai"):
            assert (await gateway.post("/v1/explain", CHAT, key=key)).status == 401
        assert gateway.tables.calls == []
        took, response = await ask(gateway)
        assert (response.status, took) == (200, 1)
        for number in range(20):
            await ask(gateway, "sk-sluice-" + f"{number:043}")
        await gateway.gateway.settle()
        assert gateway.tables.calls.count("rules") <= 3, "no more often than their time to live"
        await gateway.gateway.aclose()

    run(scenario())


async def _a_second() -> None:
    await asyncio.sleep(1)


# Over real connections.


@pytest.fixture
async def database() -> AsyncIterator[Database]:
    async with Database(RECORDS, KEYS) as database:
        yield database


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name.lower().replace("_", " "))
async def test_a_faulty_dynamodb_never_causes_a_wrong_answer(database: Database, fault: Fault) -> None:
    gateway = start_gateway(store=database.store(), SLUICE_RULES_TTL="0", SLUICE_KEY_TTL="0")
    assert (await gateway.post("/v1/explain", CHAT)).status == 200
    await gateway.gateway.settle()
    database.fault = fault
    for _ in range(2):
        known = await gateway.post("/v1/explain", CHAT)
        assert (known.status, known.json["candidates"][0]["model"]) == (200, "up/m")
        await gateway.gateway.settle()
    for key in (NARROW, NOBODY):
        assert is_retryable(await gateway.post("/v1/explain", CHAT, key=key))
    response = await gateway.get("/health", key=None)
    assert (response.status, response.json["status"]) == (200, "degraded")
    assert not [line for line in gateway.lines if line["message"] == "internal error"]
    assert "127.0.0.1" not in str(gateway.lines)
    await gateway.gateway.settle()  # the reads that requests no longer wait for
    database.fault = None
    assert (await gateway.post("/v1/explain", CHAT, key=NARROW)).status == 200
    assert (await gateway.post("/v1/explain", CHAT, key=NOBODY)).status == 401
    await _until(lambda: _is_well(gateway))
    await gateway.gateway.aclose()


async def _is_well(gateway: RunningGateway) -> bool:
    await gateway.post("/v1/explain", CHAT)
    await gateway.gateway.settle()
    return bool((await gateway.get("/health", key=None)).json["status"] == "ok")


async def _until(holds: Callable[[], Awaitable[Any]]) -> None:
    for _ in range(100):
        if await holds():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the condition never holds")


@pytest.mark.parametrize(
    "fault", [Fault.HANG, Fault.NO_SUCH_TABLE, Fault.HTML], ids=lambda fault: fault.name.lower()
)
async def test_a_new_instance_with_a_faulty_dynamodb_recovers(database: Database, fault: Fault) -> None:
    database.fault = fault
    gateway = start_gateway(store=database.store(), SLUICE_RULES_TTL="0.1")
    assert is_retryable(await gateway.post("/v1/explain", CHAT))
    await gateway.gateway.settle()
    assert (await gateway.get("/health", key=None)).status == 503
    database.fault = None
    await _until(lambda: _is_well(gateway))
    assert (await gateway.post("/v1/explain", CHAT)).status == 200
    await gateway.gateway.aclose()


async def test_hanging_key_reads_block_neither_the_rules_nor_threads(database: Database) -> None:
    database.fault = Fault.HANG
    store = database.store(timeout=9, budget=2)
    reads = [asyncio.ensure_future(store.load_key(f"{number:064}")) for number in range(50)]

    async def all_came() -> bool:
        return len(database.calls) == 50

    await _until(all_came)
    database.fault = None
    assert len(await store.load_rules()) == len(RECORDS)
    assert await asyncio.wait_for(asyncio.to_thread(lambda: "free"), 0.5) == "free"
    failed = await asyncio.gather(*reads, return_exceptions=True)
    assert {str(error) for error in failed} == {"no answer within 2 s"}


async def test_a_store_on_loopback_uses_no_proxy(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert len(await database.store().load_rules()) == len(RECORDS)
