"""The facts of a chat request: counts, the token estimate, and bodies of any shape."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rules import facts_of_request
from rules.facts.chat import bucket_of
from rules.facts.token_estimate import DATA_FIELDS

HELLO = {"role": "user", "content": "hello"}


def part(type_: str, data: str = "data:image/png;base64," + "x" * 9_999) -> dict[str, Any]:
    field = {"input_audio": "data", "file": "file_data"}.get(type_, "url")
    return {"type": type_, type_: {field: data}}


@pytest.mark.parametrize(
    ("body", "fact", "expected"),
    [
        pytest.param({"model": "gpt-5"}, "model", "gpt-5", id="a model"),
        pytest.param({"model": "auto"}, "model", None, id="auto names no model"),
        pytest.param({"model": ""}, "model", None, id="an empty model names no model"),
        pytest.param({"model": None}, "model", None, id="null names no model"),
        pytest.param({"model": "Auto:Cheap"}, "model", None, id="auto with a preference names no model"),
        pytest.param(
            {"model": "Auto:Cheap"}, "prefer", "cheap", id="auto with a preference gives the preference"
        ),
        pytest.param(
            {"model": "auto:best"}, "model", "auto:best", id="auto with an unknown preference stays a name"
        ),
        pytest.param({"model": "x", "models": ["c"]}, "fallbacks", ("c",), id="models and a model"),
        pytest.param(
            {"model": "x", "models": ["c"], "fallback_models": ["d"]},
            "fallbacks",
            ("d", "c"),
            id="models and fallback_models",
        ),
        pytest.param(
            {"route": {"prefer": "fast"}, "hints": {"prefer": "cheap"}},
            "prefer",
            "fast",
            id="the preference of route goes first",
        ),
        pytest.param({"hints": {"prefer": "cheap"}}, "prefer", "cheap", id="the preference of hints"),
        pytest.param({"tools": [{}, {}], "functions": [{}]}, "tools", 3, id="tools and functions"),
        pytest.param({"messages": [HELLO, HELLO]}, "messages", 2, id="messages"),
        pytest.param({"messages": [{"content": [part("image_url")] * 2}]}, "images", 2, id="images"),
        pytest.param({"messages": [{"content": [part("input_audio")]}]}, "audio", 1, id="audio"),
        pytest.param({"messages": [{"content": [part("file")]}]}, "files", 1, id="files"),
        pytest.param({}, "json", None, id="no response format"),
        pytest.param({"response_format": {"type": "text"}}, "json", "text", id="text"),
        pytest.param({"response_format": {"type": "json_object"}}, "json", "object", id="an object"),
        pytest.param({"response_format": {"type": "json_schema"}}, "json", "schema", id="a schema"),
        pytest.param({"output_schema": {}}, "json", "schema", id="an output schema"),
        pytest.param({"reasoning_effort": "low"}, "reasoning", "low", id="a reasoning effort"),
        pytest.param(
            {"hints": {"reasoning_effort": "low"}}, "reasoning", "low", id="a reasoning effort in hints"
        ),
        pytest.param(
            {"max_tokens": 5, "max_completion_tokens": 6},
            "max_tokens",
            6,
            id="max_completion_tokens goes first",
        ),
        pytest.param(
            {"max_tokens": 5.0, "hints": {"max_tokens": 9}},
            "max_tokens",
            5,
            id="max_tokens of the body goes before hints",
        ),
        pytest.param({"hints": {"max_tokens": 9}}, "max_tokens", 9, id="max_tokens of hints"),
        pytest.param({"n": 3}, "n", 3, id="n choices"),
        pytest.param({"stream": True}, "stream", True, id="a stream"),
        pytest.param({"user": "u", "safety_identifier": "s"}, "user", "u", id="user goes first"),
        pytest.param({"safety_identifier": "s"}, "user", "s", id="safety_identifier without user"),
        pytest.param(
            {"metadata": {"a": 1, "b": True}}, "metadata", {"a": "1", "b": "true"}, id="scalars are text"
        ),
        pytest.param(
            {"metadata": {"a": "m"}, "tags": {"a": "t"}}, "tags", {"a": "t"}, id="tags go before metadata"
        ),
    ],
)
def test_a_fact(body: dict[str, Any], fact: str, expected: object) -> None:
    assert getattr(facts_of_request(body), fact) == expected


NAMED = [
    pytest.param({}, None, (), id="no model"),
    pytest.param({"model": ""}, None, (), id="an empty one"),
    pytest.param({"model": "Auto"}, None, (), id="auto, in any case"),
    pytest.param({"model": "a"}, "a", (), id="a model alone"),
    pytest.param({"model": "a", "fallback_models": ["b", "c"]}, "a", ("b", "c"), id="a model and fallbacks"),
    pytest.param({"model": "a", "models": ["a", "b"]}, "a", ("b",), id="a list that begins with the model"),
    pytest.param({"models": ["a", "b"]}, "a", ("b",), id="a list without a model: its first is the model"),
    pytest.param(
        {"model": "auto", "models": ["a", "b"]}, "a", ("b",), id="a list and auto: its first is the model"
    ),
    pytest.param({"models": ["auto", "b"]}, None, ("b",), id="a list that begins with auto"),
    pytest.param({"fallback_models": ["b"]}, None, ("b",), id="fallbacks without a model"),
    pytest.param(
        {"models": ["a", "b"], "fallback_models": ["c", "b"]},
        "a",
        ("c", "b"),
        id="both lists, each name once",
    ),
]


@pytest.mark.parametrize(("fields", "model", "fallbacks"), NAMED)
def test_the_named_model_and_its_fallbacks(
    fields: dict[str, Any], model: str | None, fallbacks: tuple[str, ...]
) -> None:
    facts = facts_of_request(fields)
    assert (facts.model, facts.fallbacks) == (model, fallbacks)


PLACE = "messages[1].content[0]."


@pytest.mark.parametrize(
    ("part", "place"),
    [
        pytest.param({"type": "image_url", "image_url": {"url": "HTTPS://a/b"}}, "image_url", id="an image"),
        pytest.param({"type": "video_url", "video_url": {"url": "http://a"}}, "video_url", id="a video"),
        pytest.param({"type": "file", "file": {"file_data": "s3://a/b"}}, "file", id="a file"),
        pytest.param(
            {"type": "image_url", "image_url": {"url": "\t s3://a/b"}}, "image_url", id="a URL after blanks"
        ),
        pytest.param(
            {"type": "image_url", "image_url": {"url": "ftp://a/b"}}, "image_url", id="a URL of any scheme"
        ),
        pytest.param({"type": "file", "file": {"file_id": "gs://a/b"}}, "file", id="a file's id"),
        pytest.param({"type": "image_url", "image_url": {"url": "data:,http:"}}, None, id="a data URL"),
        pytest.param(
            {"type": "image_url", "image_url": {"url": " DATA:,http:"}},
            None,
            id="a data URL in capitals after a blank",
        ),
        pytest.param({"type": "file", "file": {"file_data": "JVBERi0="}}, None, id="base64 data of a file"),
        pytest.param({"type": "file", "file": {"file_id": "file-1"}}, None, id="the id of a file"),
        pytest.param({"type": "image_url", "image_url": "http://a"}, None, id="a part of another shape"),
        pytest.param({"type": ["image_url"]}, None, id="a type of another shape"),
        pytest.param({"type": "text", "text": "http://a"}, None, id="a text that is a URL"),
    ],
)
def test_the_path_of_the_first_part_given_by_url(part: dict[str, Any], place: str | None) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}, {"role": "user", "content": [part]}]}
    assert facts_of_request(body).linked_part == (place and PLACE + place)


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


def test_the_facts_of_the_caller_and_the_time() -> None:
    at = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)
    facts = facts_of_request(
        {"tags": {"a": "body"}, "route": {"prefer": "fast"}},
        project="p",
        key="k",
        function="f",
        header={"x-team": "t"},
        tags={"a": "merged"},
        prefer="cheap",
        key_models=("openai/*",),
        at=at,
        random=0.5,
    )
    assert (facts.project, facts.key, facts.function, facts.header) == ("p", "k", "f", {"x-team": "t"})
    assert (facts.tags, facts.prefer, facts.key_models, facts.random) == (
        {"a": "merged"},
        "cheap",
        ("openai/*",),
        0.5,
    )
    assert (facts.hour, facts.weekday, facts.bucket) == (9, "sat", bucket_of("k"))


def test_the_bucket_is_that_of_the_user_or_else_of_the_key() -> None:
    assert facts_of_request({"user": "u"}, key="k").bucket == bucket_of("u")
    assert 0 <= bucket_of("u") < 100


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)
FIELDS = st.sampled_from(
    ["model", "models", "messages", "tools", "tags", "metadata", "hints", "route", "n", "user", "max_tokens"]
)


@given(st.dictionaries(FIELDS, JSON, max_size=6))
@example({"n": float("inf"), "max_tokens": float("nan")})
def test_any_body_has_facts(body: dict[str, Any]) -> None:
    facts_of_request(body)
