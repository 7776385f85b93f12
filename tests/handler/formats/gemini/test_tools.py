"""Functions, the calling mode and Gemini's Schema."""

from __future__ import annotations

from typing import Any

import pytest

from handler.errors import Json
from handler.formats.gemini.schema import json_schema
from tests.handler.formats.gemini.bodies import FUNCTIONS, chat

NAMED = {"type": "function", "function": {"name": "f"}}
ANY_OF = [{"type": "STRING"}, {"type": "NUMBER"}]


def allowed(mode: str, *names: str) -> Json:
    tools = [{"type": "function", "function": {"name": name}} for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


@pytest.mark.parametrize(
    ("declaration", "expected"),
    [
        pytest.param({"name": "f"}, {"name": "f"}, id="a name alone"),
        pytest.param({"name": "f", "description": ""}, {"name": "f"}, id="an empty description"),
        pytest.param(
            {"name": "a.b:c-d", "description": "d"},
            {"name": "a.b:c-d", "description": "d"},
            id="a description",
        ),
        pytest.param(
            {"name": "f", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}},
            {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}},
            id="a schema of Gemini's",
        ),
        pytest.param(
            {
                "name": "f",
                "parameters_json_schema": {"type": "object", "properties": {"a": {"const": "OBJECT"}}},
            },
            {"name": "f", "parameters": {"type": "object", "properties": {"a": {"const": "OBJECT"}}}},
            id="a JSON Schema, as it is",
        ),
        pytest.param(
            {"name": "f", "parameters": {"type": "OBJECT"}},
            {"name": "f", "parameters": {"type": "object", "properties": {}}},
            id="an object without properties",
        ),
    ],
)
def test_a_declaration_is_a_function(declaration: Json, expected: Json) -> None:
    for tools in ([{"functionDeclarations": [declaration]}], {"function_declarations": declaration}):
        assert chat(tools=tools)["tools"] == [{"type": "function", "function": expected}]


@pytest.mark.parametrize(
    ("calling", "expected"),
    [
        pytest.param({}, None, id="no mode"),
        pytest.param({"mode": "MODE_UNSPECIFIED"}, None, id="an unspecified mode"),
        pytest.param({"mode": "AUTO"}, "auto", id="auto"),
        pytest.param({"mode": "auto"}, "auto", id="in lower case"),
        pytest.param({"mode": "NONE", "allowedFunctionNames": ["f"]}, "none", id="none"),
        pytest.param({"mode": "ANY"}, "required", id="any"),
        pytest.param({"mode": "ANY", "allowedFunctionNames": ["f"]}, NAMED, id="one function"),
        pytest.param(
            {"mode": "ANY", "allowed_function_names": ["f", "g"]},
            allowed("required", "f", "g"),
            id="two functions",
        ),
        pytest.param(
            {"mode": "VALIDATED", "allowedFunctionNames": ["f"]},
            allowed("auto", "f"),
            id="a choice that is optional",
        ),
    ],
)
def test_the_calling_mode_is_the_tool_choice(calling: Json, expected: Any) -> None:
    for name, inner in (("toolConfig", "functionCallingConfig"), ("tool_config", "function_calling_config")):
        assert chat(tools=FUNCTIONS, **{name: {inner: calling}}).get("tool_choice") == expected


def test_functions_are_strict_in_the_mode_that_validates() -> None:
    validated = {"functionCallingConfig": {"mode": "VALIDATED"}}
    tools = chat(tools=FUNCTIONS, toolConfig=validated)["tools"]
    assert [tool["function"]["strict"] for tool in tools] == [True, True]


def test_without_functions_a_mode_that_needs_none_is_left_out() -> None:
    for mode in ("AUTO", "NONE"):
        assert "tool_choice" not in chat(toolConfig={"functionCallingConfig": {"mode": mode}})


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        pytest.param(
            {"type": "INTEGER", "format": "int32"}, {"type": "integer", "format": "int32"}, id="a type"
        ),
        pytest.param({"type": "TYPE_UNSPECIFIED"}, {}, id="no type"),
        pytest.param({"type": ["STRING", "null"]}, {"type": ["string", "null"]}, id="types"),
        pytest.param({"type": "STRING", "nullable": True}, {"type": ["string", "null"]}, id="nullable"),
        pytest.param({"type": "STRING", "nullable": False}, {"type": "string"}, id="not nullable"),
        pytest.param(
            {"type": "STRING", "format": "enum", "enum": ["a"], "nullable": True},
            {"type": ["string", "null"], "enum": ["a", None]},
            id="a nullable enum",
        ),
        pytest.param(
            {"any_of": ANY_OF, "nullable": True},
            {"anyOf": [{"type": "string"}, {"type": "number"}, {"type": "null"}]},
            id="nullable alternatives",
        ),
        pytest.param(
            {"type": "ARRAY", "items": {"type": "STRING"}, "min_items": "1", "maxItems": 2},
            {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2},
            id="counts as text",
        ),
        pytest.param(
            {"properties": {"b": {"type": "STRING"}, "a": {}, "type": {}}, "propertyOrdering": ["a", "x", 1]},
            {"properties": {"a": {}, "b": {"type": "string"}, "type": {}}},
            id="the order of properties, of which one is called like a keyword",
        ),
        pytest.param(
            {"ref": "#/defs/a", "defs": {"a": {"type": "BOOLEAN"}}},
            {"$ref": "#/$defs/a", "$defs": {"a": {"type": "boolean"}}},
            id="references",
        ),
        pytest.param(
            {"example": 1, "x-own": {"type": "STRING"}},
            {"examples": [1], "x-own": {"type": "STRING"}},
            id="others",
        ),
        pytest.param(
            {"additionalProperties": {"type": "STRING"}, "not": True},
            {"additionalProperties": {"type": "string"}, "not": True},
            id="schemas that are booleans",
        ),
        pytest.param(
            {"type": 1, "enum": None, "properties": 2},
            {"type": 1, "enum": None, "properties": 2},
            id="wrong types",
        ),
    ],
)
def test_a_schema_becomes_a_json_schema(schema: Json, expected: Json) -> None:
    assert json_schema(schema) == expected
    if (order := schema.get("propertyOrdering")) is not None:
        assert next(iter(json_schema(schema)["properties"])) == order[0]
