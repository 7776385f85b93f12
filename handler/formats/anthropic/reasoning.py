"""Keeps a model's reasoning, and the signatures of its calls, in the thinking blocks of Messages.

Clients send thinking blocks back unchanged. The signature of such a block, or the data of a redacted one, is
a state (handler/formats/opaque_state.py) with these members, each of which may be absent:

    text     the reasoning, if the block does not show it
    details  the items of `reasoning_details`; one that has only the block's text comes without `text`
    extra    the message's `extra_content`
    calls    by the id of a call: its `thought_signature` and `extra_content`

https://platform.claude.com/docs/en/build-with-claude/extended-thinking
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from handler.content.completion import add_delta, joined_delta
from handler.errors import Json
from handler.formats.opaque_state import decode_state, encode_state, is_state

CLAUDE = "anthropic-claude-v1"  # the `format` of details that only Claude can read
THINKING = frozenset({"thinking", "redacted_thinking"})
_OF_CALLS = {"thought_signature": str, "extra_content": dict}


@dataclass(slots=True)
class ReasoningState:
    """The state of one block, as an answer builds it up."""

    texts: list[str] = field(default_factory=list)
    delta: dict[Any, Any] = field(default_factory=dict)  # `details` and `extra` so far
    calls: Json = field(default_factory=dict)

    def add_details(self, details: list[Any]) -> None:
        add_delta(self.delta, {"details": [detail for detail in details if isinstance(detail, dict)]})

    def add_extra(self, extra: Json) -> None:
        add_delta(self.delta, {"extra": extra})

    def encoded(self, *, hidden: bool) -> str:
        """Return the signature of the block. hidden: the block does not show the text."""
        text, state = "".join(self.texts), joined_delta(self.delta)
        if "details" in state:
            state["details"] = [_without_text(one, "" if hidden else text) for one in state["details"]]
        shown = {} if not (hidden and text) else {"text": text}
        return encode_state({**shown, **state, **({"calls": self.calls} if self.calls else {})})


def _without_text(detail: Json, text: str) -> Json:
    if not text or detail.get("text") != text:
        return detail
    return {name: value for name, value in detail.items() if name != "text"}


def call_state(call: Json) -> Json:
    """Return the members of a tool call that a tool_use block cannot carry."""
    return {name: call[name] for name, kind in _OF_CALLS.items() if isinstance(call.get(name), kind)}


def restore_reasoning(message: Json, blocks: list[Json]) -> None:
    """Put the reasoning of thinking blocks into a chat message, whose calls are there already."""
    texts, details = list[str](), list[Json]()
    for block in blocks:
        state = read_state(block)
        shown = block.get("thinking") or ""
        texts.append(shown or _text(state.get("text")))
        details += _details(state, shown)
        if isinstance(extra := state.get("extra"), dict):
            message["extra_content"] = extra
        _restore_calls(message.get("tool_calls") or (), state.get("calls"))
    if text := "".join(texts):
        message["reasoning_content"] = text
    if details:
        message["reasoning_details"] = [{**one, "index": index} for index, one in enumerate(details)]


def _restore_calls(calls: Iterable[Json], states: Any) -> None:
    for call in calls if isinstance(states, dict) else ():
        if isinstance(members := states.get(call["id"]), dict):
            call |= call_state(members)


def read_state(block: Json) -> Json:
    """Return the state of a thinking block. That of Claude's own block is the block as a detail."""
    match block:
        case {"type": "thinking", "signature": str(opaque)} | {
            "type": "redacted_thinking",
            "data": str(opaque),
        }:
            pass
        case _:
            return {}
    if is_state(opaque):
        return decode_state(opaque) or {}
    if block["type"] == "redacted_thinking":
        return {"details": [{"type": "reasoning.encrypted", "data": opaque, "format": CLAUDE}]}
    return {"details": [{"type": "reasoning.text", "signature": opaque, "format": CLAUDE}]} if opaque else {}


def _details(state: Json, shown: str) -> Iterator[Json]:
    details = state.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict):
            whole = detail.get("type") != "reasoning.text" or "text" in detail
            yield detail if whole else {**detail, "text": shown}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def claude_blocks(block: Json) -> list[Json]:
    """Return the blocks of Claude's own that a block with a state stands for."""
    found: list[Json] = []
    for detail in _details(read_state(block), block.get("thinking") or ""):
        match detail:
            case {"format": "anthropic-claude-v1", "data": str(data)}:
                found.append({"type": "redacted_thinking", "data": data})
            case {"format": "anthropic-claude-v1", "text": str(text), "signature": str(signature)}:
                found.append({"type": "thinking", "thinking": text, "signature": signature})
    return found
