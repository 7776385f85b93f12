"""Encodes the chunks of a chat as the events of Responses, and a whole completion as a Response object.

Both are built by the same events, so that the folded stream equals the whole answer.
https://platform.openai.com/docs/api-reference/responses-streaming
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from handler.errors import GatewayError, Json
from handler.formats.chat.request import Chat
from handler.formats.losses import Losses
from handler.formats.responses.output import Output
from handler.formats.responses.response import derived_id, echo_of, error_of, status_of, usage_of
from handler.formats.responses.tools import read_tools
from handler.wire import sse
from handler.wire.splice import dump


class ResponsesEncoder:
    """Encodes one answer; see StreamEncoder."""

    media_type = "text/event-stream"
    keep_alive = sse.KEEP_ALIVE

    def __init__(self, chat: Chat) -> None:
        self._events = ResponseEvents(chat)
        self.number = 0

    def feed(self, chunk: Json) -> bytes:
        return self._encode(self._events.feed(chunk))

    def relay(self, events: bytes) -> bytes:
        if not self.number:
            self._events.begin_as(events)
        self.number += events.count(b"\n\n")
        return events

    def close(self) -> bytes:
        return self._encode(self._events.close())

    def fail(self, error: GatewayError) -> bytes:
        return self._encode(self._events.fail(error))

    def _encode(self, events: Iterator[Json]) -> bytes:
        return b"".join(map(self._frame, events))

    def _frame(self, event: Json) -> bytes:
        numbered = {"type": event["type"], "sequence_number": self.number, **event}
        self.number += 1
        return sse.encode(dump(numbered), event["type"])


class ResponseEvents:
    """The events of one response, each without its number."""

    def __init__(self, chat: Chat) -> None:
        self._body: Json = chat.native.body if chat.native else {"input": []}
        self._response: Json = {}  # empty until the first chunk
        self._output: Output | None = None
        self._finish_reason: Any = None
        self._more: Json = {}  # what is known at the end only

    def feed(self, chunk: Json) -> Iterator[Json]:
        output = self._output
        if output is None:
            yield from self._start(chunk)
            output = self._output = Output(chunk.get("id"), read_tools(self._body, Losses()))
        for choice in chunk.get("choices") or ():
            if not choice.get("index"):
                yield from output.add(choice)
                self._finish_reason = choice.get("finish_reason") or self._finish_reason
        if usage := usage_of(chunk.get("usage")):
            self._more["usage"] = usage
        self._more |= {
            name: chunk[name] for name in ("service_tier", "sluice") if chunk.get(name) is not None
        }

    def begin_as(self, events: bytes) -> None:
        """Read the response of a provider's first events, in case that its stream breaks off."""
        with suppress(ValueError, RecursionError):
            for found in sse.Decoder().feed(events):
                match json.loads(found.data):
                    case {"response": {"id": str()} as response}:
                        self._response = response

    def close(self) -> Iterator[Json]:
        if self._output is None:
            yield from self.feed({})
        ended = status_of(self._finish_reason)
        if self._output is not None:
            yield from self._output.finish(ended["status"])
        yield self._end(ended)

    def fail(self, error: GatewayError) -> Iterator[Json]:
        if not self._response:
            yield from self._start({})
        yield self._end({"status": "failed", "error": error_of(error)})

    def _start(self, chunk: Json) -> Iterator[Json]:
        created = chunk.get("created")
        model = chunk.get("model")
        self._response = {
            "id": derived_id("resp", chunk.get("id")),
            "object": "response",
            "created_at": created if type(created) in (int, float) else 0,
            "status": "in_progress",
            "model": model if isinstance(model, str) else str(self._body.get("model") or ""),
            **dict.fromkeys(("error", "incomplete_details", "usage", "service_tier")),
            "output": [],
            **echo_of(self._body),
        }
        yield {"type": "response.created", "response": self._response}
        yield {"type": "response.in_progress", "response": self._response}

    def _end(self, members: Json) -> Json:
        output = self._output.items if self._output is not None else []
        response = {**self._response, "output": output, **self._more, **members}
        return {"type": f"response.{members['status']}", "response": response}


def whole_response(completion: Json, chat: Chat) -> Json:
    """Return the Response object for a completion."""
    events = ResponseEvents(chat)
    choices = [_as_chunk(choice) for choice in completion.get("choices") or ()]
    for _ in events.feed({**completion, "choices": choices}):
        pass
    *_, last = events.close()
    response: Json = last["response"]
    return response


def _as_chunk(choice: Json) -> Json:
    """Return a whole choice as if one chunk had all of it."""
    message = choice.get("message") or {}
    calls = message.get("tool_calls") or ()
    indexed = [{**call, "index": index} for index, call in enumerate(calls) if isinstance(call, dict)]
    return {**choice, "delta": {**message, "tool_calls": indexed}}
