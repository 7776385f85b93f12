"""Tests that a value which fits the client's schema fits its translation for each provider.

The schemas have everything that providers do not support: maps, `allOf`, tuples, keywords next to a `$ref`,
unions, recursion and keywords of older drafts. An answer that fits only the translation is refused.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

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
from handler.structured.modes import NATIVE, output_contract
from handler.structured.schema_attempt import schema_attempt
from rules import Model
from tests.handler.providers.schemas.strategies import fits, schemas, values

CAPABILITIES = frozenset({"tools", "json_object", "json_schema"})
FEW, MANY = 20, 300
CHECKS = list(HealthCheck)


def translations(schema: Json) -> dict[str, Json]:
    """The schema as each provider gets it; some get none."""
    found = supported_schema(schema)
    native = {} if found is None else {"Claude's and Bedrock's": found.schema}
    return {
        **native,
        "Gemini's": gemini_schema(schema),
        "Claude's and Bedrock's tools": object_schema(schema),
    }


def check_translations(schema: Json, data: st.DataObject) -> None:
    before, value = json.dumps(schema), values(data.draw, schema, schema)
    assume(fits(to_2020_12(schema), value))
    for name, translated in translations(schema).items():
        if isinstance(value, dict) or "tools" not in name:
            assert fits(translated, value), (name, translated)
    assert json.dumps(schema) == before


@settings(max_examples=FEW, deadline=None, suppress_health_check=CHECKS)
@given(schemas(), st.data())
def test_a_value_that_fits_the_schema_fits_its_translations(schema: Json, data: st.DataObject) -> None:
    check_translations(schema, data)


@pytest.mark.slow
@settings(max_examples=MANY, deadline=None, suppress_health_check=CHECKS)
@given(schemas(), st.data())
def test_a_value_that_fits_the_schema_fits_its_translations_in_many_examples(
    schema: Json, data: st.DataObject
) -> None:
    check_translations(schema, data)


@settings(max_examples=FEW, deadline=None, suppress_health_check=CHECKS)
@given(schemas(), st.sampled_from(["anthropic", "google"]), st.data())
def test_an_answer_that_fits_only_the_translation_is_refused(
    schema: Json, dialect: str, data: st.DataObject
) -> None:
    body = {
        "messages": [{"role": "user", "content": "Hi"}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
    }
    contract, row = output_contract(body), Provider(name="up", dialect=dialect)
    assert contract is not None
    attempt = schema_attempt(
        contract, body, Model(provider="up", name="m", can=CAPABILITIES), row, TRANSLATORS[dialect]
    )
    assume(attempt is not None and attempt.mode == NATIVE)
    assert attempt is not None
    translated = translations(schema)["Gemini's" if dialect == "google" else "Claude's and Bedrock's"]
    root = {"$defs": {}, **translated}
    value = values(data.draw, root, root)
    answer = {"choices": [{"index": 0, "message": {"content": json.dumps(value)}, "finish_reason": "stop"}]}
    if fits(to_2020_12(schema), value):
        assert attempt.completion(answer) is answer
    else:
        with pytest.raises(SchemaMismatch):
            attempt.completion(answer)


def doubling(levels: int) -> Json:
    """Each definition refers twice to the next one, with a keyword next to the `$ref`."""
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
    """Many references to one large definition, with a keyword next to each `$ref`."""
    large = {"type": "object", "properties": {f"p{at}": {"type": "string"} for at in range(count)}}
    each = {f"q{at}": {"$ref": "#/$defs/large", "minProperties": 1} for at in range(count)}
    return {"type": "object", "properties": each, "$defs": {"large": large}}


def alternatives(count: int) -> Json:
    some = [{"type": "object", "properties": {f"p{at}": {"type": "string"}}} for at in range(count)]
    return {"type": "object", "anyOf": some, "oneOf": some, "allOf": [{"anyOf": some}]}


def parts(count: int) -> Json:
    return {"allOf": [{"properties": {f"p{at}": {}}, "required": [f"p{at}"]} for at in range(count)]}


def work(schema: Json) -> int:
    """Count the function calls and generator steps of all translations of a schema."""
    count = 0

    def increment(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(increment)
    try:
        translations(schema)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "make_schema", [doubling, chained, shared, alternatives, parts], ids=lambda make: make.__name__
)
def test_the_work_is_linear_in_the_size_of_the_schema(
    make_schema: Callable[[int], Json],
) -> None:
    translations(make_schema(1))
    assert work(make_schema(80)) < 2.5 * work(make_schema(40)) + 1000
