"""Reviewing and writing the table of rules, on moto and on a DynamoDB that is slow or cuts the line."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from handler.aws.errors import StoreError
from handler.manage.changes import compare
from handler.manage.rules import RulesChanged, RulesRefused, push, read_rules, review, table_revision
from handler.store.attributes import Item, serialize_item
from handler.store.items import Items
from rules import RuleSet
from tests.support.inline_client import InlineClient
from tests.support.tables import SETTINGS, dynamodb


def route(id: str, **fields: Any) -> Item:
    return {"kind": "route", "id": id, "model": "openai/gpt-5", **fields}


BAD = {"kind": "route", "id": "bad", "prefers": "cheap"}
TEST = {"kind": "test", "id": "t", "request": {"messages": []}, "expect": {"rule": "a"}}


class Client(InlineClient):
    """A client that does something before a transaction, or fails after it."""

    def __init__(self, database: Any) -> None:
        super().__init__(database)
        self.database = database
        self.before: list[Any] = []  # of each transaction in turn: records to put, or an error to raise
        self.after: list[StoreError | None] = []
        self.transactions: list[Any] = []

    async def call(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        if operation != "transact_write_items":
            return await super().call(operation, arguments)
        self.transactions.append(arguments)
        before = self.before.pop(0) if self.before else ()
        if isinstance(before, Exception):
            raise before
        self.put(*before)
        answer = await super().call(operation, arguments)
        if self.after and (error := self.after.pop(0)):
            raise error
        return answer

    def put(self, *items: Item) -> None:
        for item in items:
            self.database.put_item(TableName=SETTINGS.rules_table, Item=serialize_item(item))


@pytest.fixture
def client() -> Iterator[Client]:
    with dynamodb() as database:
        yield Client(database)


async def stored(client: Client) -> list[Item]:
    return sorted((await read_rules(client, SETTINGS)).items, key=lambda item: str(item["id"]))


async def no_pause(seconds: float) -> None:
    assert seconds < 10


async def pushed(client: Client, base: str, records: list[Any]) -> Any:
    return await push(client, SETTINGS, base, records, sleep=no_pause)


OLD = [
    route("a", note="x", when={"hour": {"gte": 1, "lt": 9}, "project": ["p", "q"]}, priority=3),
    {"kind": "access", "id": "set", "models": {"openai/*", "gemini/*"}},
    route("gone", enabled=False),
    {**BAD, "n": 1.5, "empty": None, "bytes": b"\x00", "yes": True},
]
NEW = [{**OLD[0], "priority": 4}, {"kind": "access", "id": "set", "models": ["gemini/*", "openai/*"]}, OLD[3]]


async def test_a_push_makes_the_table_hold_exactly_the_records(client: Client) -> None:
    client.put(*OLD)
    base = await read_rules(client, SETTINGS)
    done = await pushed(client, base.revision, [*NEW, route("new")])
    assert str(done.changes) == "1 added, 1 changed, 1 removed"
    assert not compare(await stored(client), [*NEW, route("new")]).number
    assert done.revision == (await read_rules(client, SETTINGS)).revision
    assert await stored(client) == [NEW[0], OLD[3], route("new"), OLD[1]], "the set is as it was"


async def test_the_revision_is_the_gateways_own_where_every_record_can_be_read() -> None:
    assert table_revision(OLD[:3]) == RuleSet.read(OLD[:3]).revision
    changed = {**BAD, "prefers": "fast"}
    assert table_revision([*OLD[:3], BAD]) != table_revision([*OLD[:3], changed]) != table_revision(OLD[:3])
    assert table_revision([route(str(n)) for n in range(1001)]), "a table that is too large has one too"


# What another person writes between the reading and the writing of a push.
MEANWHILE = [
    pytest.param({**OLD[0], "note": "y"}, id="a field of a record that the push changes"),
    pytest.param({**OLD[0], "cap": {"n": 1}}, id="a field more"),
    pytest.param({k: v for k, v in OLD[0].items() if k != "note"}, id="a field less"),
    pytest.param({**OLD[0], "when": {"hour": {"gte": 1, "lt": 8}}}, id="a value inside of a field"),
    pytest.param({**OLD[2], "note": "keep this"}, id="a record that the push removes"),
    pytest.param(route("new", note="mine"), id="a record that the push adds"),
]


@pytest.mark.parametrize("other", MEANWHILE)
async def test_what_another_person_wrote_meanwhile_is_not_overwritten(client: Client, other: Item) -> None:
    client.put(*OLD)
    base = (await read_rules(client, SETTINGS)).revision
    client.before = [[other]]
    with pytest.raises(RulesChanged) as raised:
        await pushed(client, base, [*NEW, route("new")])
    expected = [*(item for item in OLD if item["id"] != other["id"]), other]
    assert not compare(await stored(client), expected).number, "nothing of the push is written"
    (change,) = raised.value.changes.as_json()
    assert (change["id"], raised.value.since_base) == (other["id"], True)
    assert raised.value.revision == (await read_rules(client, SETTINGS)).revision != base


async def message_of(client: Client, revision: str) -> str | None:
    return ((await Items(client, SETTINGS.state_table).get(f"message#{revision}")) or {}).get("message")


async def test_a_message_is_kept_only_if_the_set_was_written(client: Client) -> None:
    mine, base = [route("a", note="mine")], table_revision([])
    client.before = [[route("a", note="theirs")]]
    with pytest.raises(RulesChanged):
        await push(client, SETTINGS, base, mine, message="why", sleep=no_pause)
    assert await message_of(client, table_revision(mine)) is None
    base = (await read_rules(client, SETTINGS)).revision
    await push(client, SETTINGS, base, mine, message="why", sleep=no_pause)
    assert await message_of(client, table_revision(mine)) == "why"


async def test_no_message_is_kept_without_a_history(client: Client) -> None:
    settings = SETTINGS.replaced(history_days=0.0)
    await push(client, settings, table_revision([]), [route("a")], message="why", sleep=no_pause)
    assert await message_of(client, table_revision([route("a")])) is None


async def test_a_push_for_an_old_revision_is_refused(client: Client) -> None:
    client.put(route("a"))
    base = (await read_rules(client, SETTINGS)).revision
    client.put(route("a", note="theirs"))
    with pytest.raises(RulesChanged) as raised:
        await pushed(client, base, [route("a", note="mine")])
    assert raised.value.revision == (await read_rules(client, SETTINGS)).revision
    assert client.transactions == []


async def test_of_two_pushes_at_once_one_is_refused(client: Client) -> None:
    client.put(*OLD)
    base = (await read_rules(client, SETTINGS)).revision
    sets = [[{**OLD[0], "note": str(number)}, *OLD[1:]] for number in range(8)]
    outcomes = await asyncio.gather(*(pushed(client, base, each) for each in sets), return_exceptions=True)
    assert sorted(type(one).__name__ for one in outcomes) == ["Pushed"] + 7 * ["RulesChanged"]
    (winner,) = (number for number, one in enumerate(outcomes) if not isinstance(one, BaseException))
    assert not compare(await stored(client), sets[winner]).number


LOST = StoreError("transact write items: no answer (connection closed)")
CANCELLED = {"CancellationReasons": [{"Code": "TransactionConflict"}]}
BUSY = StoreError("cancelled", code="TransactionCanceledException", details=CANCELLED)


async def test_a_push_whose_answer_was_lost_can_be_repeated(client: Client) -> None:
    client.put(*OLD)
    base = (await read_rules(client, SETTINGS)).revision
    client.after = [LOST]
    with pytest.raises(StoreError, match="either all changes are written or none"):
        await pushed(client, base, NEW)
    done = await pushed(client, base, NEW)
    assert (done.changes.number, done.revision) == (0, (await read_rules(client, SETTINGS)).revision)


async def test_a_push_that_was_lost_on_the_way_can_be_repeated(client: Client) -> None:
    client.put(*OLD)
    base = (await read_rules(client, SETTINGS)).revision
    client.before = [LOST]
    with pytest.raises(StoreError, match="either all changes are written or none"):
        await pushed(client, base, NEW)
    assert not compare(await stored(client), OLD).number
    assert (await pushed(client, base, NEW)).changes.number == 2


async def test_a_push_waits_for_another_transaction(client: Client) -> None:
    client.before = [BUSY, BUSY]
    assert (await pushed(client, table_revision([]), NEW[:1])).changes.number == 1
    assert len({each["ClientRequestToken"] for each in client.transactions}) == 1, "it counts once"
    client.before = [BUSY] * 9
    with pytest.raises(StoreError, match="cancelled"):
        await pushed(client, table_revision(NEW[:1]), [])


async def test_a_push_that_an_earlier_try_did_after_all_is_done(client: Client) -> None:
    client.put(route("a"))
    client.before = [[route("a", note="mine")]]
    done = await pushed(client, table_revision([route("a")]), [route("a", note="mine")])
    assert done.revision == table_revision([route("a", note="mine")])


async def test_a_large_push_writes_additions_first_and_can_be_finished(client: Client) -> None:
    before = [route(f"c{n:02}") for n in range(50)] + [route(f"r{n:02}") for n in range(26)]
    after = [route(f"c{n:02}", note="x") for n in range(50)] + [route(f"a{n:02}") for n in range(30)]
    client.put(*before)
    client.before = [(), LOST]
    with pytest.raises(StoreError, match="99 of 106 changes are written for certain: push again"):
        await pushed(client, table_revision(before), after)
    kinds = [[next(iter(write)) for write in each["TransactItems"]] for each in client.transactions]
    assert kinds == [["Put"] * 80 + ["Delete"] * 19 + ["Update"], ["Delete"] * 7 + ["Update"]]
    now = await read_rules(client, SETTINGS)
    assert (await pushed(client, now.revision, after)).changes.number == 7
    assert not compare(await stored(client), after).number


async def test_a_large_push_says_how_much_was_written_before_another_change(client: Client) -> None:
    client.before = [(), [route("r250", note="theirs")]]
    with pytest.raises(RulesChanged) as raised:
        await pushed(client, table_revision([]), [route(f"r{n}") for n in range(101, 260)])
    assert raised.value.written == 99
    assert [item for item in await stored(client) if "note" in item] == [route("r250", note="theirs")]


REFUSED = [
    pytest.param([BAD], "route/bad: `prefers`: unknown field", id="a record that cannot be read"),
    pytest.param([7], "`record`", id="a number among the records"),
    pytest.param([{"kind": "route"}], "`id`: is missing", id="no id"),
    pytest.param([route("a", set={"x": 10**40 + 1})], "38 digits", id="a number that DynamoDB cannot store"),
    pytest.param([route("a", note={"x": "y"})], "`note`", id="a field of the wrong type"),
    pytest.param([route("a"), route("a")], "is there twice", id="a record twice"),
    pytest.param([TEST], "test/t: expected rule a, got no rule", id="a test that does not hold"),
]


@pytest.mark.parametrize(("records", "message"), REFUSED)
async def test_a_wrong_set_is_refused(client: Client, records: list[Any], message: str) -> None:
    with pytest.raises(RulesRefused) as raised:
        await pushed(client, table_revision([]), records)
    found = raised.value.review
    assert message in " ".join([*(one.message for one in found.new_problems), *map(str, found.failed)])
    assert await stored(client) == []


def test_an_old_problem_does_not_refuse_a_set_but_a_new_one_does() -> None:
    assert review([BAD], [BAD, route("a")]).ok
    assert not review([BAD], [{**BAD, "note": "x"}]).ok, "a changed record has to be readable"
    each = {"kind": "limit", "id": "e", "requests": 1, "per": "day", "each": "user"}
    whole = {"kind": "limit", "id": "w", "requests": 9, "per": "day"}
    (problem,) = review([each, whole], [each]).new_problems
    assert (problem.id, problem.field) == ("e", "each"), "a record that the removal of another one breaks"


async def test_a_record_of_many_fields_can_be_removed(client: Client) -> None:
    client.put({"kind": "route", "id": "wide", **{f"field{n}": {"n": [n]} for n in range(300)}})
    base = (await read_rules(client, SETTINGS)).revision
    assert (await pushed(client, base, [])).changes.number == 1
    write, _ = client.transactions[0]["TransactItems"]
    condition = write["Delete"]["ConditionExpression"]
    assert len(condition) < 4096, "the longest that DynamoDB takes"
    assert sum(map(condition.count, ("=", "AND", "attribute_not_exists"))) <= 300, "the most operators"
