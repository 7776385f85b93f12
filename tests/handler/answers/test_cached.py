"""Which answers are stored, without the extras of one request, and what clients get of a stored one."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from handler.answers.answer import Answer
from handler.answers.cached import MAX_FRAMES, CacheEntry, answer_of, storable_body
from handler.answers.usage import Usage
from handler.errors import Json, UpstreamError
from handler.store.answer_cache import CachedAnswer
from rules import Candidate
from tests.support.canned_answers import USAGE, chunk, completion, finish, role, sse, texts, usage
from tests.support.chat_requests import chat
from tests.support.running_relay import model

DONE = b"data: [DONE]\n\n"
CANDIDATE = Candidate(model("up/m"))


def entry(**fields: Any) -> CacheEntry:
    return CacheEntry(
        **{"id": "cache/a/b", "model": "up/m", "ttl": 60, "limited": False, "added_cost": False, **fields}
    )


def answer(whole: Json | None = None, /, **fields: Any) -> Answer:
    data = json.dumps(whole).encode() if whole is not None else b""
    return Answer(**{"candidate": CANDIDATE, "attempts": [], "waited": 0.0, "body": data, **fields})


def choice(finish_reason: str | None = "stop", index: int = 0, **message: Any) -> Json:
    return {"index": index, "message": {"role": "assistant", **message}, "finish_reason": finish_reason}


CALLS = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]


@pytest.mark.parametrize(
    ("choices", "stored"),
    [
        pytest.param([choice(content="a")], True, id="a text"),
        pytest.param([choice("tool_calls", content=None, tool_calls=CALLS)], True, id="tool calls"),
        pytest.param([choice("function_call", function_call={"name": "f"})], True, id="a legacy call"),
        pytest.param([choice(images=[{}])], True, id="images"),
        pytest.param([choice(content="a"), choice(content="b", index=1)], True, id="two complete choices"),
        pytest.param(
            [choice(content="a"), choice("length", 1, content="b")], False, id="one of two is cut off"
        ),
        pytest.param([choice("length", content="a")], False, id="cut off where the request sets no length"),
        pytest.param([choice("content_filter", content="a")], False, id="filtered"),
        pytest.param([choice("error", content="a")], False, id="an unknown finish reason"),
        pytest.param([choice(None, content="a")], False, id="no finish reason"),
        pytest.param([choice(content="")], False, id="no content"),
        pytest.param([choice(content=None, reasoning_content="hm")], False, id="nothing but reasoning"),
        pytest.param([choice(content="a", refusal="No")], False, id="a refusal"),
        pytest.param([choice(content="a", audio={"id": "x"})], False, id="audio"),
        pytest.param([], False, id="no choices"),
        pytest.param([{"index": 0}], False, id="a choice without a message"),
        pytest.param("x", False, id="choices of another type"),
    ],
)
def test_only_a_complete_answer_is_stored(choices: Any, stored: bool) -> None:
    body = storable_body(answer(completion(choices=choices)), entry())
    assert (body is not None) is stored


def test_an_answer_that_is_as_long_as_requested_is_stored() -> None:
    cut = answer(completion(choices=[choice("length", content="a")]))
    assert storable_body(cut, entry(limited=True)) == cut.body


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"candidate": Candidate(model("up/other"))}, id="another model answered"),
        pytest.param({"resumed": {"resumed_from": "up/x"}}, id="another model began it"),
        pytest.param({"failure": UpstreamError("x", failure_class="network")}, id="it broke off"),
        pytest.param({"body": b"{"}, id="it is no JSON"),
        pytest.param({"body": b"[1]"}, id="it is no object"),
        pytest.param({"body": b"\xff"}, id="it is no text"),
    ],
)
def test_an_answer_that_others_must_not_get_is_not_stored(fields: Any) -> None:
    assert storable_body(answer(completion()), entry()) is not None
    assert storable_body(answer(completion(), **fields), entry()) is None


def test_the_extras_of_one_request_are_not_stored() -> None:
    priced = {**USAGE, "cost": 0.5}
    own = answer(completion(sluice={"reason": "x"}, usage=priced))
    body = storable_body(own, entry(added_cost=True))
    assert body is not None
    assert json.loads(body) == completion()
    others = storable_body(own, entry(added_cost=False))  # OpenRouter's own cost
    assert others is not None
    assert json.loads(others) == completion(usage=priced)


def recorded(*pieces: bytes, **fields: Any) -> CacheEntry:
    found = entry(**fields)
    found.frames = list(pieces)
    return found


STREAM = [sse(each) for each in (role(), chunk("Hel"), chunk("lo"), finish())]


def test_a_stream_is_stored_as_a_completion_with_its_usage() -> None:
    used = Usage(input=7, output=3, cached=2, reasoning=1)
    body = storable_body(answer(used=used), recorded(*STREAM, DONE))
    assert body is not None
    stored = json.loads(body)
    assert stored["choices"][0]["message"]["content"] == "Hello"
    assert stored["usage"] == {
        **USAGE,
        "prompt_tokens_details": {"cached_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 1},
    }
    reported = storable_body(answer(used=used), recorded(*STREAM, sse(usage()), DONE))
    assert reported is not None
    assert json.loads(reported)["usage"] == USAGE


@pytest.mark.parametrize(
    "frames",
    [
        pytest.param(STREAM, id="without an end"),
        pytest.param([*STREAM, sse({"error": {"message": "x"}})], id="an error at its end"),
        pytest.param([sse(finish()), DONE], id="without content"),
        pytest.param([sse(chunk("a")), DONE], id="without a finish reason"),
        pytest.param(
            [sse(chunk(citations=[1])), sse(chunk("a")), sse(finish()), DONE], id="an unknown member"
        ),
        pytest.param([DONE], id="nothing but the end"),
        pytest.param([], id="nothing"),
    ],
)
def test_a_part_of_a_stream_is_not_stored(frames: list[bytes]) -> None:
    assert storable_body(answer(used=Usage(input=1)), recorded(*frames)) is None


async def test_a_long_stream_is_relayed_and_not_stored() -> None:
    piece = sse(chunk("x" * 1_000_000))
    count = MAX_FRAMES // len(piece) + 1

    async def drive(_: Answer) -> AsyncGenerator[bytes, None]:
        for _number in range(count):
            yield piece
        yield sse(finish())
        yield DONE

    noted, relayed = entry(), 0
    async for frame in noted.record(drive)(answer()):
        relayed += len(frame)
    assert relayed > MAX_FRAMES
    assert noted.frames is None
    assert storable_body(answer(used=Usage()), noted) is None


def stored(body: Json | bytes | None = None, **fields: Any) -> CachedAnswer:
    data = body if isinstance(body, bytes) else json.dumps(completion() if body is None else body).encode()
    return CachedAnswer(data, 100.0, **fields)


def given(
    entry: CachedAnswer, *, explanation: Json | None = None, age: float = 3.9, **request: Any
) -> Answer:
    return answer_of(entry, CANDIDATE, chat(**request), explanation, age=age, waited=0.0)


def events(one: Answer) -> list[Any]:
    *found, last = texts([one.replayed])
    assert last == "[DONE]"
    return [json.loads(text) for text in found]


def test_a_cached_answer_costs_nothing_and_says_its_age() -> None:
    one = given(stored(schema="tool", dropped=("seed",)))
    assert (one.cost, one.age, one.attempts, one.schema, one.dropped) == (0, 3, [], "tool", ("seed",))
    assert not one.usage
    assert given(stored(), age=-2.0).age == 0, "the clock of another instance is ahead"
    unpriced = CANDIDATE.model.replaced(price=None)
    assert answer_of(stored(), Candidate(unpriced), chat(), None, age=1, waited=0).cost == 0


@pytest.mark.parametrize(
    ("usage", "request_usage", "cost"),
    [
        pytest.param(USAGE, None, None, id="not asked for"),
        pytest.param(USAGE, {"include": True}, 0, id="asked for"),
        pytest.param({**USAGE, "cost": 0.5}, None, 0, id="the provider's own"),
        pytest.param(None, {"include": True}, None, id="without usage"),
    ],
)
def test_the_cost_in_a_cached_answer_is_0(usage: Any, request_usage: Any, cost: int | None) -> None:
    entry = stored(completion(usage=usage))
    body = json.loads(given(entry, usage=request_usage).body)
    assert (body["usage"] or {}).get("cost") == cost
    chunks = events(given(entry, usage=request_usage, stream=True, stream_options={"include_usage": True}))
    assert (chunks[-1].get("usage") or {}).get("cost") == cost


def test_a_cached_answer_keeps_its_bytes() -> None:
    text = '{ "choices":[{"index":0, "message":{"content":"\\u00e9 é","x":1.50},"finish_reason":"stop"}],\n'
    text += ' "model":"up/m"}'
    assert given(stored(text.encode())).body == text.encode()


def test_a_stream_has_usage_and_explanation_only_on_request() -> None:
    plain = events(given(stored(), stream=True))
    assert [one["choices"][0]["finish_reason"] for one in plain] == [None, None, "stop"]
    explained = events(given(stored(schema="tool"), stream=True, explanation={"reason": "rule"}))
    assert explained[-1]["sluice"] == {"reason": "rule", "schema": "tool"}
    whole = json.loads(given(stored(schema="tool"), explanation={"reason": "rule"}).body)
    assert whole["sluice"] == {"reason": "rule", "schema": "tool"}


async def test_a_cached_stream_is_driven_like_any_other() -> None:
    one = given(stored(), stream=True)
    assert [frame async for frame in one.frames()] == [one.replayed]
    await one.aclose()


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="no JSON"),
        pytest.param(b"\xff", id="no text"),
        pytest.param(b"null", id="no object"),
        pytest.param(b"[" * 100_000, id="nesting without end"),
        pytest.param(b'{"choices":[' + b"{}," * 900_000 + b"{}]}", id="more memory than an answer takes"),
        pytest.param(b'{"id": "x"}', id="no choices"),
        pytest.param(b'{"choices": [1]}', id="choices that are no objects"),
        pytest.param(b'{"choices": [{"message": 1}]}', id="a message that is no object"),
    ],
)
@pytest.mark.parametrize("form", [pytest.param(False, id="whole"), pytest.param(True, id="streamed")])
def test_what_is_no_completion_is_refused(body: bytes, form: bool) -> None:
    with pytest.raises(ValueError, match="not a completion"):
        given(stored(body), stream=form)
