"""Encodes the chunks of an answer as a stream of GenerateContentResponse objects.

Texts and thoughts are sent as they come. Gemini's calls are whole, so the calls of an answer are collected,
and come with the finish reason and the usage in the last event.
https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent
"""

from __future__ import annotations

from typing import Any

from handler.content.completion import CompletionBuilder
from handler.errors import GatewayError, Json, UpstreamError
from handler.formats.gemini.answer import (
    ending_of,
    head_of,
    last_parts,
    live_parts,
    logprobs_of,
    objects,
    tail_of,
)
from handler.formats.gemini.errors import error_body
from handler.wire import sse
from handler.wire.splice import dump

MAX_COLLECTED = 20_000_000  # characters of one stream
_LIVE = frozenset({"role", "content"})  # members of a delta that are not collected
# JSON may have these characters in its texts; some clients take them for the end of a line.
_LINE_ENDS = {0x2028: "\\u2028", 0x2029: "\\u2029"}


class GeminiStream:
    """The encoder of one answer; see StreamEncoder.

    `thoughts`: with the parts of the model's thoughts. `events`: server-sent events; else a JSON array.
    """

    number = 0

    def __init__(self, *, thoughts: bool, events: bool) -> None:
        self._thoughts = thoughts
        self._live = _LIVE | ({"reasoning_content"} if thoughts else set())
        self._events = events
        self._head: Json = {}
        self._tail: Json = {}
        self._collected = CompletionBuilder()
        self._size = 0  # characters that were collected
        self._has_begun = False
        self._relayed = sse.Decoder()

    @property
    def media_type(self) -> str:
        return "text/event-stream" if self._events else "application/json"

    @property
    def keep_alive(self) -> bytes:
        """White space, since some of Google's libraries do not skip a comment between events."""
        return b"\n\n" if self._events else b"\n"

    def feed(self, chunk: Json) -> bytes:
        self._head = self._head or head_of(chunk)
        self._tail |= tail_of(chunk)
        choices = objects(chunk.get("choices"))
        for choice in choices:
            self._collect(choice)
        candidates = [one for choice in choices if (one := self._candidate(choice))]
        return self._event({"candidates": candidates, **self._head}) if candidates else b""

    def relay(self, events: bytes) -> bytes:
        if self._events:
            return events
        found = self._relayed.feed(events) if events else self._relayed.close()
        items = b"".join(self._item(one.data) for one in found)
        return items if events else items + self._end()

    def close(self) -> bytes:
        choices = (self._collected.completion() or {}).get("choices") or ()
        candidates = [
            {
                "content": {"role": "model", "parts": last_parts(choice, after=[], thoughts=self._thoughts)},
                **ending_of(choice),
                "index": choice["index"],
            }
            for choice in choices
        ]
        return self._event({"candidates": candidates, **self._head, **self._tail}) + self._end()

    def fail(self, error: GatewayError) -> bytes:
        return self._event(error_body(error)) + self._end()

    def _candidate(self, choice: Json) -> Json | None:
        """Return the candidate with what is sent of a choice at once."""
        parts, logprobs = live_parts(choice.get("delta") or {}, thoughts=self._thoughts), logprobs_of(choice)
        if not (parts or logprobs):
            return None
        content = {"role": "model", "parts": parts or [{"text": ""}]}
        return {"content": content, "index": choice.get("index") or 0, **logprobs}

    def _collect(self, choice: Json) -> None:
        """Collect what the last event has of a choice. Raises UpstreamError if it is too much."""
        delta: dict[str, Any] = choice.get("delta") or {}
        rest = {name: value for name, value in delta.items() if name not in self._live}
        piece = {
            "index": choice.get("index") or 0,
            "finish_reason": choice.get("finish_reason"),
            "delta": rest,
        }
        self._size += len(dump(rest)) if rest else 0
        if self._size > MAX_COLLECTED:
            raise UpstreamError("The provider's answer is too large.", failure_class="protocol")
        self._collected.add({"choices": [piece]})

    def _event(self, response: Json) -> bytes:
        data = dump(response).translate(_LINE_ENDS)
        return sse.encode(data) if self._events else self._item(data)

    def _item(self, data: str) -> bytes:
        """Return one item of the array, with what comes before it."""
        before, self._has_begun = ",\n" if self._has_begun else "[", True
        return f"{before}{data}".encode()

    def _end(self) -> bytes:
        if self._events:
            return b""
        return b"]" if self._has_begun else b"[]"
