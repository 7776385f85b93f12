"""Schemas in the subset of Anthropic and Bedrock, and parameters of tools as objects."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handler.errors import Json
from handler.providers.content_blocks.schema import LIMITS, supported_schema
from handler.providers.content_blocks.tool_parameters import object_schema

TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
NAMED = {"type": "object", "properties": {"a": TEXT}, "required": ["a"]}
TREE = {"type": "object", "properties": {"left": {"$ref": "#/$defs/tree"}}}
CLOSED = {"additionalProperties": False}


def objects(*fields: str, **more: Any) -> Json:
    return {"type": "object", "properties": dict.fromkeys(fields, TEXT), **more}


SUPPORTED = [
    pytest.param(
        objects("default", "title", "not", "type", "minimum"),
        {**objects("default", "title", "not", "type", "minimum"), **CLOSED},
        id="properties named like keywords",
    ),
    pytest.param(
        {"type": "string", "format": "regex"},
        {"type": "string", "description": '(format: "regex")'},
        id="an unsupported format moves into the description",
    ),
    pytest.param(
        {"type": "string", "not": {"const": "a"}},
        {"type": "string", "description": '(not: {"const": "a"})'},
        id="an unsupported keyword moves into the description",
    ),
    pytest.param(
        {"type": ["object", "null"], "properties": {"a": TEXT}},
        {"type": ["object", "null"], "properties": {"a": TEXT}, **CLOSED},
        id="an object or null",
    ),
    pytest.param(
        {"$defs": {"a": NAMED, "b": TREE}, "$ref": "#/$defs/a"},
        {"$defs": {"a": {**NAMED, **CLOSED}}, "$ref": "#/$defs/a"},
        id="only the definitions in use are kept",
    ),
    pytest.param(
        {"definitions": {"a": NAMED}, "type": "array", "items": {"$ref": "#/definitions/a"}},
        {"$defs": {"a": {**NAMED, **CLOSED}}, "type": "array", "items": {"$ref": "#/$defs/a"}},
        id="`definitions` becomes `$defs`",
    ),
    pytest.param(
        {"type": "array", "items": {"oneOf": [{"const": 1}]}},
        {"type": "array", "items": {"anyOf": [{"const": 1}]}},
        id="oneOf becomes anyOf",
    ),
    pytest.param(
        {"allOf": [objects("a", required=["a"]), objects("b", required=["b"])]},
        {**objects("a", "b", required=["a", "b"]), **CLOSED},
        id="allOf is merged",
    ),
    pytest.param(
        {"$ref": "#/$defs/a", "description": "D", "$defs": {"a": {"type": "string", "description": "a"}}},
        {"type": "string", "description": "D"},
        id="a description next to a reference",
    ),
    pytest.param(
        {"allOf": [{"$ref": "#/$defs/a"}, objects("b")], "$defs": {"a": NAMED}},
        {**objects("a", "b", required=["a"]), **CLOSED},
        id="a reference in allOf is merged",
    ),
    pytest.param(
        {**objects("a", "b"), "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {
            "anyOf": [
                {**objects("a", "b", required=["a"]), **CLOSED},
                {**objects("a", "b", required=["b"]), **CLOSED},
            ]
        },
        id="keywords next to a union are merged into each alternative",
    ),
    pytest.param(
        {"type": "array", "items": [TEXT, NUMBER], "additionalItems": False},
        {
            "type": "array",
            "items": {"anyOf": [TEXT, NUMBER]},
            "description": "(prefixItems: " + json.dumps([TEXT, NUMBER]) + "; items: false)",
        },
        id="a tuple becomes a list",
    ),
    pytest.param(objects(), {**objects(), **CLOSED}, id="an object with empty properties"),
    pytest.param(
        {**objects("a"), "properties": {"a": TEXT, "b": False}},
        {**objects("a"), **CLOSED},
        id="a property that is always invalid",
    ),
    pytest.param(
        {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
        {"type": "integer", "description": "(exclusiveMinimum: 0)"},
        id="a draft 4 bound",
    ),
    pytest.param(
        {"allOf": [{"type": "number", "minimum": 1}, {"type": "integer", "minimum": 3, "maximum": 9}]},
        {"type": "integer", "description": "(minimum: 3; maximum: 9)"},
        id="the narrower of two bounds",
    ),
    pytest.param(
        {"allOf": [{"enum": ["a", "b"]}, {"type": "string", "enum": ["b", "c"]}]},
        {"enum": ["b"], "type": "string"},
        id="the values that two enums share",
    ),
]


@pytest.mark.parametrize(("schema", "expected"), SUPPORTED)
def test_supported_schemas(schema: Json, expected: Json) -> None:
    before = repr(schema)
    found = supported_schema(schema)
    assert found is not None
    assert found.schema == expected
    assert repr(schema) == before


def test_keywords_keep_their_order() -> None:
    """With another order in each process, the provider would cache neither the schema nor the prompt."""
    keywords = {"title": "T", "type": "string", "description": "D", "enum": ["a"], "default": "a"}
    for order in (list(keywords), list(reversed(keywords))):
        found = supported_schema({keyword: keywords[keyword] for keyword in order})
        assert found is not None
        assert list(found.schema) == order
    unions = {
        "description": "D",
        "anyOf": [NAMED, objects("b")],
        "oneOf": [NAMED, objects("c")],
        "default": {},
    }
    for order in (list(unions), list(reversed(unions))):
        schema = {keyword: unions[keyword] for keyword in order}
        found = supported_schema(schema)
        assert found is not None
        assert [one for one in found.schema if one != "anyOf"] == [one for one in order if "Of" not in one]
        description = object_schema(schema)["description"]
        assert (description.index("anyOf:") < description.index("oneOf:")) is (order.index("anyOf") == 1)


UNSUPPORTED = [
    pytest.param({"type": "object"}, id="an object without properties"),
    pytest.param({**NAMED, "additionalProperties": TEXT}, id="a map with properties"),
    pytest.param({"type": "object", "additionalProperties": TEXT}, id="a map"),
    pytest.param({**NAMED, "additionalProperties": True}, id="an open object"),
    pytest.param({**NAMED, "patternProperties": {"^x": TEXT}}, id="patternProperties"),
    pytest.param({**NAMED, "if": {"required": ["b"]}}, id="a condition on a property that is not listed"),
    pytest.param({**NAMED, "required": ["b"]}, id="a required property that is not listed"),
    pytest.param({}, id="any value"),
    pytest.param({"type": "array", "items": {"type": "object"}}, id="a list of objects without properties"),
    pytest.param({"properties": {"a": {}}}, id="properties without a type"),
    pytest.param({"not": {"type": "null"}}, id="only `not`"),
    pytest.param({"const": {"a": 1}}, id="an object as const"),
    pytest.param({"allOf": [{"type": "string"}, {"type": "null"}]}, id="a schema that no value matches"),
    pytest.param({"$ref": "#/$defs/tree", "$defs": {"tree": TREE}}, id="a recursive definition"),
    pytest.param({"type": "object", "properties": {"a": {"$ref": "#"}}}, id="a recursive root"),
    pytest.param({"$ref": "#/$defs/none"}, id="a reference without a target"),
    pytest.param(objects("first name"), id="a property name with a space"),
    pytest.param(objects("a" * 65), id="a property name that is too long"),
    pytest.param(objects(*map(str, range(12))), id="too many optional properties in one object"),
    pytest.param(
        {**objects(), "properties": {str(at): objects("a", "b", "c") for at in range(7)}, "required": ["0"]},
        id="too many optional properties in all objects",
    ),
    pytest.param(
        {
            **objects(required=[str(at) for at in range(17)]),
            "properties": {str(at): {"type": ["string", "null"]} for at in range(17)},
        },
        id="too many nullable properties",
    ),
]


@pytest.mark.parametrize("schema", UNSUPPORTED)
def test_unsupported_schemas(schema: Json) -> None:
    assert supported_schema(schema) is None


def test_a_schema_at_the_limit_is_supported() -> None:
    names = [str(at) for at in range(LIMITS.unions)]
    schema = {**objects(required=names), "properties": {name: {"type": ["string", "null"]} for name in names}}
    found = supported_schema(schema)
    assert found is not None
    assert found.size.unions == LIMITS.unions


ADD = {"properties": {"op": {"const": "add"}, "text": TEXT}, "required": ["op", "text"]}
DELETE = {"properties": {"op": {"const": "del"}, "line": NUMBER}, "required": ["op", "line"]}
EDIT = {
    "type": "object",
    "properties": {"op": {"enum": ["add", "del"]}, "text": TEXT, "line": NUMBER},
    "required": ["op"],
}
PARAMETERS = [
    pytest.param(None, objects(), id="no parameters"),
    pytest.param({"properties": []}, objects(), id="a list in place of an empty object"),
    pytest.param({"type": "object", "oneOf": [ADD, DELETE]}, EDIT, id="a union"),
    pytest.param(
        {"oneOf": [{"$ref": "#/$defs/add"}, {"$ref": "#/$defs/del"}], "$defs": {"add": ADD, "del": DELETE}},
        {**EDIT, "$defs": {"add": ADD, "del": DELETE}},
        id="a union of references",
    ),
    pytest.param(
        {"$ref": "#/$defs/edit", "$defs": {"edit": {"anyOf": [ADD, {"anyOf": [DELETE]}]}}},
        {**EDIT, "$defs": {"edit": {"anyOf": [ADD, {"anyOf": [DELETE]}]}}},
        id="a union inside a reference",
    ),
    pytest.param(
        {"anyOf": [{"properties": {"a": TEXT}}, {"properties": {"a": NUMBER}}, {"type": "string"}]},
        {"type": "object", "properties": {"a": {"anyOf": [TEXT, NUMBER]}}},
        id="a property of several types, and an alternative that is not an object",
    ),
    pytest.param(
        {"required": ["b"], "allOf": [objects("a", required=["a"]), {"properties": {"b": NUMBER}}]},
        {"type": "object", "properties": {"a": TEXT, "b": NUMBER}, "required": ["a", "b"]},
        id="allOf",
    ),
    pytest.param(
        {"anyOf": [{**NAMED, **CLOSED}, {**objects("b"), **CLOSED}]},
        {**objects("a", "b"), **CLOSED},
        id="a union of closed objects",
    ),
    pytest.param(
        {"$ref": "#/$defs/tree", "$defs": {"tree": TREE}},
        {**TREE, "$defs": {"tree": TREE}},
        id="a recursive definition",
    ),
    pytest.param({"$ref": "#/$defs/none"}, objects(), id="a reference without a target"),
    pytest.param({"anyOf": [{"$ref": "#"}]}, objects(), id="a union that contains itself"),
    pytest.param({"type": "string"}, objects(), id="a schema that is not an object's"),
]


@pytest.mark.parametrize(("parameters", "expected"), PARAMETERS)
def test_parameters_become_an_object(parameters: Any, expected: Json) -> None:
    found = object_schema(parameters)
    found.pop("description", None)
    assert found == expected


def test_a_union_is_described_too() -> None:
    description = object_schema({"oneOf": [ADD, DELETE], "description": "Edits."})["description"]
    assert description == f"Edits. (oneOf: {json.dumps([ADD, DELETE])})"
