"""Tests that every translator must pass, with the cases of wire_cases.py.

Most of all: a stream, however its bytes are cut, folds to the same completion as the whole answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from handler.errors import Json, UpstreamError
from handler.providers.provider import Quirks
from handler.providers.registry import TRANSLATORS
from handler.wire.splice import splice
from rules import load_catalog
from rules.catalog.catalog import unlisted_model
from tests.handler.providers.wire_cases import (
    ALL,
    CASES,
    WIRE,
    case_id,
    cases_with,
    chunks_of,
    comparable,
    completion_of,
    configuration,
    events_of,
    fold,
    read_file,
)

CUTS = (1, 2, 3, 7, 64, 1_000_000)
WITHOUT_ID = frozenset({"bedrock"})  # dialects whose answers have no id, so each translation makes one


@pytest.fixture(params=CASES, ids=case_id)
def case(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_every_dialect_has_cases() -> None:
    assert {case.parent.name for case in CASES} == set(TRANSLATORS)


def _choices(case: Path) -> list[Json]:
    choices: list[Json] = completion_of(case)["choices"] if case in CASES else []
    return choices


def _call_count(case: Path) -> int:
    return max((len(one["message"].get("tool_calls") or ()) for one in _choices(case)), default=0)


def _has_cached_usage(case: Path) -> bool:
    usage = (completion_of(case).get("usage") if case in CASES else None) or {}
    return bool((usage.get("prompt_tokens_details") or {}).get("cached_tokens"))


# Every dialect must have a case of each feature.
FEATURES: dict[str, Callable[[Path], bool]] = {
    "text": lambda case: any(one["message"].get("content") for one in _choices(case)),
    "a tool": lambda case: _call_count(case) == 1,
    "parallel tools": lambda case: _call_count(case) > 1,
    "images": lambda case: (
        (case / "chat.json").exists() and '"image_url"' in (case / "chat.json").read_text()
    ),
    "reasoning": lambda case: any(one["message"].get("reasoning_content") for one in _choices(case)),
    "a refusal": lambda case: any(
        one["finish_reason"] == "content_filter" or one["message"].get("refusal") for one in _choices(case)
    ),
    "cached usage": _has_cached_usage,
    "an error": lambda case: (case / "error.json").exists(),
    "an error in a stream": lambda case: (
        "fails" in read_file(case, "about.json") and not (case / "error.json").exists()
    ),
}


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("dialect", TRANSLATORS)
def test_every_dialect_has_a_case_of(feature: str, dialect: str) -> None:
    assert any(FEATURES[feature](case) for case in ALL if case.parent.name == dialect)


@pytest.mark.parametrize("case", cases_with("request.json"), ids=case_id)
def test_the_request_is_as_documented(case: Path) -> None:
    dialect, quirks, _ = configuration(case)
    provider, name = read_file(case, "about.json")["model"].split("/", 1)
    model = load_catalog().pin(provider, name) or unlisted_model(provider, name)
    chat = read_file(case, "chat.json")
    assert TRANSLATORS[dialect].request(chat, model, quirks)[0] == read_file(case, "request.json")
    assert chat == read_file(case, "chat.json"), "the client's request must not change"


@pytest.mark.parametrize("case", cases_with("answer.json"), ids=case_id)
def test_the_answer_is_as_documented(case: Path) -> None:
    answer = read_file(case, "answer.json")
    assert {name: value for name, value in completion_of(case).items() if name in answer} == answer


@pytest.mark.parametrize("case", cases_with("error.json", fails=True), ids=case_id)
def test_an_error_has_the_documented_class(case: Path) -> None:
    response = read_file(case, "error.json")
    headers, body = response.get("headers", {}), json.dumps(response["body"]).encode()
    error = TRANSLATORS[case.parent.name].error(response["status"], headers, body)
    assert error.failure_class == read_file(case, "about.json")["fails"]
    assert error.retry_after == read_file(case, "about.json").get("retry_after")


@pytest.mark.parametrize(
    "case", [*cases_with("stream.sse", fails=True), *cases_with("stream.jsonl", fails=True)], ids=case_id
)
@pytest.mark.parametrize("cut", CUTS)
def test_a_broken_stream_fails_with_the_documented_class(case: Path, cut: int) -> None:
    with pytest.raises(UpstreamError) as raised:
        chunks_of(case, cut)
    assert raised.value.failure_class == read_file(case, "about.json")["fails"]


@pytest.mark.parametrize("cut", CUTS)
def test_folding_the_stream_gives_the_whole_answer(case: Path, cut: int) -> None:
    folded, answer = fold(chunks_of(case, cut)), completion_of(case)
    if case.parent.name in WITHOUT_ID:
        folded["id"] = answer["id"]
    assert comparable(folded) == comparable(answer)
    if "created" in read_file(case, "whole.json"):
        assert folded["created"] == answer["created"]


def test_all_chunks_have_the_same_id_and_time(case: Path) -> None:
    chunks = chunks_of(case)
    assert len({(chunk["id"], chunk["created"]) for chunk in chunks}) == 1


def test_each_choice_has_at_most_one_role_and_one_finish_reason(case: Path) -> None:
    choices = [choice for chunk in chunks_of(case) for choice in chunk["choices"]]
    for index in {choice["index"] for choice in choices}:
        same = [choice for choice in choices if choice["index"] == index]
        assert sum("role" in choice["delta"] for choice in same) <= 1
        assert sum(choice["finish_reason"] is not None for choice in same) == 1


def test_usage_is_in_the_last_chunk_only_and_without_choices(case: Path) -> None:
    with_usage = [bool(chunk.get("usage")) for chunk in chunks_of(case)]
    assert sum(with_usage) <= 1
    assert with_usage == sorted(with_usage)
    assert not any(chunk["choices"] for chunk in chunks_of(case) if chunk.get("usage"))


def test_tool_calls_are_numbered_from_0_and_named_once(case: Path) -> None:
    indexes: list[int] = []
    for chunk in chunks_of(case):
        for choice in chunk["choices"]:
            for call in choice["delta"].get("tool_calls") or ():
                is_new = call["index"] not in indexes
                assert is_new == bool(call.get("id")) == bool(call["function"].get("name"))
                indexes += [call["index"]] if is_new else []
    assert indexes == list(range(len(indexes)))


def test_every_chunk_can_be_spliced_into_the_providers_event(case: Path) -> None:
    dialect, quirks, legacy = configuration(case)
    decoder = TRANSLATORS[dialect].stream(quirks, legacy=legacy)
    for data in events_of(case, 64):
        for chunk in decoder.feed(data):
            assert json.loads(splice(data, decoder.event, chunk)) == chunk


def test_a_stream_of_openai_is_not_changed() -> None:
    for name in ("openai-text", "openai-tools", "openai-two-choices", "openai-refusal", "openai-legacy"):
        case = WIRE / "openai" / name
        sent = [json.loads(data) for data in events_of(case, 64) if data != "[DONE]"]
        decoder = TRANSLATORS["openai"].stream(Quirks())
        chunks = [chunk for data in events_of(case, 64) for chunk in decoder.feed(data)]
        assert chunks == sent
        assert list(decoder.close()) == []


def test_two_decoders_share_no_state() -> None:
    case = WIRE / "openai" / "openai-tools"
    first, second = chunks_of(case), chunks_of(case)
    assert first == second
    assert all(one is not other for one, other in pairwise([*first, *second]))
