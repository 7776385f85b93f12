"""Tests of handler/providers/schemas/drafts.py."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest

from handler.errors import Json
from handler.providers.schemas.drafts import to_2020_12
from tests.handler.providers.schemas.strategies import fits

DRAFT_4 = "http://json-schema.org/draft-04/schema#"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
DRAFT_2019 = "https://json-schema.org/draft/2019-09/schema"
OLD = [
    pytest.param(
        {"$schema": DRAFT_4, "minimum": 0, "exclusiveMinimum": True, "maximum": 5, "exclusiveMaximum": False},
        {"exclusiveMinimum": 0, "maximum": 5},
        [0, 0.5, 5, 6],
        id="bounds of draft 4",
    ),
    pytest.param(
        {"$schema": DRAFT_4, "id": "http://x/", "properties": {"id": {"type": "string"}}},
        {"$id": "http://x/", "properties": {"id": {"type": "string"}}},
        [{"id": "a"}, {"id": 1}],
        id="an id, and a property called id",
    ),
    pytest.param(
        {
            "$schema": DRAFT_7,
            "definitions": {"a": {"$id": "#a", "type": "string"}},
            "properties": {"definitions": {"$ref": "#/definitions/a"}, "b": {"$ref": "#a"}},
        },
        {
            "$defs": {"a": {"$anchor": "a", "type": "string"}},
            "properties": {"definitions": {"$ref": "#/$defs/a"}, "b": {"$ref": "#a"}},
        },
        [{"definitions": "x", "b": "y"}, {"definitions": 1}, {"b": 1}],
        id="definitions, and a property called definitions",
    ),
    pytest.param(
        {
            "$schema": DRAFT_7,
            "items": [{"type": "string"}, {"$ref": "#/items/0"}],
            "additionalItems": {"type": "null"},
        },
        {"prefixItems": [{"type": "string"}, {"$ref": "#/prefixItems/0"}], "items": {"type": "null"}},
        [["a", "b", None], ["a", 1], ["a", "b", "c"]],
        id="a tuple that refers to itself",
    ),
    pytest.param(
        {"$schema": DRAFT_7, "items": {"type": "string"}, "additionalItems": False},
        {"items": {"type": "string"}},
        [["a"], [1]],
        id="additionalItems next to one schema for all items",
    ),
    pytest.param(
        {
            "$schema": DRAFT_7,
            "$ref": "#/definitions/a",
            "minLength": 9,
            "definitions": {"a": {"minLength": 1}},
        },
        {"$ref": "#/$defs/a", "$defs": {"a": {"minLength": 1}}},
        ["", "a"],
        id="keywords next to a reference are ignored",
    ),
    pytest.param(
        {"$schema": DRAFT_7, "dependencies": {"a": ["b"], "c": {"minProperties": 2}}},
        {"dependentRequired": {"a": ["b"]}, "dependentSchemas": {"c": {"minProperties": 2}}},
        [{"a": 1}, {"a": 1, "b": 1}, {"c": 1}, {"c": 1, "d": 1}],
        id="dependencies",
    ),
    pytest.param(
        {
            "$schema": DRAFT_2019,
            "$recursiveAnchor": True,
            "properties": {"a": {"$recursiveRef": "#"}},
            "maxProperties": 1,
        },
        {"properties": {"a": {"$ref": "#"}}, "maxProperties": 1},
        [{"a": {"a": {}}}, {"a": {"b": 1, "c": 2}}],
        id="a recursive reference",
    ),
]


@pytest.mark.parametrize(("old", "new", "values"), OLD)
def test_a_schema_of_an_older_draft_is_translated(old: Json, new: Json, values: list[Any]) -> None:
    assert to_2020_12(old) == new
    validator = jsonschema_rs.validator_for(old)
    assert [fits(new, value) for value in values] == [validator.is_valid(value) for value in values]
    assert len({validator.is_valid(value) for value in values}) == 2, "some values fit, and some do not"


def test_a_schema_of_2020_12_or_of_an_unknown_draft_is_returned_as_it_is() -> None:
    for schema in ({"type": "array", "items": {"$ref": "#/$defs/a"}, "$defs": {"a": {}}}, {"$schema": "x"}):
        assert to_2020_12(schema) is schema
