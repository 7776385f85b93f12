"""Builds the output items of an answer out of the deltas of a chat, and the events of each change.

Open is at most one reasoning item, or one message, or several calls. All that other models need in the next
request, and for which Responses has no field, is in the `encrypted_content` of reasoning items.
https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from handler.errors import Json
from handler.formats.opaque_state import encode_state
from handler.formats.responses.open_item import SUMMARY, OpenItem, OpenPart
from handler.formats.responses.parts import ReasoningDetails, citations, generated_image, token_logprobs
from handler.formats.responses.response import derived_id
from handler.formats.responses.tools import SEARCH, Tools

_CALL_STATE = ("thought_signature", "extra_content")


class Output:
    """The output of one response, as a list of items in the order of their beginning."""

    def __init__(self, completion_id: Any, tools: Tools) -> None:
        self._completion_id = completion_id
        self._tools = tools
        self._items: list[Json] = []  # the whole item if it is done, else its beginning
        self._open: OpenItem | None = None  # a reasoning item or a message
        self._calls: dict[Any, OpenItem] = {}  # by the index in the chat
        self._open_calls: list[OpenItem] = []
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
        for name, add in _MEMBERS.items():
            if value := delta.get(name):
                yield from add(self, value, choice)

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

    def _begin(self, prefix: str, type_: str, **members: Any) -> tuple[OpenItem, Json]:
        """Return a new item, and the event of its beginning."""
        place = len(self._items)
        body = {"id": derived_id(prefix, self._completion_id, place), "type": type_, **members}
        item = OpenItem(place, {**body, "status": "in_progress"})
        self._items.append(item.body)
        added = {"type": "response.output_item.added", "output_index": place, "item": item.body}
        return item, added

    def _done(self, item: OpenItem, **members: Any) -> Json:
        """Return the event of an item's end, and put the whole item into the output."""
        item.done, whole = True, {**item.body, **members}
        self._items[item.place] = whole
        return {"type": "response.output_item.done", "output_index": item.place, "item": whole}

    def _close(self, status: str = "completed") -> Iterator[Json]:
        """Yield the events that end all open items."""
        item, self._open = self._open, None
        calls, self._open_calls = self._open_calls, []
        for each in (*([item] if item else []), *calls):
            yield from each.closing()
            yield self._done(each, **each.members(), **self._state_of(each), status=status)

    def _state_of(self, item: OpenItem) -> Json:
        """Return the members of a whole item that are not in its deltas."""
        match item.body["type"]:
            case "reasoning":
                details = self._details.take()
                return {"encrypted_content": encode_state({"reasoning_details": details} if details else {})}
            case "message" if self._phase:
                return {"phase": self._phase}
        return {}

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

    def _add_details(self, details: Any, _: Json) -> Iterator[Json]:
        self._details.add(details)
        return iter(())

    def _set_phase(self, phase: Any, _: Json) -> Iterator[Json]:
        self._phase = phase if isinstance(phase, str) else self._phase
        return iter(())

    def _add_extra_content(self, extra: Any, _: Json) -> Iterator[Json]:
        self._extra_content |= extra if isinstance(extra, dict) else {}
        return iter(())

    def _add_reasoning(self, text: Any, _: Json) -> Iterator[Json]:
        if not isinstance(text, str):
            return
        yield from self._leave("reasoning")
        if self._open is None:
            self._open, added = self._begin("rs", "reasoning", summary=[])
            yield added
            part = {"type": "summary_text", "text": ""}
            yield self._open.event(f"{SUMMARY}_part.added", summary_index=0, part=part)
        self._open.pieces.append(text)
        yield self._open.event(f"{SUMMARY}_text.delta", summary_index=0, delta=text)

    def _add_content(self, text: Any, choice: Json) -> Iterator[Json]:
        return self._add_text("output_text", text, token_logprobs(choice.get("logprobs")))

    def _add_refusal(self, text: Any, _: Json) -> Iterator[Json]:
        return self._add_text("refusal", text, [])

    def _add_text(self, type_: str, text: Any, logprobs: list[Json]) -> Iterator[Json]:
        if not isinstance(text, str):
            return
        yield from self._leave("message")
        if self._open is None:
            self._open, added = self._begin("msg", "message", role="assistant", content=[])
            yield added
        message = self._open
        if not message.parts or message.parts[-1].type != type_:
            yield from message.closing_part()
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

    def _add_citations(self, annotations: Any, _: Json) -> Iterator[Json]:
        for citation in citations(annotations):
            yield from self._add_citation(citation)

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

    def _add_images(self, images: Any, _: Json) -> Iterator[Json]:
        for members in map(generated_image, images if isinstance(images, list) else ()):
            if members is not None:
                yield from self._leave("image_generation_call")
                item, added = self._begin("ig", "image_generation_call", result=None)
                yield added
                yield self._done(item, **members, status="completed")

    def _add_calls(self, calls: Any, _: Json) -> Iterator[Json]:
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict):
                yield from self._add_call(call)

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
            if item.done:  # too late for an event, but in time for the whole response
                self._items[item.place] |= item.members()
            elif name := item.call_event:
                yield item.event(f"{name}.delta", delta=text)

    def _begin_call(self, kind: str, id: str, name: str) -> tuple[OpenItem, Json]:
        if self._tools.searches and name == SEARCH and kind == "function":
            return self._begin("tsc", "tool_search_call", call_id=id, execution="client", arguments={})
        namespace, own_name = self._tools.client_name(name)
        members = {"call_id": id, "name": own_name, **({"namespace": namespace} if namespace else {})}
        if kind == "custom":
            return self._begin("ctc", "custom_tool_call", **members, input="")
        return self._begin("fc", "function_call", **members, arguments="")


# What a member of a delta adds, in the order in which an answer that comes as a whole is read.
_MEMBERS: Mapping[str, Callable[[Output, Any, Json], Iterator[Json]]] = {
    "reasoning_details": Output._add_details,
    "phase": Output._set_phase,
    "reasoning_content": Output._add_reasoning,
    "content": Output._add_content,
    "refusal": Output._add_refusal,
    "annotations": Output._add_citations,
    "images": Output._add_images,
    "tool_calls": Output._add_calls,
    "extra_content": Output._add_extra_content,
}


def _text(members: Json, name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) else ""
