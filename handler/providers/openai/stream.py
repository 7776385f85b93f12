"""Decodes streams of the `openai` dialect, and tracks the state of each choice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from handler.errors import Json, UpstreamError
from handler.providers.failure import error_from_body
from handler.providers.legacy_functions import to_legacy_chunk
from handler.providers.malformed import MalformedEvents, parse_event
from handler.providers.openai.answer import (
    NOT_CUT_OFF,
    are_choices,
    finish_reason,
    normalise_content,
    same_items,
    separate_reasoning,
)
from handler.providers.openai.reasoning_tag import ReasoningTag
from handler.providers.openai.required_members import add_required
from handler.providers.openai.tool_calls import ToolCalls
from handler.providers.provider import Quirks
from handler.providers.usage import usage_object
from rules import Fields, fresh

_MAX_CHOICES = 128  # as many as OpenAI gives
_MAX_LISTS = 100  # fields of a choice's deltas that hold a list
_REASONING = frozenset({"reasoning_content", "reasoning", "reasoning_details", "thinking"})


class Choice(Fields):
    """The state of one choice."""

    calls: ToolCalls
    tag: ReasoningTag | None = None
    has_role: bool = False
    has_reasoning: bool = False
    has_content: bool = False  # anything but reasoning
    finished: bool = False
    finish: str | None = None  # a finish reason that came after reasoning alone: used if nothing follows
    counts: dict[str, int] = fresh(factory=dict)  # the items so far of each list in its deltas


class ChatStream:
    """The decoder of one stream; see StreamDecoder."""

    def __init__(self, quirks: Quirks, *, legacy: bool) -> None:
        self.event: Json = {}
        self.adds_text = False  # of events that are passed on as they are
        self._quirks = quirks
        self._legacy = legacy
        self._head: Json = {}  # id, object, created and model of the first chunk
        self._choices: dict[int, Choice] = {}
        self._usage: Json | None = None  # came together with content, and is sent last
        self._tier: Json = {}  # the service tier of that event, which decides on the price
        self._malformed = MalformedEvents()
        self._done = False

    def feed(self, data: str) -> Iterator[Json]:
        if self._done or data.startswith("[DONE]"):
            self._done = True
            return
        if not data.strip():
            return
        event = self._parse(data)
        if event is None:
            self._malformed.skip(data)
            return
        if (error := error_from_body(event)) is not None:
            raise error
        chunk = self._chunk(event)
        self.adds_text = chunk is event
        if chunk is not None:
            yield self._to_client(chunk)

    def close(self) -> Iterator[Json]:
        unfinished = {index: self._choices[index] for index in self._unfinished()}
        if not self._choices or not (self._done or all(state.finish for state in unfinished.values())):
            raise UpstreamError("The provider's answer ended too early.", failure_class="network")
        for index, state in unfinished.items():
            finish = state.finish or ("tool_calls" if state.calls.count else "stop")
            delta = {} if state.tag is None else separate_reasoning({}, state.tag, last=True)
            if finish in NOT_CUT_OFF:
                delta = state.calls.finish(delta)
            yield self._to_client(
                self._own_chunk([{"index": index, "delta": delta, "finish_reason": finish}])
            )
        if self._usage is not None:
            yield self._own_chunk([]) | self._tier | {"usage": self._usage}

    def _unfinished(self) -> list[int]:
        return [index for index, choice in self._choices.items() if not choice.finished]

    def _parse(self, data: str) -> Json | None:
        """Parse an event; None if it is malformed."""
        try:
            event = parse_event(data)
        except (ValueError, RecursionError):
            return None
        # Gemini's compatible API sends an error in a list.
        if isinstance(event, list) and (len(event) == 1 or error_from_body(event) is not None):
            event = event[0]
        if not isinstance(event, dict) or not are_choices(event.get("choices") or [], "delta"):
            return None
        self.event = event
        return self.event

    def _chunk(self, event: Json) -> Json | None:
        """Return the chunk of an event; None if the client needs none."""
        given = event.get("choices")
        choices, usage = given or [], usage_object(event)
        if not (choices or usage or event.get("id")):
            return None  # Azure's first event is about the prompt's filter, and has no id and no choice
        chunk = self._with_head(event)
        if usage and (choices or self._unfinished()):  # Mistral: with the last piece; Perplexity: with each
            self._usage = add_required("usage", usage)
            self._tier = {name: event[name] for name in ("service_tier",) if event.get(name)}
            if not choices:
                return None
        elif usage:
            self._usage, new = None, add_required("usage", usage)
            chunk = chunk if new is event.get("usage") else {**chunk, "usage": new}
        if event.get("usage") is not None and (choices or not usage):
            chunk = {name: value for name, value in chunk.items() if name != "usage"}
        after = [self._choice(choice, place) for place, choice in enumerate(choices)]
        return chunk if isinstance(given, list) and same_items(given, after) else {**chunk, "choices": after}

    def _with_head(self, event: Json) -> Json:
        """Give every chunk the id and the time of the first one."""
        if not self._head:
            event = add_required("chunk", event)
            self._head = {name: event[name] for name in ("id", "object", "created", "model") if name in event}
            return event
        head = self._head
        if event.get("id") == head["id"] and event.get("created") == head["created"] and event.get("object"):
            return event
        return add_required("chunk", {**event, "id": head["id"], "created": head["created"]})

    def _own_chunk(self, choices: list[Json]) -> Json:
        return {**self._head, "choices": choices}

    def _to_client(self, chunk: Json) -> Json:
        return to_legacy_chunk(chunk) if self._legacy else chunk

    def _choice(self, choice: Json, place: int) -> Json:
        choice = add_required("choice", choice, index=place)
        state = self._choices.get(choice["index"])
        if state is None:
            state = self._choices[choice["index"]] = self._new_choice()
            if len(self._choices) > _MAX_CHOICES:
                raise UpstreamError("The provider gave too many choices.", failure_class="protocol")
        delta, given = choice.get("delta"), choice.get("finish_reason")
        new = _normalise_delta(delta or {}, state)
        if state.tag is not None:
            new = separate_reasoning(new, state.tag, last=bool(given))
        if not state.has_content or state.finished:
            _record_content(new, state)
        if given is not None:
            finish = self._finish(given, state) if given else None
            state.finished = state.finished or finish is not None
            choice = choice if finish == given else {**choice, "finish_reason": finish}
            new = state.calls.finish(new) if finish in NOT_CUT_OFF else new
        return choice if new == delta else {**choice, "delta": new}

    def _new_choice(self) -> Choice:
        tag = ReasoningTag(self._quirks.reasoning_tag) if self._quirks.reasoning_tag else None
        return Choice(calls=ToolCalls(new_ids=not self._quirks.call_ids), tag=tag)

    def _finish(self, reason: str, state: Choice) -> str | None:
        """OpenAI's finish reason; None after reasoning alone, because some hosts then continue."""
        finish = finish_reason(reason, state.calls.count > 0, self._quirks)
        if state.has_reasoning and not state.has_content:
            state.finish = finish
            return None
        return finish


def _record_content(delta: Json, state: Choice) -> None:
    """Record what a delta brings. Content after a finish reason reopens the choice."""
    fields = {name for name, value in delta.items() if value and name != "role"}
    state.has_reasoning = state.has_reasoning or not fields.isdisjoint(_REASONING)
    if fields - _REASONING or state.calls.count:
        state.has_content, state.finished, state.finish = True, False, None


def _normalise_delta(delta: Json, state: Choice) -> Json:
    new = normalise_content(delta)
    if not state.has_role:
        new, state.has_role = add_required("delta", new), True
    elif "role" in new:
        new = {name: value for name, value in new.items() if name != "role"}
    for name, value in new.items():
        if type(value) is list and value:
            after = state.calls.feed(value) if name == "tool_calls" else _number_items(name, value, state)
            if not same_items(value, after):
                new = {**new, name: after}
    if new.get("tool_calls") == [] and delta["tool_calls"]:  # all of it is buffered
        new = {name: value for name, value in new.items() if name != "tool_calls"}
    return new


def _number_items(name: str, items: list[Any], state: Choice) -> list[Any]:
    """Give the items of a list, such as images, an index: OpenAI's library merges them by it."""
    after = []
    for item in items:
        if isinstance(item, dict) and not isinstance(item.get("index"), int):
            item = {**item, "index": state.counts.get(name, 0)}
        if isinstance(item, dict) and (name in state.counts or len(state.counts) < _MAX_LISTS):
            state.counts[name] = max(state.counts.get(name, 0), item["index"] + 1)
        after.append(item)
    return after
