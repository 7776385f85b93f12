"""A chat that becomes a request to Responses and is read as a client's request says the same as before."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from handler.errors import Json
from handler.formats.responses.request import parse
from handler.settings import Settings
from tests.handler.providers.responses.builders import request

FORMAT = "openai-responses-v1"
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
LINKED = {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "high"}}
PDF = {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
GRAMMAR = {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /a+/"}}
TOOLS: list[Json] = [
    {"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": SCHEMA}},
    {"type": "function", "function": {"name": "seek", "parameters": SCHEMA, "strict": True}},
    {"type": "custom", "custom": {"name": "run", "description": "Runs.", "format": GRAMMAR}},
]
FIELDS: list[Json] = [
    {"tool_choice": "required"},
    {"tool_choice": {"type": "custom", "custom": {"name": "run"}}},
    {"parallel_tool_calls": False},
    {"reasoning_effort": "low", "verbosity": "high"},
    {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "a", "schema": SCHEMA, "strict": True},
        }
    },
    {"response_format": {"type": "json_object"}},
    {"max_completion_tokens": 500, "metadata": {"a": "b"}, "prompt_cache_key": "k", "user": "u"},
    {"stream": True, "stream_options": {"include_usage": True}},
]


def words(source: random.Random) -> str:
    return " ".join(source.choices(["one", "zwei", "日本", "\n", '"', "{}", "👋", "\u2028"], k=4)) + "."


def content(source: random.Random) -> Any:
    text = words(source)
    if source.random() < 0.6:
        return text
    media = source.sample([IMAGE, LINKED, PDF], source.randint(1, 3))
    return [{"type": "text", "text": text}, *media]


def call(source: random.Random, id: str) -> Json:
    if source.random() < 0.3:
        return {"id": id, "type": "custom", "custom": {"name": "run", "input": words(source)}}
    arguments = json.dumps({"a": words(source)}, ensure_ascii=False)
    return {"id": id, "type": "function", "function": {"name": "look", "arguments": arguments}}


def answer(source: random.Random, number: int) -> Iterator[Json]:
    """An assistant's message, and the results of its calls."""
    calls = [call(source, f"call_{number}_{at}") for at in range(source.choice((0, 0, 1, 3)))]
    message: Json = {
        "role": "assistant",
        "content": words(source) if source.random() < 0.7 or not calls else None,
    }
    if source.random() < 0.5:
        named = {"id": f"rs_{number}", "format": FORMAT}
        summary = {"type": "reasoning.summary", "summary": words(source), **named, "index": 0}
        message["reasoning_content"] = summary["summary"]
        encrypted = {"type": "reasoning.encrypted", "data": f"x{number}", **named, "index": 1}
        message["reasoning_details"] = [summary, encrypted]
    if source.random() < 0.3 and message["content"]:
        message["phase"] = source.choice(("commentary", "final_answer"))
    yield {**message, "tool_calls": calls} if calls else message
    for one in calls:
        yield {"role": "tool", "tool_call_id": one["id"], "content": content(source)}


def chat(source: random.Random) -> Json:
    messages: list[Json] = [{"role": source.choice(("system", "developer")), "content": words(source)}]
    for number in range(source.randint(1, 4)):
        messages.append({"role": "user", "content": content(source)})
        messages += answer(source, number)
    messages.append({"role": "user", "content": content(source)})
    fields: Json = {"tools": TOOLS, "store": False}
    for more in source.sample(FIELDS, 3):
        fields |= more
    return {"messages": messages, **fields}


@pytest.mark.parametrize("seed", range(50))
def test_nothing_is_lost_on_the_way_to_responses_and_back(seed: int) -> None:
    before = chat(random.Random(seed))
    sent, dropped = request(before, "openai/gpt-5.3-codex")
    assert dropped == ()
    after = parse(json.dumps(sent).encode(), {}, Settings())
    assert after.native is not None
    assert (after.native.only, after.native.dropped) == (None, ())
    assert {**after.body, "messages": [*map(shown, after.body["messages"])]} == {
        **before,
        "model": "gpt-5.3-codex",
        "messages": [*map(shown, before["messages"])],
    }


def shown(message: Json) -> Json:
    """The message without members that say nothing."""
    return {name: value for name, value in message.items() if value is not None}
