"""Tests of handler/providers/google/schema.py."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handler.errors import Json
from handler.providers.google.schema import gemini_schema
from tests.handler.providers.google.gemini import translate


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        pytest.param(
            {"$schema": "x", "type": "object"}, {"type": "object"}, id="unsupported keywords are left out"
        ),
        pytest.param({"const": "a"}, {"enum": ["a"]}, id="const"),
        pytest.param({"const": True}, {"type": "boolean"}, id="const of a boolean"),
        pytest.param(
            {"type": ["string", "null"], "enum": ["a", None]},
            {"anyOf": [{"enum": ["a"], "type": "string"}, {"type": "null"}]},
            id="enum with null",
        ),
        pytest.param(
            {"enum": ["a", 1, True, None]},
            {"anyOf": [{"enum": ["a", 1]}, {"type": "boolean"}, {"type": "null"}]},
            id="enum with several types",
        ),
        pytest.param({"const": {"a": 1}}, {"type": "object"}, id="const of an object"),
        pytest.param(
            {"type": "string", "nullable": True},
            {"type": ["string", "null"]},
            id="OpenAPI's nullable",
        ),
        pytest.param(
            {"oneOf": [{"type": "string"}, {"not": {}}]}, {"anyOf": [{"type": "string"}, {}]}, id="oneOf"
        ),
        pytest.param(
            {"type": "integer", "exclusiveMinimum": 3},
            {"type": "integer", "minimum": 4},
            id="an exclusive bound of integers",
        ),
        pytest.param({"exclusiveMaximum": 3.5}, {"maximum": 3.5}, id="an exclusive bound of numbers"),
        pytest.param(
            {"exclusiveMinimum": True, "minimum": 3}, {"minimum": 3}, id="an exclusive bound of draft 4"
        ),
        pytest.param(
            {
                "allOf": [{"properties": {"a": {}}, "required": ["a"]}],
                "properties": {"b": {}},
                "required": ["b"],
            },
            {"properties": {"a": {}, "b": {}}, "required": ["a", "b"]},
            id="allOf is merged",
        ),
        pytest.param(
            {"allOf": [{"$ref": "#/$defs/a"}], "description": "x"},
            {"$ref": "#/$defs/a"},
            id="allOf with one reference",
        ),
        pytest.param(
            {"properties": {"default": {"type": "string"}, "$ref": {"const": 1}, "title": {}}},
            {"properties": {"default": {"type": "string"}, "$ref": {"enum": [1]}, "title": {}}},
            id="properties with the names of keywords",
        ),
        pytest.param({"properties": []}, {"properties": {}}, id="empty properties as PHP writes them"),
        pytest.param(
            {"required": ["a"], "properties": {}},
            {"properties": {}},
            id="required properties that are not listed",
        ),
        pytest.param({"items": [{"const": 1}]}, {"prefixItems": [{"enum": [1]}]}, id="items as a list"),
        pytest.param(
            {"$ref": "#/definitions/a", "definitions": {"a": {"const": 1}}},
            {"$ref": "#/$defs/a", "$defs": {"a": {"enum": [1]}}},
            id="definitions",
        ),
        pytest.param(
            {"additionalProperties": {"pattern": "x"}},
            {"additionalProperties": {}},
            id="additionalProperties as a schema",
        ),
        pytest.param(
            {"additionalProperties": False}, {"additionalProperties": False}, id="additionalProperties: false"
        ),
        pytest.param(None, {"type": "object"}, id="no schema"),
    ],
)
def test_a_schema_is_translated(schema: Any, expected: Json) -> None:
    before = json.dumps(schema)
    assert gemini_schema(schema) == expected
    assert json.dumps(schema) == before


@pytest.mark.parametrize(("most", "kept"), [(480, True), (481, False)])
def test_max_items_are_left_out_if_their_sum_is_too_large(most: int, kept: bool) -> None:
    bounded = {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": most}
    named = {"type": "object", "properties": {"a": bounded, "maxItems": {"type": "integer"}}}
    tools = [{"type": "function", "function": {"name": name, "parameters": named}} for name in "ab"]
    declared = translate({"tools": tools})[0]["tools"][0]["functionDeclarations"]
    assert ["maxItems" in one["parametersJsonSchema"]["properties"]["a"] for one in declared] == [kept] * 2
    assert "maxItems" in declared[0]["parametersJsonSchema"]["properties"], (
        "a property may be called maxItems"
    )


def test_a_cycle_of_required_properties_becomes_optional() -> None:
    found = gemini_schema(cyclic(3))
    required = [len(one.get("required", ())) for one in found["$defs"].values()]
    assert sum(required) == 3, "only properties that close a cycle become optional"
    assert gemini_schema({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}) == {
        "type": "object",
        "properties": {"a": {"$ref": "#"}},
    }
    finite = {
        "type": "object",
        "properties": {"a": {"type": "array", "items": {"$ref": "#"}}},
        "required": ["a"],
    }
    assert gemini_schema(finite) == finite


def cyclic(count: int) -> Json:
    """Each definition requires every other one."""
    names = [f"d{at}" for at in range(count)]
    each = {
        "type": "object",
        "properties": {name: {"$ref": f"#/$defs/{name}"} for name in names},
        "required": names,
    }
    return {"$ref": "#/$defs/d0", "$defs": dict.fromkeys(names, each)}
