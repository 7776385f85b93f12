"""Whole answers and streams, one as the other: a completion told in chunks, and chunks heard as messages.

Structured output needs both: an answer that may have to be asked for again is waited for whole, and a stream
that went on live is looked at when it has ended. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from handler.errors import Json, SchemaMismatch, UpstreamError
from handler.providers.translator import STRING_OVERHEAD, StreamDecoder

Check = Callable[[Json, str | None], None]  # of a message and its finish reason; raises SchemaMismatch

MOST = 20_000_000  # bytes of the answers that a stream is held against what it has to be
_HEAD = ("id", "created", "model", "system_fingerprint", "service_tier")
_OTHER = ("refusal", "function_call")  # than the answer


class ReplayDecoder:
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
        said["tool_calls"] = [{**call, "index": place} for place, call in enumerate(calls)]
    logprobs = {"logprobs": choice["logprobs"]} if choice.get("logprobs") else {}
    yield {"delta": {"role": "assistant", "content": ""}, "finish_reason": None}
    yield {"delta": said, **logprobs, "finish_reason": None}
    yield {"delta": {}, "finish_reason": choice.get("finish_reason") or "stop"}


class Checked:
    """The stream of another decoder, each choice held against what it has to be when it has ended.

    One that is amiss never ends for the client; the usage is still told, then what is wrong is raised.
    """

    def __init__(self, decoder: StreamDecoder, check: Check, *, most: int = MOST) -> None:
        self._decoder = decoder
        self._check = check
        self._messages: dict[int, Json] = {}  # what each choice has said, until it ends
        self._left = most
        self._amiss: SchemaMismatch | None = None

    @property
    def event(self) -> Json:
        return self._decoder.event

    def feed(self, data: str) -> Iterator[Json]:
        return self._checked(self._decoder.feed(data))

    def close(self) -> Iterator[Json]:
        yield from self._checked(self._decoder.close())
        for index in list(self._messages):
            self._ended(index, None)
        if self._amiss is not None:
            raise self._amiss

    def _checked(self, chunks: Iterator[Json]) -> Iterator[Json]:
        for chunk in chunks:
            choices = chunk.get("choices") or ()
            for choice in choices:
                self._note(choice)
            if self._amiss is None or not choices:
                yield chunk

    def _note(self, choice: Json) -> None:
        index, delta = choice.get("index") or 0, choice.get("delta") or {}
        message = self._messages.setdefault(index, {"content": [], "calls": {}})
        if isinstance(text := delta.get("content"), str):
            message["content"].append(text)
            self._spend(text)
        for call in delta.get("tool_calls") or ():
            self._note_call(message["calls"], call)
        message |= {name: delta[name] for name in _OTHER if delta.get(name)}
        if finish := choice.get("finish_reason"):
            self._ended(index, finish)

    def _note_call(self, calls: dict[int, Json], call: Json) -> None:
        noted = calls.setdefault(call.get("index") or 0, {"arguments": []})
        function = call.get("function") or {}
        if name := function.get("name"):
            noted["name"] = name
        if isinstance(text := function.get("arguments"), str):
            noted["arguments"].append(text)
            self._spend(text)

    def _spend(self, text: str) -> None:
        self._left -= len(text) + STRING_OVERHEAD
        if self._left < 0:
            raise UpstreamError("The provider's answer is too large.", failure_class="protocol")

    def _ended(self, index: int, finish: str | None) -> None:
        message = self._messages.pop(index)
        calls = [
            {"function": {**noted, "arguments": "".join(noted["arguments"])}}
            for noted in message.pop("calls").values()
        ]
        try:
            self._check(
                {**message, "content": "".join(message["content"]), "tool_calls": calls or None}, finish
            )
        except SchemaMismatch as mismatch:
            self._amiss = self._amiss or mismatch
