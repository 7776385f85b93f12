"""Adapts the messages of a chat request to one provider, by the row's quirks.

A message that stays is the client's own object, so that it keeps its bytes (handler/wire/splice.py).
docs/providers.md describes each quirk.
"""

from __future__ import annotations

import operator
from functools import lru_cache
from hashlib import sha256
from itertools import groupby
from typing import Any

from handler.errors import Json
from handler.providers.provider import Quirks

_PLAIN = frozenset({"role", "content"})
_ALTERNATING = ("user", "assistant")
_message_quirks = operator.attrgetter(
    *("alternate", "call_id_length", "drop_empty", "drop_null", "message_drop", "roles", "text_content"),
    "tool_texts",
)


def adapt_messages(messages: list[Any], quirks: Quirks, dropped: list[str]) -> list[Any]:
    """Return the messages as the provider takes them. The names of dropped fields are added to `dropped`."""
    if not any(_message_quirks(quirks)):
        return messages
    after = reuse_unchanged(messages, [_adapt_message(one, quirks, dropped) for one in messages])
    after = _move_attachments(after) if quirks.tool_texts else after
    return _merge_neighbours(after) if quirks.alternate else after


def reuse_unchanged(before: list[Any], after: list[Any]) -> list[Any]:
    """Return `before` if its items are the same objects, else `after`."""
    return before if all(map(operator.is_, before, after)) else after


def _adapt_message(message: Any, quirks: Quirks, dropped: list[str]) -> Any:
    """Return the adapted message; the same object if nothing changes."""
    if not isinstance(message, dict):
        return message
    changes: Json = {}
    content, role = message.get("content"), message.get("role")
    is_plain = len(message) == 2 and content and type(content) is str and type(role) is str
    if is_plain and role not in quirks.roles and _PLAIN.isdisjoint(quirks.message_drop):
        return message
    calls, id = message.get("tool_calls"), message.get("tool_call_id")
    if not (content and isinstance(content, str)):
        changes["content"] = _adapt_content(message, quirks, dropped)
    if isinstance(role, str) and role in quirks.roles:
        changes["role"] = quirks.roles[role]
    if isinstance(calls, list):
        changes["tool_calls"] = reuse_unchanged(calls, [_adapt_call(one, quirks, dropped) for one in calls])
    if isinstance(id, str):
        changes["tool_call_id"] = _valid_call_id(id, quirks)
    changes = {name: value for name, value in changes.items() if value is not message.get(name)}
    new = {**message, **changes} if changes else message
    refused = _refused_fields(new, quirks)
    dropped += [f"messages.{name}" for name in refused if name in quirks.message_drop and new[name]]
    return {name: value for name, value in new.items() if name not in refused} if refused else new


def _refused_fields(message: Json, quirks: Quirks) -> dict[str, None]:
    """The fields of the message that the provider refuses."""
    refused = dict.fromkeys(name for name in message if name in quirks.message_drop)
    if message.get("role") == "function":
        refused.pop("name", None)
    if quirks.drop_empty and message.get("tool_calls") == []:
        refused["tool_calls"] = None
    if quirks.drop_null:
        nulls = (name for name, value in message.items() if value is None and name != "content")
        refused |= dict.fromkeys(nulls)
    return refused


def _adapt_content(message: Json, quirks: Quirks, dropped: list[str]) -> Any:
    """Return the content. It holds the refusal where the provider has no other field for it."""
    content, refusal = message.get("content"), message.get("refusal")
    if isinstance(content, list):
        parts = reuse_unchanged(content, [_adapt_part(one, quirks, dropped) for one in content])
        as_text = quirks.text_content and parts and all(map(_is_text, parts))
        return "".join(part["text"] for part in parts) if as_text else parts
    is_empty = not content and not message.get("tool_calls")
    moves = is_empty and isinstance(refusal, str) and refusal and "refusal" in quirks.message_drop
    return refusal if moves else content


def _adapt_part(part: Any, quirks: Quirks, dropped: list[str]) -> Any:
    """Return the part without the fields of other providers; the same object if nothing changes."""
    if not isinstance(part, dict):
        return part
    if part.get("type") == "refusal" and "refusal" in quirks.message_drop:
        return {"type": "text", "text": part.get("refusal")}
    return _drop_nested(part, "content", quirks, dropped)


def _adapt_call(call: Any, quirks: Quirks, dropped: list[str]) -> Any:
    """Return the call without the fields of other providers, and with a valid id."""
    if not isinstance(call, dict):
        return call
    new, id = _drop_nested(call, "tool_calls", quirks, dropped), call.get("id")
    valid = _valid_call_id(id, quirks) if isinstance(id, str) else id
    return new if valid is id else {**new, "id": valid}


def _drop_nested(item: Json, parent: str, quirks: Quirks, dropped: list[str]) -> Json:
    """Return an item of the list `parent` without the fields that `message_drop` names as `parent.field`."""
    refused = [name for name in item if name in _nested_fields(quirks.message_drop, parent)]
    dropped += [f"messages.{parent}.{name}" for name in refused]
    return {name: value for name, value in item.items() if name not in refused} if refused else item


@lru_cache(maxsize=256)
def _nested_fields(fields: frozenset[str], parent: str) -> frozenset[str]:
    return frozenset(name.removeprefix(f"{parent}.") for name in fields if name.startswith(f"{parent}."))


def _valid_call_id(id: str, quirks: Quirks) -> str:
    """Return the id, or a hash of it: a call and its result get the same one, in every request."""
    length = quirks.call_id_length
    if not length or (len(id) == length and id.isascii() and id.isalnum()):
        return id
    return sha256(id.encode("utf-8", "surrogatepass")).hexdigest()[: int(length)]


def _move_attachments(messages: list[Any]) -> list[Any]:
    """Move images and files of tools' results to a message of the user, behind the last of the results."""
    moved, attached = list[Any](), list[Any]()
    for message in messages:
        is_result = isinstance(message, dict) and message.get("role") == "tool"
        if attached and not is_result:
            moved.append({"role": "user", "content": attached})
            attached = []
        content = message.get("content") if is_result else None
        parts = content if isinstance(content, list) else []
        if media := [part for part in parts if not _is_text(part)]:
            attached += [{"type": "text", "text": f"[tool result {message.get('tool_call_id')}]"}, *media]
            texts = [part for part in parts if _is_text(part)]
            message = {**message, "content": texts or "(attached)"}
        moved.append(message)
    moved += [{"role": "user", "content": attached}] if attached else []
    return moved if len(moved) != len(messages) else messages


def _merge_neighbours(messages: list[Any]) -> list[Any]:
    """Merge neighbours of one role into one message."""
    merged: list[Any] = []
    for role, run in groupby(messages, key=lambda message: message.get("role")):
        first, *more = run
        if more and role in _ALTERNATING:
            content = _merge_contents([one.get("content") for one in (first, *more)])
            merged.append({**first, "content": content})
        else:
            merged += (first, *more)
    return reuse_unchanged(messages, merged) if len(merged) == len(messages) else merged


def _merge_contents(contents: list[Any]) -> Any:
    if all(isinstance(content, str) for content in contents):
        return "\n\n".join(contents)
    return [part for content in contents for part in _parts(content)]


def _parts(content: Any) -> list[Any]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content or []


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)
