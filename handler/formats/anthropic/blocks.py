"""Turns the deltas of an answer into the content blocks of a message, as events.

Blocks have indexes without a gap, and each ends before the next begins. So while a call's arguments are
incomplete, everything behind it waits.
https://platform.claude.com/docs/en/build-with-claude/streaming
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from handler.errors import Json
from handler.formats.anthropic.messages import IMAGE
from handler.formats.anthropic.reasoning import ReasoningState, call_state
from handler.formats.anthropic.tools import encode_call_id
from handler.formats.opaque_state import encode_state


@dataclass(slots=True)
class Block:
    """A block that has not ended."""

    kind: str  # thinking, redacted_thinking, text, image, tool_use
    start: Json
    deltas: list[Json] = field(default_factory=list)  # that wait for their turn
    state: ReasoningState = field(default_factory=ReasoningState)
    arguments: list[str] = field(default_factory=list)  # of a call, all pieces
    is_incomplete: bool = False  # a call that had no valid arguments when the next block came


class BlockWriter:
    """Writes the blocks of one answer. hides_thinking: the client wants no text of the thinking."""

    def __init__(self, *, hides_thinking: bool) -> None:
        self.has_calls = False
        self.refused: list[str] = []  # pieces of a refusal
        self._hides_thinking = hides_thinking
        self._open: deque[Block] = deque()  # only the first has started
        self._calls: dict[int, Block] = {}
        self._index = 0

    def feed(self, delta: Json) -> Iterator[Json]:
        """Yield the events for the delta of a chunk, or for a whole message."""
        yield from self._reason(_text(delta.get("reasoning_content")) or _text(delta.get("reasoning")))
        if details := _list(delta.get("reasoning_details")):
            yield from self._open_state()
            self._open[-1].state.add_details(details)
        yield from self._write("text", _text(delta.get("content")))
        if refusal := _text(delta.get("refusal")):
            self.refused.append(refusal)
            yield from self._write("text", refusal)
        for annotation in _list(delta.get("annotations")):
            yield from self._cite(annotation)
        for image in _list(delta.get("images")):
            yield from self._draw(image)
        for place, call in enumerate(_list(delta.get("tool_calls"))):
            yield from self._call(call.get("index", place), call)
        if isinstance(extra := delta.get("extra_content"), dict):
            yield from self._open_state()
            self._open[-1].state.add_extra(extra)

    def close(self) -> Iterator[Json]:
        """Yield the events that end all blocks.

        A state behind the last text is left out: clients take the last block as the answer.
        """
        while self._open:
            if self._index and not self.has_calls and self._open[0].kind == "redacted_thinking":
                self._open.popleft()
            else:
                yield from self._next()

    def _reason(self, text: str) -> Iterator[Json]:
        if not text:
            return
        if not self._open or self._open[-1].kind != "thinking":
            yield from self._append(Block("thinking", {"type": "thinking", "thinking": "", "signature": ""}))
        block = self._open[-1]
        block.state.texts.append(text)
        if not self._hides_thinking:
            yield from self._add(block, {"type": "thinking_delta", "thinking": text})

    def _open_state(self) -> Iterator[Json]:
        """Make the last block one that has a state."""
        if not self._open or self._open[-1].kind not in ("thinking", "redacted_thinking"):
            yield from self._append(Block("redacted_thinking", {"type": "redacted_thinking"}))

    def _write(self, kind: str, text: str) -> Iterator[Json]:
        if not text:
            return
        if not self._open or self._open[-1].kind != kind:
            yield from self._append(Block(kind, {"type": "text", "text": ""}))
        yield from self._add(self._open[-1], {"type": "text_delta", "text": text})

    def _draw(self, image: Json) -> Iterator[Json]:
        """Write an image as Markdown, since a message has no images. It is left out when it comes back."""
        match image:
            case {"image_url": {"url": str(url)}} if url.startswith("data:"):
                yield from self._append(Block("image", {"type": "text", "text": ""}))
                text = f"{IMAGE}{url.removeprefix('data:')})"
                yield from self._add(self._open[-1], {"type": "text_delta", "text": text})

    def _cite(self, annotation: Json) -> Iterator[Json]:
        """Cite a page in the text before, if it has not ended."""
        match annotation:
            case {"url_citation": {"url": str(url)} as page} if self._open and self._open[-1].kind == "text":
                citation = {
                    "type": "web_search_result_location",
                    "url": url,
                    "title": _text(page.get("title")) or None,
                    "cited_text": _text(page.get("content")),
                    "encrypted_index": encode_state({}),
                }
                yield from self._add(self._open[-1], {"type": "citations_delta", "citation": citation})

    def _call(self, index: int, call: Json) -> Iterator[Json]:
        block = self._calls.get(index)
        function = call.get("function") or {}
        if block is None:
            id = _text(call.get("id"))
            if state := call_state(call):
                yield from self._open_state()
                self._open[-1].state.calls[id] = state
            name = _text(function.get("name"))
            start = {"type": "tool_use", "id": encode_call_id(id), "name": name, "input": {}}
            block = self._calls[index] = Block("tool_use", start)
            self.has_calls = True
            yield from self._append(block)
        if arguments := _text(function.get("arguments")):
            block.arguments.append(arguments)
            yield from self._add(block, {"type": "input_json_delta", "partial_json": arguments})

    def _append(self, block: Block) -> Iterator[Json]:
        """Add a block behind the open ones, and end those that are complete."""
        self._open.append(block)
        if len(self._open) == 1:
            yield from self._start()
        while len(self._open) > 1 and _is_complete(self._open[0]):
            yield from self._next()

    def _add(self, block: Block, delta: Json) -> Iterator[Json]:
        if block is self._open[0]:
            yield self._delta(delta)
        else:
            block.deltas.append(delta)

    def _next(self) -> Iterator[Json]:
        """End the first open block, and start the one behind it."""
        block = self._open.popleft()
        if block.kind == "redacted_thinking":  # it comes as a whole
            data = {**block.start, "data": block.state.encoded(hidden=True)}
            yield {"type": "content_block_start", "index": self._index, "content_block": data}
        elif block.kind == "thinking":
            signature = block.state.encoded(hidden=self._hides_thinking)
            yield self._delta({"type": "signature_delta", "signature": signature})
        yield {"type": "content_block_stop", "index": self._index}
        self._index += 1
        if self._open:
            yield from self._start()

    def _start(self) -> Iterator[Json]:
        """Start the first open block, with all that waited."""
        block = self._open[0]
        if block.kind != "redacted_thinking":
            yield {"type": "content_block_start", "index": self._index, "content_block": block.start}
        yield from map(self._delta, block.deltas)
        block.deltas = []

    def _delta(self, delta: Json) -> Json:
        return {"type": "content_block_delta", "index": self._index, "delta": delta}


def _is_complete(block: Block) -> bool:
    """True if a block can end. The arguments of a call are read once, as they may be long."""
    if block.kind == "tool_use" and not block.is_incomplete:
        block.is_incomplete = not isinstance(read_arguments("".join(block.arguments), None), dict)
    return not block.is_incomplete


def read_arguments(text: str, otherwise: Any) -> Any:
    """Return the value of a call's arguments; `otherwise` if they are not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return otherwise


def content_of_events(events: Iterable[Json]) -> list[Json]:
    """Return the blocks that events build."""
    blocks: list[Json] = []
    pieces: list[Json] = []
    for event in events:
        if event["type"] == "content_block_start":
            blocks.append(event["content_block"])
            pieces = []
        elif event["type"] == "content_block_delta":
            pieces.append(event["delta"])
        elif pieces:
            blocks[-1] = _block(blocks[-1], pieces)
    return blocks


def _block(start: Json, deltas: list[Json]) -> Json:
    texts = {name: "".join(one[name] for one in deltas if name in one) for name in _TEXTS[start["type"]]}
    if start["type"] == "tool_use":
        return {**start, "input": arguments_object(texts["partial_json"])}
    citations = [one["citation"] for one in deltas if "citation" in one]
    return {**start, **texts, **({"citations": citations} if citations else {})}


_TEXTS = {"text": ("text",), "thinking": ("thinking", "signature"), "tool_use": ("partial_json",)}


def arguments_object(text: str) -> Json:
    """Return a call's arguments as an object. Text that is not JSON is wrapped."""
    if not text.strip():
        return {}
    value = read_arguments(text, {"_raw": text})
    return value if isinstance(value, dict) else {"value": value}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _list(value: Any) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
