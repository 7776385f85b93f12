"""What a request becomes for each row and for each family of models, and which fields a row refuses."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import pytest

from handler.errors import Json, UpstreamError
from handler.providers.openai.translator import OpenAI
from handler.providers.provider import Quirks
from handler.providers.quirks.model_rules import MESSAGE_RULES, OTHER_FORMATS, PARAMETER_RULES
from handler.providers.quirks.refused_fields import refused_field
from handler.providers.registry import TRANSLATORS
from handler.providers.rows.builtin import PROVIDERS
from handler.wire.splice import splice
from rules import Model, load_catalog

CHAT: Json = {"model": "openai/m", "messages": [{"role": "user", "content": "Hi"}], "temperature": 0.5}


def test_a_choice_of_tools_that_are_not_there_is_refused() -> None:
    """Without tools what was required would go on as the choice among none."""
    tools: list[Json] = [{"type": "function", "function": {"name": "other"}}, {"type": "custom"}]
    absent: list[list[Json]] = [[], [{}], [{"type": "function", "function": {"name": "look"}}]]
    for some in absent:
        choice = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": some}}
        with pytest.raises(UpstreamError) as raised:
            sent({**CHAT, "tools": tools, "tool_choice": choice}, Quirks(allowed_tools=False))
        assert (raised.value.status, raised.value.param) == (400, "tool_choice.allowed_tools")


def sent(
    chat: Mapping[str, Any], quirks: Quirks | None = None, *rules: str, name: str = "m"
) -> tuple[Json, tuple[str, ...]]:
    """What goes upstream, and what was left out."""
    model = Model(provider="p", name=name, rules=rules)
    before = copy.deepcopy(dict(chat))
    body, dropped = OpenAI().request(dict(chat), model, quirks or Quirks())
    assert before == chat, "the client's body is never changed"
    return body, dropped


def test_the_path_is_the_same_for_streams() -> None:
    model = Model(provider="p", name="m")
    assert {OpenAI().path(model, stream=stream) for stream in (True, False)} == {"/chat/completions"}


def test_a_row_without_quirks_changes_the_model_only() -> None:
    chat = {**CHAT, "seed": None, "x": {"y": [1]}, "user": "u", "name": "n"}
    body, dropped = sent(chat, name="gpt-4.1")
    assert body == {**chat, "model": "gpt-4.1"}
    assert dropped == ()
    assert body["messages"] is chat["messages"]


MESSAGE = {"role": "user", "content": "Hi", "name": "bob"}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}}
PARTS = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
IMAGE = {"type": "image_url", "image_url": {"url": "data:x"}}
MODEL = {"role": "assistant", "content": "yes"}
OTHER = {"type": "function", "function": {"name": "g"}}
SOME = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [OTHER]}}


def user(content: Any) -> Json:
    return {"role": "user", "content": content}


@pytest.mark.parametrize(
    ("quirks", "given_", "expected", "left_out"),
    [
        pytest.param(
            Quirks(rename={"max_completion_tokens": "max_tokens"}),
            {"max_completion_tokens": 5},
            {"max_tokens": 5},
            (),
            id="a field goes under the provider's name",
        ),
        pytest.param(
            Quirks(rename={"max_completion_tokens": "max_tokens"}),
            {"max_completion_tokens": 5, "max_tokens": 5},
            {"max_tokens": 5},
            (),
            id="both names at once become one",
        ),
        pytest.param(
            Quirks(rename={"seed": "random_seed"}),
            {"seed": 0},
            {"random_seed": 0},
            (),
            id="a seed of 0 is a seed",
        ),
        pytest.param(
            Quirks(drop=frozenset({"logit_bias", "seed"})),
            {"logit_bias": {"1": 1}, "seed": 1},
            {},
            ("logit_bias", "seed"),
            id="tuning it refuses is left out and named",
        ),
        pytest.param(
            Quirks(drop=frozenset({"logit_bias", "logprobs", "frequency_penalty", "store", "seed"})),
            {"logit_bias": {}, "logprobs": False, "frequency_penalty": 0.0, "store": False, "seed": None},
            {},
            (),
            id="tuning that says nothing is left out without a word",
        ),
        pytest.param(
            Quirks(drop_null=True),
            {
                "stop": None,
                "messages": [{"role": "assistant", "content": None, "audio": None, "tool_calls": [{}]}],
            },
            {"messages": [{"role": "assistant", "content": None, "tool_calls": [{}]}]},
            (),
            id="nulls are left out, but for the content of a message",
        ),
        pytest.param(
            Quirks(message_drop=frozenset({"name"})),
            {"messages": [MESSAGE]},
            {"messages": [{"role": "user", "content": "Hi"}]},
            ("messages.name",),
            id="a field of messages is left out and named",
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
            id="a field of the calls of a message",
        ),
        pytest.param(
            Quirks(message_drop=frozenset({"name"})),
            {"messages": [{"role": "function", "name": "f", "content": "1"}]},
            {"messages": [{"role": "function", "name": "f", "content": "1"}]},
            (),
            id="but a function's result keeps its name",
        ),
        pytest.param(
            Quirks(roles={"developer": "system"}),
            {"messages": [{"role": "developer", "content": "x"}, MESSAGE]},
            {"messages": [{"role": "system", "content": "x"}, MESSAGE]},
            (),
            id="a role it does not know is called by another",
        ),
        pytest.param(
            Quirks(text_content=True),
            {"messages": [{"role": "user", "content": PARTS}, {"role": "user", "content": [*PARTS, IMAGE]}]},
            {"messages": [{"role": "user", "content": "ab"}, {"role": "user", "content": [*PARTS, IMAGE]}]},
            (),
            id="text parts become one text where nothing else is among them",
        ),
        pytest.param(
            Quirks(tool_choice={"required": "any"}),
            {"tool_choice": "required"},
            {"tool_choice": "any"},
            (),
            id="a choice of tools goes by the provider's word",
        ),
        pytest.param(
            Quirks(tool_choice={"function": "auto"}),
            {"tool_choice": {"type": "function", "function": {"name": "f"}}},
            {"tool_choice": "auto"},
            ("tool_choice",),
            id="a choice that becomes less than was asked is named",
        ),
        pytest.param(
            Quirks(tool_choice={"required": "any"}),
            {"tool_choice": "auto"},
            {"tool_choice": "auto"},
            (),
            id="another choice stays",
        ),
        pytest.param(
            Quirks(tool_drop=frozenset({"strict"})),
            {"tools": [TOOL]},
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
            ("tools.function.strict",),
            id="a field of tools is left out and named",
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
            id="lists of nothing are left out, and a choice among no tools",
        ),
        pytest.param(
            Quirks(drop_empty=True),
            {"tool_choice": "required", "stop": ["", "x"]},
            {"tool_choice": "required", "stop": ["x"]},
            (),
            id="but not what the provider must refuse, nor a stop that is one",
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
            id="an id that does not fit becomes another, the same at both ends",
        ),
        pytest.param(
            Quirks(alternate=True),
            {"messages": [user("a"), user("b"), user([{"type": "text", "text": "c"}]), MODEL, MODEL]},
            {
                "messages": [
                    user([{"type": "text", "text": text} for text in "abc"]),
                    {"role": "assistant", "content": "yes\n\nyes"},
                ]
            },
            (),
            id="neighbours of one role are one message",
        ),
        pytest.param(
            Quirks(message_drop=frozenset({"content.cache_control"})),
            {"messages": [user([{"type": "text", "text": "a", "cache_control": {}}])]},
            {"messages": [user([{"type": "text", "text": "a"}])]},
            ("messages.content.cache_control",),
            id="a field of the parts of a message",
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
            id="a refusal that has no place is text",
        ),
        pytest.param(
            Quirks(allowed_tools=False),
            {"tools": [TOOL, OTHER], "tool_choice": SOME},
            {"tools": [OTHER], "tool_choice": "required"},
            (),
            id="a choice of some tools hides the others",
        ),
        pytest.param(
            Quirks(tool_drop=frozenset({"cache_control"})),
            {"tools": [{**OTHER, "cache_control": {}}]},
            {"tools": [OTHER]},
            ("tools.cache_control",),
            id="a field of a tool beside its function",
        ),
        pytest.param(
            Quirks(temperature_least=0.01, temperature_most=1),
            {"temperature": 0},
            {"temperature": 0.01},
            ("temperature",),
            id="a temperature below the least",
        ),
        pytest.param(
            Quirks(temperature_least=0.01, temperature_most=1),
            {"temperature": 1.5},
            {"temperature": 1},
            ("temperature",),
            id="a temperature above the most",
        ),
        pytest.param(
            Quirks(service_tier={"default": "on_demand"}),
            {"service_tier": "default"},
            {"service_tier": "on_demand"},
            (),
            id="a tier by the provider's word",
        ),
        pytest.param(
            Quirks(service_tier={"default": "on_demand"}),
            {"service_tier": "scale"},
            {},
            ("service_tier",),
            id="a tier it does not have",
        ),
        pytest.param(
            Quirks(),
            {"stream": True},
            {"stream": True, "stream_options": {"include_usage": True}},
            (),
            id="a stream is asked for its usage",
        ),
        pytest.param(
            Quirks(),
            {"stream": True, "stream_options": {"include_usage": False, "include_obfuscation": False}},
            {"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}},
            (),
            id="beside the options that the client gave",
        ),
        pytest.param(
            Quirks(),
            {"stream": True, "stream_options": "x"},
            {"stream": True, "stream_options": {"include_usage": True}},
            (),
            id="and instead of what are no options",
        ),
        pytest.param(
            Quirks(stream_usage=False),
            {"stream": True, "stream_options": {"include_usage": True}},
            {"stream": True},
            (),
            id="but not where the field is refused",
        ),
        pytest.param(Quirks(), {"stream": False}, {"stream": False}, (), id="nor when it is no stream"),
        pytest.param(
            Quirks(legacy=False, drop=frozenset({"parallel_tool_calls"})),
            {"functions": [{"name": "f"}], "function_call": {"name": "f"}},
            {
                "tools": [{"type": "function", "function": {"name": "f"}}],
                "tool_choice": {"type": "function", "function": {"name": "f"}},
            },
            (),
            id="functions become tools, and what the client did not write is not named",
        ),
        pytest.param(
            Quirks(),
            {"functions": [{"name": "f"}]},
            {"functions": [{"name": "f"}]},
            (),
            id="or stay functions",
        ),
    ],
)
def test_each_quirk(quirks: Quirks, given_: Json, expected: Json, left_out: tuple[str, ...]) -> None:
    chat = {**CHAT, **given_}
    body, dropped = sent(chat, quirks)
    assert body == {
        **{name: value for name, value in CHAT.items() if name not in given_},
        **expected,
        "model": "m",
    }
    assert dropped == left_out


HIGH = {"reasoning_effort": "high"}
NONE = {"reasoning_effort": "none"}
WARM = {"temperature": 0.5}


@pytest.mark.parametrize(
    ("rules", "given_", "expected", "left_out"),
    [
        pytest.param(
            ("max_completion_tokens",),
            {"max_tokens": 5},
            {"max_completion_tokens": 5, **WARM},
            (),
            id="max_completion_tokens: the old name becomes the new",
        ),
        pytest.param(
            ("no_sampling",),
            {"top_p": 0.1, "top_k": 5, "logprobs": True, "logit_bias": {"1": 1}},
            {},
            ("temperature", "top_p", "top_k", "logprobs", "logit_bias"),
            id="no_sampling: whatever chooses among tokens",
        ),
        pytest.param(
            ("effort_sampling",), HIGH, HIGH, ("temperature",), id="effort_sampling: beside an effort"
        ),
        pytest.param(
            ("effort_sampling",),
            {**NONE, "presence_penalty": 1},
            {**NONE, **WARM},
            ("presence_penalty",),
            id="effort_sampling: without one only penalties go",
        ),
        pytest.param(("effort_sampling",), {}, WARM, (), id="effort_sampling: no effort asked for is none"),
        pytest.param(("no_stop",), {"stop": "x"}, WARM, ("stop",), id="no_stop"),
        pytest.param(
            ("no_parallel_tools",),
            {"parallel_tool_calls": False},
            WARM,
            ("parallel_tool_calls",),
            id="no_parallel_tools",
        ),
        pytest.param(
            ("effort_tools",),
            {**HIGH, "tools": [TOOL]},
            {**NONE, "tools": [TOOL], **WARM},
            ("reasoning_effort",),
            id="effort_tools: tools go before effort",
        ),
        pytest.param(("effort_tools",), HIGH, {**HIGH, **WARM}, (), id="effort_tools: no tools, any effort"),
        pytest.param(
            ("effort_sampling", "effort_tools"),
            {**HIGH, "tools": [TOOL]},
            {**NONE, "tools": [TOOL]},
            ("temperature", "reasoning_effort"),
            id="two rules, in their order",
        ),
        pytest.param(("efforts:low,high",), HIGH, {**HIGH, **WARM}, (), id="efforts: one it takes"),
        pytest.param(
            ("efforts:low,medium",),
            HIGH,
            {"reasoning_effort": "medium", **WARM},
            ("reasoning_effort",),
            id="efforts: the next lower one",
        ),
        pytest.param(
            ("efforts:low,medium",),
            NONE,
            {"reasoning_effort": "low", **WARM},
            ("reasoning_effort",),
            id="efforts: the lowest where none is lower",
        ),
        pytest.param(
            ("efforts:low",),
            {"reasoning_effort": "odd"},
            {"reasoning_effort": "odd", **WARM},
            (),
            id="efforts: a word nobody knows goes on",
        ),
        pytest.param(
            ("efforts:none,default",),
            HIGH,
            {"reasoning_effort": "default", **WARM},
            ("reasoning_effort",),
            id="efforts: a provider's own word is more than none",
        ),
        pytest.param(("unheard_of",), {}, WARM, (), id="a rule that is not known changes nothing"),
    ],
)
def test_each_rule_of_a_family(
    rules: tuple[str, ...], given_: Json, expected: Json, left_out: tuple[str, ...]
) -> None:
    body, dropped = sent({**CHAT, **given_}, None, *rules)
    assert body == {"model": "m", "messages": CHAT["messages"], **expected}
    assert sorted(dropped) == sorted(left_out)


CALLED = {"role": "assistant", "content": None, "tool_calls": [{"id": "a"}]}


@pytest.mark.parametrize(
    ("messages", "thoughts"),
    [
        pytest.param([MESSAGE, MODEL], [None, None], id="without calls nothing is asked for"),
        pytest.param([MESSAGE, CALLED, MODEL], [None, " ", " "], id="after calls each answer has some"),
        pytest.param([{**CALLED, "reasoning_content": "Hm."}, MODEL], ["Hm.", " "], id="its own stay"),
    ],
)
def test_thoughts_that_must_come_back(messages: list[Json], thoughts: list[str | None]) -> None:
    body, dropped = sent({"model": "m", "messages": messages}, None, "thoughts_back")
    assert [message.get("reasoning_content") for message in body["messages"]] == thoughts
    assert dropped == ()


def test_every_rule_that_the_catalogue_names_for_these_providers_is_known() -> None:
    served = {name for name, row in PROVIDERS.items() if row.dialect in TRANSLATORS}
    models = (model for model in load_catalog().all() if model.provider in served)
    named = {rule.partition(":")[0] for model in models for rule in model.rules}
    assert named <= PARAMETER_RULES.keys() | OTHER_FORMATS | MESSAGE_RULES.keys()


def test_what_other_models_thought_is_kept_from_openai_which_refuses_it() -> None:
    said = {"role": "assistant", "content": "a"}
    thoughts = {"reasoning_content": "b", "reasoning": "b", "reasoning_details": [{"type": "reasoning.text"}]}
    body, dropped = OpenAI().request(
        {"messages": [{**said, **thoughts}]},
        Model(provider="openai", name="b"),
        PROVIDERS["openai"].quirks,
    )
    assert body["messages"] == [said]
    assert set(dropped) == {f"messages.{name}" for name in thoughts}


@pytest.mark.parametrize("provider", sorted(PROVIDERS))
def test_what_a_row_does_not_change_keeps_the_clients_text(provider: str) -> None:
    tool = '{"type":"function","function":{"name":"f" ,"parameters":{"type":"object","x":1e0}}}'
    text = (
        '{ "model":"a" ,"messages":[{"content":"caf\\u00e9","role":"user"} ], "temperature":1E-1,\n'
        f'"tools": [{tool}], "top_p":0.50, "max_tokens":7}}'
    )
    chat = json.loads(text)
    body, _ = OpenAI().request(chat, Model(provider=provider, name="b"), PROVIDERS[provider].quirks)
    assert splice(text, chat, body) == text.replace('"a"', '"b"')


@pytest.mark.parametrize(
    ("chat", "allow", "expected"),
    [
        pytest.param({"plugins": []}, (), "plugins", id="a field that is refused"),
        pytest.param({"plugins": None}, (), None, id="unless it is null"),
        pytest.param({"plugins": []}, ("plugins",), None, id="or a rule allows it"),
        pytest.param({"service_tier": "priority"}, (), "service_tier", id="a value that is refused"),
        pytest.param({"service_tier": "flex"}, (), None, id="another value of the field"),
        pytest.param({"service_tier": "priority"}, ("service_tier",), None, id="a value that a rule allows"),
        pytest.param({"tools": [TOOL, {"type": "web"}]}, (), "tools", id="a sort of tool that is refused"),
        pytest.param({"tools": [TOOL]}, (), None, id="another sort of tool"),
        pytest.param({"tools": "web", "seed": 1}, (), None, id="what is no list of tools"),
    ],
)
def test_refused_fields(chat: Json, allow: tuple[str, ...], expected: str | None) -> None:
    refuse = frozenset({"plugins", "service_tier=priority", "tools.web"})
    assert refused_field(chat, refuse, allow, model="a") == expected


@pytest.mark.parametrize(
    ("model", "allow", "expected"),
    [
        pytest.param("openai/gpt-4o:online", (), "model", id="a model that searches the web"),
        pytest.param("OpenAI/GPT-4o:Online", (), "model", id="in capitals"),
        pytest.param("@preset/mine", (), "model", id="a preset"),
        pytest.param("openai/gpt-4o@preset/mine", (), "model", id="a model with a preset"),
        pytest.param("openrouter/auto", (), "model", id="a router for a model"),
        pytest.param("openai/gpt-4o:online", ("plugins",), "model", id="a rule that allows another field"),
        pytest.param("openai/gpt-4o:online", ("model",), None, id="unless a rule allows it"),
        pytest.param("openai/gpt-4o:free", (), None, id="a model of its own"),
        pytest.param("perplexity/llama-3.1-sonar-small-128k-online", (), None, id="a name that ends alike"),
    ],
)
def test_refused_models(model: str, allow: tuple[str, ...], expected: str | None) -> None:
    refuse = PROVIDERS["openrouter"].quirks.refuse
    assert refused_field({"model": "whatever was asked for"}, refuse, allow, model=model) == expected


ROWS = [name for name, row in PROVIDERS.items() if row.dialect == "openai"]
SIGNED = {"extra_content": {"google": {"thought_signature": "QUJD"}}}
STAND_IN = {"extra_content": {"google": {"thought_signature": "skip_thought_signature_validator"}}}


@pytest.mark.parametrize("provider", ROWS)
def test_what_a_family_needs_goes_to_every_host(provider: str) -> None:
    """A row may leave thoughts and signatures out of messages, but not of a model that refuses without."""
    call = {"id": "abcdefghi", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    thought = {"reasoning_content": "Hm.", "tool_calls": [{**call, **SIGNED}]}
    answers: list[Json] = [
        {"content": None, **thought},
        {"content": None, "tool_calls": [call, call]},
        {"content": None, "tool_calls": [{**call, "thought_signature": "REVG"}]},
        {"content": "Done."},
    ]
    messages = [one for each in answers for one in (CHAT["messages"][0], {"role": "assistant", **each})]
    quirks = PROVIDERS[provider].quirks

    def answered(*rules: str) -> list[Json]:
        found: list[Json] = sent({"model": "m", "messages": messages}, quirks, *rules)[0]["messages"][1::2]
        return found

    assert [one["reasoning_content"] for one in answered("thoughts_back")] == ["Hm.", " ", " ", " "]
    signed = [
        [call.get("extra_content") for call in one.get("tool_calls", [])] for one in answered("signatures")
    ]
    own = {"google": {"thought_signature": "REVG"}}
    assert signed == [[SIGNED["extra_content"]], [STAND_IN["extra_content"], None], [own], []]
    dropped = "reasoning_content" in quirks.message_drop
    assert any("reasoning_content" in one for one in answered()) is not dropped


@pytest.mark.parametrize("messages", [None, "x", [], [{"role": "assistant", "tool_calls": [1]}]])
def test_what_is_no_conversation_needs_nothing(messages: Any) -> None:
    body, _ = sent({"model": "m", "messages": messages}, None, "signatures", "thoughts_back")
    assert body["messages"] == messages
