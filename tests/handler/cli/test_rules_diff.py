"""Records as text, and what a push would change."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from handler.cli.rules_diff import Changes, changes, compact, pretty, records_text, write
from handler.store.attributes import serialize_item
from handler.store.dynamodb import StoreError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(Decimal("0.10000000000000000000000000000000000001"), None, id="38 digits"),
        pytest.param(8000, "8000", id="a whole number"),
        pytest.param(True, "true", id="true"),
        pytest.param(None, "null", id="null"),
        pytest.param("é 😀", '"é 😀"', id="letters stay letters"),
        pytest.param("a\u202eb\x9b\x1b", '"a\\u202eb\\u009b\\u001b"', id="what fools a terminal is escaped"),
        pytest.param({"b", "a"}, '["a", "b"]', id="a set is a sorted list"),
        pytest.param(b"\x00\xff", '"AP8="', id="binary is base64"),
        pytest.param({"a": [1, {"b": ()}]}, '{"a": [1, {"b": []}]}', id="nested"),
    ],
)
def test_compact(value: Any, text: str | None) -> None:
    assert compact(value) == (text or str(value))


def test_pretty_breaks_only_what_is_long() -> None:
    value = {"short": {"a": 1}, "long": ["x" * 60, "y" * 60], "empty": {}}
    assert pretty(value).splitlines() == [
        "{",
        '  "short": {"a": 1},',
        '  "long": [',
        f'    "{"x" * 60}",',
        f'    "{"y" * 60}"',
        "  ],",
        '  "empty": {}',
        "}",
    ]
    assert json.loads(pretty(value)) == value


RECORDS: list[dict[str, Any]] = [
    {"model": "m", "when": {"hour": {"lt": 9, "gte": 1}}, "id": "b", "kind": "route"},
    {"kind": "access", "id": "z", "models": {"y", "x"}, "enabled": False},
]


def test_the_same_records_give_the_same_text() -> None:
    text = records_text(RECORDS)
    assert text == records_text(reversed(RECORDS))
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
    assert records_text([]) == "[]"


def route(id: str, **fields: Any) -> dict[str, Any]:
    return {"kind": "route", "id": id, **fields}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param({"n": 1}, {"n": Decimal("1.0")}, id="a number written otherwise"),
        pytest.param({"n": 0.5}, {"n": Decimal("0.50")}, id="a float and a Decimal"),
        pytest.param({"m": {"b", "a"}}, {"m": ["a", "b"]}, id="a set pulled as a list"),
        pytest.param({"m": {"a": 1, "b": 2}}, {"m": {"b": 2, "a": 1}}, id="another order of names"),
    ],
)
def test_no_change(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert changes([route("a", **before)], [route("a", **after)], prune=True).count == 0


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        pytest.param({"n": 1}, {"n": "1"}, '    n: 1 -> "1"', id="a number and a text"),
        pytest.param({"n": 1}, {"n": True}, "    n: 1 -> true", id="1 and true"),
        pytest.param({"l": [1, 2]}, {"l": [2, 1]}, "    l: [1, 2] -> [2, 1]", id="the order of a list"),
        pytest.param({}, {"note": "x"}, '    note: (none) -> "x"', id="a field more"),
        pytest.param({"note": "x"}, {}, '    note: "x" -> (none)', id="a field less"),
        pytest.param({"note": ""}, {"note": "x" * 200}, f'    note: "" -> "{"x" * 96}...', id="a long text"),
    ],
)
def test_a_change_names_the_fields(before: dict[str, Any], after: dict[str, Any], line: str) -> None:
    found = changes([route("a", **before)], [route("a", **after)], prune=False)
    assert list(found.lines()) == ["~ route/a", line]


@pytest.mark.parametrize(("prune", "removed"), [(False, []), (True, ["- route/gone"])])
def test_only_pruning_removes(prune: bool, removed: list[str]) -> None:
    found = changes([route("gone"), route("a")], [route("new"), route("a", x=1)], prune=prune)
    assert list(found.lines()) == ["+ route/new", "~ route/a", "    x: (none) -> 1", *removed]
    assert str(found) == f"1 added, 1 changed, {len(removed)} removed"


class Fake:
    """A client that keeps what it is asked, and leaves some of each batch undone for a while."""

    def __init__(self, undone: int = 0) -> None:
        self.undone = undone
        self.calls: list[tuple[str, Any]] = []

    def transact_write_items(self, **arguments: Any) -> dict[str, Any]:
        self.calls.append(("transaction", arguments["TransactItems"]))
        return {}

    def batch_write_item(self, **arguments: Any) -> dict[str, Any]:
        requests = arguments["RequestItems"]["t"]
        self.calls.append(("batch", requests))
        if self.undone:
            self.undone -= 1
            return {"UnprocessedItems": {"t": requests[-1:]}}
        return {}


def never(_: float) -> None:
    pytest.fail("nobody has to wait")


def some(added: int, changed: int, removed: int) -> Changes:
    return Changes(
        added=[route(f"a{n}") for n in range(added)],
        changed=[(route(f"c{n}"), route(f"c{n}", x=n)) for n in range(changed)],
        removed=[route(f"r{n}", x=n) for n in range(removed)],
    )


def test_up_to_a_hundred_changes_are_one_transaction() -> None:
    fake = Fake()
    write(fake, "t", some(98, 1, 1), sleep=never)
    ((kind, items),) = fake.calls
    assert (kind, len(items)) == ("transaction", 100)
    assert items[98] == {"Put": {"Item": serialize_item(route("c0", x=0)), "TableName": "t"}}
    assert items[99] == {"Delete": {"Key": serialize_item(route("r0")), "TableName": "t"}}


def test_more_are_written_additions_first_and_removals_last() -> None:
    fake = Fake()
    write(fake, "t", some(60, 30, 11), sleep=never)
    assert [(kind, len(items)) for kind, items in fake.calls] == [
        ("batch", n) for n in (25, 25, 10, 25, 5, 11)
    ]
    assert [next(iter(items[0])) for _, items in fake.calls] == ["PutRequest"] * 5 + ["DeleteRequest"]


def test_what_dynamodb_leaves_undone_is_sent_again_with_pauses() -> None:
    fake, pauses = Fake(undone=3), list[float]()
    write(fake, "t", some(101, 0, 0), sleep=pauses.append)
    assert [len(items) for _, items in fake.calls] == [25, 1, 1, 1, 25, 25, 25, 1]
    assert pauses == [0.1, 0.2, 0.4]


def test_a_table_that_never_takes_it_is_a_store_error() -> None:
    pauses: list[float] = []
    with pytest.raises(StoreError, match="push again to write what is left"):
        write(Fake(undone=1000), "t", some(101, 0, 0), sleep=pauses.append)
    assert sum(pauses) < 30
