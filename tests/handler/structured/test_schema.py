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

from handler.structured.schema import LONGEST, BadSchema, Schema

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
    pytest.param({"items": {"$ref": "#/%24defs/%73"}, "$defs": {"s": {}}}, [1], id="needless escapes"),
    pytest.param(
        {"items": {"$ref": "#/$defs/t/anyOf/1"}, "$defs": {"t": {"anyOf": [False, {"type": "integer"}]}}},
        [1],
        id="a reference into a list",
    ),
    pytest.param(
        {"properties": {"$ref": {"type": "integer"}, "$id": {}, "const": {"$ref": "#/properties/$id"}}},
        {"$ref": 1, "const": "a"},
        id="properties named as words are",
    ),
    pytest.param({"$id": "https://sluice.test/a", "$ref": "#/$defs/b", "$defs": {"b": {}}}, 1, id="a base"),
    pytest.param(
        {
            "default": {"$anchor": "a"},
            "examples": [{"$id": "b:c"}],
            "$ref": "#a",
            "$defs": {"a": {"$anchor": "a"}},
        },
        1,
        id="an anchor inside a default counts for nothing",
    ),
    pytest.param(
        {"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False}, {"a": 1}, id="unevaluated"
    ),
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


def doubling(steps: int) -> Json:
    """Each part is met twice as often as the one before."""
    parts = {f"a{at}": {"anyOf": [{"$ref": f"#/$defs/a{at + 1}"}] * 2} for at in range(steps)}
    return {"$ref": "#/$defs/a0", "$defs": {**parts, f"a{steps}": {"type": "string"}}}


def unevaluated(depth: int) -> Json:
    return {"allOf": [unevaluated(depth - 1)], "unevaluatedProperties": {"type": "null"}} if depth else {}


def spelled(reference: str) -> Json:
    """A schema with a list of two, and things that are no schemas."""
    beside = {"const": [{}], "examples": [{"$anchor": "here"}], "x-mine": {"a": {}}}
    return {"items": {"$ref": reference}, "prefixItems": [{}, {"type": "string"}], **beside}


BAD = [
    pytest.param({"type": "strin"}, "not a valid JSON Schema at $.type", id="a type nobody knows"),
    pytest.param({"properties": {"a": {"required": "x"}}}, "$.properties.a.required", id="deep inside"),
    pytest.param({"pattern": "("}, "$.pattern", id="a pattern that is none"),
    pytest.param({"pattern": "((((a{100}){100}){100}){100})"}, "$.pattern", id="a pattern that swells"),
    pytest.param({"$ref": "#/$defs/x"}, "points to nothing", id="a reference to nothing"),
    pytest.param({"$ref": "https://sluice.test/x"}, "only into the schema", id="a reference elsewhere"),
    pytest.param({"$ref": "file:///etc/passwd"}, "only into the schema", id="a reference to a file"),
    pytest.param({"$id": "https://sluice.test/a", "$ref": "b"}, "only into", id="a base elsewhere"),
    pytest.param({"$ref": ["#"]}, "only into", id="a reference that is a list"),
    pytest.param({"$ref": "#/%ff"}, "UTF-8", id="a reference that is no text"),
    pytest.param(spelled("#/prefixItems/+1"), "points to nothing", id="an index with a sign"),
    pytest.param(spelled("#/prefixItems/01"), "points to nothing", id="an index with a zero before it"),
    pytest.param(spelled("#/prefixItems/\u0661"), "points to nothing", id="an index in Arabic digits"),
    pytest.param(spelled("#/prefixItems/-"), "points to nothing", id="the item behind the last"),
    pytest.param(spelled("#/prefixItems/2"), "points to nothing", id="an index out of range"),
    pytest.param(spelled("#/prefixItems"), "points to nothing", id="a list of schemas"),
    pytest.param(spelled("#/const/0"), "points to nothing", id="a reference into data"),
    pytest.param(spelled("#/examples/0"), "points to nothing", id="a reference into examples"),
    pytest.param(spelled("#/x-mine/a"), "points to nothing", id="a reference into an unknown word"),
    pytest.param(spelled("#here"), "points to nothing", id="an anchor inside examples"),
    pytest.param(spelled("prefixItems/0"), "only into", id="a reference without its sign"),
    pytest.param({"enum": [{"$anchor": "a"}]}, "may not stand in `enum`", id="an anchor inside a choice"),
    pytest.param({"const": [[{"$id": "a:b"}]]}, "may not stand in `const`", id="a base inside a constant"),
    pytest.param({"items": {"$dynamicRef": "#a"}}, "`$dynamicRef`", id="a dynamic reference"),
    pytest.param({"items": {"$recursiveRef": "#"}}, "`$recursiveRef`", id="a recursive reference"),
    pytest.param(
        {"allOf": [{"$anchor": "a"}, {"$dynamicAnchor": "a"}]}, "no other part has", id="an anchor twice"
    ),
    pytest.param({"$anchor": "/a"}, "has to be a name", id="an anchor that looks like a pointer"),
    pytest.param({"$ref": "#"}, "leads back", id="nothing but itself"),
    pytest.param(
        {"$defs": {"x": {"$anchor": "y", "allOf": [{"$ref": "#y"}] * 2}}, "$ref": "#y"},
        "leads back",
        id="inside itself",
    ),
    pytest.param(
        {"$defs": {"x" * 30_000: {"$anchor": "y"}}, "anyOf": [{"$ref": "#y"}] * 20},
        "too long",
        id="short anchors for long pointers",
    ),
    pytest.param(unevaluated(20), "too much", id="what is unevaluated inside what is, again and again"),
    pytest.param(
        {**doubling(20), "unevaluatedProperties": False}, "too much", id="what is unevaluated of what doubles"
    ),
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
    pytest.param({"pattern": "(?=a)[ab]*c"}, "a" * 100_000, id="a pattern that looks ahead everywhere"),
    pytest.param({"pattern": "[ab]*a[ab]{300}c"}, "ab" * 100_000, id="a pattern in many states at once"),
    pytest.param(
        {"allOf": [{"uniqueItems": True, "title": str(at)} for at in range(1000)]},
        list(range(100_000)),
        id="distinct items, again and again",
    ),
    pytest.param(
        {"$defs": {"c": {"const": ["ab"] * 5000}}, "items": {"anyOf": [{"$ref": "#/$defs/c"}] * 100}},
        [["ab"] * 4999 + ["a"]] * 100,
        id="a long constant, again and again",
    ),
    pytest.param(
        {"patternProperties": {f"b{at}(?=c)": {} for at in range(100)}, "maxProperties": 0},
        {"a" * 100_000: 1},
        id="many patterns for a long name",
    ),
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
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == ["False", "True"]
