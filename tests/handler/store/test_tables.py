"""The store on moto, and on a client that fails in every way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from botocore.exceptions import ClientError

from handler.aws.errors import StoreError
from handler.aws.sdk import scan
from handler.settings import Settings
from handler.store.attributes import serialize_item
from handler.store.compressed import ADOPTED
from handler.store.history import list_entries
from handler.store.tables import Store
from tests.support.inline_client import InlineClient
from tests.support.tables import SETTINGS, dynamodb

Answer = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture
def database() -> Iterator[Any]:
    with dynamodb() as client:
        yield client


@pytest.fixture
def store(database: Any) -> Store:
    return Store(InlineClient(database), SETTINGS)


class Fake:
    """A client whose operations all return `answer(arguments)`."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.calls: list[dict[str, Any]] = []

    def _call(self, **arguments: Any) -> dict[str, Any]:
        self.calls.append(arguments)
        return self.answer(arguments)

    scan = get_item = put_item = update_item = delete_item = _call


def failing(error: Exception) -> Fake:
    def answer(_: dict[str, Any]) -> dict[str, Any]:
        raise error

    return Fake(answer)


def refused(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Scan")


def put(database: Any, table: str, **item: Any) -> None:
    database.put_item(TableName=table, Item=serialize_item(item))


async def test_rules_are_returned_as_plain_values(database: Any, store: Store) -> None:
    record = {
        "kind": "route",
        "id": "a",
        "priority": 3,
        "models": {"x", "y"},
        "on": True,
        "share": Decimal("0.5"),
    }
    put(database, SETTINGS.rules_table, **record)
    assert await store.load_rules() == [record]


async def test_an_unchanged_table_returns_the_same_list(database: Any, store: Store) -> None:
    put(database, SETTINGS.rules_table, kind="route", id="a", enabled=True)
    first = await store.load_rules()
    assert await store.load_rules() is first
    put(database, SETTINGS.rules_table, kind="route", id="a", enabled=1)
    assert await store.load_rules() is not first, "true and 1 are not the same"


async def test_a_key_is_found_by_its_hash(database: Any, store: Store) -> None:
    put(database, SETTINGS.keys_table, hash="h", id="k", enabled=True)
    assert await store.load_key("h") == {"hash": "h", "id": "k", "enabled": True}
    assert await store.load_key("other") is None


async def test_the_day_of_last_use_is_written_only_into_an_existing_record_and_changes_nothing_else(
    database: Any, store: Store
) -> None:
    record = {"hash": "h", "id": "k", "enabled": False}
    put(database, SETTINGS.keys_table, **record)
    for day in ("2026-11-29", "2026-11-29", "2026-11-30"):
        await store.save_last_used("h", day)
        assert await store.load_key("h") == {**record, "last_used": day}
    await store.save_last_used("none", "2026-11-29")
    assert await store.load_key("none") is None


async def test_every_page_is_read() -> None:
    def answer(arguments: dict[str, Any]) -> dict[str, Any]:
        page = int(arguments.get("ExclusiveStartKey", {"id": {"S": "0"}})["id"]["S"])
        last = {} if page == 3 else {"LastEvaluatedKey": {"id": {"S": str(page + 1)}}}
        return {"Items": [serialize_item({"kind": "route", "id": str(page)})], **last}

    assert [item["id"] for item in await Store(InlineClient(Fake(answer)), SETTINGS).load_rules()] == [
        "0",
        "1",
        "2",
        "3",
    ]


async def test_a_page_that_fails_fails_the_whole_read() -> None:
    def answer(arguments: dict[str, Any]) -> dict[str, Any]:
        if "ExclusiveStartKey" in arguments:
            raise refused("ThrottlingException")
        items = [serialize_item({"kind": "route", "id": "a"})]
        return {"Items": items, "LastEvaluatedKey": {"id": {"S": "a"}}}

    with pytest.raises(StoreError, match="throttled"):
        await Store(InlineClient(Fake(answer)), SETTINGS).load_rules()


@pytest.mark.parametrize(
    "page",
    [
        pytest.param([{"id": {"S": str(n)}} for n in range(1_001)], id="1,001 records"),
        pytest.param([{"note": {"S": "x" * 5_000_000}}], id="a page of 5 MB"),
        pytest.param([{"note": {"B": b"x" * 400_000}}] * 3, id="1.2 MB of binary"),
    ],
)
async def test_reading_stops_when_the_set_is_too_large(page: list[dict[str, Any]]) -> None:
    endless = Fake(lambda _: {"Items": page, "LastEvaluatedKey": {"id": {"S": "more"}}})
    with pytest.raises(StoreError, match="more than 1,000 records or 1,048,576 bytes"):
        await Store(InlineClient(endless), SETTINGS).load_rules()
    assert len(endless.calls) == 1


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda store: store.load_rules(), id="rules"),
        pytest.param(lambda store: store.load_key("h"), id="key"),
        pytest.param(lambda store: store.save_last_used("h", "2026-11-29"), id="last used"),
        pytest.param(lambda store: store.load_adopted(), id="adopted"),
        pytest.param(lambda store: store.save_adopted("r", []), id="save"),
        pytest.param(lambda store: store.load_compiled("v"), id="compiled"),
        pytest.param(lambda store: store.save_compiled("v", b"x"), id="save compiled"),
    ],
)
async def test_every_method_raises_store_errors(read: Callable[[Store], Any]) -> None:
    with pytest.raises(StoreError, match="throttled"):
        await read(Store(InlineClient(failing(refused("ThrottlingException"))), SETTINGS))


async def test_a_missing_table_is_a_store_error(database: Any) -> None:
    with pytest.raises(StoreError, match="scan nowhere: there is no such table"):
        await Store(InlineClient(database), Settings(rules_table="nowhere")).load_rules()


RECORD = {"kind": "access", "id": "é", "models": {"b", "a"}, "when": {"hour": [1, None, True]}}


async def test_a_revision_that_is_stored_is_not_written_again() -> None:
    stored = {"Item": serialize_item({"id": ADOPTED, "revision": "r1", "parts": 1, "part": b""})}
    fake = Fake(lambda _: stored)
    assert await Store(InlineClient(fake), SETTINGS).save_adopted("r1", [RECORD])
    assert len(fake.calls) == 1


async def test_rules_are_saved_only_while_the_table_still_holds_them(database: Any, store: Store) -> None:
    put(database, SETTINGS.rules_table, **RECORD)
    assert await store.save_adopted("r1", [RECORD]) is False, "another instance has read them later"
    assert await store.load_adopted() is None
    await store.load_rules()
    assert await store.save_adopted("r1", [RECORD])
    assert await store.load_adopted() == ("r1", [RECORD])


@pytest.mark.slow
async def test_200_adoptions_by_20_instances_at_once_leave_one_entry_for_each_revision(
    database: Any,
) -> None:
    stores = [Store(InlineClient(database), SETTINGS) for _ in range(20)]

    async def adopt_once(store: Store, number: int) -> None:
        assert await store.save_adopted(f"r{number}", await store.load_rules())

    for number in range(10):
        put(database, SETTINGS.rules_table, kind="route", id="a", priority=number)
        await asyncio.gather(*(adopt_once(store, number) for store in stores))
    entries = await list_entries(stores[0].state)
    assert [entry.revision for entry in entries] == [f"r{number}" for number in range(9, -1, -1)]
    assert [entry.changed for entry in entries] == [("route/a",)] * 9 + [()]
    assert await stores[0].load_adopted() == ("r9", [{"kind": "route", "id": "a", "priority": 9}])


@pytest.mark.parametrize(("days", "entries"), [(90.0, 1), (0.0, 0)])
async def test_the_history_is_kept_unless_it_is_turned_off(database: Any, days: float, entries: int) -> None:
    store = Store(InlineClient(database), SETTINGS.replaced(history_days=days))
    await store.save_adopted("r1", [])
    assert len(await list_entries(store.state)) == entries
    assert await store.load_adopted() == ("r1", [])


def states(database: Any) -> set[str]:
    return {item["id"]["S"] for item in scan(database, SETTINGS.state_table)}


async def test_each_version_of_the_code_has_its_own_compiled_rules(store: Store) -> None:
    assert await store.load_compiled("v1") is None
    await store.save_compiled("v1", b"one")
    await store.save_compiled("v2", b"two")
    await store.save_compiled("v1", b"three")
    assert [await store.load_compiled(version) for version in ("v1", "v2")] == [b"three", b"two"]


async def test_compiled_rules_that_no_item_can_hold_are_not_saved(database: Any, store: Store) -> None:
    await store.save_compiled("v1", b"x" * 380_001)
    assert states(database) == set()


async def test_a_compiled_set_of_another_type_is_none(database: Any, store: Store) -> None:
    put(database, SETTINGS.state_table, id="compiled#v1", data="text")
    assert await store.load_compiled("v1") is None
