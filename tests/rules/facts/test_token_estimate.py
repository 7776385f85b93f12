"""The token estimate of a chat request: its value, and that no text can be hidden from it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules import facts_of_request
from rules.facts.token_estimate import DATA_FIELDS


def part(type_: str, data: str = "data:image/png;base64," + "x" * 9_999) -> dict[str, Any]:
    field = {"input_audio": "data", "file": "file_data"}.get(type_, "url")
    return {"type": type_, type_: {field: data}}


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        pytest.param({}, 0, id="an empty body"),
        pytest.param(
            {"messages": [{"role": "user", "content": "x" * 400}]},
            104,
            id="four bytes per token, four tokens per message",
        ),
        pytest.param({"messages": [{"role": "user", "content": "é" * 400}]}, 204, id="bytes, not characters"),
        pytest.param(
            {"messages": [{"content": [{"type": "text", "text": "x" * 400}]}]}, 104, id="text in parts"
        ),
        pytest.param(
            {"messages": [{"content": [part("image_url")]}]}, 1_016, id="an image, whatever its size"
        ),
        pytest.param(
            {"messages": [{"content": [part("input_audio", "x" * 9_999)]}]},
            1_004,
            id="audio, whatever its size",
        ),
        pytest.param(
            {"messages": [{"content": [part("video_url", "data:video/mp4;base64," + "x" * 9_999)]}]},
            1_016,
            id="a video, whatever its size",
        ),
        pytest.param(
            {"messages": [{"content": [part("file", "data:text/plain;base64," + "x" * 800)]}]},
            1_160,
            id="a text file by its decoded size",
        ),
        pytest.param(
            {"messages": [{"content": [part("image_url", "data:text/plain;base64," + "x" * 800)]}]},
            1_160,
            id="a text file in an image part",
        ),
        pytest.param(
            {"messages": [{"content": [part("image_url", "data:image/png;base64,JVBERi0" + "x" * 793)]}]},
            1_210,
            id="a PDF with the type of an image",
        ),
        pytest.param(
            {"messages": [{"content": [part("file", "data:text/plain," + "x" * 784)]}]},
            1_204,
            id="a text file without base64",
        ),
        pytest.param(
            {"messages": [{"tool_calls": [{"function": {"name": "x" * 40, "arguments": "y" * 360}}]}]},
            104,
            id="tool calls",
        ),
        pytest.param(
            {"messages": [{"content": "x" * 400, "role": "user"}]}, 104, id="without a role and a type"
        ),
        pytest.param(
            {"messages": [{"role": "user", "type": "file", "content": "x" * 400}]},
            104,
            id="a type next to the text hides no text",
        ),
        pytest.param(
            {"messages": [{"content": "x" * 400, "role": "y" * 416, "type": {"name": "z" * 400}}]},
            304,
            id="a text in the place of a role or a type",
        ),
        pytest.param(
            {"messages": [{"content": "x" * 400, "documents": [{"body": "y" * 387, "n": 1234}]}]},
            206,
            id="unknown fields of a message, their names and numbers too",
        ),
        pytest.param({"prediction": {"a": "x" * 392}}, 100, id="a prediction"),
        pytest.param({"documents": ["x" * 387]}, 100, id="an unknown field, its name too"),
        pytest.param({"x" * 400: 1}, 101, id="a name that is a text"),
        pytest.param({"metadata": {"a": "x" * 400}, "stop": ["x" * 400]}, 0, id="fields that no model reads"),
        pytest.param({"tools": [{"a": "x" * 390}]}, 100, id="tools as compact JSON"),
    ],
)
def test_the_token_estimate(body: dict[str, Any], tokens: int) -> None:
    assert facts_of_request(body).input_tokens == tokens


TEXT = st.text(max_size=40) | st.sampled_from(
    [
        *(
            "user",
            "file",
            "image_url",
            "input_audio",
            "text",
            "data:image/png;base64,AAAA",
            "data:a/b;base64,AA",
        ),
        *("data:,", "JVBER", "functio", "data:text/plain;base64,"),
    ]
)


NAME = st.sampled_from(
    [
        *("role", "type", "content", "text", "image_url", "url", "file", "file_data", "input_audio", "data"),
        *("tool_calls", "function", "arguments", "name", "documents", "thinking"),
    ]
)


VALUE = st.recursive(
    TEXT | st.integers() | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAME, inner, max_size=4),
    max_leaves=12,
)


MEDIUM = st.builds(part, st.sampled_from(["image_url", "video_url", "input_audio", "file"]), TEXT)


MESSAGE = st.fixed_dictionaries(
    {"role": TEXT, "content": TEXT | st.lists(VALUE | MEDIUM, max_size=3)},
    optional=dict.fromkeys(("type", "file", "tool_calls", "reasoning_content", "documents"), VALUE),
)


BODY = st.fixed_dictionaries(
    {"messages": st.lists(MESSAGE, max_size=3)},
    optional=dict.fromkeys(("tools", "prediction", "response_format", "system", "model", "stop"), VALUE),
)


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every list and object in a value with each of its keys, and with None for a new one."""
    if isinstance(value, dict | list):
        yield value, None
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield value, key
            yield from places(inner)


def with_more_text(body: Any, data: st.DataObject) -> Any:
    """Draw a body with one more text: appended to a text, as an element, or as a new member."""
    longer = copy.deepcopy(body)
    holder, key = data.draw(st.sampled_from(list(places(longer))))
    text = data.draw(TEXT)
    if key is None and isinstance(holder, list):
        holder.append(data.draw(VALUE | MEDIUM | MESSAGE))
    elif key is None:
        holder.setdefault(data.draw(NAME | st.text(max_size=5)), data.draw(VALUE))
    elif isinstance(holder[key], str) and not (
        key == "type" and holder[key] in DATA_FIELDS
    ):  # else another part
        holder[key] += text
    return longer


@settings(max_examples=150, deadline=None)
@given(BODY, st.data())
def test_more_text_never_lowers_the_estimate(body: Any, data: st.DataObject) -> None:
    assert facts_of_request(with_more_text(body, data)).input_tokens >= facts_of_request(body).input_tokens


HIDDEN = "word " * 800


PLACES: list[Any] = (
    [
        pytest.param(
            {"messages": [{"role": "user", "type": sort, "content": HIDDEN}]}, id=f"next to a type {sort}"
        )
        for sort in ("file", "image_url", "input_audio", "video_url", "text")
    ]
    + [
        pytest.param({"messages": [{"role": "user", "content": [one]}]}, id=f"in a part: {sorted(one)}")
        for one in (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": HIDDEN}},
            {"type": "image_url", "image_url": {"url": HIDDEN}},
            {"type": "image_url", "image_url": {"url": "data:image/svg+xml;base64," + HIDDEN}},
            {"type": "image_url", "image_url": {"url": "data:image/png," + HIDDEN}},
            {"type": "file", "file": {"file_data": HIDDEN, "filename": "a.txt"}},
            {"type": "file", "file": {"filename": HIDDEN}},
            {"type": "input_audio", "input_audio": {"data": "AA", "format": HIDDEN}},
            {"type": "input_audio", "input_audio": {"data": "AA", "format": "mp3"}, "text": HIDDEN},
            {"type": "thinking", "thinking": [{"type": "text", "text": HIDDEN}]},
            {"type": "text", "text": "hi", HIDDEN: None},
        )
    ]
    + [
        pytest.param({"messages": [{"role": "user", "content": "hi"}], **more}, id=f"in {next(iter(more))}")
        for more in (
            {"prediction": {"type": "content", "content": HIDDEN}},
            {"documents": [{"text": HIDDEN}]},
            {"system": HIDDEN},
            {"chat_template_kwargs": {"a": HIDDEN}},
            {"tool_choice": {"type": "function", "function": {"name": HIDDEN}}},
            {"response_format": {"type": "json_schema", "json_schema": {"description": HIDDEN}}},
        )
    ]
)


@pytest.mark.parametrize("body", PLACES)
def test_no_text_can_be_hidden_from_the_estimate(body: dict[str, Any]) -> None:
    assert facts_of_request(body).input_tokens >= len(HIDDEN) // 4 * 3 // 4


SCRAMBLED = "The quick brown fox. " * 100
NATIVE_ONLY: list[Any] = [
    pytest.param(
        {"messages": [{"role": "user", "content": [{"type": "later", "a": SCRAMBLED}]}]}, id="block"
    ),
    pytest.param({"messages": [{"content": [{"type": "later", SCRAMBLED: 1}]}]}, id="name"),
    pytest.param(
        {"system": [{"type": "text", "text": "x-anthropic-billing-header: " + SCRAMBLED}]}, id="head"
    ),
    pytest.param({"mcp_servers": [{"name": SCRAMBLED}]}, id="field"),
    pytest.param({"input": [{"type": "mcp_call", "result": SCRAMBLED}]}, id="item"),
    pytest.param({"contents": [{"parts": {"executableCode": {"code": SCRAMBLED}}}]}, id="part"),
    pytest.param({"input": [{"media_type": "image/png", "data": SCRAMBLED}]}, id="image that is text"),
]


@pytest.mark.parametrize("native", NATIVE_ONLY)
def test_no_text_can_be_hidden_in_what_a_chat_leaves_out(native: dict[str, Any]) -> None:
    assert facts_of_request({}, native=native).input_tokens >= len(SCRAMBLED) // 4


DATA = "iVBORw0KGgo" + "A" * 99_989


@pytest.mark.parametrize(
    ("native", "most"),
    [
        pytest.param({"source": {"media_type": "image/png", "data": DATA}}, 30, id="an image of Messages"),
        pytest.param({"inline_data": {"mime_type": "video/mp4", "data": DATA}}, 30, id="a video of Gemini"),
        pytest.param({"image_url": "data:image/png;base64," + DATA}, 30, id="an image of Responses"),
        pytest.param({"input_audio": {"format": "wav", "data": DATA}}, 30, id="audio of Responses"),
        pytest.param({"image": {"format": "png", "source": {"bytes": DATA}}}, 30, id="an image of Converse"),
        pytest.param({"type": "image_generation_call", "result": DATA}, 30, id="an image that a model made"),
        pytest.param({"media_type": "application/pdf", "data": DATA}, 18_760, id="three quarters of a file"),
        pytest.param({"role": "user", "type": "text", "text": ""}, 0, id="roles and types"),
    ],
)
def test_the_bytes_of_media_are_no_text_in_any_format(native: dict[str, Any], most: int) -> None:
    assert facts_of_request({}, native={"messages": [native]}).input_tokens <= most
