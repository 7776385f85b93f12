"""145 to 150: caches and identity."""

from __future__ import annotations

import json

from tests.translation_cases.case_types import GONE, Case, Holds, Sent, request_of
from tests.translation_cases.messages import OTHERS
from tests.translation_cases.vocabulary import (
    LLAMA,
    MISTRAL,
    NOVA,
    OSS,
    PNG,
    POINT,
    SONNET,
    Json,
    asks,
    call,
    image,
    outcome,
    result,
    results,
    said,
    spec,
    system,
    text,
    tool,
    use,
    user,
    uses,
    words,
)

NUMBERS = range(145, 151)

MARK = {"cache_control": {"type": "ephemeral"}}
FIVE = {"cache_control": {"type": "ephemeral", "ttl": "5m"}}
HOUR = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
TARGETS = ("openai", "mistral", "anthropic", "anthropic/claude-opus-5-5", "gemini", "bedrock", MISTRAL, OSS)
LONG = asks(
    system("Be brief."),
    user([text("Hi"), image(f"data:image/png;base64,{PNG}")]),
    said("I look.", call("call.1"), call("call.1")),
    result("call.1", "1"),
    user("And?"),
    tools=[tool("b", parameters={"type": "object", "properties": {}}), tool("a.x")],
    reasoning_effort="high",
    user="u",
)
ELSEWHERE_MADE = asks(
    user("Hi"),
    said(
        None,
        call("call_1__thought__c2ln", "look", thought_signature="c2ln"),
        reasoning_content="Hm.",
        reasoning_details=[{"type": "reasoning.encrypted", "data": "x", "format": "openai-responses-v1"}],
        extra_content={"google": {"thought_signature": "c2ln"}},
    ),
    result("call_1__thought__c2ln"),
    reasoning_effort="high",
)


def the_same_request_has_the_same_bytes() -> None:
    for target in TARGETS:
        first, _ = request_of(LONG, target)
        again, _ = request_of(json.loads(json.dumps(LONG)), target)
        assert json.dumps(first) == json.dumps(again), target


def a_longer_conversation_begins_as_the_shorter_did() -> None:
    """What a provider cached of it is found again."""
    shorter: Json = asks(system("S"), user("A"), said(None, call("x.1")), result("x.1"), user("B"))
    longer = {**shorter, "messages": [*shorter["messages"], said("C"), user("D")]}
    targets = dict.fromkeys(("anthropic", "mistral", "bedrock", MISTRAL, OSS), "messages")
    for target, turns in {**targets, "gemini": "contents"}.items():
        first, second = request_of(shorter, target)[0], request_of(longer, target)[0]
        count = len(first[turns])
        assert json.dumps(second[turns][:count]) == json.dumps(first[turns]), target


CASES: list[Case] = [
    Sent(
        145,
        "of more than four marks the last four stay",
        asks(
            system([text("S", **MARK)]),
            user([text(str(number), **MARK) for number in range(4)]),
            tools=[{**tool(), **MARK}],
        ),
        {
            **{
                name: {
                    "toolConfig.tools": [spec()],
                    "system": [words("S")],
                    "messages.0.content": [one for at in range(4) for one in (words(str(at)), POINT)],
                }
                for name in ("bedrock", NOVA)
            },
            "anthropic": {
                "tools.0.cache_control": GONE,
                "system.0.cache_control": GONE,
                **{
                    f"messages.0.content.{number}.cache_control": MARK["cache_control"] for number in range(4)
                },
            },
        },
    ),
    Sent(
        146,
        "the mark of a blank text goes to the block before it",
        asks(user([text("Hi"), text(" ", **MARK)])),
        {
            "bedrock": {"messages.0.content": [words("Hi"), POINT]},
            "anthropic": {"messages.0.content": [text("Hi", **MARK)]},
        },
    ),
    Sent(
        146,
        "marks of an hour come before those of minutes",
        asks(system([text("S", **FIVE)]), user([text("A", **HOUR), text("B", **FIVE)])),
        {
            "bedrock": {
                "system": [words("S")],
                "messages.0.content": [
                    words("A"),
                    {"cachePoint": {"type": "default", "ttl": "1h"}},
                    words("B"),
                    {"cachePoint": {"type": "default", "ttl": "5m"}},
                ],
            },
            "anthropic": {
                "system.0.cache_control": GONE,
                "messages.0.content": [text("A", **HOUR), text("B", **FIVE)],
            },
        },
    ),
    Sent(
        146,
        "marks go only to those who know them",
        asks(user([text("Hi", **MARK)], **MARK), tools=[{**tool(), **MARK}], **MARK),
        {
            **{
                name: {
                    "messages.0.content.0.cache_control": GONE,
                    "messages.0.cache_control": GONE,
                    "tools": [tool()],
                    "cache_control": GONE,
                }
                for name in ("openai", "azure", OSS, *OTHERS)
                if name not in ("openrouter", "qwen", "zai")
            },
            **{
                name: {"messages.0.content.0": text("Hi", **MARK), "tools.0": {**tool(), **MARK}}
                for name in ("openrouter", "qwen", "zai")
            },
            "bedrock": {"messages.0.content": [words("Hi"), POINT], "toolConfig.tools": [spec(), POINT]},
            NOVA: {"messages.0.content": [words("Hi"), POINT], "toolConfig.tools": [spec()]},
            LLAMA: {"messages.0.content": [words("Hi")], "toolConfig.tools": [spec()]},
            "gemini": {"contents.0.parts": [{"text": "Hi"}]},
        },
    ),
    Holds(147, "the same request has the same bytes", the_same_request_has_the_same_bytes),
    Holds(147, "a conversation that goes on begins alike", a_longer_conversation_begins_as_the_shorter_did),
    Sent(
        148,
        "what one provider left in a conversation does not go to another",
        ELSEWHERE_MADE,
        {
            SONNET: {
                "messages.1.content": [uses("call_1__thought__c2ln")],
                "messages.2.content": [results("call_1__thought__c2ln")],
            },
            MISTRAL: {
                "messages.1.content": [uses("ff33e2e32")],
                "messages.2.content": [results("ff33e2e32")],
            },
            OSS: {"messages.1": said(None, call("call_1__thought__c2ln"))},
            "anthropic/claude-opus-5-5": {
                "messages.1.content": [use("call_1__thought__c2ln")],
                "messages.2.content": [outcome("call_1__thought__c2ln")],
            },
            "mistral": {
                "messages.1.reasoning_details": GONE,
                "messages.1.reasoning_content": GONE,
                "messages.1.extra_content": GONE,
                "messages.1.tool_calls.0.thought_signature": GONE,
                "messages.1.tool_calls.0.function.name": "look",
            },
            "openai": {
                "messages.1": said(None, call("call_1__thought__c2ln")),
            },
            "gemini": {
                "contents.1.parts.1": {
                    "functionCall": {"id": "call_1", "name": "look", "args": {}},
                    "thoughtSignature": "c2ln",
                }
            },
        },
    ),
]
