"""Converts turns of content blocks to Converse's messages.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Message.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from typing import Any

from handler.errors import Json
from handler.providers.content_blocks.blocks import limit_cache_marks, text_block
from handler.providers.content_blocks.conversation import Conversation, Turn

_MAX_CACHE_MARKS = 4  # in one request
_PLACES = ("tools", "system", "messages")  # in the order in which a prompt is cached
_TOOL_BLOCKS = frozenset({"tool_use", "tool_result"})
_PLACEHOLDER = "."  # where Converse requires a text and there is none
_OTHER_ROLE = {"user": "assistant", "assistant": "user"}
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9()\[\]-]+")
_MAX_NAME_LENGTH = 200


def converse_messages(conversation: Conversation, rules: Mapping[str, str]) -> list[Json]:
    """Return the messages. With the rule `tools_apart`, calls and results share no turn with other blocks."""
    names: set[str] = set()
    return [
        {"role": role, "content": converse_blocks(_add_required_text(blocks), names)}
        for turn in conversation.turns
        for role, blocks in (_split(turn) if "tools_apart" in rules else [(turn.role, turn.blocks)])
    ]


def _split(turn: Turn) -> Iterator[tuple[str, list[Json]]]:
    """Split a turn between tool blocks and others, with a turn of the other role in between.

    https://github.com/langchain-ai/langchain-aws/pull/1118
    """
    groups = groupby(turn.blocks, lambda block: block["type"] in _TOOL_BLOCKS)
    for index, (_, blocks) in enumerate(groups):
        if index:
            yield _OTHER_ROLE[turn.role], [text_block(_PLACEHOLDER)]
        yield turn.role, list(blocks)


def _add_required_text(blocks: list[Json]) -> list[Json]:
    """Add a text if there is none and a document requires it."""
    kinds = {block["type"] for block in blocks}
    return [*blocks, text_block(_PLACEHOLDER)] if "document" in kinds and "text" not in kinds else blocks


def converse_blocks(blocks: list[Json], names: set[str]) -> list[Json]:
    """Convert content blocks. `names`: those of the request's documents so far, to be extended."""
    return [
        new for block in blocks for new in (_CONVERTERS[block["type"]](block, names), *cache_point(block))
    ]


def cache_point(block: Json) -> list[Json]:
    """Return the block that follows one with a cache mark; [] without a mark."""
    if (mark := block.get("cache_control")) is None:
        return []
    ttl = {"ttl": mark["ttl"]} if "ttl" in mark else {}
    return [{"cachePoint": {"type": "default", **ttl}}]


def limit_cache_points(places: str, tools: list[Json], conversation: Conversation) -> None:
    """Remove cache marks where the model does not accept them, and those beyond the maximum.

    `places`: where it accepts them, from `tools,system,messages`.
    """
    messages = [block for turn in conversation.turns for block in turn.blocks]
    blocks = {"tools": tools, "system": conversation.system, "messages": messages}
    for place in _PLACES:
        if place not in places.split(","):
            limit_cache_marks(blocks[place], 0)
    limit_cache_marks([block for place in _PLACES for block in blocks[place]], _MAX_CACHE_MARKS)


def _call(block: Json, _: set[str]) -> Json:
    return {"toolUse": {"toolUseId": block["id"], "name": block["name"], "input": block["input"]}}


def _result(block: Json, names: set[str]) -> Json:
    output = block.get("content") or "(no output)"
    content = converse_blocks([text_block(output)] if isinstance(output, str) else output, names)
    status = {"status": "error"} if block.get("is_error") else {}
    return {"toolResult": {"toolUseId": block["tool_use_id"], "content": content, **status}}


def _thinking(block: Json, _: set[str]) -> Json:
    text = {"text": block["thinking"], "signature": block["signature"]}
    return {"reasoningContent": {"reasoningText": text}}


def _document(block: Json, names: set[str]) -> Json:
    """Give the document a name of permitted characters that no other document has.

    https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html
    """
    document = block["document"]
    given = document.get("name", "")
    plain = _NOT_IN_A_NAME.sub(" ", given.rpartition(".")[0] or given).strip()
    name = plain = plain[: _MAX_NAME_LENGTH - 10] or "document"
    while name in names:
        name = f"{plain} ({len(names)})"
    names.add(name)
    return {"document": {**document, "name": name}}


def _member(block: Json, _: set[str]) -> Json:
    return {block["type"]: block[block["type"]]}


_CONVERTERS: Mapping[str, Callable[[Json, set[str]], Any]] = {
    **dict.fromkeys(("text", "image", "audio", "video"), _member),
    "document": _document,
    "tool_use": _call,
    "tool_result": _result,
    "thinking": _thinking,
    "redacted_thinking": lambda block, _: {"reasoningContent": {"redactedContent": block["data"]}},
}
