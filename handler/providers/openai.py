"""OpenAI's Chat Completions, as OpenAI and the providers compatible with it serve them.

The client's format is this one too, so nearly nothing is translated. What a provider refuses is in its row's
quirks; what some answer beside the specification is put right here, each with where it is seen. A part that
needs nothing is passed on as the object it was. https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import json
import operator
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from handler.errors import UpstreamError
from handler.legacy import legacy_answer, legacy_chunk
from handler.providers.base import Json, Quirks, StreamDecoder
from handler.providers.failure import failure, failure_in
from handler.providers.inline import Inline
from handler.providers.quirks import suited
from rules import Model

# What others say for OpenAI's words, in lower case. A word that nobody knows counts as none.
_FINISH: Mapping[str, str] = {
    **{word: word for word in ("stop", "length", "tool_calls", "content_filter", "function_call")},
    **dict.fromkeys(("eos", "stop_sequence", "end_turn"), "stop"),  # Together, and Claude behind others
    **dict.fromkeys(("model_length", "max_tokens", "model_context_window_exceeded"), "length"),  # Mistral
    **dict.fromkeys(("sensitive", "safety", "recitation"), "content_filter"),  # Z.ai, Gemini behind others
    **dict.fromkeys(("refusal", "guardrail_intervened"), "content_filter"),
    # DeepSeek, Z.ai, vLLM; OpenRouter: https://openrouter.ai/docs/api-reference/errors
    **dict.fromkeys(("insufficient_system_resource", "network_error", "abort", "error"), "error"),
}


class OpenAI:
    """The translator of the `openai` dialect."""

    framing = "sse"
    several = True

    def path(self, model: Model, *, stream: bool) -> str:
        return "/chat/completions"

    def holds(self, schema: Json | None, chat: Json, model: Model) -> bool:
        return True

    def request(self, chat: Json, model: Model, quirks: Quirks) -> tuple[Json, tuple[str, ...]]:
        return suited(chat, model, quirks)

    def response(self, body: Json, quirks: Quirks, *, legacy: bool = False, model: str = "") -> Json:
        if (failed := failure_in(body)) is not None:
            raise failed
        if "choices" not in body and isinstance(body.get("result"), dict):
            body = body["result"]  # https://developers.cloudflare.com/workers-ai/
        choices = body.get("choices")
        if not choices or not _fit(choices, "message"):
            raise UpstreamError("The provider's answer is no chat completion.", klass="protocol")
        after = [_whole_choice(choice, quirks) for choice in choices]
        body = body if _identical(choices, after) else {**body, "choices": after}
        return legacy_answer(body) if legacy and not quirks.legacy else body

    def stream(self, quirks: Quirks, *, legacy: bool = False, model: str = "") -> StreamDecoder:
        return ChatStream(quirks, legacy=legacy and not quirks.legacy)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return failure(status, headers, body)


@dataclass(slots=True)
class Choice:
    """What has been streamed of one choice."""

    inline: Inline | None = None  # tells thoughts in the content apart
    own_ids: bool = False  # its calls get ids of ours
    role: bool = False
    finished: bool = False
    calls: list[Call] = field(default_factory=list)
    positions: dict[int | None, int] = field(default_factory=dict)  # the upstream's index of a call -> ours


@dataclass(slots=True)
class Call:
    id: str
    named: bool = False
    argued: bool = False  # some of its arguments came


class ChatStream:
    """The decoder of one stream; see StreamDecoder."""

    def __init__(self, quirks: Quirks, *, legacy: bool) -> None:
        self.event: Json = {}
        self._quirks = quirks
        self._legacy = legacy
        self._head: Json = {}  # id, created, object and model of the first chunk
        self._choices: dict[int, Choice] = {}
        self._usage: Json | None = None  # told beside content, to go out last
        self._malformed = 0
        self._done = False

    def feed(self, data: str) -> Iterator[Json]:
        if self._done or data.startswith("[DONE]"):
            self._done = True
            return
        if not data.strip():
            return
        event = self._parsed(data)
        if event is None:
            self._skip()
            return
        if (failed := failure_in(event)) is not None:
            raise failed
        chunk = self._chunk(event)
        if chunk is not None:
            yield self._out(chunk)

    def close(self) -> Iterator[Json]:
        if not self._choices or (self._open() and not self._done):
            raise UpstreamError("The provider's answer ended too early.", klass="network")
        for index in self._open():  # [DONE] came, but no finish reason
            state = self._choices[index]
            finish = "tool_calls" if state.calls else "stop"
            late = {} if state.inline is None else _told_apart({}, state.inline, last=True)
            delta = _with_arguments(late, state)
            yield self._out(self._own([{"index": index, "delta": delta, "finish_reason": finish}]))
        if self._usage is not None:
            yield self._own([]) | {"usage": self._usage}

    def _open(self) -> list[int]:
        """The choices that have not been finished."""
        return [index for index, choice in self._choices.items() if not choice.finished]

    def _parsed(self, data: str) -> Json | None:
        """The event; None if it is none."""
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            return None
        if isinstance(event, list) and event:  # Gemini's compatible API puts an error in a list
            event = event[0]
        if not isinstance(event, dict) or not _fit(event.get("choices") or [], "delta"):
            return None
        self.event = event
        return self.event

    def _skip(self) -> None:
        self._malformed += 1
        if self._malformed > 1:
            raise UpstreamError("The provider's stream could not be understood.", klass="protocol")

    def _chunk(self, event: Json) -> Json | None:
        """The chunk that an event is; None if it is none that a client wants."""
        told, usage = event.get("choices"), event.get("usage")
        choices = told or []
        if not (choices or usage or event.get("id")):
            return None  # Azure's first event, of the prompt's filter, has no id and no choice
        chunk = self._headed(event)
        if usage and (choices or self._open()):  # Mistral tells it with the last piece, Perplexity with each
            self._usage = usage
            chunk = {name: value for name, value in chunk.items() if name != "usage"}
            if not choices:
                return None
        elif usage:
            self._usage = None
        after = [self._choice(choice) for choice in choices]
        return chunk if isinstance(told, list) and _identical(told, after) else {**chunk, "choices": after}

    def _headed(self, event: Json) -> Json:
        """One id and one time for the whole stream."""
        if not self._head.get("id"):
            self._head = {name: event[name] for name in ("id", "object", "created", "model") if name in event}
            return event
        head: Json = {name: self._head[name] for name in ("id", "created") if name in self._head}
        return event if all(event.get(name) == value for name, value in head.items()) else {**event, **head}

    def _own(self, choices: list[Json]) -> Json:
        return {**self._head, "choices": choices}

    def _out(self, chunk: Json) -> Json:
        return legacy_chunk(chunk) if self._legacy else chunk

    def _choice(self, choice: Json) -> Json:
        state = self._choices.setdefault(choice.get("index") or 0, _unsaid(self._quirks))
        delta, finish = choice.get("delta"), choice.get("finish_reason")
        new = _delta(delta, state) if delta else {}
        if state.inline is not None:
            new = _told_apart(new, state.inline, last=bool(finish))
        if finish is not None:
            meant = _finish(finish, bool(state.calls), self._quirks) if finish else None
            state.finished = state.finished or meant is not None
            choice = choice if meant == finish else {**choice, "finish_reason": meant}
            new = _with_arguments(new, state) if meant in _WHOLE else new
        return choice if new == delta else {**choice, "delta": new}


_WHOLE = frozenset({"stop", "tool_calls"})  # an answer that ended so was not cut off


def _with_arguments(delta: Json, state: Choice) -> Json:
    """The last delta of a choice. vLLM and others tell nothing of a call without arguments; `{}` is JSON."""
    bare = {position for position, call in enumerate(state.calls) if call.named and not call.argued}
    if not bare:
        return delta
    calls = {call["index"]: call for call in delta.get("tool_calls") or ()}
    for position in sorted(bare):
        call = calls.get(position, {"index": position})
        calls[position] = {**call, "function": {**(call.get("function") or {}), "arguments": "{}"}}
    return {**delta, "tool_calls": list(calls.values())}


def _unsaid(quirks: Quirks) -> Choice:
    inline = Inline(quirks.reasoning_tag) if quirks.reasoning_tag else None
    return Choice(inline=inline, own_ids=not quirks.call_ids)


def _told_apart(part: Json, inline: Inline, *, last: bool) -> Json:
    """A delta or a message with the thoughts in its content where thoughts belong."""
    content = part.get("content")
    said = [inline.feed(content if isinstance(content, str) else ""), *([inline.rest()] if last else [])]
    thought, text = ("".join(pieces) for pieces in zip(*said, strict=True))
    new = {**part, "content": text} if content is not None or text else part
    return {**new, "reasoning_content": thought} if thought else new


def _delta(delta: Json, state: Choice) -> Json:
    new = _plain(delta)
    if "role" in new:
        again, state.role = state.role, state.role or bool(new["role"])
        if again or not new["role"]:
            new = {name: value for name, value in new.items() if name != "role"}
    if calls := new.get("tool_calls"):
        after = [_call_delta(call, state) for call in calls]
        new = new if _identical(calls, after) else {**new, "tool_calls": after}
    return new


def _call_delta(call: Json, state: Choice) -> Json:
    """A piece of a tool call: its index counts from 0, its id, type and name are told once.

    Compatible providers number every call 0 or none, and repeat id and name, or send them empty.
    """
    id_, number, given = call.get("id") or "", call.get("index"), call.get("function")
    position = state.positions.get(number)
    if position is None or (id_ and state.calls[position].id not in ("", id_)):
        position = state.positions[number] = len(state.calls)
        state.calls.append(Call(id_))
        new = {**call, "id": _minted()} if state.own_ids else dict(call)
    else:
        new = {field: value for field, value in call.items() if field not in ("id", "type")}
    known = state.calls[position]
    known.id = known.id or id_
    if given is not None:
        new["function"] = _function(given, spoken=known.named)
        known.argued = known.argued or bool(new["function"].get("arguments"))
        known.named = known.named or bool(given.get("name"))
    new["index"] = position
    return call if new == call else new


def _function(given: Json, *, spoken: bool) -> Json:
    """The function of a call, without a name that was told. Cloudflare gives arguments as an object."""
    function = {name: value for name, value in given.items() if not (spoken and name == "name")}
    arguments = function.get("arguments")
    if arguments is not None and not isinstance(arguments, str):
        function["arguments"] = json.dumps(arguments, ensure_ascii=False, separators=(",", ":"))
    return function


def _fit(choices: Any, said: str) -> bool:
    """Whether choices have the shape that is relied on here. `said`: message, or delta, which may lack."""
    return isinstance(choices, list) and all(_is_choice(choice, said) for choice in choices)


def _is_choice(choice: Any, said: str) -> bool:
    if not isinstance(choice, dict) or not isinstance(choice.get("index"), int | None):
        return False
    part = choice.get(said)
    if not isinstance(part, dict):
        return part is None and said == "delta"
    calls = part.get("tool_calls")
    return calls is None or (isinstance(calls, list) and all(map(_is_call, calls)))


def _is_call(call: Any) -> bool:
    return (
        isinstance(call, dict)
        and isinstance(call.get("index"), int | None)
        and isinstance(call.get("id"), str | None)
        and isinstance(call.get("function"), dict | None)
    )


def _whole_choice(choice: Json, quirks: Quirks) -> Json:
    message, finish = choice["message"], choice.get("finish_reason")
    new = _plain(message)
    if quirks.reasoning_tag:
        new = _told_apart(new, Inline(quirks.reasoning_tag), last=True)
    calls = new.get("tool_calls") or []
    meant = _finish(finish, bool(calls), quirks)
    after = [_whole_call(call, own_id=not quirks.call_ids, whole=meant in _WHOLE) for call in calls]
    if not _identical(calls, after):
        new = {**new, "tool_calls": after}
    if new is message and meant == finish:
        return choice
    return {**choice, "message": new, "finish_reason": meant}


def _minted() -> str:
    """The id of a call that no other has, in this answer or in another."""
    return f"call_{uuid.uuid4().hex[:24]}"


def _whole_call(call: Json, *, own_id: bool, whole: bool) -> Json:
    call = {**call, "id": _minted()} if own_id else call
    given = call.get("function") or {}
    function = _function(given, spoken=False)
    if whole and given and not function.get("arguments"):
        function["arguments"] = "{}"
    return call if function == given else {**call, "function": function}


def _plain(part: Json) -> Json:
    """A message or delta whose content is a text and whose thoughts are `reasoning_content`.

    Mistral's thinking models give a list of parts, https://docs.mistral.ai/capabilities/reasoning/; Groq and
    others say `reasoning`, https://console.groq.com/docs/reasoning
    """
    content = part.get("content")
    if isinstance(part.get("reasoning"), str):
        known = "reasoning_content" in part
        part = {
            _THOUGHTS.get(name, name): value
            for name, value in part.items()
            if not known or name != "reasoning"
        }
    if not isinstance(content, list):
        return part
    thoughts = [one.get("thinking") for one in content if isinstance(one, dict)]
    thought = "".join(_text(piece) for pieces in thoughts if isinstance(pieces, list) for piece in pieces)
    new = {**part, "content": "".join(map(_text, content))}
    return {**new, "reasoning_content": thought} if thought else new


_THOUGHTS = {"reasoning": "reasoning_content"}


def _text(part: Any) -> str:
    text = part.get("text") if isinstance(part, dict) else None
    return text if isinstance(text, str) else ""


def _finish(finish: Any, called: bool, quirks: Quirks) -> str:
    """OpenAI's word for why an answer ended; where there is none, what it holds decides."""
    word = finish if isinstance(finish, str) else ""
    meant = _FINISH.get(quirks.finish_reasons.get(word, word).lower())
    if meant == "error":
        raise UpstreamError("The provider failed while it answered.", klass="server")
    if meant is None or (meant == "stop" and called and quirks.finish_by_calls):
        return "tool_calls" if called else "stop"
    return meant


def _identical(before: list[Any], after: list[Any]) -> bool:
    return len(before) == len(after) and all(map(operator.is_, before, after))
