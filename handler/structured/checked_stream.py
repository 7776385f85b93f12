"""Validates a live stream when it ends. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from handler.errors import Json, SchemaMismatch, UpstreamError
from handler.providers.translator import STRING_OVERHEAD, StreamDecoder

Check = Callable[[Json, str | None], None]  # of a message and its finish reason; raises SchemaMismatch

MAX_CHECKED = 20_000_000  # bytes of the answers of one stream that are kept to be checked
_OTHER_FIELDS = ("refusal", "function_call")  # fields of a message other than its answer


class CheckedStream:
    """Checks each choice of another decoder's stream when the choice ends; see StreamDecoder.

    A choice that does not match gets no finish reason: the usage is still sent, then the mismatch is raised.
    """

    def __init__(self, decoder: StreamDecoder, check: Check, *, most: int = MAX_CHECKED) -> None:
        self._decoder = decoder
        self._check = check
        self._messages: dict[int, Json] = {}  # by choice, until it ends
        self._left = most
        self._mismatch: SchemaMismatch | None = None

    @property
    def event(self) -> Json:
        return self._decoder.event

    @property
    def adds_text(self) -> bool:
        return self._decoder.adds_text

    def feed(self, data: str) -> Iterator[Json]:
        return self._checked(self._decoder.feed(data))

    def close(self) -> Iterator[Json]:
        yield from self._checked(self._decoder.close())
        for index in list(self._messages):
            self._ended(index, None)
        if self._mismatch is not None:
            raise self._mismatch

    def _checked(self, chunks: Iterator[Json]) -> Iterator[Json]:
        for chunk in chunks:
            choices = chunk.get("choices") or ()
            for choice in choices:
                self._note(choice)
            if self._mismatch is None or not choices:
                yield chunk

    def _note(self, choice: Json) -> None:
        index, delta = choice.get("index") or 0, choice.get("delta") or {}
        message = self._messages.setdefault(index, {"content": [], "calls": {}})
        if isinstance(text := delta.get("content"), str):
            message["content"].append(text)
            self._spend(text)
        for call in delta.get("tool_calls") or ():
            self._note_call(message["calls"], call)
        message |= {name: delta[name] for name in _OTHER_FIELDS if delta.get(name)}
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
            self._mismatch = self._mismatch or mismatch
