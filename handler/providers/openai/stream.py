"""Decodes streams of the `openai` dialect, and tracks each choice and each of its tool calls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from handler.errors import Json, UpstreamError
from handler.providers.failure import error_from_body
from handler.providers.legacy_functions import to_legacy_chunk
from handler.providers.malformed import MalformedEvents, parse_event
from handler.providers.openai.answer import WHOLE, finish_of, fit, function_of, identical, plain, without_tag
from handler.providers.openai.shape import call_id, completed, nameless
from handler.providers.openai.thought_tags import Inline
from handler.providers.provider import Quirks
from handler.providers.translator import answer_too_large
from handler.providers.usage import usage_object

_MOST_HELD = 1_000_000  # characters of a call whose name has not come
_MOST_CHOICES = 128  # as OpenAI gives
_MOST_CALLS = 1000  # of one choice
_MOST_MEMBERS = 100  # of a call that is held back, and lists in the deltas of a choice
_LONGEST_NAME = 10_000  # characters, of a call's id too
_THOUGHTS = frozenset({"reasoning_content", "reasoning", "reasoning_details", "thinking"})


@dataclass(slots=True)
class Call:
    """A tool call. It begins for the client when its name is known; until then all of it is held back."""

    id: str = ""  # as the host gives it
    name: str = ""
    place: int | None = None  # among the choice's calls, as the client counts them
    held: Json = field(default_factory=dict)  # its members so far
    function: Json = field(default_factory=dict)  # and those of its function
    pieces: list[str] = field(default_factory=list)  # of its arguments, held
    size: int = 0  # characters of all that
    argued: bool = False  # some of its arguments came
    whole: bool = False  # they came in one piece, so that another piece may be another call's


@dataclass(slots=True)
class Choice:
    """The state of one choice."""

    inline: Inline | None = None  # tells thoughts in the content apart
    own_ids: bool = False  # its calls get ids of ours
    role: bool = False
    thought: bool = False
    spoken: bool = False  # something other than thoughts came
    finished: bool = False
    finish: str | None = None  # one that came with only thoughts: kept for the end
    calls: dict[int | None, Call] = field(
        default_factory=dict
    )  # the latest by the upstream's index, and of all
    called: int = 0  # how many calls there are
    begun: int = 0  # how many of them the client knows of
    bare: set[int] = field(default_factory=set)  # those without arguments yet
    counts: dict[str, int] = field(default_factory=dict)  # the items so far of a list in its deltas


class ChatStream:
    """The decoder of one stream; see StreamDecoder."""

    def __init__(self, quirks: Quirks, *, legacy: bool) -> None:
        self.event: Json = {}
        self._quirks = quirks
        self._legacy = legacy
        self._head: Json = {}  # id, created, object and model of the first chunk
        self._choices: dict[int, Choice] = {}
        self._usage: Json | None = None  # it came with content, and goes out last
        self._malformed = MalformedEvents()
        self._done = False

    def feed(self, data: str) -> Iterator[Json]:
        if self._done or data.startswith("[DONE]"):
            self._done = True
            return
        if not data.strip():
            return
        event = self._parsed(data)
        if event is None:
            self._malformed.skip(data)
            return
        if (failed := error_from_body(event)) is not None:
            raise failed
        chunk = self._chunk(event)
        if chunk is not None:
            yield self._out(chunk)

    def close(self) -> Iterator[Json]:
        left = {index: self._choices[index] for index in self._open()}
        if not self._choices or not (self._done or all(state.finish for state in left.values())):
            raise UpstreamError("The provider's answer ended too early.", failure_class="network")
        for index, state in left.items():  # [DONE] came, but no finish reason, or one too early to believe
            finish = state.finish or ("tool_calls" if state.called else "stop")
            late = {} if state.inline is None else without_tag({}, state.inline, last=True)
            delta = _with_arguments(late, state) if finish in WHOLE else late
            yield self._out(self._own([{"index": index, "delta": delta, "finish_reason": finish}]))
        if self._usage is not None:
            yield self._own([]) | {"usage": self._usage}

    def _open(self) -> list[int]:
        """The choices that have not been finished."""
        return [index for index, choice in self._choices.items() if not choice.finished]

    def _parsed(self, data: str) -> Json | None:
        """Parses an event; None for one that cannot be read."""
        try:
            event = parse_event(data)
        except (ValueError, RecursionError):
            return None
        # Gemini's compatible API puts an error in a list.
        if isinstance(event, list) and (len(event) == 1 or error_from_body(event) is not None):
            event = event[0]
        if not isinstance(event, dict) or not fit(event.get("choices") or [], "delta"):
            return None
        self.event = event
        return self.event

    def _chunk(self, event: Json) -> Json | None:
        """The chunk of an event; None for one that a client does not need."""
        given = event.get("choices")
        choices, usage = given or [], usage_object(event)
        if not (choices or usage or event.get("id")):
            return None  # Azure's first event, of the prompt's filter, has no id and no choice
        chunk = self._headed(event)
        if usage and (choices or self._open()):  # Mistral tells it with the last piece, Perplexity with each
            self._usage = completed("usage", usage)
            if not choices:
                return None
        elif usage:
            self._usage, new = None, completed("usage", usage)
            chunk = chunk if new is event.get("usage") else {**chunk, "usage": new}
        if event.get("usage") is not None and (choices or not usage):
            chunk = {name: value for name, value in chunk.items() if name != "usage"}
        after = [self._choice(choice, place) for place, choice in enumerate(choices)]
        return chunk if isinstance(given, list) and identical(given, after) else {**chunk, "choices": after}

    def _headed(self, event: Json) -> Json:
        """Gives every chunk the id and the time of the first one."""
        if not self._head:
            event = completed("chunk", event)
            self._head = {name: event[name] for name in ("id", "object", "created", "model") if name in event}
            return event
        head = self._head
        if event.get("id") == head["id"] and event.get("created") == head["created"] and event.get("object"):
            return event
        return completed("chunk", {**event, "id": head["id"], "created": head["created"]})

    def _own(self, choices: list[Json]) -> Json:
        return {**self._head, "choices": choices}

    def _out(self, chunk: Json) -> Json:
        return to_legacy_chunk(chunk) if self._legacy else chunk

    def _choice(self, choice: Json, place: int) -> Json:
        choice = completed("choice", choice, index=place)
        state = self._choices.get(choice["index"])
        if state is None:
            state = self._choices[choice["index"]] = _fresh(self._quirks)
            if len(self._choices) > _MOST_CHOICES:
                raise UpstreamError("The provider gave too many choices.", failure_class="protocol")
        delta, finish = choice.get("delta"), choice.get("finish_reason")
        new = _delta(delta or {}, state)
        if state.inline is not None:
            new = without_tag(new, state.inline, last=bool(finish))
        if not state.spoken or state.finished:
            _observe(new, state)
        if finish is not None:
            meant = self._finish(finish, state) if finish else None
            state.finished = state.finished or meant is not None
            choice = choice if meant == finish else {**choice, "finish_reason": meant}
            new = _with_arguments(new, state) if meant in WHOLE else new
        return choice if new == delta else {**choice, "delta": new}

    def _finish(self, finish: str, state: Choice) -> str | None:
        """OpenAI's finish reason; None while only thoughts came: some hosts send one and then continue."""
        meant = finish_of(finish, state.called > 0, self._quirks)
        if state.thought and not state.spoken:
            state.finish = meant
            return None
        return meant


def _observe(delta: Json, state: Choice) -> None:
    """Records what the delta brings, and that an earlier finish reason was not the end."""
    brought = {name for name, value in delta.items() if value and name != "role"}
    state.thought = state.thought or not brought.isdisjoint(_THOUGHTS)
    if brought - _THOUGHTS or state.called:
        state.spoken, state.finished, state.finish = True, False, None


def _fresh(quirks: Quirks) -> Choice:
    inline = Inline(quirks.reasoning_tag) if quirks.reasoning_tag else None
    return Choice(inline=inline, own_ids=not quirks.call_ids)


def _with_arguments(delta: Json, state: Choice) -> Json:
    """Adds `{}` to calls without arguments in the last delta of a choice; vLLM and others send nothing."""
    if state.begun < state.called:
        raise nameless()
    if not state.bare:
        return delta
    calls = {call["index"]: call for call in delta.get("tool_calls") or ()}
    for place in sorted(state.bare):
        call = calls.get(place, {"index": place})
        calls[place] = {**call, "function": {**(call.get("function") or {}), "arguments": "{}"}}
    state.bare.clear()
    return {**delta, "tool_calls": list(calls.values())}


def _delta(delta: Json, state: Choice) -> Json:
    new = plain(delta)
    if not state.role:
        new, state.role = completed("delta", new), True
    elif "role" in new:
        new = {name: value for name, value in new.items() if name != "role"}
    for name, value in new.items():
        if type(value) is list and value:
            after = _calls(value, state) if name == "tool_calls" else _numbered(name, value, state)
            if not identical(value, after):
                new = {**new, name: after}
    if new.get("tool_calls") == [] and delta["tool_calls"]:  # all of it is held
        new = {name: value for name, value in new.items() if name != "tool_calls"}
    return new


def _numbered(name: str, items: list[Any], state: Choice) -> list[Any]:
    """Numbers the items of a list, such as images: OpenAI's library merges them by `index`."""
    after = []
    for item in items:
        if isinstance(item, dict) and not isinstance(item.get("index"), int):
            item = {**item, "index": state.counts.get(name, 0)}
        if isinstance(item, dict) and (name in state.counts or len(state.counts) < _MOST_MEMBERS):
            state.counts[name] = max(state.counts.get(name, 0), item["index"] + 1)
        after.append(item)
    return after


def _calls(calls: list[Json], state: Choice) -> list[Json]:
    return [new for call in calls if (new := _call_delta(call, state)) is not None]


def _call_delta(call: Json, state: Choice) -> Json | None:
    """A piece of a tool call as OpenAI sends it: numbered from 0; id, type and name once, in the first piece.

    Compatible providers number every call 0 or not at all, repeat id and name, or send them late or empty.
    Returns None while the name has not come.
    """
    known = _known(call, state)
    new = _first(call, known, state) if known.place is None else _later(call)
    if known.place is None or new is None:
        return None
    new = {**new, "index": known.place}
    if (new.get("function") or {}).get("arguments"):
        state.bare.discard(known.place)
    return call if new == call else new


def _known(call: Json, state: Choice) -> Call:
    """Finds the call of a piece. A new id or name under a known index begins another call."""
    id_, number, function = call.get("id") or "", call.get("index"), call.get("function") or {}
    known, name, arguments = state.calls.get(number), function.get("name"), function.get("arguments")
    if state.called > _MOST_CALLS or max(len(id_), len(str(name or ""))) > _LONGEST_NAME:
        raise answer_too_large()
    if known is not None and known.id:
        another = bool(id_) and id_ != known.id
    else:
        another = known is None or bool(
            name and known.name and (name != known.name or (known.whole and arguments))
        )
    if known is None or another:
        known = state.calls[number] = state.calls[None] = Call()
        state.called += 1
    known.id = known.id or id_
    if isinstance(arguments, str) and arguments:
        known.whole = not known.argued and not known.id and _is_json(arguments)
        known.argued = True
    return known


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _later(call: Json) -> Json:
    """A piece of a call that has begun."""
    new = {name: value for name, value in call.items() if name not in ("id", "type")}
    return (
        new if "custom" in new else {**new, "function": function_of(call.get("function") or {}, named=True)}
    )


def _first(call: Json, known: Call, state: Choice) -> Json | None:
    """The first piece of a call, with all that was held back; None while its name has not come."""
    function = function_of(call.get("function") or {}, named=False)
    known.pieces.append(function.pop("arguments", None) or "")
    known.held.update(_filled(call) if known.held else call)
    known.function.update(_filled(function) if known.function else function)
    known.name = known.function.get("name") or (known.held.get("custom") or {}).get("name") or ""
    if not known.name:
        known.size += len(json.dumps(call))
        if known.size > _MOST_HELD:
            raise nameless()
        return None
    known.place, state.begun = state.begun, state.begun + 1
    new = completed("call", {**known.held, "id": call_id()} if state.own_ids else known.held)
    if new["type"] == "function":
        state.bare.add(known.place)
        new = {**new, "function": {**known.function, "arguments": "".join(known.pieces)}}
    known.held, known.function, known.pieces = {}, {}, []
    return new


def _filled(part: Json) -> Json:
    """The members that are neither null nor empty."""
    return {name: value for name, value in part.items() if value not in (None, "")}
