"""The messages of a chat as one provider takes them: what its row asks to change in them, no more.

A message that stays is the client's own object, so that its bytes go on (handler/wire/splice.py).
docs/providers.md says what each quirk does.
"""

from __future__ import annotations

import operator
from functools import lru_cache
from hashlib import sha256
from itertools import groupby
from typing import Any

from handler.providers.provider import Quirks
from handler.providers.translator import Json

_TURNS = ("user", "assistant")
# The quirks that are about messages.
_OURS = ("alternate", "call_id_length", "drop_empty", "drop_null", "message_drop", "roles", "text_content")
_any_of_ours = operator.attrgetter(*_OURS)


def retold(messages: list[Any], quirks: Quirks, dropped: list[str]) -> list[Any]:
    """The messages; `dropped` gets the names of what was left out of them."""
    if not any(_any_of_ours(quirks)):
        return messages
    after = shared(messages, [_message(one, quirks, dropped) for one in messages])
    return _alternating(after) if quirks.alternate else after


def shared(before: list[Any], after: list[Any]) -> list[Any]:
    """The list itself where no item is another one."""
    return before if all(map(operator.is_, before, after)) else after


def _message(message: Any, quirks: Quirks, dropped: list[str]) -> Any:
    """One message; the message itself if nothing changes."""
    if not isinstance(message, dict):
        return message
    told: Json = {}
    content, role = message.get("content"), message.get("role")
    calls, id = message.get("tool_calls"), message.get("tool_call_id")
    if not (content and isinstance(content, str)):
        told["content"] = _content(message, quirks, dropped)
    if isinstance(role, str) and role in quirks.roles:
        told["role"] = quirks.roles[role]
    if isinstance(calls, list):
        told["tool_calls"] = shared(calls, [_call(one, quirks, dropped) for one in calls])
    if isinstance(id, str):
        told["tool_call_id"] = _fitting(id, quirks)
    told = {name: value for name, value in told.items() if value is not message.get(name)}
    new = {**message, **told} if told else message
    gone = _unwanted(new, quirks)
    dropped += [f"messages.{name}" for name in gone if name in quirks.message_drop and new[name]]
    return {name: value for name, value in new.items() if name not in gone} if gone else new


def _unwanted(message: Json, quirks: Quirks) -> dict[str, None]:
    """The names of what has to go."""
    gone = dict.fromkeys(name for name in message if name in quirks.message_drop)
    if message.get("role") == "function":
        gone.pop("name", None)
    if quirks.drop_empty and message.get("tool_calls") == []:
        gone["tool_calls"] = None
    if quirks.drop_null:
        gone |= dict.fromkeys(name for name, value in message.items() if value is None and name != "content")
    return gone


def _content(message: Json, quirks: Quirks, dropped: list[str]) -> Any:
    """The content. A refusal is a text where nothing else can hold it, for it must not be lost."""
    content, refusal = message.get("content"), message.get("refusal")
    if isinstance(content, list):
        parts = shared(content, [_part(one, quirks, dropped) for one in content])
        as_text = quirks.text_content and parts and all(map(_is_text, parts))
        return "".join(part["text"] for part in parts) if as_text else parts
    unsaid = not content and not message.get("tool_calls") and isinstance(refusal, str)
    return refusal if unsaid and refusal and "refusal" in quirks.message_drop else content


def _part(part: Any, quirks: Quirks, dropped: list[str]) -> Any:
    """A part of the content without the marks of other providers; the part itself if nothing changes."""
    if not isinstance(part, dict):
        return part
    if part.get("type") == "refusal" and "refusal" in quirks.message_drop:
        return {"type": "text", "text": part.get("refusal")}
    return _without(part, "content", quirks, dropped)


def _call(call: Any, quirks: Quirks, dropped: list[str]) -> Any:
    """A call of the history without what another provider put to it, under an id that fits."""
    if not isinstance(call, dict):
        return call
    new, id = _without(call, "tool_calls", quirks, dropped), call.get("id")
    fit = _fitting(id, quirks) if isinstance(id, str) else id
    return new if fit is id else {**new, "id": fit}


def _without(part: Json, within: str, quirks: Quirks, dropped: list[str]) -> Json:
    gone = [name for name in part if name in _below(quirks.message_drop, within)]
    dropped += [f"messages.{within}.{name}" for name in gone]
    return {name: value for name, value in part.items() if name not in gone} if gone else part


@lru_cache(maxsize=256)
def _below(fields: frozenset[str], within: str) -> frozenset[str]:
    """The names behind `within.` among the fields."""
    return frozenset(name.removeprefix(f"{within}.") for name in fields if name.startswith(f"{within}."))


def _fitting(id: str, quirks: Quirks) -> str:
    """The id of a call, or one made of it: the same for the call and its result, today and tomorrow."""
    length = quirks.call_id_length
    if not length or (len(id) == length and id.isascii() and id.isalnum()):
        return id
    return sha256(id.encode("utf-8", "surrogatepass")).hexdigest()[: int(length)]


def _alternating(messages: list[Any]) -> list[Any]:
    """Neighbours of one role as one message."""
    turns: list[Any] = []
    for role, run in groupby(messages, key=lambda message: message.get("role")):
        first, *more = run
        if more and role in _TURNS:
            turns.append({**first, "content": _together([one.get("content") for one in (first, *more)])})
        else:
            turns += (first, *more)
    return shared(messages, turns) if len(turns) == len(messages) else turns


def _together(contents: list[Any]) -> Any:
    if all(isinstance(content, str) for content in contents):
        return "\n\n".join(contents)
    return [part for content in contents for part in _parts(content)]


def _parts(content: Any) -> list[Any]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content or []


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)
