"""Merges several answers of one choice each into one of several choices: whole ones, and streams. No I/O.

The merged answer has one id and one `created`, and the index of a choice is its answer's number. The usage is
the sum, because each answer was paid for, with its prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from handler.answers.client_stream import ClientStream
from handler.answers.edits import served
from handler.answers.resume import HEAD
from handler.answers.usage import MAX_TOKENS, Usage, WastedUsage, usage_of
from handler.errors import Json, UpstreamError
from handler.wire import sse
from handler.wire.splice import dump
from rules import Candidate


def merge_completions(answers: Sequence[Json]) -> Json:
    """One completion of several. It has a usage if each of them has."""
    choices = [{**answer["choices"][0], "index": index} for index, answer in enumerate(answers)]
    usages = [answer.get("usage") for answer in answers]
    rest = {name: value for name, value in answers[0].items() if name != "usage"}
    return {**rest, "choices": choices, **({"usage": _total(usages)} if all(usages) else {})}


class MergedStream:
    """Merges the frames of several streams; the bytes that it is fed are frames already.

    Each stream makes its frames with `choice` as its `edits`.
    """

    edits = None  # several choices cannot be continued
    patience = None  # each stream has its own

    def __init__(
        self,
        *,
        model: str,
        wants_usage: bool,
        charged: Candidate | None,
        explanation: Json | None,
        wasted: Sequence[WastedUsage] = (),
    ) -> None:
        self._model = model
        self._wants_usage = wants_usage
        self._charged = charged
        self._explanation = explanation
        self._wasted = wasted  # by other attempts of the call
        self.streams: list[ClientStream] = []
        self.head: Json = {}  # of every chunk
        self.introduced = 0  # how many choices the client knows of, the first ones
        self.usages: dict[int, Json] = {}  # as reported, by choice
        self.ended = False
        self.failure: UpstreamError | None = None

    def choice(self, index: int) -> Choice:
        return Choice(index, self)

    @property
    def content(self) -> bool:
        return any(frames.content for frames in self.streams)

    @property
    def charged(self) -> bool:
        return any(frames.charged for frames in self.streams)

    @property
    def content_bytes(self) -> int:
        return sum(frames.content_bytes for frames in self.streams)

    @property
    def sent(self) -> bool:
        return any(frames.sent for frames in self.streams)

    def feed(self, data: bytes) -> bytes:
        return data

    def close(self, why: UpstreamError | None = None) -> bytes:
        self.ended, self.failure = True, why
        return b"" if why else self._last()

    def used(self) -> Usage:
        """Return the usage of the streams that the providers may charge for."""
        return sum((frames.used() for frames in self.streams if frames.charged), start=Usage())

    def _last(self) -> bytes:
        """The last chunk, if there is anything to put into it."""
        last: Json = {}
        if self._wants_usage and len(self.usages) == len(self.streams):
            last["usage"] = _total(list(self.usages.values()))
        if self._explanation is not None:
            last["sluice"] = self._explanation
        chunk = {**self.head, "choices": [], **last}
        if not (last or self._charged):
            return b""
        return sse.encode(dump(served(chunk, self._model, self._charged, self._wasted, self.used())))


class Choice:
    """The chunks of one of the streams; see Edits."""

    def __init__(self, index: int, whole: MergedStream) -> None:
        self._index = index
        self._whole = whole
        self._started = False

    def chunk(self, chunk: Json) -> Json | None:
        whole, choices = self._whole, chunk.get("choices")
        if not choices and usage_of(chunk) is not None:
            if usage := chunk.get("usage"):
                whole.usages[self._index] = usage
            return None
        if "id" not in whole.head:
            whole.head = {name: chunk[name] for name in ("object", *HEAD) if name in chunk}
        own = [{**choice, "index": self._index} for choice in choices or ()]
        return {**chunk, **whole.head, "choices": own if self._started or not own else self._start(own)}

    def _start(self, own: list[Json]) -> list[Json]:
        """Add the earlier choices that have not begun, because OpenAI's library takes choices in order."""
        whole, self._started = self._whole, True
        if self._index < whole.introduced:  # another stream has introduced this choice, with its role
            delta = {name: value for name, value in (own[0].get("delta") or {}).items() if name != "role"}
            return [{**own[0], "delta": delta}, *own[1:]]
        before = range(whole.introduced, self._index)
        whole.introduced = self._index + 1
        first = {"delta": {"role": "assistant", "content": ""}, "finish_reason": None}
        return [*({"index": index, **first} for index in before), *own]

    def text(self, text: str) -> None:
        """Do nothing."""

    def sent(self) -> None:
        return None


def _total(values: Sequence[Any]) -> Any:
    """The sum of usages: objects member by member, numbers added; of anything else the first."""
    values = [one for one in values if one is not None] or [None]
    kinds = {type(one) for one in values}
    if kinds == {dict}:
        names = dict.fromkeys(name for one in values for name in one)
        return {name: _total([one.get(name) for one in values]) for name in names}
    if kinds <= {int, float} and all(abs(one) < MAX_TOKENS for one in values):
        return sum(values)
    return values[0]
