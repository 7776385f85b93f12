"""Replays a complete answer as a stream. No I/O.

Structured output needs it: an answer that may have to be asked for again is read whole first.
"""

from __future__ import annotations

from collections.abc import Iterator

from handler.errors import Json

_HEAD = ("id", "created", "model", "system_fingerprint", "service_tier")


class ReplayDecoder:
    """Decodes a completion that is complete already; see StreamDecoder."""

    def __init__(self, completion: Json) -> None:
        self.event: Json = {}
        self.adds_text = False
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
    content = {
        name: value for name, value in choice["message"].items() if name != "role" and value is not None
    }
    if calls := content.get("tool_calls"):
        content["tool_calls"] = [{**call, "index": place} for place, call in enumerate(calls)]
    logprobs = {"logprobs": choice["logprobs"]} if choice.get("logprobs") else {}
    yield {"delta": {"role": "assistant", "content": ""}, "finish_reason": None}
    yield {"delta": content, **logprobs, "finish_reason": None}
    yield {"delta": {}, "finish_reason": choice.get("finish_reason") or "stop"}
