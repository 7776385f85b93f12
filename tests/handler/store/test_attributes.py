"""Converting between DynamoDB's typed JSON and plain values."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.store.attributes import deserialize, item_size, number_text, serialize

PAIRS = [
    pytest.param({"S": ""}, "", id="an empty text"),
    pytest.param({"N": "8000"}, 8000, id="a whole number is an int"),
    pytest.param({"N": "-0.25"}, Decimal("-0.25"), id="another number is a Decimal, digit for digit"),
    pytest.param(
        {"N": "12345678901234567890123456789012345678"},
        12345678901234567890123456789012345678,
        id="38 digits",
    ),
    pytest.param({"BOOL": True}, True, id="true"),
    pytest.param({"NULL": True}, None, id="null"),
    pytest.param({"B": b"\x00\xff"}, b"\x00\xff", id="binary"),
    pytest.param({"SS": ["a", "b"]}, {"a", "b"}, id="a string set"),
    pytest.param({"NS": ["1", "2.5"]}, {1, Decimal("2.5")}, id="a number set"),
    pytest.param({"BS": [b"a"]}, {b"a"}, id="a binary set"),
    pytest.param({"L": [{"S": "a"}, {"L": []}]}, ["a", []], id="a list"),
    pytest.param(
        {"M": {"S": {"M": {"N": {"N": "1"}}}}}, {"S": {"N": 1}}, id="a map whose names look like types"
    ),
]


@pytest.mark.parametrize(("typed", "value"), PAIRS)
def test_a_value_is_converted_both_ways(typed: dict[str, Any], value: Any) -> None:
    read = deserialize(typed)
    assert read == value
    assert type(read) is type(value)
    assert serialize(value) == typed


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        pytest.param({"N": "1E+2"}, 100, id="an exponent"),
        pytest.param({"N": "1.50"}, Decimal("1.5"), id="a trailing zero"),
        pytest.param({"N": "twelve"}, "twelve", id="a number that is not one stays a text"),
        pytest.param(
            {"N": "1E+999999999"}, Decimal("1E+999999999"), id="an absurd exponent is not written out"
        ),
        pytest.param({"N": "NaN"}, pytest.approx(Decimal("NaN"), nan_ok=True), id="NaN"),
        pytest.param({"X": "?"}, {"X": "?"}, id="an unknown type stays as it came"),
        pytest.param({"B": "AP8="}, b"\x00\xff", id="binary that went through JSON"),
        pytest.param("bare", "bare", id="no type at all"),
    ],
)
def test_deserializing_never_fails(typed: Any, value: Any) -> None:
    assert deserialize(typed) == value


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(float("nan"), id="NaN"),
        pytest.param(float("inf"), id="infinity"),
        pytest.param(Decimal("1E+1000000000"), id="a number of a billion digits"),
        pytest.param(10**38 + 1, id="39 digits"),
        pytest.param(set(), id="an empty set"),
        pytest.param({"a", 1}, id="a mixed set"),
        pytest.param({("a",)}, id="a set of lists"),
        pytest.param(object(), id="an object"),
    ],
)
def test_a_value_that_dynamodb_cannot_store_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"range|38 digits|a set must hold|cannot be stored"):
        serialize(value)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1.0, "1"),
        (0.1, "0.1"),
        (1e21, "1000000000000000000000"),
        (Decimal("2.50"), "2.5"),
        (0, "0"),
        (1e-7, "0.0000001"),
    ],
)
def test_a_number_is_written_exactly_and_one_way_only(number: Any, text: str) -> None:
    assert number_text(number) == text


VALUES = st.recursive(
    st.none() | st.booleans() | st.text() | st.integers(-(10**37), 10**37) | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_any_value_survives_the_round_trip(value: Any) -> None:
    assert deserialize(serialize(value)) == value


@pytest.mark.parametrize(
    ("item", "bytes"),
    [
        ({"id": {"S": "ab"}}, 4),
        ({"é": {"S": "é"}}, 3),
        ({"n": {"N": "1234"}, "b": {"BOOL": True}}, 7),
        ({"m": {"M": {"a": {"S": "b"}}}, "l": {"L": [{"S": "x"}]}}, 12),
        ({"s": {"SS": ["ab", "c"]}, "x": {"B": b"abc"}}, 8),
    ],
)
def test_the_size_of_an_item(item: dict[str, Any], bytes: int) -> None:
    assert item_size(item) == bytes
