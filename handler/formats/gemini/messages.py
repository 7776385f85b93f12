"""Translates `systemInstruction` and `contents` into the messages of a chat.

Gemini's calls often have no ids: a call without one gets an id by its place, and a result belongs to the call
with its id, else to the first open one with its name. Contents of the role `model` in a row are one answer,
because the chunks of a stream come back as contents of their own. https://ai.google.dev/api/caching#Content
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from handler.errors import InvalidRequest, Json
from handler.formats.gemini.fields import items, member, unknown, written
from handler.formats.gemini.media import media_part
from handler.formats.gemini.signatures import read_signature
from handler.formats.gemini.untranslated import Untranslated
from handler.wire.splice import dump

Parts = Iterable[tuple[str, Json]]  # each after its path

_MEDIA = ("inlineData", "fileData")
_TUNING = ("Metadata", "mediaResolution", "mediaProcessing")  # the ends of their names
_IN_RESULTS = ("text", "image_url", "file")  # parts that a tool message takes


def messages_of(body: Json, notes: Untranslated) -> list[Json]:
    """Return the messages. Raises InvalidRequest for a part that its role cannot have."""
    history = _History(notes)
    history.add_instruction(body)
    contents = items(body.get("contents"), "contents")
    for is_model, group in groupby(contents, key=lambda content: content[1].get("role") == "model"):
        if is_model:
            history.add_answer([part for where, content in group for part in _parts(content, where)])
        else:
            for where, content in group:
                history.add_input(_parts(content, where))
    return history.messages


def _parts(content: Json, where: str) -> Iterator[tuple[str, Json]]:
    return items(content.get("parts"), f"{where}.parts")


class _History:
    """Builds the messages, content by content."""

    def __init__(self, notes: Untranslated) -> None:
        self.messages: list[Json] = []
        self._notes = notes
        self._calls = _OpenCalls()

    def add_instruction(self, body: Json) -> None:
        name = written(body, "systemInstruction")
        match body.get(name):
            case str(text):
                self.messages.append({"role": "system", "content": text})
            case dict(content):
                texts = []
                for where, part in _parts(content, name):
                    self._note_others(where, part, ("text",))
                    if part.get("text"):
                        texts.append({"type": "text", "text": part["text"]})
                if texts:
                    self.messages.append({"role": "system", "content": _content(texts)})

    def add_input(self, parts: Parts) -> None:
        """Add the results of calls, and then all other parts as one message of the user."""
        content: list[Json] = []
        has_results = False
        for where, part in parts:
            if member(part, "functionCall") is not None:
                raise _misplaced(where, part, "functionCall", "model")
            self._note_others(where, part, ("text", "functionResponse", *_MEDIA))
            if (response := member(part, "functionResponse")) is not None:
                path = f"{where}.{written(part, 'functionResponse')}"
                self.messages.append(self._result(response, path))
                has_results = True
            elif any(member(part, name) is not None for name in _MEDIA):
                content += [one] if (one := media_part(part, where, self._notes)) else []
            elif part.get("text") is not None:
                content.append({"type": "text", "text": part["text"]})
        if content or not has_results:
            self.messages.append({"role": "user", "content": _content(content)})

    def add_answer(self, parts: Parts) -> None:
        answer = _Answer()
        self._calls.start_turn()
        for where, part in parts:
            if member(part, "functionResponse") is not None:
                raise _misplaced(where, part, "functionResponse", "user")
            self._note_others(where, part, ("text", "functionCall"))
            call = member(part, "functionCall")
            answer.add(part, None if call is None else _call(call, self._calls.open(call)))
        self.messages.append(answer.message())

    def _result(self, response: Json, where: str) -> Json:
        id_ = self._calls.close(response.get("id"), response["name"])
        text, is_error = _response_text(response.get("response"))
        content: list[Json] = [{"type": "text", "text": text}] if text else []
        for path, part in items(response.get("parts"), f"{where}.parts"):
            content += [one] if (one := media_part(part, path, self._notes)) else []
        taken = [one for one in content if one["type"] in _IN_RESULTS]
        if len(taken) < len(content):
            self._notes.require(f"{where}.parts", "other models take only images and files in a result")
        message = {"role": "tool", "tool_call_id": id_, "content": _content(taken)}
        return message | ({"is_error": True} if is_error else {})

    def _note_others(self, where: str, part: Json, known: tuple[str, ...]) -> None:
        """Note the members of a part that the message leaves out."""
        for name, own_name in unknown(part, (*known, "thought", "thoughtSignature")):
            if name.endswith(_TUNING):
                self._notes.drop(f"contents.parts.{own_name}")
            else:
                self._notes.require(f"{where}.{own_name}", "only Gemini knows such a part here")


def _misplaced(where: str, part: Json, name: str, role: str) -> InvalidRequest:
    path = f"{where}.{written(part, name)}"
    return InvalidRequest(f"{path}: only a content of the role `{role}` may have it", param=path)


def _content(parts: list[Json]) -> Any:
    """Return the content of a message: a text where it has one part or none, which is a text."""
    if not parts:
        return ""
    return parts[0]["text"] if len(parts) == 1 and parts[0]["type"] == "text" else parts


def _call(call: Json, id_: str) -> Json:
    function = {"name": call["name"], "arguments": dump(call.get("args") or {})}
    return {"id": id_, "type": "function", "function": function}


def _response_text(response: Json | None) -> tuple[str, bool]:
    """Return the text of a result, and True for an error.

    `output` and `error` are Gemini's names for what a function returned and for its failure.
    """
    match list((response or {}).items()):
        case [("output" | "error" as name, str(text))]:
            return text, name == "error"
    return "" if response is None else dump(response), False


@dataclass(slots=True)
class _OpenCalls:
    """The calls of the last answer that have no result yet, and the ids of the whole conversation."""

    _used: set[str] = field(default_factory=set)
    _count: int = 0
    _open: dict[str, str] = field(default_factory=dict)  # a call's id in the request -> its id in the chat
    _by_name: dict[str, deque[str]] = field(default_factory=dict)

    def start_turn(self) -> None:
        self._open, self._by_name = {}, {}

    def open(self, call: Json) -> str:
        """Return the id of a call: the client's own if no other call has it."""
        own = call.get("id") or ""
        id_ = own if own and own not in self._used else self._new_id()
        self._used.add(id_)
        key = own if own and own not in self._open else id_
        self._open[key] = id_
        self._by_name.setdefault(call["name"], deque()).append(key)
        return id_

    def close(self, id_: str | None, name: str) -> str:
        """Return the id of the call that a result belongs to; a new one if there is no such call."""
        if id_ and id_ in self._open:
            return self._open.pop(id_)
        waiting = self._by_name.get(name, deque())
        while waiting:
            if (key := waiting.popleft()) in self._open:
                return self._open.pop(key)
        return id_ or self._new_id()

    def _new_id(self) -> str:
        while (id_ := f"call_{self._count}") in self._used:
            self._count += 1
        self._count += 1
        return id_


@dataclass(slots=True)
class _Answer:
    """The assistant message that the parts of an answer are joined to."""

    texts: list[str] = field(default_factory=list)
    length: int = 0  # characters of the texts
    thoughts: list[str] = field(default_factory=list)
    calls: list[Json] = field(default_factory=list)
    signatures: list[tuple[int, str]] = field(default_factory=list)  # of texts and thoughts, by their ends
    details: list[Any] = field(default_factory=list)
    extra_content: Json | None = None

    def add(self, part: Json, call: Json | None) -> None:
        state = read_signature(part)
        self.details += state.details
        self.extra_content = state.extra_content or self.extra_content
        if state.reasoning:
            self.thoughts.append(state.reasoning)
        if call is not None:
            if state.signature:
                call["thought_signature"] = state.signature
            self.calls.append(call)
            return
        text = part.get("text") or ""
        if part.get("thought"):
            self.thoughts.append(text)
        else:
            self.texts.append(text)
            self.length += len(text)
        if state.signature:
            self.signatures.append((self.length, state.signature))

    def message(self) -> Json:
        text = "".join(self.texts)
        members = {
            "reasoning_content": "".join(self.thoughts),
            "reasoning_details": self.details,
            "tool_calls": self.calls,
            "extra_content": self.extra_content or self._signatures(),
        }
        new: Json = {"role": "assistant", "content": text if text or not self.calls else None}
        return new | {name: value for name, value in members.items() if value}

    def _signatures(self) -> Json:
        """Return the signatures of texts and thoughts, in the form that answers have (docs/providers.md)."""
        if not self.signatures:
            return {}
        google: Json = {"thought_signature": self.signatures[-1][1]}
        if len(self.signatures) > 1:
            google["thought_signatures"] = [
                {"index": place, "characters": characters, "signature": signature}
                for place, (characters, signature) in enumerate(self.signatures)
            ]
        return {"google": google}
