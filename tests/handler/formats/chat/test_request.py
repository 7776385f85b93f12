"""The chat request: the fields and messages that are accepted and refused, and the options read from it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handler.errors import GatewayError, InvalidRequest
from handler.formats.chat.effects import OWN, prepare_body
from handler.formats.chat.request import Chat, parse
from handler.settings import Settings
from rules import Effects
from tests.support.chat_requests import CALL, SCHEMA, TOOL, USER, chat, refusal

ACCEPTED: list[tuple[str, list[Any]]] = [
    ("audio", [{"format": "wav", "voice": "alloy"}, {"format": "mp3", "voice": {"id": "v"}}]),
    ("frequency_penalty", [-2, 2, 0.5]),
    ("function_call", ["none", "auto", {"name": "f"}]),
    ("functions", [[], [{"name": "f", "description": "d", "parameters": SCHEMA}]]),
    ("logit_bias", [{}, {"50256": -100, "1": 100}]),
    ("logprobs", [True, False]),
    ("max_completion_tokens", [1, 128000, 2.0]),
    ("max_tokens", [1, 128000, 2.0]),
    ("metadata", [{}, {"a": ""}, {f"k{i}": "x" * 512 for i in range(16)}, {"a": None}]),
    ("modalities", [["text", "audio"], ["image"]]),
    ("model", ["gpt-5", "auto", "", "openai/gpt-5"]),
    ("moderation", [{"model": "m"}]),
    ("n", [1, 8, 2.0]),
    ("parallel_tool_calls", [True, False]),
    ("prediction", [{"type": "content", "content": "a"}]),
    ("presence_penalty", [-2.0, 2]),
    ("prompt_cache_key", ["k"]),
    ("prompt_cache_options", [{"mode": "explicit", "ttl": "30m"}]),
    ("prompt_cache_retention", ["24h"]),
    ("reasoning_effort", ["none", "max", "ultra"]),
    (
        "response_format",
        [
            {"type": "text"},
            {"type": "json_object"},
            {"type": "json_schema", "json_schema": {"name": "n-1", "schema": SCHEMA, "strict": True}},
            {"type": "json_schema", "json_schema": {"name": "n", "strict": None}},
        ],
    ),
    ("safety_identifier", ["u" * 128]),
    ("seed", [0, -1, 2**63 - 1, 7.0]),
    ("service_tier", ["flex", "tomorrow's"]),
    ("stop", ["", "a", [], ["a", "b", "c", "d"]]),
    ("store", [True, False]),
    ("stream", [True, False]),
    ("temperature", [0, 2, 0.5]),
    (
        "tool_choice",
        [
            "none",
            "auto",
            "required",
            "any",
            {},
            {"type": "function", "function": {"name": "f"}},
            {"type": "custom", "custom": {"name": "f"}},
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{"type": "function"}]}},
        ],
    ),
    (
        "tools",
        [
            [],
            [TOOL],
            [{"type": "function", "function": {"name": "ns.f:1-a_b", "strict": None, "description": "d"}}],
            [{"type": "custom", "custom": {"name": "f", "format": {"type": "text"}}}],
            [{"type": "web_search", "web_search": {"enable": True}}],
        ],
    ),
    ("top_logprobs", [0, 20]),
    ("top_p", [0, 1, 0.5]),
    ("user", ["u"]),
    ("verbosity", ["low"]),
    ("web_search_options", [{"search_context_size": "low"}]),
    (
        "hints",
        [{}, {"prefer": "cheap", "temperature": 1, "top_p": 1, "max_tokens": 5, "reasoning_effort": "low"}],
    ),
    ("route", [{}, {"prefer": "balanced"}]),
    ("fallback_models", [[], ["a", "b/c"]]),
    ("models", [[], ["a", "b/c"]]),
    ("output_schema", [{}, SCHEMA]),
    ("tags", [{}, {"a": "x", "b": 1, "c": 1.5, "d": True, "e": None}]),
    ("usage", [{}, {"include": True}, {"include": False}]),
    ("top_k", [40, "unknown to Sluice"]),
    ("provider", [{"order": ["x"]}]),
]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param(name, value, id=f"{name} {json.dumps(value)[:60]}")
        for name, values in ACCEPTED
        for value in values
    ],
)
def test_a_field_is_accepted_and_sent_on_unchanged(field: str, value: Any) -> None:
    accepted = chat(**{field: value})
    assert accepted.body[field] == value
    assert field in OWN or prepare_body(accepted, Effects()).get(field) is accepted.body[field]


@pytest.mark.parametrize("field", [name for name, _ in ACCEPTED])
def test_null_counts_as_absent_in_every_field_and_is_sent_on_as_null(field: str) -> None:
    accepted = chat(**{field: None})
    assert field in OWN or prepare_body(accepted, Effects()) == {"messages": [USER], field: None}
    assert accepted == Chat(**{**attributes(chat()), "text": accepted.text, "body": accepted.body})


def attributes(one: Chat) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Chat.field_names}


TEXT_PART = {"type": "text", "text": "a"}
MESSAGES = [
    pytest.param({"role": "developer", "content": "a", "name": "n"}, id="a developer message"),
    pytest.param({"role": "system", "content": [TEXT_PART]}, id="a system message of parts"),
    pytest.param({"role": "user", "content": ""}, id="an empty text"),
    pytest.param({"role": "user", "content": []}, id="no parts, which the provider may refuse"),
    pytest.param({"role": "user", "content": "a", "name": None}, id="a name that is null"),
    pytest.param(
        {"role": "user", "content": [{**TEXT_PART, "cache_control": {"type": "ephemeral"}}]},
        id="a part with an unknown member",
    ),
    pytest.param(
        {
            "role": "user",
            "content": [
                TEXT_PART,
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": "original"}},
                {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
                {"type": "file", "file": {"file_id": "f"}},
                {"type": "video_url", "video_url": {"url": "https://a"}},
            ],
        },
        id="every part of a user message",
    ),
    pytest.param(
        {"role": "assistant", "content": "a", "reasoning_content": "b"},
        id="an assistant message with reasoning",
    ),
    pytest.param(
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}, id="a refusal as a part"
    ),
    pytest.param(
        {"role": "assistant", "content": [{"type": "thinking", "thinking": []}]}, id="Mistral's thinking"
    ),
    pytest.param(
        {"role": "assistant", "content": None, "refusal": "no"}, id="a refusal as in OpenAI's answers"
    ),
    pytest.param({"role": "assistant", "audio": {"id": "a"}}, id="an answer in audio as OpenAI documents it"),
    pytest.param({"role": "assistant", "tool_calls": [CALL]}, id="tool calls and no content"),
    pytest.param(
        {"role": "assistant", "content": None, "tool_calls": [CALL]}, id="tool calls with null content"
    ),
    pytest.param({"role": "assistant", "content": "", "tool_calls": []}, id="an empty list of tool calls"),
    pytest.param(
        {"role": "assistant", "content": "", "tool_calls": [{**CALL, "thought_signature": "s"}]},
        id="a signature",
    ),
    pytest.param(
        {
            "role": "assistant",
            "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "f", "input": "x"}}],
        },
        id="a call of a custom tool",
    ),
    pytest.param(
        {
            "role": "assistant",
            "tool_calls": [{"id": "c", "type": "builtin_function", "function": {"name": "$web"}}],
        },
        id="a call of a provider's own tool",
    ),
    pytest.param(
        {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": ""}},
        id="a legacy call",
    ),
    pytest.param(
        {
            "role": "assistant",
            "content": "a",
            "tool_calls": None,
            "function_call": None,
            "audio": None,
            "refusal": None,
        },
        id="nulls, as SDKs send their own answers back",
    ),
    pytest.param({"role": "tool", "content": "1", "tool_call_id": "c1"}, id="a tool's answer"),
    pytest.param(
        {"role": "tool", "content": [TEXT_PART], "tool_call_id": "c1"}, id="a tool's answer in parts"
    ),
    pytest.param({"role": "function", "name": "f", "content": None}, id="a legacy answer without content"),
]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_is_accepted_and_sent_on_unchanged(message: dict[str, Any]) -> None:
    accepted = chat(messages=[USER, message])
    assert prepare_body(accepted, Effects())["messages"] is accepted.body["messages"]
    assert accepted.body["messages"][1] == message


# Cases that tests/support/hostile_requests.py does not have.
WRONG_MESSAGES = [
    pytest.param({"role": None, "content": "a"}, ".role", id="a role that is null"),
    pytest.param({"role": "User", "content": "a"}, ".role", id="a role in capitals"),
    pytest.param({"role": "user"}, ".content", id="no content"),
    pytest.param({"role": "assistant"}, ".content", id="an assistant message without content"),
    pytest.param(
        {"role": "assistant", "content": None, "reasoning_content": "a"}, ".content", id="only reasoning"
    ),
    pytest.param({"role": "tool", "tool_call_id": "c"}, ".content", id="a tool without an answer"),
    pytest.param({"role": "user", "content": True}, ".content", id="content that is true"),
    pytest.param(
        {"role": "user", "content": [{"text": "a"}]}, ".content[0].type", id="a part without a type"
    ),
    pytest.param(
        {"role": "user", "content": [{"type": ["text"]}]},
        ".content[0].type",
        id="a part whose type is a list",
    ),
    pytest.param(
        {"role": "user", "content": [{"type": "text"}]}, ".content[0].text", id="a text part without text"
    ),
    pytest.param({"role": "user", "content": [TEXT_PART, None]}, ".content[1]", id="a part that is null"),
    pytest.param(
        {"role": "user", "content": [{"type": "image_url", "image_url": "https://a"}]},
        ".content[0].image_url",
        id="an image given as text",
    ),
    pytest.param(
        {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AA"}}]},
        ".content[0].input_audio.format",
        id="audio without a format",
    ),
    pytest.param(
        {"role": "user", "content": [{"type": "file", "file": {"file_data": 1}}]},
        ".content[0].file.file_data",
        id="file data that is a number",
    ),
    pytest.param(
        {"role": "user", "content": [{"type": "refusal", "refusal": "no"}]},
        ".content[0].type",
        id="a refusal in a user message",
    ),
    pytest.param(
        {"role": "assistant", "tool_calls": [None]}, ".tool_calls[0]", id="a tool call that is null"
    ),
    pytest.param(
        {"role": "assistant", "tool_calls": [{**CALL, "id": None}]},
        ".tool_calls[0].id",
        id="a call without an id",
    ),
    pytest.param(
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "function"}]},
        ".tool_calls[0].function",
        id="a call without a function",
    ),
    pytest.param(
        {"role": "assistant", "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "f"}}]},
        ".tool_calls[0].custom.input",
        id="a custom call without input",
    ),
    pytest.param(
        {"role": "assistant", "tool_calls": [{"id": "c"}]}, ".tool_calls[0].type", id="a call without a type"
    ),
    pytest.param(
        {"role": "assistant", "function_call": {}}, ".function_call.name", id="a legacy call without a name"
    ),
    pytest.param({"role": "assistant", "audio": "a"}, ".audio", id="audio given as text"),
]


@pytest.mark.parametrize(("message", "step"), WRONG_MESSAGES)
def test_a_wrong_message_is_refused_with_its_path(message: Any, step: str) -> None:
    error = refusal(messages=[USER, message])
    assert error.param == f"messages[1]{step}"
    assert error.message.startswith(error.param)


WRONG_FIELDS = [
    pytest.param(
        {"temperature": "0"},
        "temperature",
        "expected a number from 0 to 2, got text",
        id="the message names the type",
    ),
    pytest.param(
        {"top_p": 1.5}, "top_p", "expected a number from 0 to 1, got 1.5", id="the message names the number"
    ),
    pytest.param(
        {"stop": {}},
        "stop",
        "expected text or a list, got an object",
        id="the message names the accepted types",
    ),
    pytest.param({"model": ["a"]}, "model", "`models`", id="a list as model, with a hint to the right field"),
    pytest.param(
        {"hints": {"perfer": "cheap"}},
        "hints.perfer",
        "did you mean `prefer`?",
        id="a misspelt field, with a suggestion",
    ),
    pytest.param({"route": {"x": 1}}, "route.x", "known: prefer", id="an unknown field, with the known ones"),
    pytest.param(
        {"route": {"a b": 1}}, "route", 'unknown field "a b"', id="a name that cannot be part of a path"
    ),
    pytest.param({"hints": {"prefer": "speed"}}, "hints.prefer", 'got "speed"', id="an unknown preference"),
    pytest.param({"hints": {"": 1, "zz": 2}}, "hints", 'unknown field ""', id="a field without a name"),
    pytest.param({"hints": {"max_tokens": 0}}, "hints.max_tokens", "from 1", id="a hint out of range"),
    pytest.param({"n": 9}, "n", "from 1 to 8, got 9", id="n over SLUICE_MAX_N"),
    pytest.param({"n": 1.5}, "n", "an integer", id="n with a fraction"),
    pytest.param({"seed": 2**63}, "seed", "an integer", id="a seed beyond 64 bits"),
    pytest.param({"top_logprobs": False}, "top_logprobs", "got a boolean", id="a boolean is not a number"),
    pytest.param(
        {"logit_bias": {"1": True}}, "logit_bias.1", "got a boolean", id="a boolean in a map of numbers"
    ),
    pytest.param({"metadata": {"a": 1}}, "metadata.a", "expected text", id="metadata must be text"),
    pytest.param({"metadata": {"k" * 65: "v"}}, "metadata", "1 to 64", id="a metadata name that is too long"),
    pytest.param(
        {"metadata": {"\ud800": 1}}, "metadata", "expected text", id="a name that is not valid Unicode"
    ),
    pytest.param({"tags": {"": "a"}}, "tags", "1 to 64", id="a tag without a name"),
    pytest.param({"tags": {"a": 10**400}}, "tags.a", "a number", id="a tag with a huge number"),
    pytest.param({"tags": []}, "tags", "an object", id="tags as a list"),
    pytest.param(
        {"fallback_models": "a"}, "fallback_models", "expected a list", id="fallbacks given as text"
    ),
    pytest.param(
        {"fallback_models": ["a", "../x"]},
        "fallback_models[1]",
        "expected the name of a model",
        id="a fallback with an invalid name",
    ),
    pytest.param(
        {"models": ["a", "auto:best"]},
        "models[1]",
        "expected the name of a model",
        id="an unknown preference in models",
    ),
    pytest.param({"models": [None]}, "models[0]", "expected text", id="a model that is null in a list"),
    pytest.param(
        {"stream_options": {}}, "stream_options", "stream: true", id="stream options without a stream"
    ),
    pytest.param(
        {"stream": False, "stream_options": {}},
        "stream_options",
        "stream: true",
        id="stream options with stream: false",
    ),
    pytest.param(
        {"function_call": "required"},
        "function_call",
        "none, auto",
        id="a legacy value that OpenAI does not have",
    ),
    pytest.param({"function_call": {}}, "function_call.name", "missing", id="a function call without a name"),
    pytest.param({"functions": [{}]}, "functions[0].name", "missing", id="a function without a name"),
    pytest.param(
        {"functions": [{"name": "a b"}]}, "functions[0].name", "A-Z", id="a function's name with a space"
    ),
    pytest.param({"tools": [{}]}, "tools[0].type", "missing", id="a tool without a type"),
    pytest.param({"tools": [{"type": 1}]}, "tools[0].type", "got 1", id="a tool whose type is a number"),
    pytest.param(
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]},
        "tools[0].function.parameters",
        "an object",
        id="parameters as a list",
    ),
    pytest.param({"tool_choice": 1}, "tool_choice", "text or an object", id="a tool choice that is a number"),
    pytest.param(
        {"tool_choice": {"type": "x"}},
        "tool_choice.type",
        "allowed_tools",
        id="a tool choice of an unknown type",
    ),
    pytest.param({"tool_choice": {"a": 1}}, "tool_choice.type", "missing", id="a tool choice without a type"),
    pytest.param(
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a b"}}},
        "response_format.json_schema.name",
        "A-Z",
        id="a schema's name with a space",
    ),
    pytest.param(
        {"response_format": "json"}, "response_format", "an object", id="a response format given as text"
    ),
    pytest.param({"output_schema": True}, "output_schema", "an object", id="a schema that is true"),
    pytest.param(
        {"output_schema": {"a": {"$dynamicRef": "b#"}}},
        "output_schema",
        "$dynamicRef",
        id="a $dynamicRef to another document",
    ),
    pytest.param(
        {"prediction": {"type": "x"}}, "prediction.type", "content", id="a prediction of an unknown type"
    ),
    pytest.param({"usage": {"include": 1}}, "usage.include", "a boolean", id="usage.include as a number"),
]


@pytest.mark.parametrize(("fields", "param", "says"), WRONG_FIELDS)
def test_a_wrong_field_is_refused_with_its_path_and_a_hint(
    fields: dict[str, Any], param: str, says: str
) -> None:
    error = refusal(**fields)
    assert (error.status, error.param) == (400, param)
    assert error.message.startswith(param)
    assert says in error.message


def test_an_error_never_quotes_a_prompt() -> None:
    assert "secret" not in refusal(messages="a secret").message
    assert "secret" not in refusal(messages=["a secret"]).message
    assert "secret" not in refusal(output_schema="a secret").message


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        pytest.param("properties", True, id="a property called $ref is accepted"),
        pytest.param("$ref", False, id="a $ref to a URL is refused"),
    ],
)
def test_only_a_reference_is_a_reference(name: str, accepted: bool) -> None:
    schema = {name: {"$ref": {"type": "string"}} if accepted else "https://a/b#/c"}
    if accepted:
        assert chat(output_schema=schema)
    else:
        assert refusal(output_schema=schema).param == "output_schema"


def test_a_schema_of_exactly_the_limits_is_accepted() -> None:
    deep: dict[str, Any] = {}
    for _ in range(31):
        deep = {"a": deep}
    padding = 64 * 1024 - len('{"d":""}')
    assert chat(output_schema=deep)
    assert chat(output_schema={"d": "é" * (padding // 2)})
    assert refusal(output_schema={"d": "é" * (padding // 2 + 1)}).param == "output_schema"


READ = [
    pytest.param({}, {}, "prefer", None, id="no preference"),
    pytest.param({}, {"x-sluice-prefer": "quality"}, "prefer", "quality", id="a header's preference"),
    pytest.param({"stream": True}, {}, "stream", True, id="a stream"),
    pytest.param({"stream": True}, {}, "include_usage", False, id="a stream without usage"),
    pytest.param(
        {"stream": True, "stream_options": {"include_usage": True}},
        {},
        "include_usage",
        True,
        id="a stream with usage",
    ),
    pytest.param({"usage": {"include": True}}, {}, "include_cost", True, id="the cost is requested"),
    pytest.param({"n": 2.0}, {}, "n", 2, id="an integral float is an integer"),
    pytest.param({}, {"x-opper-name": "f"}, "function", "f", id="a function's name"),
    pytest.param({"tools": [TOOL]}, {}, "legacy", False, id="tools are not the legacy form"),
    pytest.param({"functions": [{"name": "f"}]}, {}, "legacy", True, id="functions are the legacy form"),
    pytest.param({"function_call": "auto"}, {}, "legacy", True, id="function_call is the legacy form"),
    pytest.param({"store": False}, {}, "no_content_log", True, id="store: false forbids the content log"),
    pytest.param(
        {"store": True},
        {"op-log-request": "false"},
        "no_content_log",
        True,
        id="a header forbids the content log",
    ),
    pytest.param({"store": True}, {}, "no_content_log", False, id="store: true allows the content log"),
    pytest.param(
        {"tags": {"a": 1, "b": 1.5, "c": True, "d": None, "e": ""}},
        {},
        "tags",
        {"a": "1", "b": "1.5", "c": "true", "e": ""},
        id="scalars become text, null counts as absent",
    ),
    pytest.param(
        {"metadata": {"a": "metadata", "b": "metadata"}, "tags": {"e": "body"}},
        {
            "op-tags": '{"b": "op", "c": 1}',
            "x-opper-tags": "c:opper,d:opper",
            "x-sluice-tags": "d:sluice,e:sluice",
        },
        "tags",
        {"a": "metadata", "b": "op", "c": "opper", "d": "sluice", "e": "body"},
        id="metadata, op-tags, x-opper-tags, x-sluice-tags, body: the later wins",
    ),
]


@pytest.mark.parametrize(("fields", "headers", "attribute", "value"), READ)
def test_options_are_read_from_a_request(
    fields: dict[str, Any], headers: dict[str, str], attribute: str, value: Any
) -> None:
    assert getattr(chat(headers, **fields), attribute) == value


def test_an_unknown_preference_is_refused_even_where_another_one_wins() -> None:
    assert refusal({"x-sluice-prefer": "cheap"}, hints={"prefer": "x"}).param == "hints.prefer"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELD = st.sampled_from([(name, value) for name, values in ACCEPTED for value in values])
BODIES = st.builds(
    lambda fields, wild, messages: {"messages": messages, **dict(fields), **wild},
    st.lists(FIELD, max_size=6),
    st.dictionaries(st.sampled_from([name for name, _ in ACCEPTED]) | st.text(max_size=3), JSON, max_size=1),
    st.just([USER]) | st.lists(st.sampled_from([one.values[0] for one in MESSAGES]) | JSON, max_size=3),
)


@settings(deadline=None)
@given(BODIES)
def test_a_body_is_refused_with_an_error_or_sent_on_without_sluices_own_fields(body: dict[str, Any]) -> None:
    try:
        accepted = parse(json.dumps(body).encode(), {}, Settings())
    except GatewayError:
        return
    added = {
        *(body.get("hints") or {}),
        *(["response_format"] if body.get("output_schema") is not None else []),
    }
    found = {name: value for name, value in prepare_body(accepted, Effects()).items() if name not in added}
    without = {name: value for name, value in accepted.body.items() if name not in OWN | added}
    assert list(found) == list(without)
    assert all(found[name] is value for name, value in without.items())


@settings(deadline=None)
@given(st.binary())
def test_any_bytes_are_refused_with_an_error(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse(body, {}, Settings())
