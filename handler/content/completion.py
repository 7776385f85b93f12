"""Assembles the chunks of a stream, or its frames, into the one completion that they say."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from handler.errors import Json, UpstreamError
from handler.wire import sse
from handler.wire.framing import FRAMINGS

# Texts of a delta that are whole in each chunk; all others are pieces of one text.
_WHOLE = frozenset({"role", "id", "type", "name", "format", "finish_reason"})
_OF_CHUNKS = frozenset({"object", "choices"})


def completion_of(frames: bytes) -> Json | None:
    """Return the completion of a stream as the client got it; None without a chunk.

    A stream that broke off has its `error`, and choices without `finish_reason`.
    """
    decoder, builder = sse.Decoder(max_event=len(frames) + 1), CompletionBuilder()
    for event in (*decoder.feed(frames), *decoder.close()):
        builder.add(_read(event.data))
    return builder.completion()


class CompletionBuilder:
    """Joins the chunks of one answer to a completion."""

    def __init__(self) -> None:
        self._members: Json = {}
        self._choices: dict[int, Json] = {}

    def add(self, chunk: Json) -> None:
        self._members |= {
            name: value for name, value in chunk.items() if name not in _OF_CHUNKS and value is not None
        }
        for choice in chunk.get("choices") or ():
            add_delta(self._choices.setdefault(choice.get("index") or 0, {}), choice)

    def completion(self) -> Json | None:
        """Return the completion of the chunks so far; None without a chunk."""
        if not self._members and not self._choices:
            return None
        choices = [_choice(index, choice) for index, choice in sorted(self._choices.items())]
        return {**self._members, "object": "chat.completion", "choices": choices}


def events_of(frames: bytes) -> Json | None:
    """Return the events of a stream in another format; None without one."""
    framing = "eventstream" if frames.startswith(b"\0") else "sse"  # a message begins with its length
    decoder = FRAMINGS[framing](max_event=len(frames) + 1)
    events: list[Json] = []
    with suppress(UpstreamError):  # the last message was cut off
        for found in (decoder.feed(frames), decoder.close()):
            events += (event for each in found if (event := _read(each.data)))
    return {"events": events} if events else None


def _choice(index: int, choice: Json) -> Json:
    joined = joined_delta(choice)
    message = joined.pop("delta", {})
    message.pop("channel", None)  # Groq's, of each piece; a whole message has none
    for call in message.get("tool_calls") or ():
        if isinstance(call, dict):
            call.pop("index", None)
    return {**joined, "index": index, "message": message}


def _read(data: str) -> Json:
    """Return the chunk of an event; empty for `[DONE]`, and for an event that was cut off."""
    try:
        chunk = json.loads(data)
    except ValueError:
        return {}
    return chunk if isinstance(chunk, dict) else {}


class _Pieces(list[str]):
    """The pieces of a text, which are joined once: adding to a text each time would take quadratic time."""


def add_delta(target: dict[Any, Any], more: Json) -> None:
    """Add a delta to those before it: texts and lists grow, other values replace. See joined_delta()."""
    for name, value in more.items():
        found = target.get(name)
        if value is None:
            target.setdefault(name, None)
        elif isinstance(value, str) and name not in _WHOLE:
            if isinstance(found, _Pieces):
                found.append(value)
            else:
                target[name] = _Pieces([value])
        elif isinstance(value, dict):
            if not isinstance(found, dict):
                target[name] = found = {}
            add_delta(found, value)
        elif isinstance(value, list):
            if not isinstance(found, _Members):
                target[name] = found = _Members()
            found.extend(value)
        elif value != "" or found is None:
            target[name] = value


class _Members:
    """The members of a list: those with an index are added to the one with the same index."""

    def __init__(self) -> None:
        self.plain: list[Any] = []
        self.indexed: dict[int, Json] = {}

    def extend(self, values: list[Any]) -> None:
        for value in values:
            index = value.get("index") if isinstance(value, dict) else None
            if type(index) is int:
                add_delta(self.indexed.setdefault(index, {}), value)
            else:
                self.plain.append(value)


def joined_delta(value: Any) -> Any:
    """Return the value of all that add_delta() added."""
    match value:
        case _Pieces():
            return "".join(value)
        case _Members():
            return [*(joined_delta(each) for _, each in sorted(value.indexed.items())), *value.plain]
        case dict():
            return {name: joined_delta(each) for name, each in value.items()}
        case _:
            return value
