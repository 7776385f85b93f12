"""The streams of several model calls as one stream, without the calls of tools that Sluice runs. No I/O."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field

from handler.errors import Json
from handler.mcp.messages import SEPARATOR, TEXTS, details_of, name_of
from handler.wire import sse
from handler.wire.splice import dump


@dataclass(slots=True)
class Sent:
    """What the client has got so far, of all steps."""

    head: Json = field(default_factory=dict)  # `id` and `created` of every chunk
    role: bool = False
    calls: int = 0  # its own
    details: int = 0  # items of `reasoning_details`
    texts: set[str] = field(default_factory=set)  # names in TEXTS


class StepStream:
    """The stream of one model call.

    tools: names of the functions that Sluice runs. holds_text: text is sent only once the step is known to be
    the last, because the client expects JSON.
    """

    def __init__(self, sent: Sent, tools: Collection[str], *, holds_text: bool) -> None:
        self._sent = sent
        self._tools = tools
        self._holds_text = holds_text
        self._decoder = sse.Decoder()
        self._calls: dict[
            int, int | None
        ] = {}  # index of a call -> the client's index; None: it is not shown
        self._first_detail = sent.details
        self._texts: set[str] = set()  # that this step has sent
        self._buffered: list[str] = []
        self._finish: Json | None = None  # the chunk with the finish reason
        self._rest: list[Json] = []  # usage, explanation
        self._error: Json | None = None

    @property
    def runs_tools(self) -> bool:
        """True if all calls of the step are of tools that Sluice runs, and there is one."""
        return bool(self._calls) and all(index is None for index in self._calls.values())

    def feed(self, data: bytes) -> bytes:
        """Return the frames of the client that `data` brings."""
        events = self._decoder.feed(data)
        return b"".join(
            self._encode(self._chunk(json.loads(event.data))) for event in events if event.data != "[DONE]"
        )

    def last(self) -> bytes:
        """Return the last frames, of the last step."""
        frames = []
        finish = self._finish
        if self._buffered:
            frames.append({**(finish or {}), "choices": [_choice({"content": "".join(self._buffered)})]})
        if finish is not None:
            if self.runs_tools:  # they are not run any more
                finish = {**finish, "choices": [{**finish["choices"][0], "finish_reason": "length"}]}
            frames.append(finish)
        frames += self._rest
        return b"".join(map(self._encode, frames))

    def error(self) -> bytes:
        """Return the error event of a step that broke off."""
        return b"" if self._error is None else sse.encode(dump(self._error))

    def _encode(self, chunk: Json | None) -> bytes:
        return b"" if chunk is None else sse.encode(dump({**chunk, **self._sent.head}))

    def _chunk(self, chunk: Json) -> Json | None:
        """Return a chunk as the client gets it; None if there is nothing for the client in it, or not yet."""
        if "error" in chunk:
            self._error = chunk
            return None
        if not self._sent.head:
            self._sent.head = {name: chunk[name] for name in ("id", "created") if name in chunk}
        if not (choices := chunk.get("choices")):
            self._rest.append(chunk)
            return None
        choice = choices[0]
        delta = self._delta(choice.get("delta") or {})
        if choice.get("finish_reason"):
            self._finish = {**chunk, "choices": [{**choice, "delta": {}}]}
            choice = {**choice, "finish_reason": None}
        return {**chunk, "choices": [{**choice, "delta": delta}]} if delta else None

    def _delta(self, delta: Json) -> Json:
        delta = dict(delta)
        if self._sent.role:
            delta.pop("role", None)
        calls = [own for call in delta.pop("tool_calls", None) or () if (own := self._own_call(call))]
        if details := details_of(delta):
            delta["reasoning_details"] = [self._detail(one) for one in details]
        for name in TEXTS:
            if isinstance(text := delta.get(name), str):
                delta[name] = self._text(name, text)
        new = {name: value for name, value in delta.items() if value not in (None, "", [])}
        if "role" in new:
            self._sent.role = True
            new.setdefault("content", "")
        return {**new, "tool_calls": calls} if calls else new

    def _text(self, name: str, text: str) -> str:
        if name == "content" and self._holds_text:
            self._buffered.append(text)
            return ""
        if text and name not in self._texts:
            self._texts.add(name)
            text = SEPARATOR + text if name in self._sent.texts else text
            self._sent.texts.add(name)
        return text

    def _detail(self, detail: Json) -> Json:
        """Return an item of `reasoning_details` under an index that no earlier step has used."""
        own = detail.get("index")
        index = self._first_detail + (own if isinstance(own, int) else 0)
        self._sent.details = max(self._sent.details, index + 1)
        return {**detail, "index": index}

    def _own_call(self, call: Json) -> Json | None:
        index = call.get("index") or 0
        if index not in self._calls:
            shown = name_of(call) not in self._tools
            self._calls[index] = self._sent.calls if shown else None
            self._sent.calls += shown
        own = self._calls[index]
        return None if own is None else {**call, "index": own}


def _choice(delta: Json) -> Json:
    return {"index": 0, "delta": delta, "finish_reason": None}
