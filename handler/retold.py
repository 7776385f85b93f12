"""Whole answers and streams, one as the other: a completion told in chunks, and chunks heard as messages.

Structured output needs both: an answer that may have to be asked for again is waited for whole, and a stream
that went on live is looked at when it has ended. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from handler.errors import Json
from handler.providers.base import StreamDecoder

Check = Callable[[Json, str | None], None]  # of a message and its finish reason; raises UpstreamError

_HEAD = ("id", "created", "model", "system_fingerprint", "service_tier")
_CALLS = ("tool_calls", "function_call")


class Retold:
    """The stream of a completion that is there already; see StreamDecoder."""

    def __init__(self, completion: Json) -> None:
        self.event: Json = {}
        self._completion = completion

    def feed(self, data: str) -> Iterator[Json]:
        yield from ()

    def close(self) -> Iterator[Json]:
        completion = self._completion
        head = {name: completion[name] for name in _HEAD if name in completion}
        head["object"] = "chat.completion.chunk"
        for choice in completion["choices"]:
            for part in _parts(choice):
                yield {**head, "choices": [{"index": choice.get("index") or 0, **part}]}
        if completion.get("usage"):
            yield {**head, "choices": [], "usage": completion["usage"]}


def _parts(choice: Json) -> Iterator[Json]:
    """The role, the content and the end of one choice."""
    said = {name: value for name, value in choice["message"].items() if name != "role" and value is not None}
    if calls := said.get("tool_calls"):
        said["tool_calls"] = [{"index": place, **call} for place, call in enumerate(calls)]
    logprobs = {"logprobs": choice["logprobs"]} if choice.get("logprobs") else {}
    yield {"delta": {"role": "assistant", "content": ""}, "finish_reason": None}
    yield {"delta": said, **logprobs, "finish_reason": None}
    yield {"delta": {}, "finish_reason": choice.get("finish_reason") or "stop"}


class Checked:
    """The stream of another decoder, each choice held against what it has to be once all has been said."""

    def __init__(self, decoder: StreamDecoder, check: Check) -> None:
        self._decoder = decoder
        self._check = check
        self._messages: dict[int, Json] = {}
        self._texts: dict[int, list[str]] = {}
        self._finishes: dict[int, str] = {}

    @property
    def event(self) -> Json:
        return self._decoder.event

    def feed(self, data: str) -> Iterator[Json]:
        for chunk in self._decoder.feed(data):
            self._note(chunk)
            yield chunk

    def close(self) -> Iterator[Json]:
        for chunk in self._decoder.close():
            self._note(chunk)
            yield chunk
        for index, message in self._messages.items():
            said = {**message, "content": "".join(self._texts.get(index, ()))}
            self._check(said, self._finishes.get(index))

    def _note(self, chunk: Json) -> None:
        for choice in chunk.get("choices") or ():
            index, delta = choice.get("index") or 0, choice.get("delta") or {}
            message = self._messages.setdefault(index, {})
            message |= {name: delta[name] for name in ("refusal", *_CALLS) if delta.get(name)}
            if text := delta.get("content"):
                self._texts.setdefault(index, []).append(text)
            if finish := choice.get("finish_reason"):
                self._finishes[index] = finish
