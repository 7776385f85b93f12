"""145 to 150: caches and identity."""

from __future__ import annotations

import json

from tests.translation_cases.case_types import ABSENT, Case, CheckCase, RequestCase, request_of
from tests.translation_cases.messages import COMPATIBLE
from tests.translation_cases.vocabulary import (
    CACHE_POINT,
    LLAMA,
    MISTRAL,
    NOVA,
    OSS,
    PNG,
    SONNET,
    Json,
    assistant,
    call,
    chat,
    converse_result,
    converse_text,
    converse_use,
    image,
    result,
    system,
    text,
    tool,
    tool_result,
    tool_spec,
    tool_use,
    user,
)

NUMBERS = range(145, 151)

MARK = {"cache_control": {"type": "ephemeral"}}
FIVE = {"cache_control": {"type": "ephemeral", "ttl": "5m"}}
HOUR = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
TARGETS = ("openai", "mistral", "anthropic", "anthropic/claude-opus-5-5", "gemini", "bedrock", MISTRAL, OSS)
LONG = chat(
    system("Be brief."),
    user([text("Hi"), image(f"data:image/png;base64,{PNG}")]),
    assistant("I look.", call("call.1"), call("call.1")),
    result("call.1", "1"),
    user("And?"),
    tools=[tool("b", parameters={"type": "object", "properties": {}}), tool("a.x")],
    reasoning_effort="high",
    user="u",
)
FOREIGN_HISTORY = chat(
    user("Hi"),
    assistant(
        None,
        call("call_1__thought__c2ln", "look", thought_signature="c2ln"),
        reasoning_content="Hm.",
        reasoning_details=[{"type": "reasoning.encrypted", "data": "x", "format": "openai-responses-v1"}],
        extra_content={"google": {"thought_signature": "c2ln"}},
    ),
    result("call_1__thought__c2ln"),
    reasoning_effort="high",
)


def check_stable_bytes() -> None:
    for target in TARGETS:
        first, _ = request_of(LONG, target)
        again, _ = request_of(json.loads(json.dumps(LONG)), target)
        assert json.dumps(first) == json.dumps(again), target


def check_stable_beginning() -> None:
    """The provider finds what it cached of the shorter conversation."""
    shorter: Json = chat(system("S"), user("A"), assistant(None, call("x.1")), result("x.1"), user("B"))
    longer = {**shorter, "messages": [*shorter["messages"], assistant("C"), user("D")]}
    targets = dict.fromkeys(("anthropic", "mistral", "bedrock", MISTRAL, OSS), "messages")
    for target, turns in {**targets, "gemini": "contents"}.items():
        first, second = request_of(shorter, target)[0], request_of(longer, target)[0]
        count = len(first[turns])
        assert json.dumps(second[turns][:count]) == json.dumps(first[turns]), target


CASES: list[Case] = [
    RequestCase(
        145,
        "the last four cache marks are kept",
        chat(
            system([text("S", **MARK)]),
            user([text(str(number), **MARK) for number in range(4)]),
            tools=[{**tool(), **MARK}],
        ),
        {
            **{
                name: {
                    "toolConfig.tools": [tool_spec()],
                    "system": [converse_text("S")],
                    "messages.0.content": [
                        one for at in range(4) for one in (converse_text(str(at)), CACHE_POINT)
                    ],
                }
                for name in ("bedrock", NOVA)
            },
            "anthropic": {
                "tools.0.cache_control": ABSENT,
                "system.0.cache_control": ABSENT,
                **{
                    f"messages.0.content.{number}.cache_control": MARK["cache_control"] for number in range(4)
                },
            },
        },
    ),
    RequestCase(
        146,
        "the mark of a blank text moves to the block before",
        chat(user([text("Hi"), text(" ", **MARK)])),
        {
            "bedrock": {"messages.0.content": [converse_text("Hi"), CACHE_POINT]},
            "anthropic": {"messages.0.content": [text("Hi", **MARK)]},
        },
    ),
    RequestCase(
        146,
        "marks of one hour come before marks of minutes",
        chat(system([text("S", **FIVE)]), user([text("A", **HOUR), text("B", **FIVE)])),
        {
            "bedrock": {
                "system": [converse_text("S")],
                "messages.0.content": [
                    converse_text("A"),
                    {"cachePoint": {"type": "default", "ttl": "1h"}},
                    converse_text("B"),
                    {"cachePoint": {"type": "default", "ttl": "5m"}},
                ],
            },
            "anthropic": {
                "system.0.cache_control": ABSENT,
                "messages.0.content": [text("A", **HOUR), text("B", **FIVE)],
            },
        },
    ),
    RequestCase(
        146,
        "cache marks are sent only to providers that know them",
        chat(user([text("Hi", **MARK)], **MARK), tools=[{**tool(), **MARK}], **MARK),
        {
            **{
                name: {
                    "messages.0.content.0.cache_control": ABSENT,
                    "messages.0.cache_control": ABSENT,
                    "tools": [tool()],
                    "cache_control": ABSENT,
                }
                for name in ("openai", "azure", OSS, *COMPATIBLE)
                if name not in ("openrouter", "qwen", "zai")
            },
            **{
                name: {"messages.0.content.0": text("Hi", **MARK), "tools.0": {**tool(), **MARK}}
                for name in ("openrouter", "qwen", "zai")
            },
            "bedrock": {
                "messages.0.content": [converse_text("Hi"), CACHE_POINT],
                "toolConfig.tools": [tool_spec(), CACHE_POINT],
            },
            NOVA: {
                "messages.0.content": [converse_text("Hi"), CACHE_POINT],
                "toolConfig.tools": [tool_spec()],
            },
            LLAMA: {"messages.0.content": [converse_text("Hi")], "toolConfig.tools": [tool_spec()]},
            "gemini": {"contents.0.parts": [{"text": "Hi"}]},
        },
    ),
    CheckCase(147, "the same request has the same bytes", check_stable_bytes),
    CheckCase(147, "a continued conversation has the same beginning", check_stable_beginning),
    RequestCase(
        148,
        "fields of one provider's answers are not sent to another",
        FOREIGN_HISTORY,
        {
            SONNET: {
                "messages.1.content": [converse_use("call_1__thought__c2ln")],
                "messages.2.content": [converse_result("call_1__thought__c2ln")],
            },
            MISTRAL: {
                "messages.1.content": [converse_use("ff33e2e32")],
                "messages.2.content": [converse_result("ff33e2e32")],
            },
            OSS: {"messages.1": assistant(None, call("call_1__thought__c2ln"))},
            "anthropic/claude-opus-5-5": {
                "messages.1.content": [tool_use("call_1__thought__c2ln")],
                "messages.2.content": [tool_result("call_1__thought__c2ln")],
            },
            "mistral": {
                "messages.1.reasoning_details": ABSENT,
                "messages.1.reasoning_content": ABSENT,
                "messages.1.extra_content": ABSENT,
                "messages.1.tool_calls.0.thought_signature": ABSENT,
                "messages.1.tool_calls.0.function.name": "look",
            },
            "openai": {"messages.1": assistant(None, call("call_1__thought__c2ln"))},
            "gemini": {
                "contents.1.parts.1": {
                    "functionCall": {"id": "call_1", "name": "look", "args": {}},
                    "thoughtSignature": "c2ln",
                }
            },
        },
    ),
]
