"""A schema is held to or refused; neither it nor an answer can make the gateway fetch, hang or swell."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.schema import LONGEST, BadSchema, Schema

Json = dict[str, Any]
PRICES = {"properties": {"items": {"type": "array", "items": {"properties": {"price": {"type": "number"}}}}}}
TREE = {"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}}
MISMATCHES = [
    pytest.param(PRICES, {"items": [{}, {"price": "x"}]}, "$.items[1].price: expected number", id="a type"),
    pytest.param({"required": ["a"]}, {"secret": 1}, '$: "a" is missing', id="what is missing"),
    pytest.param({"enum": ["a", 1]}, "secret", '$: expected one of ["a", 1]', id="another value"),
    pytest.param({"const": {"a": 1}}, "secret", '$: expected {"a": 1}', id="another constant"),
    pytest.param(
        {"properties": {"a b": {"maxLength": 3}}}, {"a b": "secret"}, '$["a b"]: ', id="a long text"
    ),
    pytest.param(
        {"additionalProperties": False}, {"secret": 1}, "$: something is here that may not be", id="closed"
    ),
    pytest.param(
        {"properties": {"a": {}}, "additionalProperties": False},
        {"secret": 1},
        "$: has properties that may not be here",
        id="closed but for some",
    ),
    pytest.param({"anyOf": [{"type": "null"}]}, "secret", "$: `anyOf` does not hold", id="no branch"),
    pytest.param({"pattern": "^x"}, "secret", '$: `pattern` "^x" does not hold', id="a pattern"),
    pytest.param(TREE, {"left": {"right": 3}}, "$.left.right: expected object", id="inside itself"),
    pytest.param({"type": "integer"}, True, "$: expected integer", id="a boolean is no number"),
]


@pytest.mark.parametrize(("schema", "value", "told"), MISMATCHES)
def test_a_mismatch_says_where_and_quotes_nothing(schema: Json, value: Any, told: str) -> None:
    found = Schema(schema).mismatch(value)
    assert found is not None
    assert found.startswith(told)
    assert "secret" not in found


FITS = [
    pytest.param(TREE, {"left": {"right": {}}}, id="a tree"),
    pytest.param({"type": "integer"}, 1.0, id="an integral float is an integer"),
    pytest.param({"type": "string", "format": "date"}, "never", id="a format is a remark"),
    pytest.param({"type": "string", "title": "\ud800"}, "\ud800", id="half a surrogate pair"),
    pytest.param({"pattern": r"^(?!a)\w+$"}, "b", id="look-ahead"),
    pytest.param({"nullable": True, "x-mine": 1}, 3, id="words nobody knows"),
    pytest.param(
        {"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}]},
        ["a"],
        id="draft 7",
    ),
    pytest.param({"$defs": {"s": {"$anchor": "s", "type": "string"}}, "$ref": "#s"}, "a", id="an anchor"),
    pytest.param({"items": {"$ref": "#/$defs/a~1b%25"}, "$defs": {"a/b%": {}}}, [1], id="an escaped pointer"),
    pytest.param({"items": {"$ref": "#/$defs/s"}, "$defs": {"s": {}}}, [1] * 50_000, id="a long list"),
    pytest.param(
        {"items": {"properties": {name: {"enum": [0, 1, 2]} for name in "abcde"}}},
        [dict.fromkeys("abcde", 1)] * 20_000,
        id="a table of a hundred thousand fields",
    ),
]


@pytest.mark.parametrize(("schema", "value"), FITS)
def test_what_fits(schema: Json, value: Any) -> None:
    assert Schema(schema).mismatch(value) is None


BAD = [
    pytest.param({"type": "strin"}, "not a valid JSON Schema at $.type", id="a type nobody knows"),
    pytest.param({"properties": {"a": {"required": "x"}}}, "$.properties.a.required", id="deep inside"),
    pytest.param({"pattern": "("}, "$.pattern", id="a pattern that is none"),
    pytest.param({"pattern": "((((a{100}){100}){100}){100})"}, "$.pattern", id="a pattern that swells"),
    pytest.param({"$ref": "#/$defs/x"}, "not a valid", id="a reference to nothing"),
    pytest.param({"$ref": "https://sluice.test/x"}, "not a valid", id="a reference elsewhere"),
    pytest.param({"$ref": "file:///etc/passwd"}, "not a valid", id="a reference to a file"),
    pytest.param({"$id": "https://sluice.test/a", "$ref": "b"}, "not a valid", id="a base elsewhere"),
    pytest.param({"$schema": "https://sluice.test/x"}, "`$schema`", id="a metaschema elsewhere"),
    pytest.param({"$schema": 3}, "`$schema`", id="a metaschema that is none"),
    pytest.param({"properties": {"a": {"$id": "x:y"}}}, "`$id`", id="another base inside"),
    pytest.param(
        {"allOf": [{"pattern": str(at)} for at in range(101)]}, "patterns", id="a flood of patterns"
    ),
    pytest.param({"maximum": float("inf")}, "$.maximum", id="1e400"),
]


@pytest.mark.parametrize(("schema", "why"), BAD)
def test_what_cannot_be_held_to_is_refused(schema: Json, why: str) -> None:
    with pytest.raises(BadSchema) as refused:
        Schema(schema)
    assert why in str(refused.value)


def doubling(steps: int) -> Json:
    """Each part is met twice as often as the one before."""
    parts = {f"a{at}": {"anyOf": [{"$ref": f"#/$defs/a{at + 1}"}] * 2} for at in range(steps)}
    return {"$ref": "#/$defs/a0", "$defs": {**parts, f"a{steps}": {"type": "string"}}}


def nested(depth: int) -> Json:
    value: Json = {}
    for _ in range(depth):
        value = {"c": value}
    return value


BOMBS = [
    pytest.param(
        {**doubling(15), "$defs": {**doubling(15)["$defs"], "a15": {"pattern": "b$"}}},
        "a" * 1_000_000,
        id="a long text, again and again",
    ),
    pytest.param(doubling(60), 1, id="a schema that doubles"),
    pytest.param({"properties": {"c": {"anyOf": [{"$ref": "#"}] * 2}}}, nested(60), id="at each level"),
    pytest.param(
        {"$defs": {"x": {"$anchor": "y", "allOf": [{"$ref": "#y"}] * 2}}, "$ref": "#y"}, 1, id="inside itself"
    ),
    pytest.param({"$ref": "#"}, 1, id="nothing but itself"),
    pytest.param({"patternProperties": {"": {"anyOf": [{"$ref": "#"}] * 2}}}, nested(60), id="by pattern"),
    pytest.param(
        {"pattern": r"^(?=a)((a+)+)+\1$"}, "a" * 100_000 + "!", id="a pattern that would go back for ever"
    ),
    pytest.param({"pattern": "^(a+)+$"}, "a" * 1_000_000 + "!", id="the usual pattern"),
    pytest.param(
        {"anyOf": [{"type": "string", "title": str(at)} for at in range(1500)]},
        {"a": ["x" * 10] * 10_000},
        id="an error for each branch, each with the answer in it",
    ),
    pytest.param(
        {"items": {"enum": [{"a": at} for at in range(4000)]}},
        [{"a": 3999}] * 100_000,
        id="a long choice for each of many items",
    ),
    pytest.param(
        {"items": {"anyOf": [{"required": [f"a{at}"]} for at in range(2500)]}},
        [{"a2499": 1}] * 100_000,
        id="many branches for each of many items",
    ),
    pytest.param({}, json.loads("[" * 900 + "]" * 900), id="an answer nested 900 deep"),
]


@pytest.mark.parametrize(("schema", "value"), BOMBS)
def test_what_would_take_for_ever_is_a_mismatch_in_a_moment(schema: Json, value: Any) -> None:
    assert Schema(schema).mismatch(value)


@given(
    st.recursive(st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=30)
)
def test_what_is_told_is_short_whatever_the_names_are(value: Any) -> None:
    deep: Json = {"additionalProperties": {"$ref": "#"}, "type": "object", "maxProperties": 0}
    found = Schema(deep).mismatch(value)
    assert found is None or len(found) <= 2 * LONGEST


def test_the_library_is_not_imported_before_a_schema_comes() -> None:
    program = (
        "import sys, handler.main\n"
        "assert 'handler.structured' not in sys.modules\n"
        "import handler.structured as structured\n"
        "for kind in ({'type': 'text'}, {'type': 'json_object'}):\n"
        "    structured.wanted({'response_format': kind})\n"
        "before = 'jsonschema_rs' in sys.modules\n"
        "schema = {'name': 'a', 'schema': {}}\n"
        "structured.wanted({'response_format': {'type': 'json_schema', 'json_schema': schema}})\n"
        "print(before, 'jsonschema_rs' in sys.modules)\n"
    )
    root = Path(__file__).parent.parent.parent
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == ["False", "True"]
