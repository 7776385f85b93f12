"""What every translator must hold: folding a stream gives the whole answer, however its bytes are cut.

wire/<dialect>/<case>/ has an answer as one provider gives it, streamed and whole. The cases are written after
the pages that each names in about.json; none is a recording.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from handler import sse
from handler.providers.base import Json, Quirks
from handler.providers.registry import PROVIDERS, TRANSLATORS
from handler.splice import splice

WIRE = Path(__file__).parent / "wire"
CASES = sorted(path.parent for path in WIRE.glob("*/*/about.json"))
CUTS = (1, 2, 3, 7, 64, 1_000_000)
TEXTS = ("content", "reasoning_content", "reasoning", "refusal")


def case_id(case: Path) -> str:
    return case.name


@pytest.fixture(params=CASES, ids=case_id)
def case(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def about(case: Path) -> tuple[str, Quirks, bool]:
    """The dialect, the quirks of the provider, and whether the client asked in the legacy form."""
    told = json.loads((case / "about.json").read_text(encoding="utf-8"))
    return case.parent.name, PROVIDERS[told["provider"]].quirks, told.get("legacy", False)


def events(case: Path, cut: int) -> Iterator[str]:
    data, decoder = (case / "stream.sse").read_bytes(), sse.Decoder()
    for start in range(0, len(data), cut):
        yield from (event.data for event in decoder.feed(data[start : start + cut]))
    yield from (event.data for event in decoder.close())


def streamed(case: Path, cut: int = 1_000_000) -> list[Json]:
    dialect, quirks, legacy = about(case)
    decoder = TRANSLATORS[dialect].stream(quirks, legacy=legacy)
    chunks = [chunk for data in events(case, cut) for chunk in decoder.feed(data)]
    return [*chunks, *decoder.close()]


def whole(case: Path) -> Json:
    dialect, quirks, legacy = about(case)
    body = json.loads((case / "whole.json").read_text(encoding="utf-8"))
    return TRANSLATORS[dialect].response(body, quirks, legacy=legacy)


def folded(chunks: list[Json]) -> Json:
    """The completion that a client's library makes of a stream."""
    choices: dict[int, Json] = {}
    usage = None
    for chunk in chunks:
        usage = chunk.get("usage") or usage
        for piece in chunk["choices"]:
            choice = choices.setdefault(piece["index"], {"message": {}, "finish_reason": None})
            choice["finish_reason"] = choice["finish_reason"] or piece.get("finish_reason")
            _fold(choice["message"], piece["delta"])
    head = {name: chunks[0].get(name) for name in ("id", "created", "model")}
    return {**head, "choices": [choices[index] for index in sorted(choices)], "usage": usage}


def _fold(message: Json, delta: Json) -> None:
    message.setdefault("role", delta.get("role"))
    for name in TEXTS:
        if delta.get(name) is not None:
            message[name] = message.get(name, "") + delta[name]
    for call in delta.get("tool_calls") or ():
        calls = message.setdefault("tool_calls", {})
        _fold_call(calls.setdefault(call["index"], {}), call)
    if "function_call" in delta:
        _fold_function(message.setdefault("function_call", {}), delta["function_call"])


def _fold_call(known: Json, call: Json) -> None:
    known.update({name: known.get(name, "") + call[name] for name in ("id",) if name in call})
    _fold_function(known.setdefault("function", {}), call.get("function") or {})


def _fold_function(known: Json, function: Json) -> None:
    for name, text in function.items():
        known[name] = known.get(name, "") + text


def essence(completion: Json) -> Json:
    """What of a completion a stream can tell: absent, null and empty are one."""
    choices = [(_said(one["message"]), one["finish_reason"]) for one in completion["choices"]]
    return {name: completion.get(name) for name in ("id", "created", "model", "usage")} | {"choices": choices}


def _said(message: Json) -> Json:
    said: Json = {name: message[name] for name in ("role", *TEXTS, "function_call") if message.get(name)}
    calls = message.get("tool_calls") or []
    ordered = [calls[index] for index in sorted(calls)] if isinstance(calls, dict) else calls
    return said | {"tool_calls": [(call.get("id"), call["function"]) for call in ordered]}


def test_there_is_a_case_for_every_dialect_that_is_served() -> None:
    assert {case.parent.name for case in CASES} == set(TRANSLATORS)


@pytest.mark.parametrize("cut", CUTS)
def test_folding_the_stream_gives_the_whole_answer(case: Path, cut: int) -> None:
    assert essence(folded(streamed(case, cut))) == essence(whole(case))


def test_a_stream_has_one_id_and_one_time(case: Path) -> None:
    chunks = streamed(case)
    assert len({(chunk["id"], chunk["created"]) for chunk in chunks}) == 1


def test_each_choice_tells_its_role_at_most_once_and_its_finish_reason_once(case: Path) -> None:
    pieces = [piece for chunk in streamed(case) for piece in chunk["choices"]]
    for index in {piece["index"] for piece in pieces}:
        mine = [piece for piece in pieces if piece["index"] == index]
        assert sum("role" in piece["delta"] for piece in mine) <= 1
        assert sum(piece["finish_reason"] is not None for piece in mine) == 1


def test_usage_comes_once_last_and_without_a_choice(case: Path) -> None:
    telling = [bool(chunk.get("usage")) for chunk in streamed(case)]
    assert sum(telling) <= 1
    assert telling == sorted(telling)
    assert not any(chunk["choices"] for chunk in streamed(case) if chunk.get("usage"))


def test_tool_calls_are_numbered_from_0_and_named_once(case: Path) -> None:
    opened: list[int] = []
    for chunk in streamed(case):
        for piece in chunk["choices"]:
            for call in piece["delta"].get("tool_calls") or ():
                is_new = call["index"] not in opened
                assert is_new == bool(call.get("id")) == bool(call["function"].get("name"))
                opened += [call["index"]] if is_new else []
    assert opened == list(range(len(opened)))


def test_every_chunk_can_be_told_in_the_upstreams_own_text(case: Path) -> None:
    dialect, quirks, legacy = about(case)
    decoder = TRANSLATORS[dialect].stream(quirks, legacy=legacy)
    for data in events(case, 64):
        for chunk in decoder.feed(data):
            assert json.loads(splice(data, decoder.event, chunk)) == chunk


def test_openais_own_stream_is_not_touched() -> None:
    for name in ("openai-text", "openai-tools", "openai-two-choices", "openai-refusal", "openai-legacy"):
        case = WIRE / "openai" / name
        told = [json.loads(data) for data in events(case, 64) if data != "[DONE]"]
        decoder = TRANSLATORS["openai"].stream(Quirks())
        chunks = [chunk for data in events(case, 64) for chunk in decoder.feed(data)]
        assert chunks == told
        assert list(decoder.close()) == []


def test_two_decoders_share_nothing() -> None:
    case = WIRE / "openai" / "openai-tools"
    first, second = streamed(case), streamed(case)
    assert first == second
    assert all(one is not other for one, other in pairwise([*first, *second]))
