"""Samples of JSON schemas."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest

from handler.local.demo.schema_sample import sample

NEXT = {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}
NODE = {"type": "object", "required": ["next"], "properties": {"next": NEXT}}
TREE = {
    "type": "object",
    "required": ["all"],
    "properties": {"all": {"type": "array", "items": {"$ref": "#"}}},
}
NAMED = {"a": {"$ref": "#/$defs/b"}, "b": {"const": 3}}
ONE = {"properties": {"a": {"const": 1}}, "required": ["a"]}
OTHER = {"type": "object", "required": ["b"]}
INTEGERS = {"type": "array", "items": {"type": "integer"}}


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"type": "string", "minLength": 9, "maxLength": 10}, id="a text of some length"),
        pytest.param({"type": "string", "maxLength": 2}, id="a short text"),
        pytest.param({"type": "string", "format": "date-time"}, id="a text of some format"),
        pytest.param({"type": "integer", "minimum": 7}, id="a least integer"),
        pytest.param({"type": "integer", "exclusiveMinimum": 7}, id="an integer above"),
        pytest.param({"type": "integer", "maximum": -3}, id="a negative integer"),
        pytest.param({"type": "integer", "exclusiveMaximum": 0}, id="an integer below"),
        pytest.param({"type": "integer", "multipleOf": 5, "minimum": 11}, id="a multiple"),
        pytest.param({"type": "number", "exclusiveMinimum": 1, "exclusiveMaximum": 2}, id="a number between"),
        pytest.param({"type": "number", "minimum": 0.1, "maximum": 0.2}, id="a number in narrow bounds"),
        pytest.param({"type": "number", "multipleOf": 0.25, "minimum": 1}, id="a multiple of a fraction"),
        pytest.param({"type": "boolean"}, id="a boolean"),
        pytest.param({"type": "null"}, id="null"),
        pytest.param({"enum": ["b", "a"]}, id="one of a list"),
        pytest.param({"const": {"x": [1]}}, id="one value only"),
        pytest.param({"type": ["integer", "null"]}, id="one of several types"),
        pytest.param({**INTEGERS, "minItems": 3}, id="a list of some length"),
        pytest.param({**INTEGERS, "maxItems": 0}, id="an empty list"),
        pytest.param({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "null"}]}, id="a tuple"),
        pytest.param({"type": "object", "minProperties": 2}, id="an object of some size"),
        pytest.param({"type": "object", "required": ["a"]}, id="a member without a schema"),
        pytest.param({"properties": {"a": {"type": "null"}}, "required": ["a"]}, id="an omitted type"),
        pytest.param({"anyOf": [{"type": "integer"}, {"type": "string"}]}, id="the first of some"),
        pytest.param({"oneOf": [{"const": 1}, {"const": 2}]}, id="exactly one of some"),
        pytest.param({"allOf": [ONE, OTHER]}, id="all of some"),
        pytest.param({"$ref": "#/$defs/a~1b", "$defs": {"a/b": INTEGERS}}, id="an escaped reference"),
        pytest.param({"$ref": "#/$defs/a", "$defs": NAMED}, id="two references"),
        pytest.param({"$ref": "#/$defs/node", "$defs": {"node": NODE}}, id="a recursive schema with an end"),
        pytest.param(TREE, id="a recursive list"),
        pytest.param({}, id="anything"),
        pytest.param(True, id="anything at all"),
    ],
)
def test_a_sample_is_valid(schema: Any) -> None:
    importlib.import_module("jsonschema").validate(sample(schema), schema)


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param(False, id="nothing is valid"),
        pytest.param({"$ref": "#"}, id="a reference to itself"),
        pytest.param({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}, id="endless"),
        pytest.param({"$ref": "#/$defs/missing"}, id="a reference to nothing"),
        pytest.param({"type": "integer", "minimum": 3, "maximum": 1}, id="bounds in the wrong order"),
        pytest.param({"type": "number", "minimum": float("inf")}, id="an infinite bound"),
        pytest.param({"type": "number", "multipleOf": 0}, id="multiples of nothing"),
        pytest.param({"type": "string", "minLength": "many"}, id="a bound that is not a number"),
        pytest.param({"type": 7, "enum": [], "allOf": {}, "required": "a"}, id="wrong types everywhere"),
        pytest.param({"type": "array", "minItems": 10**12}, id="an enormous list"),
    ],
)
def test_a_schema_without_valid_values_has_a_sample(schema: Any) -> None:
    json.dumps(sample(schema))
