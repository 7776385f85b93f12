"""Output items that still grow, and the events that end them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from handler.errors import Json

SUMMARY = "response.reasoning_summary"
_CALL_EVENTS = {
    "function_call": "response.function_call_arguments",
    "custom_tool_call": "response.custom_tool_call_input",
}


@dataclass(slots=True)
class OpenPart:
    """A content part of a message that still grows: `output_text` or `refusal`."""

    type: str
    pieces: list[str] = field(default_factory=list)
    annotations: list[Json] = field(default_factory=list)
    logprobs: list[Json] = field(default_factory=list)

    def body(self) -> Json:
        text = "".join(self.pieces)
        if self.type == "refusal":
            return {"type": "refusal", "refusal": text}
        lists = {"annotations": self.annotations, "logprobs": self.logprobs}
        return {"type": "output_text", "text": text, **lists}

    def empty(self) -> Json:
        return OpenPart(self.type).body()


@dataclass(slots=True)
class OpenItem:
    """A reasoning item, a message or a call that still grows. `body` is its beginning."""

    place: int  # in the output
    body: Json
    pieces: list[str] = field(default_factory=list)  # of the summary, of the arguments or the input
    parts: list[OpenPart] = field(default_factory=list)  # of a message
    done: bool = False

    def event(self, type_: str, **members: Any) -> Json:
        return {"type": type_, "item_id": self.body["id"], "output_index": self.place, **members}

    @property
    def call_event(self) -> str | None:
        """The beginning of the names of a call's own events; None if it has none."""
        return _CALL_EVENTS.get(self.body["type"])

    def members(self) -> Json:
        """Return the members that have grown."""
        text = "".join(self.pieces)
        match self.body["type"]:
            case "reasoning":
                return {"summary": [{"type": "summary_text", "text": text}] if text else []}
            case "message":
                return {"content": [part.body() for part in self.parts]}
            case "custom_tool_call":
                return {"input": text}
            case "tool_search_call":
                return {"arguments": _object(text)}
        return {"arguments": text}

    def closing(self) -> Iterator[Json]:
        """Yield the events that come before the item's own end."""
        if self.body["type"] == "message":
            yield from self.closing_part()
        elif self.body["type"] == "reasoning":
            part = {"type": "summary_text", "text": "".join(self.pieces)}
            yield self.event(f"{SUMMARY}_text.done", summary_index=0, text=part["text"])
            yield self.event(f"{SUMMARY}_part.done", summary_index=0, part=part)
        elif (name := self.call_event) is not None:
            named = {"name": self.body["name"]} if self.body["type"] == "function_call" else {}
            yield self.event(f"{name}.done", **named, **self.members())

    def closing_part(self) -> Iterator[Json]:
        """Yield the events that end the last part of a message."""
        if self.parts:
            part, index = self.parts[-1].body(), len(self.parts) - 1
            names = ("text", "logprobs") if part["type"] == "output_text" else ("refusal",)
            members = {name: part[name] for name in names}
            yield self.event(f"response.{part['type']}.done", content_index=index, **members)
            yield self.event("response.content_part.done", content_index=index, part=part)


def _object(text: str) -> Json:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
