"""A schema is never made into one that means less: what fits the client's fits what each provider gets.

Drawn schemas hold all that compilers cannot: maps, parts, tuples, words beside references, unions, recursion,
words of older drafts. What a translation takes beyond the client's schema is caught when the answer comes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from handler.errors import Json, SchemaMismatch
from handler.providers.content_blocks.schema import supported_schema
from handler.providers.content_blocks.tool_parameters import object_schema
from handler.providers.google.schema import gemini_schema
from handler.providers.provider import Provider
from handler.providers.registry import TRANSLATORS
from handler.providers.schemas.drafts import to_2020_12
from handler.structured.modes import NATIVE, wanted
from handler.structured.schema_attempt import form_of
from rules import Model
from tests.handler.providers.schemas.schemas import fits, schemas, values

ABLE = frozenset({"tools", "json_object", "json_schema"})
FEW, MANY = 20, 300
CHECKS = list(HealthCheck)


def translations(schema: Json) -> dict[str, Json]:
    """The schema as each provider gets it, where it gets one."""
    found = supported_schema(schema)
    native = {} if found is None else {"Claude's and Bedrock's": found.schema}
    return {
        **native,
        "Gemini's": gemini_schema(schema),
        "Claude's and Bedrock's tools": object_schema(schema),
    }


def nothing_is_lost(schema: Json, data: st.DataObject) -> None:
    before, value = json.dumps(schema), values(data.draw, schema, schema)
    assume(fits(to_2020_12(schema), value))
    for whose, translated in translations(schema).items():
        if isinstance(value, dict) or "tools" not in whose:
            assert fits(translated, value), (whose, translated)
    assert json.dumps(schema) == before


@settings(max_examples=FEW, deadline=None, suppress_health_check=CHECKS)
@given(schemas(), st.data())
def test_what_fits_the_clients_schema_fits_what_a_provider_gets(schema: Json, data: st.DataObject) -> None:
    nothing_is_lost(schema, data)


@pytest.mark.slow
@settings(max_examples=MANY, deadline=None, suppress_health_check=CHECKS)
@given(schemas(), st.data())
def test_it_does_for_very_many_schemas(schema: Json, data: st.DataObject) -> None:
    nothing_is_lost(schema, data)


@settings(max_examples=FEW, deadline=None, suppress_health_check=CHECKS)
@given(schemas(), st.sampled_from(["anthropic", "google"]), st.data())
def test_what_a_provider_gets_may_take_more_and_that_is_caught(
    schema: Json, dialect: str, data: st.DataObject
) -> None:
    body = {
        "messages": [{"role": "user", "content": "Hi"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
    }
    asked, row = wanted(body), Provider(name="up", dialect=dialect)
    assert asked is not None
    form = form_of(asked, body, Model(provider="up", name="m", can=ABLE), row, TRANSLATORS[dialect])
    assume(form is not None and form.way == NATIVE)
    assert form is not None
    translated = translations(schema)["Gemini's" if dialect == "google" else "Claude's and Bedrock's"]
    root = {"$defs": {}, **translated}
    value = values(data.draw, root, root)
    answer = {"choices": [{"index": 0, "message": {"content": json.dumps(value)}, "finish_reason": "stop"}]}
    if fits(to_2020_12(schema), value):
        assert form.completion(answer) is answer
    else:
        with pytest.raises(SchemaMismatch):
            form.completion(answer)


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
        id="an id, and a property that is called so",
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
        id="definitions, and a property that is called so",
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
        id="additional items that are none",
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
        id="what stands beside a reference counts for nothing",
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


@pytest.mark.parametrize(("old", "new", "told"), OLD)
def test_a_schema_of_an_older_draft_is_translated(old: Json, new: Json, told: list[Any]) -> None:
    assert to_2020_12(old) == new
    validator = jsonschema_rs.validator_for(old)
    assert [fits(new, value) for value in told] == [validator.is_valid(value) for value in told]
    assert len({validator.is_valid(value) for value in told}) == 2, "some fit and some do not"


def test_a_schema_of_today_is_the_same_object_and_one_of_no_known_draft_too() -> None:
    for schema in ({"type": "array", "items": {"$ref": "#/$defs/a"}, "$defs": {"a": {}}}, {"$schema": "x"}):
        assert to_2020_12(schema) is schema


def doubling(levels: int) -> Json:
    """Each definition refers twice to the next one, with a word beside it."""
    inner = {
        f"d{at}": {
            "type": "object",
            "properties": {name: {"$ref": f"#/$defs/d{at + 1}", "minProperties": 1} for name in "ab"},
        }
        for at in range(levels)
    }
    return {"$ref": "#/$defs/d0", "minProperties": 1, "$defs": {**inner, f"d{levels}": {"type": "object"}}}


def chained(levels: int) -> Json:
    links = {f"d{at}": {"$ref": f"#/$defs/d{at + 1}", "title": "t"} for at in range(levels)}
    return {"$ref": "#/$defs/d0", "title": "t", "$defs": {**links, f"d{levels}": {"type": "string"}}}


def shared(count: int) -> Json:
    """Many references to one large definition, with a word beside each."""
    large = {"type": "object", "properties": {f"p{at}": {"type": "string"} for at in range(count)}}
    each = {f"q{at}": {"$ref": "#/$defs/large", "minProperties": 1} for at in range(count)}
    return {"type": "object", "properties": each, "$defs": {"large": large}}


def alternatives(count: int) -> Json:
    some = [{"type": "object", "properties": {f"p{at}": {"type": "string"}}} for at in range(count)]
    return {"type": "object", "anyOf": some, "oneOf": some, "allOf": [{"anyOf": some}]}


def parts(count: int) -> Json:
    return {"allOf": [{"properties": {f"p{at}": {}}, "required": [f"p{at}"]} for at in range(count)]}


def cyclic(count: int) -> Json:
    """Each definition requires every other one."""
    names = [f"d{at}" for at in range(count)]
    each = {
        "type": "object",
        "properties": {name: {"$ref": f"#/$defs/{name}"} for name in names},
        "required": names,
    }
    return {"$ref": "#/$defs/d0", "$defs": dict.fromkeys(names, each)}


def work(schema: Json) -> int:
    """Counts the function calls and generator steps of translating it for every provider."""
    count = 0

    def note(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(note)
    try:
        translations(schema)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "made", [doubling, chained, shared, alternatives, parts], ids=lambda made: made.__name__
)
def test_the_work_grows_with_a_schema_and_not_with_what_it_would_be_laid_out(
    made: Callable[[int], Json],
) -> None:
    translations(made(1))
    assert work(made(80)) < 2.5 * work(made(40)) + 1000


def test_a_cycle_of_required_properties_is_loosened_for_gemini() -> None:
    found = gemini_schema(cyclic(3))
    left = [len(one.get("required", ())) for one in found["$defs"].values()]
    assert sum(left) == 3, "those that lead on to the next, and none that leads back"
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
