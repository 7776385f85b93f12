"""Converts the messages of a Messages request to those of a chat.

https://platform.claude.com/docs/en/api/messages, .../build-with-claude/mid-conversation-system-messages
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from handler.errors import Json
from handler.formats.anthropic.content import (
    Losses,
    block_parts,
    blocks_of,
    content_of,
    mark_last,
    parts_of,
    quoted,
    text_part,
)
from handler.formats.anthropic.reasoning import THINKING, restore_reasoning
from handler.formats.anthropic.tools import decode_call_id, has_tool_search
from handler.wire.splice import dump

# The first system block of Claude Code, which differs in each request: it would spoil every prompt cache.
_BILLING = "x-anthropic-billing-header:"
IMAGE = "![image](data:"  # how an image of an answer begins as text


def chat_messages(body: Json, losses: Losses) -> list[Json]:
    """Return the messages of the chat: at least one, which may be empty."""
    found = list(_instructions(body, losses))
    last_user = max((at for at, one in enumerate(body["messages"]) if one["role"] == "user"), default=-1)
    for at, message in enumerate(body["messages"]):
        expired = message.get("clear_at") == "next_user_message" and at < last_user
        if not (message["role"] == "system" and expired):
            found += _ROLES[message["role"]](message.get("content"), f"messages[{at}].content", losses)
    return found or [{"role": "user", "content": ""}]


def _instructions(body: Json, losses: Losses) -> Iterator[Json]:
    """Return the system message at the beginning."""
    blocks = blocks_of(body.get("system"))
    if blocks and blocks[0]["text"].startswith(_BILLING):
        losses.drop("system[0]")
        blocks = blocks[1:]
    return _system(blocks, "system", losses)


def _system(content: Any, where: str, losses: Losses) -> Iterator[Json]:
    parts = []
    for index, block in enumerate(blocks_of(content)):
        if block["type"] == "text":
            parts += block_parts(block, f"{where}[{index}]", losses)
        elif block["type"] not in ("tool_addition", "tool_removal"):  # those are in the tools
            losses.needs_anthropic(f"{where}[{index}].type", f"the block {quoted(block['type'])}")
    if parts:
        yield {"role": "system", "content": content_of(parts)}


def _user(content: Any, where: str, losses: Losses) -> Iterator[Json]:
    """Yield a message for each result of a tool, then one with the other blocks."""
    parts, results = list[Json](), 0
    for index, block in enumerate(blocks_of(content)):
        if block["type"] == "tool_result":
            results += 1
            yield _result(block, f"{where}[{index}].content", losses)
        else:
            parts += block_parts(block, f"{where}[{index}]", losses)
    if parts or not results:
        yield {"role": "user", "content": content_of(parts)}


def _result(block: Json, where: str, losses: Losses) -> Json:
    parts = parts_of(blocks_of(block.get("content")), where, losses)
    return {
        "role": "tool",
        "tool_call_id": decode_call_id(block["tool_use_id"]),
        "content": content_of(parts),
        **({"is_error": True} if block.get("is_error") else {}),
        **({"cache_control": block["cache_control"]} if block.get("cache_control") else {}),
    }


def _assistant(content: Any, where: str, losses: Losses) -> Iterator[Json]:
    texts, calls, thinking = list[Json](), list[Json](), list[Json]()
    marked: Json = {}  # the last block that is marked, if it is a call
    for index, block in enumerate(blocks_of(content)):
        kind = block["type"]
        if kind in THINKING:
            thinking.append(block)
        elif kind == "tool_use":
            calls.append(_call(block))
            marked = block if block.get("cache_control") else marked
        elif kind in ("text", "compaction"):
            _add_text(texts, block, block.get("text" if kind == "text" else "content") or "")
        elif kind != "fallback" and not has_tool_search(block):  # its results are among the tools
            losses.needs_anthropic(f"{where}[{index}].type", f"the block {quoted(kind)} here")
    message: Json = {"role": "assistant", "content": content_of(texts)}
    if calls:
        message |= {"content": content_of(texts) or None, "tool_calls": calls}
    if marked:
        message["cache_control"] = marked["cache_control"]
    restore_reasoning(message, thinking)
    yield message


def _add_text(texts: list[Json], block: Json, text: str) -> None:
    """Add a text of an assistant. Neighbours become one, as the signatures of a text count its characters."""
    if not text or text.startswith(IMAGE):
        return
    if texts and "cache_control" not in texts[-1]:
        text = texts.pop()["text"] + text
    texts += mark_last([text_part(text)], block)


def _call(block: Json) -> Json:
    function = {"name": block["name"], "arguments": dump(block["input"])}
    return {"id": decode_call_id(block["id"]), "type": "function", "function": function}


_ROLES: Mapping[str, Callable[[Any, str, Losses], Iterator[Json]]] = {
    "system": _system,
    "user": _user,
    "assistant": _assistant,
}
