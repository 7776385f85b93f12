"""Turns of blocks as Converse's messages.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Message.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from typing import Any

from handler.providers.content_blocks.blocks import limit_marks as limit
from handler.providers.content_blocks.conversation import Conversation, Turn
from handler.providers.translator import Json

_MARKS = 4  # cache marks in one request
_PLACES = ("tools", "system", "messages")  # in the order in which a prompt is cached
_TOOLED = frozenset({"tool_use", "tool_result"})
_FILLER = "."  # where a text must be and nothing was said
_OTHER = {"user": "assistant", "assistant": "user"}
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9()\[\]-]+")
_LONGEST_NAME = 200


def messages_of(talk: Conversation, words: Mapping[str, str]) -> list[Json]:
    """The messages. `tools_apart`: calls and results share no turn with anything else."""
    names: set[str] = set()
    return [
        {"role": role, "content": rendered(_completed(blocks), names)}
        for turn in talk.turns
        for role, blocks in (_apart(turn) if "tools_apart" in words else [(turn.role, turn.blocks)])
    ]


def _apart(turn: Turn) -> Iterator[tuple[str, list[Json]]]:
    """Turns of one sort each, with a word of the other side in between.

    https://github.com/langchain-ai/langchain-aws/pull/1118
    """
    for at, (_, blocks) in enumerate(groupby(turn.blocks, lambda block: block["type"] in _TOOLED)):
        if at:
            yield _OTHER[turn.role], [_text(_FILLER)]
        yield turn.role, list(blocks)


def _completed(blocks: list[Json]) -> list[Json]:
    """A document needs a text beside it."""
    sorts = {block["type"] for block in blocks}
    return [*blocks, _text(_FILLER)] if "document" in sorts and "text" not in sorts else blocks


def _text(text: str) -> Json:
    return {"type": "text", "text": text}


def rendered(blocks: list[Json], names: set[str]) -> list[Json]:
    """Blocks in Converse's form. `names`: those that documents of the request have already."""
    return [made for block in blocks for made in (_BLOCKS[block["type"]](block, names), *mark_of(block))]


def mark_of(block: Json) -> list[Json]:
    """A cache mark is a block of its own, behind what it marks."""
    if (mark := block.get("cache_control")) is None:
        return []
    ttl = {"ttl": mark["ttl"]} if "ttl" in mark else {}
    return [{"cachePoint": {"type": "default", **ttl}}]


def limit_marks(places: str, tools: list[Json], talk: Conversation) -> None:
    """Cache marks where the model takes them, and no more than it takes."""
    blocks = [block for turn in talk.turns for block in turn.blocks]
    found = {"tools": tools, "system": talk.system, "messages": blocks}
    for place in _PLACES:
        if place not in places.split(","):
            limit(found[place], 0)
    limit([block for place in _PLACES for block in found[place]], _MARKS)


def _call(block: Json, _: set[str]) -> Json:
    return {"toolUse": {"toolUseId": block["id"], "name": block["name"], "input": block["input"]}}


def _result(block: Json, names: set[str]) -> Json:
    said = block.get("content") or "(no output)"
    content = rendered([_text(said)] if isinstance(said, str) else said, names)
    status = {"status": "error"} if block.get("is_error") else {}
    return {"toolResult": {"toolUseId": block["tool_use_id"], "content": content, **status}}


def _thought(block: Json, _: set[str]) -> Json:
    text = {"text": block["thinking"], "signature": block["signature"]}
    return {"reasoningContent": {"reasoningText": text}}


def _document(block: Json, names: set[str]) -> Json:
    """Its name is of a few letters, and no other's.

    https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_DocumentBlock.html
    """
    given = block["document"]
    plain = _NOT_IN_A_NAME.sub(" ", given.get("name", "").rpartition(".")[0] or given.get("name", "")).strip()
    name = plain = plain[: _LONGEST_NAME - 10] or "document"
    while name in names:
        name = f"{plain} ({len(names)})"
    names.add(name)
    return {"document": {**given, "name": name}}


def _as_it_is(block: Json, _: set[str]) -> Json:
    return {block["type"]: block[block["type"]]}


_BLOCKS: Mapping[str, Callable[[Json, set[str]], Any]] = {
    **dict.fromkeys(("text", "image", "audio", "video"), _as_it_is),
    "document": _document,
    "tool_use": _call,
    "tool_result": _result,
    "thinking": _thought,
    "redacted_thinking": lambda block, _: {"reasoningContent": {"redactedContent": block["data"]}},
}
