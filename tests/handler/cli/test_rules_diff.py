"""Formatting records, and comparing and writing sets of them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from handler.aws.errors import StoreError
from handler.cli.rules_diff import (
    Changes,
    compare,
    format_compact,
    format_indented,
    format_records,
    write_changes,
)
from handler.store.attributes import serialize_item


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(Decimal("0.10000000000000000000000000000000000001"), None, id="38 digits"),
        pytest.param(8000, "8000", id="a whole number"),
        pytest.param(True, "true", id="true"),
        pytest.param(None, "null", id="null"),
        pytest.param("é 😀", '"é 😀"', id="letters stay letters"),
        pytest.param("a\u202eb\x9b\x1b", '"a\\u202eb\\u009b\\u001b"', id="control sequences are escaped"),
        pytest.param({"b", "a"}, '["a", "b"]', id="a set is a sorted list"),
        pytest.param(b"\x00\xff", '"AP8="', id="binary is base64"),
        pytest.param({"a": [1, {"b": ()}]}, '{"a": [1, {"b": []}]}', id="nested"),
    ],
)
def test_a_value_on_one_line(value: Any, text: str | None) -> None:
    assert format_compact(value) == (text or str(value))


def test_only_long_values_are_broken_into_lines() -> None:
    value = {"short": {"a": 1}, "long": ["x" * 60, "y" * 60], "empty": {}}
    assert format_indented(value).splitlines() == [
        "{",
        '  "short": {"a": 1},',
        '  "long": [',
        f'    "{"x" * 60}",',
        f'    "{"y" * 60}"',
        "  ],",
        '  "empty": {}',
        "}",
    ]
    assert json.loads(format_indented(value)) == value


RECORDS: list[dict[str, Any]] = [
    {"model": "m", "when": {"hour": {"lt": 9, "gte": 1}}, "id": "b", "kind": "route"},
    {"kind": "access", "id": "z", "models": {"y", "x"}, "enabled": False},
]


def test_the_same_records_give_the_same_text() -> None:
    text = format_records(RECORDS)
    assert text == format_records(reversed(RECORDS))
    assert text.splitlines() == [
        "[",
        "  {",
        '    "kind": "access",',
        '    "id": "z",',
        '    "enabled": false,',
        '    "models": ["x", "y"]',
        "  },",
        "  {",
        '    "kind": "route",',
        '    "id": "b",',
        '    "when": {"hour": {"gte": 1, "lt": 9}},',
        '    "model": "m"',
        "  }",
        "]",
    ]
    assert format_records([]) == "[]"


def route(id: str, **fields: Any) -> dict[str, Any]:
    return {"kind": "route", "id": id, **fields}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param({"n": 1}, {"n": Decimal("1.0")}, id="a number written in another way"),
        pytest.param({"n": 0.5}, {"n": Decimal("0.50")}, id="a float and a Decimal"),
        pytest.param({"m": {"b", "a"}}, {"m": ["a", "b"]}, id="a set pulled as a list"),
        pytest.param({"m": {"a": 1, "b": 2}}, {"m": {"b": 2, "a": 1}}, id="another order of names"),
    ],
)
def test_equal_values_are_not_a_change(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert compare([route("a", **before)], [route("a", **after)], prune=True).count == 0


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        pytest.param({"n": 1}, {"n": "1"}, '    n: 1 -> "1"', id="a number and a text"),
        pytest.param({"n": 1}, {"n": True}, "    n: 1 -> true", id="1 and true"),
        pytest.param({"l": [1, 2]}, {"l": [2, 1]}, "    l: [1, 2] -> [2, 1]", id="the order of a list"),
        pytest.param({}, {"note": "x"}, '    note: (none) -> "x"', id="an added field"),
        pytest.param({"note": "x"}, {}, '    note: "x" -> (none)', id="a removed field"),
        pytest.param({"note": ""}, {"note": "x" * 200}, f'    note: "" -> "{"x" * 96}...', id="a long text"),
    ],
)
def test_a_change_names_the_fields(before: dict[str, Any], after: dict[str, Any], line: str) -> None:
    found = compare([route("a", **before)], [route("a", **after)], prune=False)
    assert list(found.lines()) == ["~ route/a", line]


@pytest.mark.parametrize(("prune", "removed"), [(False, []), (True, ["- route/gone"])])
def test_only_pruning_removes(prune: bool, removed: list[str]) -> None:
    found = compare([route("gone"), route("a")], [route("new"), route("a", x=1)], prune=prune)
    assert list(found.lines()) == ["+ route/new", "~ route/a", "    x: (none) -> 1", *removed]
    assert str(found) == f"1 added, 1 changed, {len(removed)} removed"


class Fake:
    """A client that records its calls, and leaves `unprocessed` batches incomplete."""

    def __init__(self, unprocessed: int = 0) -> None:
        self.unprocessed = unprocessed
        self.calls: list[tuple[str, Any]] = []

    def transact_write_items(self, **arguments: Any) -> dict[str, Any]:
        self.calls.append(("transaction", arguments["TransactItems"]))
        return {}

    def batch_write_item(self, **arguments: Any) -> dict[str, Any]:
        requests = arguments["RequestItems"]["t"]
        self.calls.append(("batch", requests))
        if self.unprocessed:
            self.unprocessed -= 1
            return {"UnprocessedItems": {"t": requests[-1:]}}
        return {}


def no_sleep(_: float) -> None:
    pytest.fail("there is nothing to wait for")


def changes_of(added: int, changed: int, removed: int) -> Changes:
    return Changes(
        added=[route(f"a{n}") for n in range(added)],
        changed=[(route(f"c{n}"), route(f"c{n}", x=n)) for n in range(changed)],
        removed=[route(f"r{n}", x=n) for n in range(removed)],
    )


def test_up_to_a_hundred_changes_are_one_transaction() -> None:
    fake = Fake()
    write_changes(fake, "t", changes_of(98, 1, 1), sleep=no_sleep)
    ((kind, items),) = fake.calls
    assert (kind, len(items)) == ("transaction", 100)
    assert items[98] == {"Put": {"Item": serialize_item(route("c0", x=0)), "TableName": "t"}}
    assert items[99] == {"Delete": {"Key": serialize_item(route("r0")), "TableName": "t"}}


def test_more_changes_are_batches_with_additions_first_and_removals_last() -> None:
    fake = Fake()
    write_changes(fake, "t", changes_of(60, 30, 11), sleep=no_sleep)
    assert [(kind, len(items)) for kind, items in fake.calls] == [
        ("batch", n) for n in (25, 25, 10, 25, 5, 11)
    ]
    assert [next(iter(items[0])) for _, items in fake.calls] == ["PutRequest"] * 5 + ["DeleteRequest"]


def test_unprocessed_items_are_sent_again_after_pauses() -> None:
    fake, pauses = Fake(unprocessed=3), list[float]()
    write_changes(fake, "t", changes_of(101, 0, 0), sleep=pauses.append)
    assert [len(items) for _, items in fake.calls] == [25, 1, 1, 1, 25, 25, 25, 1]
    assert pauses == [0.1, 0.2, 0.4]


def test_items_that_stay_unprocessed_are_a_store_error() -> None:
    pauses: list[float] = []
    with pytest.raises(StoreError, match="push again to write what is left"):
        write_changes(Fake(unprocessed=1000), "t", changes_of(101, 0, 0), sleep=pauses.append)
    assert sum(pauses) < 30
