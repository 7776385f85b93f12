"""Records and their differences as text."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from handler.cli.rules_diff import change_lines, format_indented, format_records, format_rule_file
from handler.manage.changes import compare, format_compact


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


def test_a_pulled_file_has_the_revision_and_the_records() -> None:
    for records in (RECORDS, []):
        text = format_rule_file("0a1b2c3d4e5f", records)
        assert json.loads(text) == {
            "revision": "0a1b2c3d4e5f",
            "records": json.loads(format_records(records)),
        }


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
    assert compare([route("a", **before)], [route("a", **after)]).number == 0


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
    found = compare([route("a", **before)], [route("a", **after)])
    assert list(change_lines(found)) == ["~ route/a", line]


def test_added_changed_and_removed_records() -> None:
    found = compare([route("gone"), route("a")], [route("new"), route("a", x=1)])
    assert list(change_lines(found)) == ["+ route/new", "~ route/a", "    x: (none) -> 1", "- route/gone"]
    assert str(found) == "1 added, 1 changed, 1 removed"
