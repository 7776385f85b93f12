"""Tests of handler/structured/schema.py: schemas and answers that are hostile cost little."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import Json
from handler.structured.schema import MAX_DESCRIPTION, BadSchema, Schema

PRICES = {"properties": {"items": {"type": "array", "items": {"properties": {"price": {"type": "number"}}}}}}
TREE = {"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}}
MISMATCHES = [
    pytest.param(
        PRICES, {"items": [{}, {"price": "x"}]}, "$.items[1].price: expected number", id="another type"
    ),
    pytest.param({"required": ["a"]}, {"secret": 1}, '$: "a" is missing', id="a missing property"),
    pytest.param({"enum": ["a", 1]}, "secret", '$: expected one of ["a", 1]', id="another value"),
    pytest.param({"const": {"a": 1}}, "secret", '$: expected {"a": 1}', id="another constant"),
    pytest.param(
        {"properties": {"a b": {"maxLength": 3}}}, {"a b": "secret"}, '$["a b"]: ', id="a long string"
    ),
    pytest.param(
        {"additionalProperties": False},
        {"secret": 1},
        "$: something is here that may not be",
        id="no properties allowed",
    ),
    pytest.param(
        {"properties": {"a": {}}, "additionalProperties": False},
        {"secret": 1},
        "$: has properties that may not be here",
        id="another property",
    ),
    pytest.param({"anyOf": [{"type": "null"}]}, "secret", "$: `anyOf` does not hold", id="no branch"),
    pytest.param({"pattern": "^x"}, "secret", '$: `pattern` "^x" does not hold', id="a pattern"),
    pytest.param(TREE, {"left": {"right": 3}}, "$.left.right: expected object", id="a recursive schema"),
    pytest.param({"type": "integer"}, True, "$: expected integer", id="a boolean is not a number"),
]


@pytest.mark.parametrize(("schema", "value", "expected"), MISMATCHES)
def test_a_mismatch_has_its_path_and_quotes_nothing_of_the_answer(
    schema: Json, value: Any, expected: str
) -> None:
    mismatch = Schema(schema).find_mismatch(value)
    assert mismatch is not None
    assert mismatch.startswith(expected)
    assert "secret" not in mismatch


VALID = [
    pytest.param(TREE, {"left": {"right": {}}}, id="a tree"),
    pytest.param({"type": "integer"}, 1.0, id="an integral float is an integer"),
    pytest.param({"type": "string", "format": "date"}, "never", id="a format is not validated"),
    pytest.param({"type": "string", "title": "\ud800"}, "\ud800", id="half a surrogate pair"),
    pytest.param({"pattern": r"^(?!a)\w+$"}, "b", id="look-ahead"),
    pytest.param({"nullable": True, "x-mine": 1}, 3, id="unknown keywords"),
    pytest.param(
        {"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "string"}]},
        ["a"],
        id="draft 7",
    ),
    pytest.param({"$defs": {"s": {"$anchor": "s", "type": "string"}}, "$ref": "#s"}, "a", id="an anchor"),
    pytest.param({"items": {"$ref": "#/$defs/a~1b%25"}, "$defs": {"a/b%": {}}}, [1], id="an escaped pointer"),
    pytest.param(
        {"items": {"$ref": "#/%24defs/%73"}, "$defs": {"s": {}}}, [1], id="a pointer with needless escapes"
    ),
    pytest.param(
        {"items": {"$ref": "#/$defs/t/anyOf/1"}, "$defs": {"t": {"anyOf": [False, {"type": "integer"}]}}},
        [1],
        id="a reference into a list",
    ),
    pytest.param(
        {"properties": {"$ref": {"type": "integer"}, "$id": {}, "const": {"$ref": "#/properties/$id"}}},
        {"$ref": 1, "const": "a"},
        id="properties named like keywords",
    ),
    pytest.param({"$id": "https://sluice.test/a", "$ref": "#/$defs/b", "$defs": {"b": {}}}, 1, id="an `$id`"),
    pytest.param(
        {
            "default": {"$anchor": "a"},
            "examples": [{"$id": "b:c"}],
            "$ref": "#a",
            "$defs": {"a": {"$anchor": "a"}},
        },
        1,
        id="an anchor inside a default is ignored",
    ),
    pytest.param(
        {"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False},
        {"a": 1},
        id="unevaluated properties",
    ),
    pytest.param({"items": {"$ref": "#/$defs/s"}, "$defs": {"s": {}}}, [1] * 50_000, id="a long list"),
    pytest.param(
        {"items": {"properties": {name: {"enum": [0, 1, 2]} for name in "abcde"}}},
        [dict.fromkeys("abcde", 1)] * 20_000,
        id="a table of a hundred thousand fields",
    ),
]


@pytest.mark.parametrize(("schema", "value"), VALID)
def test_a_valid_answer_has_no_mismatch(schema: Json, value: Any) -> None:
    assert Schema(schema).find_mismatch(value) is None


def doubling(steps: int) -> Json:
    """Returns a schema in which each definition is visited twice as often as the one before."""
    parts = {f"a{at}": {"anyOf": [{"$ref": f"#/$defs/a{at + 1}"}] * 2} for at in range(steps)}
    return {"$ref": "#/$defs/a0", "$defs": {**parts, f"a{steps}": {"type": "string"}}}


def unevaluated(depth: int) -> Json:
    return {"allOf": [unevaluated(depth - 1)], "unevaluatedProperties": {"type": "null"}} if depth else {}


def with_reference(reference: str) -> Json:
    """Returns a schema with a list of two subschemas, and values that are not schemas."""
    not_schemas = {"const": [{}], "examples": [{"$anchor": "here"}], "x-mine": {"a": {}}}
    return {"items": {"$ref": reference}, "prefixItems": [{}, {"type": "string"}], **not_schemas}


INVALID = [
    pytest.param({"type": "strin"}, "not a valid JSON Schema at $.type", id="an unknown type"),
    pytest.param({"properties": {"a": {"required": "x"}}}, "$.properties.a.required", id="an inner schema"),
    pytest.param({"pattern": "("}, "$.pattern", id="an invalid pattern"),
    pytest.param(
        {"pattern": "((((a{100}){100}){100}){100})"}, "$.pattern", id="a pattern that compiles to too much"
    ),
    pytest.param({"$ref": "#/$defs/x"}, "not a schema", id="a reference to nothing"),
    pytest.param({"$ref": "https://sluice.test/x"}, "only into the schema", id="a reference to a URL"),
    pytest.param({"$ref": "file:///etc/passwd"}, "only into the schema", id="a reference to a file"),
    pytest.param({"$id": "https://sluice.test/a", "$ref": "b"}, "only into", id="a reference below an `$id`"),
    pytest.param({"$ref": ["#"]}, "only into", id="a reference that is a list"),
    pytest.param({"$ref": "#/%ff"}, "UTF-8", id="a reference that is not UTF-8"),
    pytest.param(with_reference("#/prefixItems/+1"), "not a schema", id="an index with a sign"),
    pytest.param(with_reference("#/prefixItems/01"), "not a schema", id="an index with a leading zero"),
    pytest.param(with_reference("#/prefixItems/\u0661"), "not a schema", id="an index in Arabic digits"),
    pytest.param(with_reference("#/prefixItems/-"), "not a schema", id="the index after the last"),
    pytest.param(with_reference("#/prefixItems/2"), "not a schema", id="an index out of range"),
    pytest.param(with_reference("#/prefixItems"), "not a schema", id="a list of schemas"),
    pytest.param(with_reference("#/const/0"), "not a schema", id="a reference into data"),
    pytest.param(with_reference("#/examples/0"), "not a schema", id="a reference into examples"),
    pytest.param(with_reference("#/x-mine/a"), "not a schema", id="a reference into an unknown keyword"),
    pytest.param(with_reference("#here"), "not a schema", id="an anchor inside examples"),
    pytest.param(with_reference("prefixItems/0"), "only into", id="a reference without `#`"),
    pytest.param({"enum": [{"$anchor": "a"}]}, "not allowed in `enum`", id="an anchor in an enum"),
    pytest.param({"const": [[{"$id": "a:b"}]]}, "not allowed in `const`", id="an `$id` in a const"),
    pytest.param({"items": {"$dynamicRef": "#a"}}, "`$dynamicRef`", id="a dynamic reference"),
    pytest.param({"items": {"$recursiveRef": "#"}}, "`$recursiveRef`", id="a recursive reference"),
    pytest.param({"allOf": [{"$anchor": "a"}, {"$dynamicAnchor": "a"}]}, "used once", id="an anchor twice"),
    pytest.param({"$anchor": "/a"}, "must be a name", id="an anchor that looks like a pointer"),
    pytest.param({"$ref": "#"}, "leads back", id="a reference to itself"),
    pytest.param(
        {"$defs": {"x": {"$anchor": "y", "allOf": [{"$ref": "#y"}] * 2}}, "$ref": "#y"},
        "leads back",
        id="an anchor that contains a reference to itself",
    ),
    pytest.param(
        {"$defs": {"x" * 30_000: {"$anchor": "y"}}, "anyOf": [{"$ref": "#y"}] * 20},
        "too long",
        id="short anchors for long pointers",
    ),
    pytest.param(unevaluated(20), "too many", id="nested `unevaluatedProperties`"),
    pytest.param(
        {**doubling(20), "unevaluatedProperties": False},
        "too many",
        id="`unevaluatedProperties` above doubling references",
    ),
    pytest.param({"$schema": "https://sluice.test/x"}, "`$schema`", id="an unknown `$schema`"),
    pytest.param({"$schema": 3}, "`$schema`", id="a `$schema` that is a number"),
    pytest.param({"properties": {"a": {"$id": "x:y"}}}, "`$id`", id="an `$id` below the root"),
    pytest.param({"allOf": [{"pattern": str(at)} for at in range(101)]}, "patterns", id="101 patterns"),
    pytest.param({"maximum": float("inf")}, "$.maximum", id="1e400"),
]


@pytest.mark.parametrize(("schema", "message"), INVALID)
def test_an_invalid_schema_is_refused(schema: Json, message: str) -> None:
    with pytest.raises(BadSchema) as error:
        Schema(schema)
    assert message in str(error.value)


def nested(depth: int) -> Json:
    value: Json = {}
    for _ in range(depth):
        value = {"c": value}
    return value


EXPENSIVE = [
    pytest.param(
        {**doubling(15), "$defs": {**doubling(15)["$defs"], "a15": {"pattern": "b$"}}},
        "a" * 1_000_000,
        id="a long string and doubling references",
    ),
    pytest.param(doubling(60), 1, id="60 doubling references"),
    pytest.param(
        {"properties": {"c": {"anyOf": [{"$ref": "#"}] * 2}}}, nested(60), id="two references at each level"
    ),
    pytest.param({"pattern": "(?=a)[ab]*c"}, "a" * 100_000, id="a pattern with look-ahead"),
    pytest.param({"pattern": "[ab]*a[ab]{300}c"}, "ab" * 100_000, id="a pattern with many states"),
    pytest.param(
        {"allOf": [{"uniqueItems": True, "title": str(at)} for at in range(1000)]},
        list(range(100_000)),
        id="many times unique items",
    ),
    pytest.param(
        {"$defs": {"c": {"const": ["ab"] * 5000}}, "items": {"anyOf": [{"$ref": "#/$defs/c"}] * 100}},
        [["ab"] * 4999 + ["a"]] * 100,
        id="many times a long constant",
    ),
    pytest.param(
        {"patternProperties": {f"b{at}(?=c)": {} for at in range(100)}, "maxProperties": 0},
        {"a" * 100_000: 1},
        id="many patterns for a long name",
    ),
    pytest.param(
        {"patternProperties": {"": {"anyOf": [{"$ref": "#"}] * 2}}},
        nested(60),
        id="two references for each name",
    ),
    pytest.param(
        {"pattern": r"^(?=a)((a+)+)+\1$"}, "a" * 100_000 + "!", id="a pattern with a back reference"
    ),
    pytest.param({"pattern": "^(a+)+$"}, "a" * 1_000_000 + "!", id="nested repetition"),
    pytest.param(
        {"anyOf": [{"type": "string", "title": str(at)} for at in range(1500)]},
        {"a": ["x" * 10] * 10_000},
        id="an error for each of many branches",
    ),
    pytest.param(
        {"items": {"enum": [{"a": at} for at in range(4000)]}},
        [{"a": 3999}] * 100_000,
        id="a long enum for each of many items",
    ),
    pytest.param(
        {"items": {"anyOf": [{"required": [f"a{at}"]} for at in range(2500)]}},
        [{"a2499": 1}] * 100_000,
        id="many branches for each of many items",
    ),
    pytest.param({}, json.loads("[" * 900 + "]" * 900), id="an answer nested 900 deep"),
]


@pytest.mark.parametrize(("schema", "value"), EXPENSIVE)
def test_a_validation_that_would_take_too_long_is_a_mismatch(schema: Json, value: Any) -> None:
    assert Schema(schema).find_mismatch(value)


@given(
    st.recursive(st.text() | st.integers(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=30)
)
def test_the_description_of_a_mismatch_is_short(value: Any) -> None:
    deep: Json = {"additionalProperties": {"$ref": "#"}, "type": "object", "maxProperties": 0}
    mismatch = Schema(deep).find_mismatch(value)
    assert mismatch is None or len(mismatch) <= 2 * MAX_DESCRIPTION


def test_jsonschema_is_not_imported_before_the_first_schema() -> None:
    program = (
        "import sys, handler.main\n"
        "assert 'handler.structured.modes' not in sys.modules\n"
        "import handler.structured.modes as structured\n"
        "for kind in ({'type': 'text'}, {'type': 'json_object'}):\n"
        "    structured.output_contract({'response_format': kind})\n"
        "before = 'jsonschema_rs' in sys.modules\n"
        "schema = {'name': 'a', 'schema': {}}\n"
        "structured.output_contract({'response_format': {'type': 'json_schema', 'json_schema': schema}})\n"
        "print(before, 'jsonschema_rs' in sys.modules)\n"
    )
    root = Path(__file__).parents[3]
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == ["False", "True"]
