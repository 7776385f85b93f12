"""Reading of items: records of any value, invalid items, canonical JSON."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.errors import InvalidRecord
from rules.reading.records import canonical_json, read_record
from rules.records.kinds import KINDS
from tests.rules.records.test_kinds import item, refusal


@pytest.mark.parametrize(
    ("wrong", "field", "problem"),
    [
        pytest.param({"id": "a"}, "kind", "is missing", id="a record without a kind"),
        pytest.param({"kind": "route"}, "id", "is missing", id="a record without an id"),
        pytest.param({"kind": "rout", "id": "a"}, "kind", "did you mean `route`?", id="a misspelt kind"),
        pytest.param({"kind": "Route", "id": "a"}, "kind", "did you mean `route`?", id="a kind in capitals"),
        pytest.param({"kind": "", "id": "a"}, "kind", "is empty", id="an empty kind"),
        pytest.param({"kind": 5, "id": "a"}, "kind", "must be a text", id="a number for a kind"),
        pytest.param(
            {"kind": "zzz", "id": "a"}, "kind", "known are route", id="a kind that is unlike the known ones"
        ),
        pytest.param({}, "kind", "is missing", id="an empty record"),
        pytest.param([], "record", "must be a map", id="a list for a record"),
        pytest.param(None, "record", "must be a map", id="null"),
        pytest.param({5: "a"}, "record", "without a name", id="a field that is a number"),
    ],
)
def test_an_invalid_item_is_refused(wrong: Any, field: str, problem: str) -> None:
    error = refusal(wrong)
    assert error.field == field
    assert problem in error.problem


def test_a_record_that_is_nested_in_itself_is_refused() -> None:
    deep: list[Any] = []
    deep.append(deep)
    assert refusal(item("route", set={"x": deep})).problem == "is nested deeper than 32 levels"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param({"a": 1, "b": 2}, {"b": 2, "a": 1}, id="order"),
        pytest.param(Decimal("1.0"), 1, id="a decimal and an integer"),
        pytest.param(1.0, 1, id="a float and an integer"),
        pytest.param(Decimal("0.10"), 0.1, id="a decimal and a float"),
        pytest.param({"b", "a"}, ["a", "b"], id="a set and its sorted list"),
    ],
)
def test_equal_values_have_the_same_canonical_text(one: Any, other: Any) -> None:
    assert canonical_json(one) == canonical_json(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("1", 1, id="a text and a number"),
        pytest.param(True, 1, id="a boolean and a number"),
        pytest.param("true", True, id="a text and a boolean"),
        pytest.param(["a", "b"], ["b", "a"], id="lists in another order"),
        pytest.param(10**400, 10**400 + 1, id="numbers beyond floats"),
    ],
)
def test_different_values_have_different_canonical_texts(one: Any, other: Any) -> None:
    assert canonical_json(one) != canonical_json(other)


NUMBERS = st.integers() | st.floats() | st.decimals() | st.just(10**400) | st.just(Decimal("1E+999999"))


SCALARS = st.none() | st.booleans() | NUMBERS | st.text(max_size=20) | st.binary(max_size=5)


WORDS = st.sampled_from(
    sorted(
        {name for kind in KINDS.values() for name in kind.field_names}
        | set(KINDS)
        | {"as", "gt", "in", "openai/*"}
    )
)


VALUES = st.recursive(
    SCALARS | WORDS | st.sets(st.text(max_size=5)),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(KINDS)), st.dictionaries(WORDS, VALUES, max_size=6))
def test_any_item_is_read_or_refused(kind: str, given: dict[str, Any]) -> None:
    known = {name: value for name, value in given.items() if name in {*KINDS[kind].field_names, "as"}}
    named = {"kind": kind, "id": item(kind)["id"]}
    for typed in (given, {**item(kind), **known, **named}):
        with suppress(InvalidRecord):
            assert read_record(typed).kind == kind
