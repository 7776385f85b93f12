"""What Bedrock's Converse refuses beyond its shapes: a table of rules, each with its source.

https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference-supported-models-features.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tests.provider_fakes.call import Json, Refusal
from tests.provider_fakes.thought_signatures import is_genuine
from tests.provider_fakes.validation import Problem, Rule, check_rules, find_family

# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html
_DOCUMENT = re.compile(r"(?!.*\s\s)[A-Za-z0-9\s()\[\]-]{1,200}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    max_output: int  # tokens
    forced_calls: bool = True
    thinks: bool = False
    prefill: bool = False
    separate_tool_turns: bool = False  # calls and results share no turn with other blocks
    images: bool = True


FAMILIES: Mapping[str, Family] = {
    "anthropic.claude-haiku-4-5": Family(max_output=64_000, thinks=True, prefill=True),
    "amazon.nova-lite": Family(max_output=10_000),
    "meta.llama4": Family(max_output=8_192, forced_calls=False, separate_tool_turns=True, images=False),
}


def check(model: str, body: Json) -> None:
    check_rules(RULES, body, family_of(model))


def family_of(model: str) -> Family:
    return find_family(FAMILIES, model, Refusal("The provided model identifier is invalid."))


def thinking_of(body: Json) -> Json:
    found: Json = body.get("additionalModelRequestFields", {}).get("thinking", {"type": "disabled"})
    return found


def find_blocks(message: Json, kind: str) -> list[Json]:
    return [block[kind] for block in message["content"] if kind in block]


def tools_of(body: Json) -> list[Json]:
    return find_blocks({"content": body.get("toolConfig", {}).get("tools", [])}, "toolSpec")


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
        is_tool = [bool(block.keys() & {"toolUse", "toolResult"}) for block in message["content"]]
        if family.separate_tool_turns and len(set(is_tool)) > 1:
            yield f"messages.{at}", "Conversation blocks and tool blocks cannot be provided in the same turn."


def _texts(body: Json, family: Family) -> Iterator[Problem]:
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html"""
    inner = [block for message in body["messages"] for block in message["content"]]
    inner += [
        block
        for message in body["messages"]
        for one in find_blocks(message, "toolResult")
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
        call_ids = [one["toolUseId"] for one in find_blocks(before, "toolUse")]
        result_ids = [one["toolUseId"] for one in find_blocks(message, "toolResult")]
        if set(call_ids) - set(result_ids):
            yield (
                "messages",
                f"Expected toolResult blocks for the following Ids: {set(call_ids) - set(result_ids)}",
            )
        if set(result_ids) - set(call_ids) or len(result_ids) > len(call_ids):
            yield (
                "messages",
                "The number of toolResult blocks exceeds the number of toolUse blocks of previous turn.",
            )
    ids = [one["toolUseId"] for message in messages for one in find_blocks(message, "toolUse")]
    if len(set(ids)) != len(ids):
        yield "messages", "tool_use ids must be unique"
    if messages and find_blocks(messages[-1], "toolUse"):
        yield "messages", "Expected toolResult blocks at the end of the conversation"
    if not tools_of(body) and any(
        find_blocks(one, "toolUse") or find_blocks(one, "toolResult") for one in messages
    ):
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
    if choice.keys() & {"any", "tool"} and not family.forced_calls:
        yield "toolConfig.toolChoice", "This model doesn't support the toolConfig.toolChoice field."
    if choice.keys() & {"any", "tool"} and thinking_of(body)["type"] != "disabled":
        yield "toolConfig.toolChoice", "Thinking may not be enabled when tool_choice forces tool use."
    if "tool" in choice and choice["tool"]["name"] not in names:
        yield "toolConfig.toolChoice", "The tool is not among the tools."


def _tuning(body: Json, family: Family) -> Iterator[Problem]:
    """https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-anthropic-claude-messages.html"""
    config, thinking = body.get("inferenceConfig", {}), thinking_of(body)
    if config.get("maxTokens", 1) > family.max_output:
        yield "maxTokens", f"The maximum tokens you requested exceeds the model limit of {family.max_output}."
    if family.thinks and {"temperature", "topP"} <= config.keys():
        yield "temperature", "`temperature` and `top_p` cannot both be specified for this model."
    if thinking["type"] != "disabled" and not family.thinks:
        yield "additionalModelRequestFields", "extraneous key [thinking] is not permitted"
    if thinking["type"] != "disabled" and config.keys() & {"temperature", "topP"}:
        yield "temperature", "may only be set to 1 when thinking is enabled."
    most = config.get("maxTokens", family.max_output)
    if thinking["type"] == "enabled" and not 1024 <= thinking["budget_tokens"] < most:
        yield "thinking.budget_tokens", "must be at least 1024 and less than `max_tokens`"


def _thoughts(body: Json, family: Family) -> Iterator[Problem]:
    """https://docs.aws.amazon.com/bedrock/latest/userguide/claude-messages-extended-thinking.html"""
    messages = body["messages"]
    for message in messages:
        for one in find_blocks(message, "reasoningContent"):
            thought = one.get("reasoningText", {})
            if not is_genuine(thought.get("signature", ""), "bedrock", thought.get("text")):
                yield "messages", "Invalid `signature` in `thinking` block"
    latest = [message for message in messages if message["role"] == "assistant"][-1:]
    for message in latest:
        thinks = thinking_of(body)["type"] == "enabled"
        if (
            thinks
            and find_blocks(messages[-1], "toolResult")
            and "reasoningContent" not in message["content"][0]
        ):
            yield "messages", "Expected `thinking` or `redacted_thinking`, but found `tool_use`."
        if not thinks and find_blocks(message, "reasoningContent"):
            yield "messages", "When thinking is disabled, an assistant message cannot contain `thinking`."


def _media(body: Json, family: Family) -> Iterator[Problem]:
    """https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html"""
    names: list[Any] = []
    for message in body["messages"]:
        documents = find_blocks(message, "document")
        names += [document["name"] for document in documents]
        if documents and not find_blocks(message, "text"):
            yield "messages", "A text block is required with a document."
        if find_blocks(message, "image") and not family.images:
            yield "messages", "This model doesn't support the image content block that you provided."
    if len(set(names)) != len(names):
        yield "messages", "duplicate document names"
    if not all(_DOCUMENT.fullmatch(name) for name in names):
        yield "messages", "The provided document file name contains invalid characters."


RULES: tuple[Rule[Family], ...] = (_turns, _texts, _tool_turns, _tools, _tuning, _media, _thoughts)
