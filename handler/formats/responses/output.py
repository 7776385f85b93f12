"""Builds the output items of an answer out of the deltas of a chat, and the events of each change.

Open is at most one reasoning item, or one message, or several calls. All that other models need in the next
request, and for which Responses has no field, is in the `encrypted_content` of reasoning items.
https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from handler.errors import Json
from handler.formats.opaque_state import encode_state
from handler.formats.responses.parts import (
    OpenPart,
    ReasoningDetails,
    citations,
    generated_image,
    token_logprobs,
)
from handler.formats.responses.response import derived_id
from handler.formats.responses.tools import SEARCH, Tools

_CALL_STATE = ("thought_signature", "extra_content")
_SUMMARY = "response.reasoning_summary"


@dataclass(slots=True)
class _Item:
    """An output item that still grows. `body` is its beginning."""

    place: int  # in the output
    body: Json
    pieces: list[str] = field(default_factory=list)
    parts: list[OpenPart] = field(default_factory=list)

    def event(self, type_: str, **members: Any) -> Json:
        return {"type": type_, "item_id": self.body["id"], "output_index": self.place, **members}


class Output:
    """The output of one response, as a list of items in the order of their beginning."""

    def __init__(self, completion_id: Any, tools: Tools) -> None:
        self._completion_id = completion_id
        self._tools = tools
        self._items: list[Json] = []  # the whole item if it is done, else its beginning
        self._open: _Item | None = None  # a reasoning item or a message
        self._calls: dict[Any, _Item] = {}  # by the index in the chat
        self._open_calls: list[_Item] = []
        self._details = ReasoningDetails()
        self._call_states: dict[str, Json] = {}
        self._extra_content: Json = {}
        self._phase = ""  # of a message of OpenAI's

    @property
    def items(self) -> list[Json]:
        return self._items

    def add(self, choice: Json) -> Iterator[Json]:
        """Yield the events that a choice of a chunk causes."""
        delta = choice.get("delta") or {}
        self._details.add(delta.get("reasoning_details"))
        self._phase = _text(delta, "phase") or self._phase
        if text := _text(delta, "reasoning_content"):
            yield from self._add_reasoning(text)
        if text := _text(delta, "content"):
            yield from self._add_text("output_text", text, token_logprobs(choice.get("logprobs")))
        if text := _text(delta, "refusal"):
            yield from self._add_text("refusal", text, [])
        for citation in citations(delta.get("annotations")):
            yield from self._add_citation(citation)
        for image in delta.get("images") or ():
            yield from self._add_image(image)
        for call in delta.get("tool_calls") or ():
            yield from self._add_call(call)
        if isinstance(extra := delta.get("extra_content"), dict):
            self._extra_content |= extra

    def finish(self, status: str) -> Iterator[Json]:
        """Yield the events that end the output. `status`: of the items that are still open."""
        yield from self._close(status)
        state: Json = {"at_end": True}
        if self._details:
            state["reasoning_details"] = self._details.take()
        if self._extra_content:
            state["extra_content"] = self._extra_content
        if self._call_states:
            state["calls"] = self._call_states
        if len(state) > 1:
            yield from self._add_state(state)

    def _begin(self, prefix: str, type_: str, **members: Any) -> tuple[_Item, Json]:
        """Return a new item, and the event of its beginning."""
        place = len(self._items)
        body = {"id": derived_id(prefix, self._completion_id, place), "type": type_, **members}
        item = _Item(place, {**body, "status": "in_progress"})
        self._items.append(item.body)
        added = {"type": "response.output_item.added", "output_index": place, "item": item.body}
        return item, added

    def _done(self, item: _Item, **members: Any) -> Json:
        """Return the event of an item's end, and put the whole item into the output."""
        whole = {**item.body, **members}
        self._items[item.place] = whole
        return {"type": "response.output_item.done", "output_index": item.place, "item": whole}

    def _close(self, status: str = "completed") -> Iterator[Json]:
        """Yield the events that end all open items."""
        open_item, self._open = self._open, None
        if open_item is not None:
            close = _close_message if open_item.body["type"] == "message" else _close_reasoning
            yield from close(open_item)
            if open_item.body["type"] == "message":
                content = [part.body() for part in open_item.parts]
                phase = {"phase": self._phase} if self._phase else {}
                yield self._done(open_item, content=content, status=status, **phase)
            else:
                yield self._done(open_item, **self._reasoning_members(open_item), status=status)
        calls, self._open_calls = self._open_calls, []
        for call in calls:
            yield from self._close_call(call, status)

    def _reasoning_members(self, item: _Item) -> Json:
        text = "".join(item.pieces)
        details = self._details.take()
        return {
            "summary": [{"type": "summary_text", "text": text}] if text else [],
            "encrypted_content": encode_state({"reasoning_details": details} if details else {}),
        }

    def _add_state(self, state: Json) -> Iterator[Json]:
        """Yield the events of a reasoning item that has no text."""
        item, added = self._begin("rs", "reasoning", summary=[])
        yield added
        yield self._done(item, encrypted_content=encode_state(state), status="completed")

    def _leave(self, type_: str) -> Iterator[Json]:
        """Yield the events that end the open items of another type than `type_`."""
        is_open = self._open is not None and self._open.body["type"] == type_
        if not is_open and not (type_ == "call" and self._open_calls):
            yield from self._close()
            if self._details and type_ != "reasoning":
                yield from self._add_state({"reasoning_details": self._details.take()})

    def _add_reasoning(self, text: str) -> Iterator[Json]:
        yield from self._leave("reasoning")
        if self._open is None:
            self._open, added = self._begin("rs", "reasoning", summary=[])
            yield added
            part = {"type": "summary_text", "text": ""}
            yield self._open.event(f"{_SUMMARY}_part.added", summary_index=0, part=part)
        self._open.pieces.append(text)
        yield self._open.event(f"{_SUMMARY}_text.delta", summary_index=0, delta=text)

    def _add_text(self, type_: str, text: str, logprobs: list[Json]) -> Iterator[Json]:
        yield from self._leave("message")
        if self._open is None:
            self._open, added = self._begin("msg", "message", role="assistant", content=[])
            yield added
        message = self._open
        if not message.parts or message.parts[-1].type != type_:
            yield from _close_message(message)
            message.parts.append(OpenPart(type_))
            part = message.parts[-1].empty()
            index = len(message.parts) - 1
            yield message.event("response.content_part.added", content_index=index, part=part)
        open_part = message.parts[-1]
        open_part.pieces.append(text)
        open_part.logprobs += logprobs
        more = {"logprobs": logprobs} if type_ == "output_text" else {}
        if text:
            index = len(message.parts) - 1
            yield message.event(f"response.{type_}.delta", content_index=index, delta=text, **more)

    def _add_citation(self, citation: Json) -> Iterator[Json]:
        yield from self._add_text("output_text", "", [])
        assert self._open is not None
        annotations = self._open.parts[-1].annotations
        yield self._open.event(
            "response.output_text.annotation.added",
            content_index=len(self._open.parts) - 1,
            annotation_index=len(annotations),
            annotation=citation,
        )
        annotations.append(citation)

    def _add_image(self, image: Any) -> Iterator[Json]:
        if members := generated_image(image):
            yield from self._leave("image_generation_call")
            item, added = self._begin("ig", "image_generation_call", result=None)
            yield added
            yield self._done(item, **members, status="completed")

    def _add_call(self, call: Json) -> Iterator[Json]:
        kind = "custom" if "custom" in call or call.get("type") == "custom" else "function"
        members = call[kind] if isinstance(call.get(kind), dict) else {}
        item = self._calls.get(call.get("index"))
        if item is None:
            yield from self._leave("call")
            item, added = self._begin_call(kind, _text(call, "id"), _text(members, "name"))
            self._calls[call.get("index")] = item
            self._open_calls.append(item)
            yield added
        if state := {name: call[name] for name in _CALL_STATE if call.get(name)}:
            self._call_states.setdefault(item.body["call_id"], {}).update(state)
        text = _text(members, "arguments" if kind == "function" else "input")
        if text:
            item.pieces.append(text)
            if item not in self._open_calls:  # too late for an event, but in time for the whole response
                self._items[item.place] |= _call_members(item)
            elif item.body["type"] != "tool_search_call":
                yield item.event(f"{_events(item)}.delta", delta=text)

    def _begin_call(self, kind: str, id: str, name: str) -> tuple[_Item, Json]:
        if self._tools.searches and name == SEARCH and kind == "function":
            return self._begin("tsc", "tool_search_call", call_id=id, execution="client", arguments={})
        namespace, own_name = self._tools.client_name(name)
        members = {"call_id": id, "name": own_name, **({"namespace": namespace} if namespace else {})}
        if kind == "custom":
            return self._begin("ctc", "custom_tool_call", **members, input="")
        return self._begin("fc", "function_call", **members, arguments="")

    def _close_call(self, item: _Item, status: str) -> Iterator[Json]:
        members = _call_members(item)
        if item.body["type"] != "tool_search_call":
            name = {"name": item.body["name"]} if item.body["type"] == "function_call" else {}
            yield item.event(f"{_events(item)}.done", **name, **members)
        yield self._done(item, **members, status=status)


def _close_reasoning(item: _Item) -> Iterator[Json]:
    part = {"type": "summary_text", "text": "".join(item.pieces)}
    yield item.event(f"{_SUMMARY}_text.done", summary_index=0, text=part["text"])
    yield item.event(f"{_SUMMARY}_part.done", summary_index=0, part=part)


def _close_message(item: _Item) -> Iterator[Json]:
    """Yield the events that end the last part of a message."""
    if item.parts:
        part, index = item.parts[-1].body(), len(item.parts) - 1
        names = ("text", "logprobs") if part["type"] == "output_text" else ("refusal",)
        members = {name: part[name] for name in names}
        yield item.event(f"response.{part['type']}.done", content_index=index, **members)
        yield item.event("response.content_part.done", content_index=index, part=part)


def _events(call: _Item) -> str:
    is_custom = call.body["type"] == "custom_tool_call"
    return "response.custom_tool_call_input" if is_custom else "response.function_call_arguments"


def _call_members(call: _Item) -> Json:
    text = "".join(call.pieces)
    match call.body["type"]:
        case "custom_tool_call":
            return {"input": text}
        case "tool_search_call":
            return {"arguments": _object(text)}
    return {"arguments": text}


def _object(text: str) -> Json:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(members: Json, name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) else ""
