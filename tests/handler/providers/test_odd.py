"""Odd words from either side: a translator makes something of them, or says that it cannot."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import Json, UpstreamError
from handler.formats.chat.request import parse
from handler.providers.provider import Quirks
from handler.providers.registry import TRANSLATORS
from handler.providers.rows.builtin import PROVIDERS
from handler.settings import read_settings
from handler.wire.splice import dump
from rules.catalog.catalog import unlisted_model
from tests.handler.providers.wire_cases import CASES, events_of, read_file

ODD: list[Any] = [
    *(None, True, 0, 1.5, 10**30, "", "x", "\ud800", [], {}, [None], [{}], [[]]),
    *({"a": None}, {"type": []}, {"type": "text", "text": 3}),
]


def parts(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where the parts of a value are."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for name, one in inner for found in parts(one, (*path, name)))]


def odd(value: Any, path: tuple[Any, ...], instead: Any) -> Any:
    """The value with something else at a place."""
    if not path:
        return instead
    name, *rest = path
    changed = odd(value[name], tuple(rest), instead)
    if isinstance(value, dict):
        return {**value, name: changed}
    return [changed if at == name else one for at, one in enumerate(value)]


@given(st.data())
def test_an_odd_answer_is_one_or_fails_by_its_class(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(CASES))
    body = read_file(case, "whole.json")
    body = odd(body, data.draw(st.sampled_from(parts(body)[1:])), data.draw(st.sampled_from(ODD)))
    try:
        answer = TRANSLATORS[case.parent.name].response(body, quirks(case), legacy=data.draw(st.booleans()))
    except UpstreamError:
        return
    assert answer["choices"]


@given(st.data())
def test_an_odd_stream_is_one_or_fails_by_its_class(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(CASES))
    told = list(events_of(case, 1_000_000))
    at = data.draw(st.integers(0, len(told) - 1))
    try:
        event = json.loads(told[at])
    except ValueError:
        event = {}
    told[at] = dump(odd(event, data.draw(st.sampled_from(parts(event))), data.draw(st.sampled_from(ODD))))
    decoder = TRANSLATORS[case.parent.name].stream(quirks(case), legacy=data.draw(st.booleans()))
    try:
        chunks = [chunk for one in told for chunk in decoder.feed(one)] + list(decoder.close())
    except UpstreamError:
        return
    assert all(isinstance(chunk["choices"], list) for chunk in chunks)


def quirks(case: Path) -> Quirks:
    return PROVIDERS[read_file(case, "about.json")["provider"]].quirks


SCHEMAS = st.dictionaries(
    st.sampled_from(["type", "format", "required", "properties", "allOf", "anyOf", "oneOf", "enum"]),
    st.sampled_from([*ODD, {"properties": {"a": {"format": {}}}, "required": [{}]}, [{"required": [[]]}]]),
)
CHOSEN = [{}, {"type": "function"}, {"type": "function", "function": 3}, {"type": [], "name": "look"}]


def chat(fields: Json) -> Json:
    body = {"messages": [{"role": "user", "content": "Hi"}], **fields}
    return parse(dump(body).encode(), {}, read_settings({})).body


@pytest.mark.parametrize("provider", ["anthropic", "bedrock", "gemini", "openai", "mistral", "zai"])
@given(SCHEMAS, SCHEMAS, st.booleans())
def test_a_tool_with_an_odd_schema_goes_on_or_is_refused(
    provider: str, schema: Json, inner: Json, strict: bool
) -> None:
    for parameters in (schema, {**schema, "properties": {"a": inner}}, {"allOf": [schema, inner]}):
        function = {"name": "look", "parameters": parameters, "strict": strict}
        sent({"tools": [{"type": "function", "function": function}]}, provider)


@pytest.mark.parametrize("provider", ["anthropic", "bedrock", "gemini", "openai", "mistral", "zai"])
@pytest.mark.parametrize("tool", CHOSEN, ids=str)
def test_a_choice_of_odd_tools_goes_on_or_is_refused(provider: str, tool: Json) -> None:
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [tool]}}
    sent({"tools": [{"type": "function", "function": {"name": "look"}}], "tool_choice": choice}, provider)


def sent(fields: Json, provider: str) -> None:
    row = PROVIDERS[provider]
    body, model = chat(fields), unlisted_model(provider, "claude-sonnet-4-6")
    with suppress(UpstreamError):
        TRANSLATORS[row.dialect].request(body, model, row.quirks)


def work(provider: str, calls: int) -> int:
    """How many functions are called, and generators gone on with, for so many calls in one turn."""
    made = [
        {"id": f"c{at}", "type": "function", "function": {"name": "look", "arguments": "{}"}}
        for at in range(calls)
    ]
    results = [{"role": "tool", "tool_call_id": one["id"], "content": "ok"} for one in made]
    asked: Json = {"role": "assistant", "content": None, "tool_calls": made}
    body = {"messages": [{"role": "user", "content": "Hi"}, asked, *results]}
    row, count = PROVIDERS[provider], 0

    def note(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(note)
    try:
        TRANSLATORS[row.dialect].request(body, unlisted_model(provider, "claude-sonnet-4-6"), row.quirks)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("provider", ["anthropic", "bedrock", "gemini", "mistral", "perplexity"])
def test_the_work_grows_with_the_conversation_and_not_with_its_square(provider: str) -> None:
    work(provider, 1)
    assert work(provider, 800) < 2.5 * work(provider, 400)
