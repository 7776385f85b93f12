"""Each quirk of a row changes the request as documented, and nothing else."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest

from handler.errors import Json, UpstreamError
from handler.providers.openai.translator import OpenAI
from handler.providers.provider import Quirks
from handler.providers.rows.builtin import PROVIDERS
from handler.wire.splice import splice
from rules import Model

CHAT: Json = {"model": "openai/m", "messages": [{"role": "user", "content": "Hi"}], "temperature": 0.5}


def test_allowed_tools_that_do_not_exist_are_refused() -> None:
    """Without tools, `required` would be sent as a choice among none."""
    tools: list[Json] = [{"type": "function", "function": {"name": "other"}}, {"type": "custom"}]
    absent: list[list[Json]] = [[], [{}], [{"type": "function", "function": {"name": "look"}}]]
    for some in absent:
        choice = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": some}}
        with pytest.raises(UpstreamError) as raised:
            adapt({**CHAT, "tools": tools, "tool_choice": choice}, Quirks(allowed_tools=False))
        assert (raised.value.status, raised.value.param) == (400, "tool_choice.allowed_tools")


def adapt(
    chat: Mapping[str, Any], quirks: Quirks | None = None, *rules: str, name: str = "m"
) -> tuple[Json, tuple[str, ...]]:
    """The body that is sent, and the fields that were dropped."""
    model = Model(provider="p", name=name, rules=rules)
    before = copy.deepcopy(dict(chat))
    body, dropped = OpenAI().request(dict(chat), model, quirks or Quirks())
    assert before == chat, "the client's body must not change"
    return body, dropped


def test_the_path_is_the_same_for_streams() -> None:
    model = Model(provider="p", name="m")
    assert {OpenAI().path(model, stream=stream) for stream in (True, False)} == {"/chat/completions"}


def test_a_row_without_quirks_only_changes_the_model() -> None:
    chat = {**CHAT, "seed": None, "x": {"y": [1]}, "user": "u", "name": "n"}
    body, dropped = adapt(chat, name="gpt-4.1")
    assert body == {**chat, "model": "gpt-4.1"}
    assert dropped == ()
    assert body["messages"] is chat["messages"]


USER = {"role": "user", "content": "Hi", "name": "bob"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}}
TEXT_PARTS = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
IMAGE = {"type": "image_url", "image_url": {"url": "data:x"}}
ASSISTANT = {"role": "assistant", "content": "yes"}
OTHER_TOOL = {"type": "function", "function": {"name": "g"}}
ALLOWED_TOOLS = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [OTHER_TOOL]}}


def user(content: Any) -> Json:
    return {"role": "user", "content": content}


def result(id: str, content: Any) -> Json:
    return {"role": "tool", "tool_call_id": id, "content": content}


def label(id: str) -> Json:
    return {"type": "text", "text": f"[tool result {id}]"}


@pytest.mark.parametrize(
    ("quirks", "fields", "expected", "expected_dropped"),
    [
        pytest.param(
            Quirks(rename={"max_completion_tokens": "max_tokens"}),
            {"max_completion_tokens": 5},
            {"max_tokens": 5},
            (),
            id="a field is sent under the provider's name",
        ),
        pytest.param(
            Quirks(rename={"max_completion_tokens": "max_tokens"}),
            {"max_completion_tokens": 5, "max_tokens": 5},
            {"max_tokens": 5},
            (),
            id="of both names the provider's is sent",
        ),
        pytest.param(
            Quirks(rename={"seed": "random_seed"}),
            {"seed": 0},
            {"random_seed": 0},
            (),
            id="a seed of 0 is renamed too",
        ),
        pytest.param(
            Quirks(drop=frozenset({"logit_bias", "seed"})),
            {"logit_bias": {"1": 1}, "seed": 1},
            {},
            ("logit_bias", "seed"),
            id="parameters that it refuses are dropped and reported",
        ),
        pytest.param(
            Quirks(drop=frozenset({"logit_bias", "logprobs", "frequency_penalty", "store", "seed"})),
            {"logit_bias": {}, "logprobs": False, "frequency_penalty": 0.0, "store": False, "seed": None},
            {},
            (),
            id="defaults are dropped without a report",
        ),
        pytest.param(
            Quirks(drop_null=True),
            {
                "stop": None,
                "messages": [{"role": "assistant", "content": None, "audio": None, "tool_calls": [{}]}],
            },
            {"messages": [{"role": "assistant", "content": None, "tool_calls": [{}]}]},
            (),
            id="nulls are dropped, except the content of a message",
        ),
        pytest.param(
            Quirks(message_drop=frozenset({"name"})),
            {"messages": [USER]},
            {"messages": [{"role": "user", "content": "Hi"}]},
            ("messages.name",),
            id="a field of messages is dropped and reported",
        ),
        pytest.param(
            Quirks(message_drop=frozenset({"tool_calls.thought_signature"})),
            {
                "messages": [
                    {"role": "assistant", "tool_calls": [{"id": "a", "thought_signature": "x"}, {"id": "b"}]}
                ]
            },
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "a"}, {"id": "b"}]}]},
            ("messages.tool_calls.thought_signature",),
            id="a field of a message's tool calls is dropped",
        ),
        pytest.param(
            Quirks(message_drop=frozenset({"name"})),
            {"messages": [{"role": "function", "name": "f", "content": "1"}]},
            {"messages": [{"role": "function", "name": "f", "content": "1"}]},
            (),
            id="a function's result keeps its name",
        ),
        pytest.param(
            Quirks(roles={"developer": "system"}),
            {"messages": [{"role": "developer", "content": "x"}, USER]},
            {"messages": [{"role": "system", "content": "x"}, USER]},
            (),
            id="a role is renamed",
        ),
        pytest.param(
            Quirks(tool_texts=True),
            {
                "messages": [
                    result("a", [*TEXT_PARTS, IMAGE]),
                    result("b", [IMAGE]),
                    result("c", "text"),
                    ASSISTANT,
                    result("d", [IMAGE]),
                ]
            },
            {
                "messages": [
                    result("a", TEXT_PARTS),
                    result("b", "(attached)"),
                    result("c", "text"),
                    user([label("a"), IMAGE, label("b"), IMAGE]),
                    ASSISTANT,
                    result("d", "(attached)"),
                    user([label("d"), IMAGE]),
                ]
            },
            (),
            id="images of results move behind them",
        ),
        pytest.param(
            Quirks(text_content=True),
            {
                "messages": [
                    {"role": "user", "content": TEXT_PARTS},
                    {"role": "user", "content": [*TEXT_PARTS, IMAGE]},
                ]
            },
            {
                "messages": [
                    {"role": "user", "content": "ab"},
                    {"role": "user", "content": [*TEXT_PARTS, IMAGE]},
                ]
            },
            (),
            id="text parts are joined if all parts are text",
        ),
        pytest.param(
            Quirks(tool_choice={"required": "any"}),
            {"tool_choice": "required"},
            {"tool_choice": "any"},
            (),
            id="tool_choice is renamed",
        ),
        pytest.param(
            Quirks(tool_choice={"function": "auto"}),
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
            {"tool_choice": "auto"},
            ("tool_choice",),
            id="tool_choice that becomes auto is reported",
        ),
        pytest.param(
            Quirks(tool_choice={"required": "any"}),
            {"tool_choice": "auto"},
            {"tool_choice": "auto"},
            (),
            id="another tool_choice stays",
        ),
        pytest.param(
            Quirks(tool_drop=frozenset({"strict"})),
            {"tools": [TOOL]},
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
            ("tools.function.strict",),
            id="a field of functions is dropped and reported",
        ),
        pytest.param(
            Quirks(drop_empty=True),
            {
                "tools": [],
                "tool_choice": "auto",
                "parallel_tool_calls": True,
                "stop": [""],
                "messages": [{"role": "assistant", "content": "", "tool_calls": []}],
            },
            {"messages": [{"role": "assistant", "content": ""}]},
            (),
            id="empty lists are dropped, and tool_choice without tools",
        ),
        pytest.param(
            Quirks(drop_empty=True),
            {"tool_choice": "required", "stop": ["", "x"]},
            {"tool_choice": "required", "stop": ["x"]},
            (),
            id="required without tools stays, and so does a stop that is not empty",
        ),
        pytest.param(
            Quirks(call_id_length=9),
            {
                "messages": [
                    {"role": "assistant", "tool_calls": [{"id": "call_1"}, {"id": "abcDEF123"}]},
                    {"role": "tool", "tool_call_id": "call_1", "content": "x"},
                ]
            },
            {
                "messages": [
                    {"role": "assistant", "tool_calls": [{"id": "74196fe72"}, {"id": "abcDEF123"}]},
                    {"role": "tool", "tool_call_id": "74196fe72", "content": "x"},
                ]
            },
            (),
            id="an id of another length is hashed, in the call and its result",
        ),
        pytest.param(
            Quirks(alternate=True),
            {"messages": [user("a"), user("b"), user([{"type": "text", "text": "c"}]), ASSISTANT, ASSISTANT]},
            {
                "messages": [
                    user([{"type": "text", "text": text} for text in "abc"]),
                    {"role": "assistant", "content": "yes\n\nyes"},
                ]
            },
            (),
            id="neighbours of one role are merged",
        ),
        pytest.param(
            Quirks(message_drop=frozenset({"content.cache_control"})),
            {"messages": [user([{"type": "text", "text": "a", "cache_control": {}}])]},
            {"messages": [user([{"type": "text", "text": "a"}])]},
            ("messages.content.cache_control",),
            id="a field of content parts is dropped",
        ),
        pytest.param(
            Quirks(message_drop=frozenset({"refusal"})),
            {
                "messages": [
                    {"role": "assistant", "content": None, "refusal": "No."},
                    {"role": "assistant", "content": [{"type": "refusal", "refusal": "Never."}]},
                ]
            },
            {
                "messages": [
                    {"role": "assistant", "content": "No."},
                    {"role": "assistant", "content": [{"type": "text", "text": "Never."}]},
                ]
            },
            ("messages.refusal",),
            id="a refusal becomes text where the field is dropped",
        ),
        pytest.param(
            Quirks(allowed_tools=False),
            {"tools": [TOOL, OTHER_TOOL], "tool_choice": ALLOWED_TOOLS},
            {"tools": [OTHER_TOOL], "tool_choice": "required"},
            (),
            id="allowed_tools drops the other tools",
        ),
        pytest.param(
            Quirks(tool_drop=frozenset({"cache_control"})),
            {"tools": [{**OTHER_TOOL, "cache_control": {}}]},
            {"tools": [OTHER_TOOL]},
            ("tools.cache_control",),
            id="a field of tools is dropped",
        ),
        pytest.param(
            Quirks(temperature_least=0.01, temperature_most=1),
            {"temperature": 0},
            {"temperature": 0.01},
            ("temperature",),
            id="a temperature below the minimum",
        ),
        pytest.param(
            Quirks(temperature_least=0.01, temperature_most=1),
            {"temperature": 1.5},
            {"temperature": 1},
            ("temperature",),
            id="a temperature above the maximum",
        ),
        pytest.param(
            Quirks(service_tier={"default": "on_demand"}),
            {"service_tier": "default"},
            {"service_tier": "on_demand"},
            (),
            id="a service tier is renamed",
        ),
        pytest.param(
            Quirks(service_tier={"default": "on_demand"}),
            {"service_tier": "scale"},
            {},
            ("service_tier",),
            id="an unknown service tier is dropped",
        ),
        pytest.param(
            Quirks(),
            {"stream": True},
            {"stream": True, "stream_options": {"include_usage": True}},
            (),
            id="the usage of a stream is requested",
        ),
        pytest.param(
            Quirks(),
            {"stream": True, "stream_options": {"include_usage": False, "include_obfuscation": False}},
            {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}},
            (),
            id="usage is added to the client's stream options",
        ),
        pytest.param(
            Quirks(),
            {"stream": True, "stream_options": "x"},
            {"stream": True, "stream_options": {"include_usage": True}},
            (),
            id="stream options that are not an object are replaced",
        ),
        pytest.param(
            Quirks(stream_usage=False),
            {"stream": True, "stream_options": {"include_usage": True}},
            {"stream": True},
            (),
            id="stream_options are dropped where they are refused",
        ),
        pytest.param(
            Quirks(),
            {"stream": False},
            {"stream": False},
            (),
            id="a request without streaming gets no stream options",
        ),
        pytest.param(
            Quirks(legacy=False, drop=frozenset({"parallel_tool_calls"})),
            {"functions": [{"name": "f"}], "function_call": {"name": "f"}},
            {
                "tools": [{"type": "function", "function": {"name": "f"}}],
                "tool_choice": {"type": "function", "function": {"name": "f"}},
            },
            (),
            id="functions become tools, and added fields are not reported",
        ),
        pytest.param(
            Quirks(),
            {"functions": [{"name": "f"}]},
            {"functions": [{"name": "f"}]},
            (),
            id="functions stay where the provider takes them",
        ),
    ],
)
def test_each_quirk(quirks: Quirks, fields: Json, expected: Json, expected_dropped: tuple[str, ...]) -> None:
    chat = {**CHAT, **fields}
    body, dropped = adapt(chat, quirks)
    assert body == {
        **{name: value for name, value in CHAT.items() if name not in fields},
        **expected,
        "model": "m",
    }
    assert dropped == expected_dropped


def test_a_model_that_does_not_reason_gets_no_effort() -> None:
    model = Model(provider="p", name="m", can=frozenset({"tools"}))
    body, dropped = OpenAI().request({**CHAT, "reasoning_effort": "low"}, model, Quirks())
    assert body == {**CHAT, "model": "m"}
    assert dropped == ("reasoning_effort",)


def test_openai_gets_no_reasoning_of_other_models() -> None:
    message = {"role": "assistant", "content": "a"}
    reasoning = {
        "reasoning_content": "b",
        "reasoning": "b",
        "reasoning_details": [{"type": "reasoning.text"}],
    }
    body, dropped = OpenAI().request(
        {"messages": [{**message, **reasoning}]},
        Model(provider="openai", name="b"),
        PROVIDERS["openai"].quirks,
    )
    assert body["messages"] == [message]
    assert set(dropped) == {f"messages.{name}" for name in reasoning}


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_unchanged_parts_keep_the_clients_text(provider: str) -> None:
    tool = '{"type":"function","function":{"name":"f" ,"parameters":{"type":"object","x":1e0}}}'
    text = (
        '{ "model":"a" ,"messages":[{"content":"caf\\u00e9","role":"user"} ], "temperature":1E-1,\n'
        f'"tools": [{tool}], "top_p":0.50, "max_tokens":7}}'
    )
    chat = json.loads(text)
    body, _ = OpenAI().request(chat, Model(provider=provider, name="b"), PROVIDERS[provider].quirks)
    assert splice(text, chat, body) == text.replace('"a"', '"b"')
