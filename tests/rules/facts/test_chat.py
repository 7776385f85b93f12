"""The facts of a chat request: counts, names of models, and bodies of any shape."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rules import facts_of_request
from rules.facts.chat import bucket_of

HELLO = {"role": "user", "content": "hello"}


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
        pytest.param({"messages": [{"content": [{"type": "image_url"}] * 2}]}, "images", 2, id="images"),
        pytest.param({"messages": [{"content": [{"type": "input_audio"}]}]}, "audio", 1, id="audio"),
        pytest.param({"messages": [{"content": [{"type": "file"}]}]}, "files", 1, id="files"),
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


@pytest.mark.parametrize(
    ("body", "header", "session"),
    [
        pytest.param({}, None, None, id="none"),
        pytest.param({"prompt_cache_key": "body"}, "header", "header", id="the header goes first"),
        pytest.param({"prompt_cache_key": "body"}, None, "body", id="the body's prompt_cache_key"),
        pytest.param({"prompt_cache_key": 7}, None, None, id="a prompt_cache_key that is no text"),
        pytest.param(
            {"metadata": {"user_id": "user_0a_account__session_3f-1b"}}, None, "3f-1b", id="Claude Code's"
        ),
        pytest.param(
            {"metadata": {"user_id": '{"device_id": "d", "session_id": "3f-1b", "account_uuid": ""}'}},
            None,
            "3f-1b",
            id="Claude Code's as JSON",
        ),
        pytest.param(
            {"metadata": {"user_id": "user_0a_account__session_3f"}, "prompt_cache_key": "body"},
            None,
            "body",
            id="the prompt_cache_key goes before the user_id",
        ),
        pytest.param({"metadata": {"user_id": "ann"}}, None, None, id="a user_id without a session"),
        pytest.param(
            {"metadata": {"user_id": '{"session_id": 7}'}}, None, None, id="a session that is no text"
        ),
        pytest.param({"metadata": {"user_id": ["_session_a"]}}, None, None, id="a user_id that is no text"),
        pytest.param({"metadata": "_session_a"}, None, None, id="metadata that is no object"),
        pytest.param(
            {"metadata": {"user_id": "x" * 5_000 + "_session_a"}},
            None,
            None,
            id="a session far behind in a user_id",
        ),
        pytest.param({}, "x" * 129, "x" * 128, id="the first 128 characters"),
        pytest.param({}, "a\nb\x00\ud800é", "abé", id="without what cannot be printed"),
        pytest.param({}, "\x00", None, id="nothing that can be printed"),
    ],
)
def test_the_session_is_named_by_the_header_or_the_body(
    body: dict[str, Any], header: str | None, session: str | None
) -> None:
    facts = facts_of_request(body, session=header, agent=header)
    assert facts.session == session
    assert facts.agent == (session if header else None)


def test_the_session_may_be_named_by_the_body_before_its_translation() -> None:
    native = {"metadata": {"user_id": "user_0a_account__session_3f"}}
    assert facts_of_request({"user": "0a"}, native=native).session == "3f"
    assert facts_of_request({"prompt_cache_key": "k"}, native=native).session == "k"


QUESTION = {"role": "user", "content": "Hello"}


@pytest.mark.parametrize(
    ("messages", "opening"),
    [
        pytest.param([QUESTION], "\0Hello", id="a question alone"),
        pytest.param(
            [{"role": "developer", "content": "Be kind."}, QUESTION, {"role": "user", "content": "And?"}],
            "Be kind.\0Hello",
            id="the first instructions and the first question",
        ),
        pytest.param([{"role": "system", "content": "Be kind."}], "Be kind.\0", id="instructions alone"),
        pytest.param(
            [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "image_url"}, 7]}],
            "\0a\n\n",
            id="the texts among the parts",
        ),
        pytest.param([{"role": "assistant", "content": "Hi"}], "", id="neither"),
        pytest.param([{"role": "user"}, 7, None, {"role": ["user"]}], "", id="messages of wrong types"),
        pytest.param({"role": "user", "content": "Hello"}, "", id="messages that are no list"),
        pytest.param([{"role": "user", "content": "x" * 20_000}], "\0" + "x" * 16_384, id="a long question"),
    ],
)
def test_the_opening_of_a_conversation(messages: Any, opening: str) -> None:
    assert facts_of_request({"messages": messages}).opening == opening


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
