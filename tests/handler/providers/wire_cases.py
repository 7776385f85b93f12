"""Reads the cases in wire/<dialect>/<case>/: requests and answers as a provider documents them.

Each case's about.json names its `provider` and its `source`, the page it was written from; no case is a
recording. `fails` is the failure class of an error or a broken stream. The other files are optional:

    chat.json, request.json     a client's request, and what is sent to the `model` in about.json for it
    whole.json, answer.json     a whole answer, and the completion it becomes if that is another format
    stream.sse, stream.jsonl    the answer as a stream; .jsonl holds the events of AWS's binary framing
    error.json                  an error: status, headers and body
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from handler.errors import Json
from handler.providers.provider import Quirks
from handler.providers.registry import TRANSLATORS
from handler.providers.rows.builtin import PROVIDERS
from handler.wire.framing import FRAMINGS
from tests.support.event_stream import frames

WIRE = Path(__file__).parent / "wire"
ALL = sorted(path.parent for path in WIRE.glob("*/*/about.json"))
CASES = [case for case in ALL if (case / "whole.json").exists()]
_TEXTS = ("content", "reasoning_content", "reasoning", "refusal")
_CALL_TEXTS = ("id", "type", "thought_signature")


def case_id(case: Path) -> str:
    return case.name


def read_file(case: Path, name: str) -> Any:
    return json.loads((case / name).read_text(encoding="utf-8"))


def cases_with(name: str, *, fails: bool = False) -> list[Path]:
    """The cases that have a file of this name, and that fail or do not."""
    return [
        case for case in ALL if (case / name).exists() and ("fails" in read_file(case, "about.json")) == fails
    ]


def configuration(case: Path) -> tuple[str, Quirks, bool]:
    """The dialect, the provider's quirks, and whether the client sent the legacy `functions`."""
    about = read_file(case, "about.json")
    return case.parent.name, PROVIDERS[about["provider"]].quirks, about.get("legacy", False)


def stream_bytes(case: Path) -> bytes:
    if (plain := case / "stream.sse").exists():
        return plain.read_bytes()
    lines = (case / "stream.jsonl").read_text(encoding="utf-8").split("\n")
    return frames(json.loads(line) for line in lines if line)


def events_of(case: Path, cut: int) -> Iterator[str]:
    """Yield the data of the stream's events, decoded from pieces of `cut` bytes."""
    decoder, data = FRAMINGS[TRANSLATORS[case.parent.name].framing](), stream_bytes(case)
    for start in range(0, len(data), cut):
        yield from (event.data for event in decoder.feed(data[start : start + cut]))
    yield from (event.data for event in decoder.close())


def chunks_of(case: Path, cut: int = 1_000_000) -> list[Json]:
    dialect, quirks, legacy = configuration(case)
    decoder = TRANSLATORS[dialect].stream(quirks, legacy=legacy)
    chunks = [chunk for data in events_of(case, cut) for chunk in decoder.feed(data)]
    return [*chunks, *decoder.close()]


def completion_of(case: Path) -> Json:
    dialect, quirks, legacy = configuration(case)
    return TRANSLATORS[dialect].response(read_file(case, "whole.json"), quirks, legacy=legacy)


def fold(chunks: list[Json]) -> Json:
    """The completion that a client's library makes of a stream."""
    choices: dict[int, Json] = {}
    usage = None
    for chunk in chunks:
        usage = chunk.get("usage") or usage
        for piece in chunk["choices"]:
            choice = choices.setdefault(piece["index"], {"message": {}, "finish_reason": None})
            choice["finish_reason"] = choice["finish_reason"] or piece.get("finish_reason")
            _fold_delta(choice["message"], piece["delta"])
    head = {name: chunks[0].get(name) for name in ("id", "created", "model")}
    return {**head, "choices": [choices[index] for index in sorted(choices)], "usage": usage}


def _fold_delta(message: Json, delta: Json) -> None:
    message.setdefault("role", delta.get("role"))
    for name in _TEXTS:
        if delta.get(name) is not None:
            message[name] = message.get(name, "") + delta[name]
    for call in delta.get("tool_calls") or ():
        calls = message.setdefault("tool_calls", {})
        _fold_call(calls.setdefault(call["index"], {}), call)
    if "function_call" in delta:
        _fold_function(message.setdefault("function_call", {}), delta["function_call"])


def _fold_call(folded: Json, call: Json) -> None:
    folded.update({name: folded.get(name, "") + call[name] for name in _CALL_TEXTS if name in call})
    _fold_function(folded.setdefault("function", {}), call.get("function") or {})


def _fold_function(folded: Json, function: Json) -> None:
    for name, text in function.items():
        folded[name] = folded.get(name, "") + text


def comparable(completion: Json) -> Json:
    """The members of a completion that a stream has too; absent, null and empty ones are equal."""
    choices = [(_comparable_message(one["message"]), one["finish_reason"]) for one in completion["choices"]]
    return {name: completion.get(name) for name in ("id", "model", "usage")} | {"choices": choices}


def _comparable_message(message: Json) -> Json:
    texts: Json = {name: message[name] for name in ("role", *_TEXTS, "function_call") if message.get(name)}
    calls = message.get("tool_calls") or []
    ordered = [calls[index] for index in sorted(calls)] if isinstance(calls, dict) else calls
    return texts | {"tool_calls": [(*map(call.get, _CALL_TEXTS), call["function"]) for call in ordered]}
