"""What every translator must hold: folding a stream gives the whole answer, however its bytes are cut.

wire/<dialect>/<case>/ has an answer as one provider gives it. The cases are written after the pages that each
names in about.json; none is a recording. A case may have, by name of file:

    stream.sse, whole.json      the answer, streamed and whole; stream.jsonl where events are framed by AWS
    answer.json                 the completion that the whole answer is, where that is another format
    chat.json, request.json     what a client asks of the `model` in about.json, and what is sent for it
    error.json                  a refusal: status, headers and body; about.json says what it `fails` with
    a stream and `fails`        a stream that breaks off with a failure of that class
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from handler.errors import Json, UpstreamError
from handler.providers.provider import Quirks
from handler.providers.registry import TRANSLATORS
from handler.providers.rows.builtin import PROVIDERS
from handler.wire.framing import FRAMINGS
from handler.wire.splice import splice
from rules import load_catalog
from rules.catalog.catalog import unlisted_model
from tests.support.event_stream import frames

WIRE = Path(__file__).parent / "wire"
ALL = sorted(path.parent for path in WIRE.glob("*/*/about.json"))
CASES = [case for case in ALL if (case / "whole.json").exists()]
CUTS = (1, 2, 3, 7, 64, 1_000_000)
TEXTS = ("content", "reasoning_content", "reasoning", "refusal")
CARRIED = ("id", "type", "thought_signature")
ANONYMOUS = frozenset({"bedrock"})  # dialects whose answers have no id but the one we give them


def case_id(case: Path) -> str:
    return case.name


def having(name: str, *, fails: bool = False) -> list[Path]:
    """The cases with a file of this name, of those that fail or of those that do not."""
    return [case for case in ALL if (case / name).exists() and ("fails" in read(case, "about.json")) == fails]


def read(case: Path, name: str) -> Any:
    return json.loads((case / name).read_text(encoding="utf-8"))


@pytest.fixture(params=CASES, ids=case_id)
def case(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def about(case: Path) -> tuple[str, Quirks, bool]:
    """The dialect, the quirks of the provider, and whether the client asked in the legacy form."""
    told = read(case, "about.json")
    return case.parent.name, PROVIDERS[told["provider"]].quirks, told.get("legacy", False)


def stream_of(case: Path) -> bytes:
    if (plain := case / "stream.sse").exists():
        return plain.read_bytes()
    lines = (case / "stream.jsonl").read_text(encoding="utf-8").split("\n")
    return frames(json.loads(line) for line in lines if line)


def events(case: Path, cut: int) -> Iterator[str]:
    decoder, data = FRAMINGS[TRANSLATORS[case.parent.name].framing](), stream_of(case)
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
    return TRANSLATORS[dialect].response(read(case, "whole.json"), quirks, legacy=legacy)


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
    known.update({name: known.get(name, "") + call[name] for name in CARRIED if name in call})
    _fold_function(known.setdefault("function", {}), call.get("function") or {})


def _fold_function(known: Json, function: Json) -> None:
    for name, text in function.items():
        known[name] = known.get(name, "") + text


def essence(completion: Json) -> Json:
    """What of a completion a stream can tell: absent, null and empty are one."""
    choices = [(_said(one["message"]), one["finish_reason"]) for one in completion["choices"]]
    return {name: completion.get(name) for name in ("id", "model", "usage")} | {"choices": choices}


def _said(message: Json) -> Json:
    said: Json = {name: message[name] for name in ("role", *TEXTS, "function_call") if message.get(name)}
    calls = message.get("tool_calls") or []
    ordered = [calls[index] for index in sorted(calls)] if isinstance(calls, dict) else calls
    return said | {"tool_calls": [(*map(call.get, CARRIED), call["function"]) for call in ordered]}


def test_there_is_a_case_for_every_dialect_that_is_served() -> None:
    assert {case.parent.name for case in CASES} == set(TRANSLATORS)


def _choices(case: Path) -> list[Json]:
    choices: list[Json] = whole(case)["choices"] if case in CASES else []
    return choices


def _calls(case: Path) -> int:
    return max((len(one["message"].get("tool_calls") or ()) for one in _choices(case)), default=0)


def _cached(case: Path) -> bool:
    usage = (whole(case).get("usage") if case in CASES else None) or {}
    return bool((usage.get("prompt_tokens_details") or {}).get("cached_tokens"))


# What every dialect has to have been seen to do.
SHOWN: dict[str, Callable[[Path], bool]] = {
    "text": lambda case: any(one["message"].get("content") for one in _choices(case)),
    "a tool": lambda case: _calls(case) == 1,
    "parallel tools": lambda case: _calls(case) > 1,
    "images": lambda case: (
        (case / "chat.json").exists() and '"image_url"' in (case / "chat.json").read_text()
    ),
    "reasoning": lambda case: any(one["message"].get("reasoning_content") for one in _choices(case)),
    "a refusal": lambda case: any(
        one["finish_reason"] == "content_filter" or one["message"].get("refusal") for one in _choices(case)
    ),
    "cached usage": _cached,
    "an error": lambda case: (case / "error.json").exists(),
    "an error in a stream": lambda case: (
        "fails" in read(case, "about.json") and not (case / "error.json").exists()
    ),
}


@pytest.mark.parametrize("what", SHOWN)
@pytest.mark.parametrize("dialect", TRANSLATORS)
def test_every_dialect_has_a_case_of(what: str, dialect: str) -> None:
    assert any(SHOWN[what](case) for case in ALL if case.parent.name == dialect)


@pytest.mark.parametrize("case", having("request.json"), ids=case_id)
def test_the_request_is_as_documented(case: Path) -> None:
    dialect, quirks, _ = about(case)
    provider, name = read(case, "about.json")["model"].split("/", 1)
    model = load_catalog().pin(provider, name) or unlisted_model(provider, name)
    chat = read(case, "chat.json")
    assert TRANSLATORS[dialect].request(chat, model, quirks)[0] == read(case, "request.json")
    assert chat == read(case, "chat.json"), "what the client sent is not changed"


@pytest.mark.parametrize("case", having("answer.json"), ids=case_id)
def test_the_answer_is_as_documented(case: Path) -> None:
    answer = read(case, "answer.json")
    assert {name: value for name, value in whole(case).items() if name in answer} == answer


@pytest.mark.parametrize("case", having("error.json", fails=True), ids=case_id)
def test_a_refusal_has_the_class_that_is_documented(case: Path) -> None:
    told = read(case, "error.json")
    body = json.dumps(told["body"]).encode()
    error = TRANSLATORS[case.parent.name].error(told["status"], told.get("headers", {}), body)
    assert error.failure_class == read(case, "about.json")["fails"]
    assert error.retry_after == read(case, "about.json").get("retry_after")


@pytest.mark.parametrize(
    "case", [*having("stream.sse", fails=True), *having("stream.jsonl", fails=True)], ids=case_id
)
@pytest.mark.parametrize("cut", CUTS)
def test_a_stream_that_breaks_off_fails_with_the_class_that_is_documented(case: Path, cut: int) -> None:
    with pytest.raises(UpstreamError) as raised:
        streamed(case, cut)
    assert raised.value.failure_class == read(case, "about.json")["fails"]


@pytest.mark.parametrize("cut", CUTS)
def test_folding_the_stream_gives_the_whole_answer(case: Path, cut: int) -> None:
    told, answer = folded(streamed(case, cut)), whole(case)
    if case.parent.name in ANONYMOUS:
        told["id"] = answer["id"]
    assert essence(told) == essence(answer)
    if "created" in read(case, "whole.json"):
        assert told["created"] == answer["created"]


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
