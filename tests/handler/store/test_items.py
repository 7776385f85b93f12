"""Single items on moto, and the errors of conditional writes and transactions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from handler.aws.errors import StoreError
from handler.store.items import ConditionFailed, Items, StoreBusy, Update
from tests.support.inline_client import InlineClient
from tests.support.tables import SETTINGS, dynamodb


@pytest.fixture
def client() -> Iterator[Any]:
    with dynamodb() as client:
        yield client


@pytest.fixture
def items(client: Any) -> Items:
    return Items(InlineClient(client), SETTINGS.state_table)


def count(id: str, most: int, *, by: int = 1) -> Update:
    """Adds `by` to the item's `n` unless it would exceed `most`."""
    return Update(
        id,
        "ADD #n :by",
        "attribute_not_exists(#n) OR #n <= :most",
        {"n": "n"},
        {"by": by, "most": most - by},
    )


async def test_an_item_is_put_read_and_deleted(items: Items) -> None:
    assert await items.get("a") is None
    await items.put({"id": "a", "n": 1, "text": "x"})
    assert await items.get("a", consistent=True) == {"id": "a", "n": 1, "text": "x"}
    await items.delete("a")
    assert await items.get("a") is None


async def test_many_items_are_read_in_the_order_of_their_ids_without_those_that_do_not_exist(
    items: Items,
) -> None:
    for index in range(130):
        await items.put({"id": f"i{index}", "n": index})
    ids = [f"i{index}" for index in range(140)]
    found = await items.get_many([*ids, "i0"])
    assert list(found) == ids[:130]
    assert found["i7"] == {"id": "i7", "n": 7}


async def test_an_update_returns_the_whole_item(items: Items) -> None:
    assert await items.update(count("a", 2)) == {"id": "a", "n": 1}
    assert await items.update(count("a", 2)) == {"id": "a", "n": 2}


async def test_a_condition_that_does_not_hold_writes_nothing_and_gives_the_stored_item(items: Items) -> None:
    await items.update(count("a", 1))
    with pytest.raises(ConditionFailed) as refused:
        await items.update(count("a", 1))
    assert refused.value.items == ({"id": "a", "n": 1},)
    assert await items.get("a") == {"id": "a", "n": 1}


async def test_a_transaction_writes_all_items_or_none(items: Items) -> None:
    await items.transact([count("a", 2), count("b", 1)])
    with pytest.raises(ConditionFailed) as refused:
        await items.transact([count("a", 2), count("b", 1)])
    assert refused.value.items == (None, {"id": "b", "n": 1})
    assert (await items.get("a"), await items.get("b")) == ({"id": "a", "n": 1}, {"id": "b", "n": 1})


class Failing:
    """A client whose writes raise `error`."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def update_item(self, **_: Any) -> Any:
        raise self.error

    transact_write_items = update_item


def refusal(code: str, **more: Any) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": ""}, **more}
    return ClientError(response, "UpdateItem")


def cancelled(*codes: str) -> ClientError:
    return refusal("TransactionCanceledException", CancellationReasons=[{"Code": code} for code in codes])


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        pytest.param(refusal("ProvisionedThroughputExceededException"), StoreBusy, id="throttled"),
        pytest.param(refusal("RequestLimitExceeded"), StoreBusy, id="over the account's limit"),
        pytest.param(refusal("TransactionConflictException"), StoreBusy, id="another transaction"),
        pytest.param(refusal("AccessDeniedException"), StoreError, id="access denied"),
        pytest.param(cancelled("None", "TransactionConflict"), StoreBusy, id="cancelled by another one"),
        pytest.param(cancelled("None", "ThrottlingError"), StoreBusy, id="cancelled by throttling"),
        pytest.param(
            cancelled("TransactionConflict", "ConditionalCheckFailed"),
            ConditionFailed,
            id="a condition that does not hold counts for more than a conflict",
        ),
        pytest.param(cancelled("ValidationError"), StoreError, id="cancelled by a fault of ours"),
        pytest.param(OSError("no route"), StoreError, id="no connection"),
    ],
)
async def test_each_failure_has_its_error(error: Exception, raised: type[StoreError]) -> None:
    items = Items(InlineClient(Failing(error)), "state")
    with pytest.raises(StoreError) as transacted:
        await items.transact([count("a", 1), count("b", 1)])
    with pytest.raises(StoreError):
        await items.update(count("a", 1))
    assert type(transacted.value) is raised


class Recording:
    """A client that records the tokens of transactions."""

    def __init__(self) -> None:
        self.tokens: list[str | None] = []

    def transact_write_items(self, **arguments: Any) -> None:
        self.tokens.append(arguments.get("ClientRequestToken"))


async def test_a_transaction_has_the_token_that_it_is_given_or_a_new_one() -> None:
    client = Recording()
    items = Items(InlineClient(client), "state")
    await items.transact([count("a", 1), count("b", 1)], token="t" * 32)
    await items.transact([count("a", 1), count("b", 1)])
    await items.transact([count("a", 1), count("b", 1)])
    given, *made = client.tokens
    assert (given, len(set(made))) == ("t" * 32, 2)
    assert all(token and 0 < len(token) <= 36 for token in made)
