"""Unexpected values in requests and answers are translated or refused; no other exception is raised."""

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
from handler.providers.addressing import apply_surface
from handler.providers.provider import Quirks
from handler.providers.registry import TRANSLATORS
from handler.providers.rows.builtin import PROVIDERS
from handler.settings import read_settings
from handler.wire.splice import dump
from rules import Model
from rules.catalog.catalog import unlisted_model
from tests.handler.providers.wire_cases import CASES, events_of, read_file

UNEXPECTED: list[Any] = [
    *(None, True, 0, -1, 1.5, 10**30, 1e999, "", "x", "\ud800", [], {}, [None], [{}], [[]]),
    *({"a": None}, {"type": []}, {"type": "text", "text": 3}),
]
PRO = Model(provider="openai", name="gpt-5-pro", rules=("surface:responses",))
ROWS = {**PROVIDERS, "responses": apply_surface(PROVIDERS["openai"], PRO)}
PROVIDER_NAMES = ["anthropic", "bedrock", "gemini", "openai", "responses", "mistral", "zai"]


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values within a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(found for name, one in inner for found in paths(one, (*path, name)))]


def replace_value(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """Return the value with another one at `path`."""
    if not path:
        return new
    name, *rest = path
    changed = replace_value(value[name], tuple(rest), new)
    if isinstance(value, dict):
        return {**value, name: changed}
    return [changed if at == name else one for at, one in enumerate(value)]


@given(st.data())
def test_an_unexpected_answer_is_translated_or_fails(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(CASES))
    body = read_file(case, "whole.json")
    path, new = data.draw(st.sampled_from(paths(body)[1:])), data.draw(st.sampled_from(UNEXPECTED))
    translator, legacy = TRANSLATORS[case.parent.name], data.draw(st.booleans())
    try:
        answer = translator.response(replace_value(body, path, new), quirks(case), legacy=legacy)
    except UpstreamError:
        return
    assert answer["choices"]


@given(st.data())
def test_an_unexpected_event_is_translated_or_fails(data: st.DataObject) -> None:
    case = data.draw(st.sampled_from(CASES))
    events = list(events_of(case, 1_000_000))
    at = data.draw(st.integers(0, len(events) - 1))
    try:
        event = json.loads(events[at])
    except ValueError:
        event = {}
    path, new = data.draw(st.sampled_from(paths(event))), data.draw(st.sampled_from(UNEXPECTED))
    events[at] = dump(replace_value(event, path, new))
    decoder = TRANSLATORS[case.parent.name].stream(quirks(case), legacy=data.draw(st.booleans()))
    try:
        chunks = [chunk for one in events for chunk in decoder.feed(one)] + list(decoder.close())
    except UpstreamError:
        return
    assert all(isinstance(chunk["choices"], list) for chunk in chunks)


def quirks(case: Path) -> Quirks:
    return PROVIDERS[read_file(case, "about.json")["provider"]].quirks


SCHEMAS = st.dictionaries(
    st.sampled_from(["type", "format", "required", "properties", "allOf", "anyOf", "oneOf", "enum"]),
    st.sampled_from(
        [*UNEXPECTED, {"properties": {"a": {"format": {}}}, "required": [{}]}, [{"required": [[]]}]]
    ),
)
TOOLS = [{}, {"type": "function"}, {"type": "function", "function": 3}, {"type": [], "name": "look"}]


def parse_chat(fields: Json) -> Json:
    body = {"messages": [{"role": "user", "content": "Hi"}], **fields}
    return parse(dump(body).encode(), {}, read_settings({})).body


def translate(fields: Json, provider: str) -> None:
    row = ROWS[provider]
    body, model = parse_chat(fields), unlisted_model(provider, "claude-sonnet-4-6")
    with suppress(UpstreamError):
        TRANSLATORS[row.dialect].request(body, model, row.quirks)


@pytest.mark.parametrize("provider", PROVIDER_NAMES)
@given(SCHEMAS, SCHEMAS, st.booleans())
def test_a_tool_with_an_unexpected_schema_is_translated_or_refused(
    provider: str, schema: Json, inner: Json, strict: bool
) -> None:
    for parameters in (schema, {**schema, "properties": {"a": inner}}, {"allOf": [schema, inner]}):
        function = {"name": "look", "parameters": parameters, "strict": strict}
        translate({"tools": [{"type": "function", "function": function}]}, provider)


@pytest.mark.parametrize("provider", PROVIDER_NAMES)
@pytest.mark.parametrize("tool", TOOLS, ids=str)
def test_an_unexpected_tool_choice_is_translated_or_refused(provider: str, tool: Json) -> None:
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [tool]}}
    tools = [{"type": "function", "function": {"name": "look"}}]
    translate({"tools": tools, "tool_choice": choice}, provider)


def count_calls(provider: str, tool_calls: int) -> int:
    """The number of Python calls that it takes to translate a turn with this many tool calls."""
    calls = [
        {"id": f"c{at}", "type": "function", "function": {"name": "look", "arguments": "{}"}}
        for at in range(tool_calls)
    ]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "ok"} for call in calls]
    answer: Json = {"role": "assistant", "content": None, "tool_calls": calls}
    body = {"messages": [{"role": "user", "content": "Hi"}, answer, *results]}
    row, count = ROWS[provider], 0

    def profile(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(profile)
    try:
        TRANSLATORS[row.dialect].request(body, unlisted_model(provider, "claude-sonnet-4-6"), row.quirks)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("provider", ["anthropic", "bedrock", "gemini", "responses", "mistral", "perplexity"])
def test_the_work_grows_linearly_with_the_conversation(provider: str) -> None:
    count_calls(provider, 1)
    assert count_calls(provider, 800) < 2.5 * count_calls(provider, 400)
