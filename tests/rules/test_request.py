"""The facts of a chat request: what is counted, how tokens are estimated, and that no body is too odd."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rules import facts_of_request
from rules.request import bucket_of

HELLO = {"role": "user", "content": "hello"}


def part(sort: str) -> dict[str, Any]:
    return {"type": sort, sort: {"url": "data:" + "x" * 9_999}}


@pytest.mark.parametrize(
    ("body", "fact", "expected"),
    [
        pytest.param({"model": "gpt-5"}, "model", "gpt-5", id="the model asked for"),
        pytest.param({"model": "auto"}, "model", None, id="auto is none"),
        pytest.param({"model": ""}, "model", None, id="an empty model is none"),
        pytest.param({"model": None}, "model", None, id="null is none"),
        pytest.param({"model": "Auto:Cheap"}, "model", None, id="auto with a preference is none"),
        pytest.param({"model": "Auto:Cheap"}, "prefer", "cheap", id="and the preference is asked for"),
        pytest.param(
            {"model": "auto:best"}, "model", "auto:best", id="an unknown preference stays to be refused"
        ),
        pytest.param({"model": "x", "models": ["c"]}, "fallbacks", ("c",), id="models beside a model"),
        pytest.param(
            {"model": "x", "models": ["c"], "fallback_models": ["d"]},
            "fallbacks",
            ("d", "c"),
            id="both lists",
        ),
        pytest.param(
            {"route": {"prefer": "fast"}, "hints": {"prefer": "cheap"}}, "prefer", "fast", id="route first"
        ),
        pytest.param({"hints": {"prefer": "cheap"}}, "prefer", "cheap", id="then the hints"),
        pytest.param({"tools": [{}, {}], "functions": [{}]}, "tools", 3, id="tools and functions"),
        pytest.param({"messages": [HELLO, HELLO]}, "messages", 2, id="messages"),
        pytest.param({"messages": [{"content": [part("image_url")] * 2}]}, "images", 2, id="images"),
        pytest.param({"messages": [{"content": [part("input_audio")]}]}, "audio", 1, id="audio"),
        pytest.param({"messages": [{"content": [part("file")]}]}, "files", 1, id="files"),
        pytest.param({}, "json", None, id="no format"),
        pytest.param({"response_format": {"type": "text"}}, "json", "text", id="text"),
        pytest.param({"response_format": {"type": "json_object"}}, "json", "object", id="an object"),
        pytest.param({"response_format": {"type": "json_schema"}}, "json", "schema", id="a schema"),
        pytest.param({"output_schema": {}}, "json", "schema", id="an output schema"),
        pytest.param({"reasoning_effort": "low"}, "reasoning", "low", id="the effort"),
        pytest.param({"hints": {"reasoning_effort": "low"}}, "reasoning", "low", id="the effort hinted"),
        pytest.param({"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens", 6, id="the newer field"),
        pytest.param(
            {"max_tokens": 5.0, "hints": {"max_tokens": 9}}, "max_tokens", 5, id="the body before hints"
        ),
        pytest.param({"hints": {"max_tokens": 9}}, "max_tokens", 9, id="hints"),
        pytest.param({"n": 3}, "n", 3, id="n"),
        pytest.param({"stream": True}, "stream", True, id="a stream"),
        pytest.param({"user": "u", "safety_identifier": "s"}, "user", "u", id="the user"),
        pytest.param({"safety_identifier": "s"}, "user", "s", id="what OpenAI has in its place"),
        pytest.param(
            {"metadata": {"a": 1, "b": True}}, "metadata", {"a": "1", "b": "true"}, id="scalars are text"
        ),
        pytest.param(
            {"metadata": {"a": "m"}, "tags": {"a": "t"}}, "tags", {"a": "t"}, id="tags over metadata"
        ),
    ],
)
def test_a_fact(body: dict[str, Any], fact: str, expected: object) -> None:
    assert getattr(facts_of_request(body), fact) == expected


ASKED = [
    pytest.param({}, None, (), id="no model"),
    pytest.param({"model": ""}, None, (), id="an empty one"),
    pytest.param({"model": "Auto"}, None, (), id="auto, in any case"),
    pytest.param({"model": "a"}, "a", (), id="one model"),
    pytest.param({"model": "a", "fallback_models": ["b", "c"]}, "a", ("b", "c"), id="a model and fallbacks"),
    pytest.param({"model": "a", "models": ["a", "b"]}, "a", ("b",), id="a model that its list begins with"),
    pytest.param({"models": ["a", "b"]}, "a", ("b",), id="a list alone: its first is the model"),
    pytest.param({"model": "auto", "models": ["a", "b"]}, "a", ("b",), id="a list beside auto: the same"),
    pytest.param({"models": ["auto", "b"]}, None, ("b",), id="a list that begins with auto"),
    pytest.param({"fallback_models": ["b"]}, None, ("b",), id="fallbacks of no model"),
    pytest.param(
        {"models": ["a", "b"], "fallback_models": ["c", "b"]}, "a", ("c", "b"), id="both lists, once each"
    ),
]


@pytest.mark.parametrize(("fields", "model", "fallbacks"), ASKED)
def test_the_model_asked_for_and_those_after_it(
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
            {"type": "image_url", "image_url": {"url": "\t s3://a/b"}}, "image_url", id="behind blanks"
        ),
        pytest.param({"type": "image_url", "image_url": {"url": "ftp://a/b"}}, "image_url", id="any scheme"),
        pytest.param({"type": "file", "file": {"file_id": "gs://a/b"}}, "file", id="a file's id"),
        pytest.param({"type": "image_url", "image_url": {"url": "data:,http:"}}, None, id="bytes"),
        pytest.param(
            {"type": "image_url", "image_url": {"url": " DATA:,http:"}}, None, id="bytes so written"
        ),
        pytest.param({"type": "file", "file": {"file_data": "JVBERi0="}}, None, id="bytes of a file"),
        pytest.param({"type": "file", "file": {"file_id": "file-1"}}, None, id="a file kept elsewhere"),
        pytest.param({"type": "image_url", "image_url": "http://a"}, None, id="a part of another shape"),
        pytest.param({"type": ["image_url"]}, None, id="a sort of another shape"),
        pytest.param({"type": "text", "text": "http://a"}, None, id="a text about an address"),
    ],
)
def test_where_somebody_would_have_to_fetch(part: dict[str, Any], place: str | None) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}, {"role": "user", "content": [part]}]}
    assert facts_of_request(body).url == (place and PLACE + place)


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        pytest.param({}, 0, id="nothing"),
        pytest.param(
            {"messages": [{"role": "user", "content": "x" * 400}]},
            104,
            id="four bytes a token, four a message",
        ),
        pytest.param({"messages": [{"role": "user", "content": "é" * 400}]}, 204, id="bytes, not letters"),
        pytest.param(
            {"messages": [{"content": [{"type": "text", "text": "x" * 400}]}]}, 104, id="text in parts"
        ),
        pytest.param(
            {"messages": [{"content": [part("image_url")]}]}, 1_004, id="an image, whatever its size"
        ),
        pytest.param(
            {"messages": [{"tool_calls": [{"function": {"name": "x" * 40, "arguments": "y" * 360}}]}]},
            104,
            id="calls",
        ),
        pytest.param(
            {"messages": [{"content": "x" * 400, "role": ["y" * 40], "type": {"a": "z"}}]},
            104,
            id="no role and no type, whatever they are",
        ),
        pytest.param({"tools": [{"a": "x" * 390}]}, 100, id="tools as compact JSON"),
    ],
)
def test_the_estimate(body: dict[str, Any], tokens: int) -> None:
    assert facts_of_request(body).input_tokens == tokens


def test_who_asks_and_when() -> None:
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
        roll=0.5,
    )
    assert (facts.project, facts.key, facts.function, facts.header) == ("p", "k", "f", {"x-team": "t"})
    assert (facts.tags, facts.prefer, facts.key_models, facts.roll) == (
        {"a": "merged"},
        "cheap",
        ("openai/*",),
        0.5,
    )
    assert (facts.hour, facts.weekday, facts.bucket) == (9, "sat", bucket_of("k"))


def test_a_bucket_is_of_the_user_and_else_of_the_key() -> None:
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
def test_no_body_is_too_odd(body: dict[str, Any]) -> None:
    facts_of_request(body)
