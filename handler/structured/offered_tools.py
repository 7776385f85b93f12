"""Rejects calls of tools that the request did not offer, because a client could not run them.

A model sometimes invents one, or repeats one from the history: Bedrock's Converse requires the tools of the
history to be declared, and has no `tool_choice` that forbids calling them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from handler.errors import Json, SchemaMismatch

_OWN = frozenset({"function", "custom"})  # types of tools that a client runs
_PROBLEM = "it calls a tool that was not offered"


def check_calls(completion: Json, chat: Json) -> None:
    """Raise SchemaMismatch for a completion that calls a tool that the chat did not offer."""
    messages = [choice["message"] for choice in completion["choices"]]
    if any(message.get("tool_calls") or message.get("function_call") for message in messages):
        offered = offered_tools(chat)
        for message in messages:
            _check(message, offered)


def chunk_check(chat: Json) -> Callable[[Json], None] | None:
    """Return what raises SchemaMismatch for a chunk that calls a tool that the chat did not offer.

    None where a provider's own tools are offered.
    """
    offered = offered_tools(chat)
    return None if offered is None else partial(_check_chunk, offered)


def offered_tools(chat: Json) -> frozenset[str] | None:
    """The names of the tools that a model may call; None where a provider's own tools are among them."""
    tools = chat.get("tools") or ()
    if any(tool.get("type") not in _OWN for tool in tools):
        return None
    names = [tool[tool["type"]]["name"] for tool in tools] if chat.get("tool_choice") != "none" else []
    if chat.get("function_call") != "none":
        names += [function["name"] for function in chat.get("functions") or ()]
    return frozenset(names)


def _check_chunk(offered: frozenset[str], chunk: Json) -> None:
    for choice in chunk.get("choices") or ():
        if delta := choice.get("delta"):
            _check(delta, offered)


def _check(part: Json, offered: frozenset[str] | None) -> None:
    """Raise SchemaMismatch for a message or a delta that calls any other tool."""
    calls = part.get("tool_calls")
    listed = [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    called_by_type = [call.get(kind) for call in listed for kind in _OWN]  # whatever its `type` says
    for called in (*called_by_type, part.get("function_call")):
        name = called.get("name") if isinstance(called, dict) else None
        if offered is not None and isinstance(name, str) and name and name not in offered:
            content = part.get("content")
            answer = content if isinstance(content, str) else ""
            raise SchemaMismatch(_PROBLEM, answer_text=answer, failure_class="protocol")
