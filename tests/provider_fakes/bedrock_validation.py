"""What Bedrock's Converse refuses, beyond the shapes of its model: a table of rules, each with its source.

https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tests.provider_fakes.call import Json, Refused
from tests.provider_fakes.sealed import fits

# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html
_DOCUMENT = re.compile(r"(?!.*\s\s)[A-Za-z0-9\s()\[\]-]{1,200}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    most: int  # tokens of output
    forced: bool = True
    thinks: bool = False
    prefill: bool = False
    apart: bool = False  # calls and results share no turn with anything else
    images: bool = True


FAMILIES: Mapping[str, Family] = {
    "anthropic.claude-haiku-4-5": Family(most=64_000, thinks=True, prefill=True),
    "amazon.nova-lite": Family(most=10_000),
    "meta.llama4": Family(most=8_192, forced=False, apart=True, images=False),
}

Problem = tuple[str, str]
Rule = Callable[[Json, Family], Iterator[Problem]]


def check(model: str, body: Json) -> None:
    family = family_of(model)
    for rule in RULES:
        for where, problem in rule(body, family):
            raise Refused(problem, where=where)


def family_of(model: str) -> Family:
    found = next((family for name, family in FAMILIES.items() if name in model), None)
    if found is None:
        raise Refused("The provided model identifier is invalid.")
    return found


def thinking_of(body: Json) -> Json:
    found: Json = body.get("additionalModelRequestFields", {}).get("thinking", {"type": "disabled"})
    return found


def held(message: Json, kind: str) -> list[Json]:
    return [block[kind] for block in message["content"] if kind in block]


def tools_of(body: Json) -> list[Json]:
    return held({"content": body.get("toolConfig", {}).get("tools", [])}, "toolSpec")


def _turns(body: Json, family: Family) -> Iterator[Problem]:
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html"""
    messages = body["messages"]
    if not messages or messages[0]["role"] != "user":
        yield "messages", "A conversation must start with a user message."
    for one, other in pairwise(messages):
        if one["role"] == other["role"]:
            yield "messages", "A conversation must alternate between user and assistant roles."
    if messages and messages[-1]["role"] == "assistant" and not family.prefill:
        yield "messages", "The model does not support assistant message prefill."
    for at, message in enumerate(messages):
        if not message["content"]:
            yield f"messages.{at}", "The content field in the Message object is empty."
        tooled = [bool(block.keys() & {"toolUse", "toolResult"}) for block in message["content"]]
        if family.apart and len(set(tooled)) > 1:
            yield f"messages.{at}", "Conversation blocks and tool blocks cannot be provided in the same turn."


def _texts(body: Json, family: Family) -> Iterator[Problem]:
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html"""
    inner = [block for message in body["messages"] for block in message["content"]]
    inner += [
        block
        for message in body["messages"]
        for one in held(message, "toolResult")
        for block in one["content"]
    ]
    for block in (*body.get("system", ()), *inner):
        if not block.get("text", ".").strip():
            yield "content", "The text field in the ContentBlock object is blank."
    if "" in body.get("inferenceConfig", {}).get("stopSequences", ()):
        yield "stopSequences", "A stop sequence is blank."


def _tool_turns(body: Json, family: Family) -> Iterator[Problem]:
    """https://docs.aws.amazon.com/bedrock/latest/userguide/tool-use-inference-call.html"""
    messages = body["messages"]
    for before, message in pairwise([{"content": []}, *messages]):
        asked = [one["toolUseId"] for one in held(before, "toolUse")]
        told = [one["toolUseId"] for one in held(message, "toolResult")]
        if set(asked) - set(told):
            yield "messages", f"Expected toolResult blocks for the following Ids: {set(asked) - set(told)}"
        if set(told) - set(asked) or len(told) > len(asked):
            yield (
                "messages",
                "The number of toolResult blocks exceeds the number of toolUse blocks of previous turn.",
            )
    ids = [one["toolUseId"] for message in messages for one in held(message, "toolUse")]
    if len(set(ids)) != len(ids):
        yield "messages", "tool_use ids must be unique"
    if messages and held(messages[-1], "toolUse"):
        yield "messages", "Expected toolResult blocks at the end of the conversation"
    if not tools_of(body) and any(held(one, "toolUse") or held(one, "toolResult") for one in messages):
        yield (
            "toolConfig",
            "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
        )


def _tools(body: Json, family: Family) -> Iterator[Problem]:
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ToolChoice.html"""
    names = [tool["name"] for tool in tools_of(body)]
    choice = body.get("toolConfig", {}).get("toolChoice", {})
    if len(set(names)) != len(names):
        yield "toolConfig", "The tool names must be unique."
    if any(tool["inputSchema"]["json"].get("type") != "object" for tool in tools_of(body)):
        yield "toolConfig", "The value at inputSchema.json.type must be one of the following: object."
    if choice.keys() & {"any", "tool"} and not family.forced:
        yield "toolConfig.toolChoice", "This model doesn't support the toolConfig.toolChoice field."
    if choice.keys() & {"any", "tool"} and thinking_of(body)["type"] != "disabled":
        yield "toolConfig.toolChoice", "Thinking may not be enabled when tool_choice forces tool use."
    if "tool" in choice and choice["tool"]["name"] not in names:
        yield "toolConfig.toolChoice", "The tool is not among the tools."


def _tuning(body: Json, family: Family) -> Iterator[Problem]:
    """https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html"""
    config, thinking = body.get("inferenceConfig", {}), thinking_of(body)
    if config.get("maxTokens", 1) > family.most:
        yield "maxTokens", f"The maximum tokens you requested exceeds the model limit of {family.most}."
    if family.thinks and {"temperature", "topP"} <= config.keys():
        yield "temperature", "`temperature` and `top_p` cannot both be specified for this model."
    if thinking["type"] != "disabled" and not family.thinks:
        yield "additionalModelRequestFields", "extraneous key [thinking] is not permitted"
    if thinking["type"] != "disabled" and config.keys() & {"temperature", "topP"}:
        yield "temperature", "may only be set to 1 when thinking is enabled."
    most = config.get("maxTokens", family.most)
    if thinking["type"] == "enabled" and not 1024 <= thinking["budget_tokens"] < most:
        yield "thinking.budget_tokens", "must be at least 1024 and less than `max_tokens`"


def _thoughts(body: Json, family: Family) -> Iterator[Problem]:
    """https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html"""
    messages = body["messages"]
    for message in messages:
        for one in held(message, "reasoningContent"):
            thought = one.get("reasoningText", {})
            if not fits(thought.get("signature", ""), "bedrock", thought.get("text")):
                yield "messages", "Invalid `signature` in `thinking` block"
    latest = [message for message in messages if message["role"] == "assistant"][-1:]
    for message in latest:
        thinks = thinking_of(body)["type"] == "enabled"
        if thinks and held(messages[-1], "toolResult") and "reasoningContent" not in message["content"][0]:
            yield "messages", "Expected `thinking` or `redacted_thinking`, but found `tool_use`."
        if not thinks and held(message, "reasoningContent"):
            yield "messages", "When thinking is disabled, an assistant message cannot contain `thinking`."


def _media(body: Json, family: Family) -> Iterator[Problem]:
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html"""
    names: list[Any] = []
    for message in body["messages"]:
        documents = held(message, "document")
        names += [document["name"] for document in documents]
        if documents and not held(message, "text"):
            yield "messages", "A text block is required with a document."
        if held(message, "image") and not family.images:
            yield "messages", "This model doesn't support the image content block that you provided."
    if len(set(names)) != len(names):
        yield "messages", "duplicate document names"
    if not all(_DOCUMENT.fullmatch(name) for name in names):
        yield "messages", "The provided document file name contains invalid characters."


RULES: tuple[Rule, ...] = (_turns, _texts, _tool_turns, _tools, _tuning, _media, _thoughts)
