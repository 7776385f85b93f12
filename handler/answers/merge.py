"""Several answers of one choice each as one of several: whole ones, and the frames of streams. No I/O.

The answers tell one id and one `created`, the index of a choice is its answer's number, and the usage is
the sum: each of them was paid for, its prompt too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from handler.answers.client_stream import ClientStream
from handler.answers.edits import served
from handler.answers.resume import HEAD
from handler.answers.usage import MOST, Spent, Usage, usage_of
from handler.errors import Json, UpstreamError
from handler.wire import sse
from handler.wire.splice import dump
from rules import Price


def folded(answers: Sequence[Json]) -> Json:
    """One completion. It tells its usage if each of them does."""
    choices = [{**answer["choices"][0], "index": index} for index, answer in enumerate(answers)]
    usages = [answer.get("usage") for answer in answers]
    rest = {name: value for name, value in answers[0].items() if name != "usage"}
    return {**rest, "choices": choices, **({"usage": _total(usages)} if all(usages) else {})}


class MergedStream:
    """The frames of several streams as those of one; the bytes that it is fed are frames already.

    A stream's frames are made with `choice` as its `told`.
    """

    told = None  # nobody can go on with several choices
    patience = None  # each stream has its own

    def __init__(
        self,
        *,
        model: str,
        wants_usage: bool,
        price: Price | None,
        explanation: Json | None,
        spent: Sequence[Spent] = (),
    ) -> None:
        self._model = model
        self._wants_usage = wants_usage
        self._price = price
        self._explanation = explanation
        self._spent = spent  # by other attempts of the call
        self.streams: list[ClientStream] = []
        self.head: Json = {}  # of every chunk
        self.begun = 0  # how many choices the client knows of, the first ones
        self.usages: dict[int, Json] = {}  # as told, by choice
        self.ended = False
        self.failure: UpstreamError | None = None

    def choice(self, index: int) -> Choice:
        return Choice(index, self)

    @property
    def content(self) -> bool:
        return any(frames.content for frames in self.streams)

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

    def used(self, input_tokens: int) -> Usage:
        """By those that have answered anything, and those whose answer is empty."""
        answering = (one for one in self.streams if one.content or (one.ended and not one.failure))
        return sum((frames.used(input_tokens) for frames in answering), start=Usage())

    def _last(self) -> bytes:
        """The last chunk, where there is anything to be told in it."""
        last: Json = {}
        if self._wants_usage and len(self.usages) == len(self.streams):
            last["usage"] = _total(list(self.usages.values()))
        if self._explanation is not None:
            last["sluice"] = self._explanation
        chunk = {**self.head, "choices": [], **last}
        return sse.encode(dump(served(chunk, self._model, self._price, self._spent))) if last else b""


class Choice:
    """The chunks of one of the streams; see Edits."""

    def __init__(self, index: int, whole: MergedStream) -> None:
        self._index = index
        self._whole = whole
        self._begun = False

    def chunk(self, chunk: Json) -> Json | None:
        whole, choices = self._whole, chunk.get("choices")
        if not choices and usage_of(chunk) is not None:
            if usage := chunk.get("usage"):
                whole.usages[self._index] = usage
            return None
        if "id" not in whole.head:
            whole.head = {name: chunk[name] for name in ("object", *HEAD) if name in chunk}
        told = [{**choice, "index": self._index} for choice in choices or ()]
        return {**chunk, **whole.head, "choices": told if self._begun or not told else self._opened(told)}

    def _opened(self, told: list[Json]) -> list[Json]:
        """With the choices before it that are silent yet: OpenAI's library takes them in no other order."""
        whole, self._begun = self._whole, True
        if self._index < whole.begun:  # another has begun this one, with its role
            delta = {name: value for name, value in (told[0].get("delta") or {}).items() if name != "role"}
            return [{**told[0], "delta": delta}, *told[1:]]
        before = range(whole.begun, self._index)
        whole.begun = self._index + 1
        begin = {"delta": {"role": "assistant", "content": ""}, "finish_reason": None}
        return [*({"index": index, **begin} for index in before), *told]

    def text(self, words: str) -> None:
        """Does nothing."""

    def sent(self) -> None:
        return None


def _total(told: Sequence[Any]) -> Any:
    """Objects member by member, numbers added, of anything else the first."""
    told = [one for one in told if one is not None] or [None]
    kinds = {type(one) for one in told}
    if kinds == {dict}:
        names = dict.fromkeys(name for one in told for name in one)
        return {name: _total([one.get(name) for one in told]) for name in names}
    if kinds <= {int, float} and all(abs(one) < MOST for one in told):
        return sum(told)
    return told[0]
