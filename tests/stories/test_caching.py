"""Callers of a gateway with `cache` records: who gets a cached answer, in which form, and what it says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from handler.aws.errors import StoreError
from handler.content.completion import completion_of
from handler.gateway.response_cache import NOT_READ, NOT_WRITTEN
from handler.store.activity.recorder import NOT_WRITTEN as ACTIVITY_NOT_WRITTEN
from tests.support.asgi import Response
from tests.support.canned_answers import Act, Reply, chunk, completion, finish, role, stream, usage, whole
from tests.support.gateways import (
    KEY,
    MANAGE,
    NARROW,
    RunningGateway,
    key_item,
    model,
    provider,
    start_gateway,
)
from tests.support.state import InlineItems, MemoryItems
from tests.support.tables import dynamodb
from tests.support.upstream import Upstream
from tests.support.virtual_clock import now

TTL = 60
CACHE = {"kind": "cache", "id": "short", "ttl": TTL}
PRICE = {"input": 1, "output": 2}
OTHER = "sk-sluice-" + "o" * 43  # of another project
MODELS = [model("up/m", price=PRICE), model("up/large", price=PRICE)]

Start = Callable[..., RunningGateway]


@pytest.fixture
def state() -> MemoryItems:
    return MemoryItems()


@pytest.fixture
async def start(upstream: Upstream, state: MemoryItems) -> AsyncIterator[Start]:
    """Starts gateways that share a State table and the provider `upstream`."""
    started: list[RunningGateway] = []

    def run(*records: Any) -> RunningGateway:
        running = start_gateway([provider(upstream.url), *MODELS, *(records or [CACHE])], now=now)
        running.tables.state = state
        keys = (key_item(OTHER, id="o1", project="other"),)
        running.tables.keys |= {item["hash"]: item for item in keys}
        started.append(running)
        return running

    yield run
    for one in started:
        await one.gateway.aclose()


async def ask(running: RunningGateway, *, model: str = "up/m", **options: Any) -> Response:
    """The response to a chat, after the background work that follows it."""
    response = await running.chat(model=model, **options)
    await running.gateway.settle()
    return response


def outcome(response: Response) -> str | None:
    return response.headers.get("x-sluice-cache")


def streamed(*words: str) -> Any:
    return stream(role(), *map(chunk, words), finish(), usage())


async def test_the_second_answer_comes_from_the_cache(upstream: Upstream, start: Start) -> None:
    upstream.script("m", whole(completion("Hello")))
    running = start()
    first, second = await ask(running), await ask(running)
    assert (outcome(first), outcome(second)) == ("miss", "hit")
    assert first.headers["x-sluice-cost"] == "0.000013"
    assert first.body == second.body
    assert len(upstream.requests) == 1
    assert {name: second.headers[f"x-sluice-{name}"] for name in ("cost", "attempts", "model", "reason")} == {
        "cost": "0",
        "attempts": "0",
        "model": "up/m",
        "reason": "requested",
    }
    lines = [line for line in running.lines if line["message"] == "request"]
    assert [(line["cache"], line["cost"], line["usage"]) for line in lines] == [
        ("miss", 0.000013, {"input": 7, "output": 3}),
        ("hit", 0.0, None),
    ]


FORMS = [
    pytest.param(False, True, id="a whole answer serves a stream"),
    pytest.param(True, False, id="a stream serves a whole answer"),
    pytest.param(True, True, id="a stream serves a stream"),
]


@pytest.mark.parametrize(("first", "second"), FORMS)
async def test_an_answer_serves_both_forms(
    upstream: Upstream, start: Start, first: bool, second: bool
) -> None:
    upstream.script("m", streamed("Hel", "lo") if first else whole(completion("Hello")))
    running = start()
    answers = [await ask(running, stream=form) for form in (first, second)]
    assert [answer.content for answer in answers] == ["Hello", "Hello"]
    assert [outcome(answer) for answer in answers] == ["miss", "hit"]
    assert answers[1].headers["x-sluice-cost"] == "0"
    assert len(upstream.requests) == 1
    if second:
        *chunks, last = answers[1].events
        assert last == "[DONE]"
        assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
        assert {(each["id"], each["model"]) for each in chunks} == {("chatcmpl-1", "up/m")}
    else:
        assert {name: answers[1].json["usage"][name] for name in usage()["usage"]} == usage()["usage"]
        assert answers[1].json["object"] == "chat.completion"


async def test_the_extras_of_a_request_are_its_own(upstream: Upstream, start: Start) -> None:
    """Neither the cost nor the explanation is stored; a later request gets those that it asks for."""
    upstream.script("m", whole(completion("Hello")))
    running, explained = start(), {"x-sluice-explain": "1"}
    first = await ask(running, usage={"include": True}, headers=explained)
    plain = await ask(running)
    again = await ask(running, usage={"include": True}, headers=explained)
    as_stream = await ask(
        running,
        stream=True,
        stream_options={"include_usage": True},
        usage={"include": True},
        headers=explained,
    )
    assert first.json["usage"]["cost"] > 0
    assert plain.json == {**completion("Hello"), "model": "up/m"}
    assert again.json["usage"]["cost"] == as_stream.events[-2]["usage"]["cost"] == 0
    assert again.json["sluice"]["cache"] == as_stream.events[-2]["sluice"]["cache"] == "short"
    assert [outcome(each) for each in (first, plain, again, as_stream)] == ["miss", "hit", "hit", "hit"]


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        pytest.param(TTL - 1, "hit", id="before its time to live is over"),
        pytest.param(TTL, "miss", id="once its time to live is over, whatever DynamoDB still has"),
    ],
)
async def test_an_answer_is_used_until_its_time_to_live_is_over(
    upstream: Upstream, start: Start, seconds: int, expected: str
) -> None:
    upstream.script("m", whole(completion()))
    running = start()
    await ask(running)
    await asyncio.sleep(seconds)
    response = await ask(running)
    assert outcome(response) == expected
    assert response.headers.get("x-sluice-cache-age") == (str(seconds) if expected == "hit" else None)


async def test_an_answer_serves_other_instances(upstream: Upstream, start: Start) -> None:
    upstream.script("m", whole(completion()))
    assert [outcome(await ask(start())) for _ in range(2)] == ["miss", "hit"]


@pytest.mark.parametrize(
    ("records", "first", "second", "expected"),
    [
        pytest.param([], {}, {"x-sluice-cache": "read-write"}, None, id="without a record nothing is cached"),
        pytest.param([{**CACHE, "enabled": False}], {}, {}, None, id="a disabled record caches nothing"),
        pytest.param([{**CACHE, "scope": {"key": "k9"}}], {}, {}, None, id="the record is of another key"),
        pytest.param([{**CACHE, "when": {"stream": True}}], {}, {}, None, id="its conditions do not hold"),
        pytest.param([CACHE], {"x-sluice-cache": "off"}, {}, "miss", id="off does not write"),
        pytest.param([CACHE], {}, {"x-sluice-cache": "off"}, None, id="off does not read"),
        pytest.param([CACHE], {"x-sluice-cache": "read-only"}, {}, "miss", id="read-only does not write"),
        pytest.param([CACHE], {}, {"x-sluice-cache": "read-only"}, "hit", id="read-only reads"),
        pytest.param([CACHE], {"x-sluice-cache": "write-only"}, {}, "hit", id="write-only writes"),
        pytest.param([CACHE], {}, {"x-sluice-cache": "write-only"}, None, id="write-only does not read"),
        pytest.param([CACHE], {"op-cache": "writeOnly"}, {"op-cache": "true"}, "hit", id="OpenPipe's header"),
        pytest.param([CACHE], {"op-cache": "readOnly"}, {}, "miss", id="OpenPipe's read-only"),
        pytest.param(
            [CACHE], {"user-agent": "a"}, {"user-agent": "b"}, "hit", id="other headers do not count"
        ),
    ],
)
async def test_records_and_headers_turn_the_cache_on(
    upstream: Upstream,
    start: Start,
    records: list[Any],
    first: dict[str, str],
    second: dict[str, str],
    expected: str | None,
) -> None:
    upstream.script("m", whole(completion()))
    running = start({"kind": "alias", "id": "a", "models": ["up/m"]}, *records)
    await ask(running, headers=first)
    response = await ask(running, headers=second)
    assert outcome(response) == expected
    assert len(upstream.requests) == (1 if expected == "hit" else 2)


async def test_store_false_is_not_stored_and_may_be_served(upstream: Upstream, start: Start) -> None:
    upstream.script("m", whole(completion()))
    running = start()
    unstored: dict[str, Any] = {"store": False}
    outcomes = [outcome(await ask(running, **fields)) for fields in (unstored, {}, unstored)]
    assert outcomes == ["miss", "miss", "hit"]


async def test_no_project_gets_the_answer_of_another(upstream: Upstream, start: Start) -> None:
    upstream.script("m", whole(completion()))
    running = start()
    outcomes = [outcome(await ask(running, key=key)) for key in (KEY, OTHER, MANAGE, NARROW, KEY, OTHER)]
    assert outcomes[:3] == ["miss", "miss", "miss"], "three projects"
    assert outcomes[3] is None, "k1's project, but this key may not use the model"
    assert outcomes[4:] == ["hit", "hit"]


async def test_access_is_checked_before_the_cache(upstream: Upstream, start: Start) -> None:
    upstream.script("m", whole(completion("secret")))
    running = start()
    await ask(running)
    response = await ask(running, key=NARROW)
    assert (response.status, response.error["code"]) == (403, "model_not_allowed")
    assert b"secret" not in response.body


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(whole(status=400), id="an error"),
        pytest.param(whole(completion("")), id="an empty answer"),
        pytest.param(stream(chunk("Hel"), Act.CUT, done=False), id="a stream that breaks off"),
        pytest.param(stream(chunk("Hel"), finish("length"), usage()), id="an answer that was cut off"),
        pytest.param(stream(chunk("No"), finish("content_filter"), usage()), id="a filtered answer"),
        pytest.param(stream(chunk(refusal="No"), finish(), usage()), id="a refusal"),
    ],
)
async def test_only_a_complete_answer_is_cached(upstream: Upstream, start: Start, reply: Reply) -> None:
    upstream.script("m", reply)
    running, form = start(), reply.chunked
    await ask(running, stream=form)
    response = await ask(running, stream=form)
    assert response.headers["x-sluice-cache"] == "miss"
    assert len(upstream.requests) == 2


async def test_the_answer_of_a_fallback_is_not_cached(upstream: Upstream, start: Start) -> None:
    """The next request is to get the model that the rules choose, once it works again."""
    upstream.script("m", whole(status=500), whole(status=500), whole(completion("from m")))
    upstream.script("large", whole(completion("from large")))
    running = start()
    answers = [await ask(running, fallback_models=["up/large"]) for _ in range(3)]
    assert [answer.content for answer in answers] == ["from large", "from m", "from m"]
    assert [outcome(answer) for answer in answers] == ["miss", "miss", "hit"]


async def test_a_client_that_leaves_caches_nothing(upstream: Upstream, start: Start) -> None:
    upstream.script("m", stream(chunk("Hel"), Act.STALL, done=False), streamed("Hello"))
    running, leave = start(), asyncio.Event()
    asyncio.get_running_loop().call_later(1, leave.set)
    await ask(running, stream=True, leave=leave)
    response = await ask(running, stream=True)
    assert (outcome(response), response.content) == ("miss", "Hello")


@pytest.mark.parametrize(
    ("streams", "reply"),
    [
        pytest.param([False] * 4, whole(completion("Hello")), id="whole answers"),
        pytest.param([True] * 4, streamed("Hello"), id="streams"),
        pytest.param([True, False, True], streamed("Hello"), id="a whole answer waits for a stream"),
        pytest.param(
            [False, True, False], whole(completion("Hello")), id="a stream waits for a whole answer"
        ),
    ],
)
async def test_equal_requests_at_once_ask_once(
    upstream: Upstream, start: Start, streams: list[bool], reply: Reply
) -> None:
    upstream.script("m", reply, whole(completion("again")))
    running = start()
    answers = await asyncio.gather(*(running.chat(model="up/m", stream=each) for each in streams))
    assert [outcome(answer) for answer in answers] == ["miss", *["hit"] * (len(streams) - 1)]
    assert [answer.content for answer in answers] == ["Hello"] * len(streams)
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    ("ends", "requests"),
    [
        pytest.param(9.0, 2, id="its client leaves: one of them asks"),
        pytest.param(0.5, 4, id="it breaks off: each asks"),
    ],
)
async def test_requests_that_wait_for_a_stream_that_does_not_end_are_answered(
    upstream: Upstream, start: Start, ends: float, requests: int
) -> None:
    upstream.script("m", stream(chunk("Hel"), ends, Act.RESET, done=False), whole(completion("Hello")))
    running, leave = start(), asyncio.Event()
    asyncio.get_running_loop().call_later(1, leave.set)
    first = asyncio.create_task(running.chat(model="up/m", stream=True, leave=leave))
    await asyncio.sleep(0.1)
    others = await asyncio.gather(*(running.chat(model="up/m") for _ in range(3)))
    await first
    assert [answer.content for answer in others] == ["Hello"] * 3
    assert len(upstream.requests) == requests


async def test_an_invalid_header_is_refused_even_without_a_record(upstream: Upstream, start: Start) -> None:
    running = start(MODELS[0])
    response = await ask(running, headers={"x-sluice-cache": "yes"})
    assert (response.status, response.error["param"]) == (400, "x-sluice-cache")


async def test_store_trouble_is_a_miss_with_one_line(
    upstream: Upstream, start: Start, state: MemoryItems
) -> None:
    upstream.script("m", whole(completion()))
    running = start()
    state.down = StoreError("there is no such table")
    responses = [await ask(running) for _ in range(3)]
    assert [(response.status, outcome(response)) for response in responses] == [(200, "miss")] * 3
    problems = [line["message"] for line in running.lines if line["message"] != "request"]
    assert sorted(problems) == sorted([NOT_READ, NOT_WRITTEN, ACTIVITY_NOT_WRITTEN])


async def test_a_cached_answer_takes_nothing_from_limits(upstream: Upstream, start: Start) -> None:
    upstream.script("m", whole(completion()))
    limit = {"kind": "limit", "id": "two", "requests": 2, "per": "day"}
    budget = {"kind": "budget", "id": "tiny", "usd": 1, "per": "day"}
    running = start(CACHE, limit, budget)
    with dynamodb() as client:
        running.tables.state = InlineItems(client)
        first = [await ask(running) for _ in range(5)]
        other = [await ask(running, seed=seed) for seed in (1, 2)]
        again = await ask(running)
    assert [outcome(each) for each in first] == ["miss", *["hit"] * 4]
    assert [each.status for each in other] == [200, 429]
    assert (again.status, outcome(again)) == (200, "hit"), "although the limit is used up"
    assert len(upstream.requests) == 2


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
TOOL_CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        pytest.param({"output_schema": SCHEMA}, completion('{"a": 1}'), id="structured output"),
        pytest.param(
            {"functions": [{"name": "f"}]},
            completion(
                choices=[
                    {
                        "index": 0,
                        "message": {
                            "role": "assistant",
                            "content": None,
                            "function_call": {"name": "f", "arguments": "{}"},
                        },
                        "finish_reason": "function_call",
                    }
                ]
            ),
            id="a legacy call",
        ),
        pytest.param(
            {"tools": [{"type": "function", "function": {"name": "f"}}]},
            completion(
                choices=[
                    {
                        "index": 0,
                        "message": {"role": "assistant", "content": None, "tool_calls": [TOOL_CALL]},
                        "finish_reason": "tool_calls",
                    }
                ]
            ),
            id="a tool call",
        ),
        pytest.param(
            {"n": 2},
            completion(
                choices=[
                    {
                        "index": index,
                        "message": {"role": "assistant", "content": text},
                        "finish_reason": "stop",
                    }
                    for index, text in enumerate("ab")
                ]
            ),
            id="several choices",
        ),
    ],
)
async def test_every_kind_of_answer_is_the_same_from_the_cache(
    upstream: Upstream, start: Start, fields: dict[str, Any], answer: Any
) -> None:
    upstream.script("m", whole(answer))
    running = start()
    first, second = await ask(running, **fields), await ask(running, **fields)
    assert (first.status, outcome(second)) == (200, "hit")
    assert first.body == second.body
    assert first.headers.get("x-sluice-schema") == second.headers.get("x-sluice-schema")
    streamed_ = await ask(running, stream=True, **fields)
    assert outcome(streamed_) == "hit"
    choices = completion_of(streamed_.body)
    assert choices is not None
    for found, expected in zip(choices["choices"], first.json["choices"], strict=True):
        message = {name: value for name, value in expected["message"].items() if value is not None}
        assert {name: found["message"][name] for name in message} == message
        assert found["finish_reason"] == expected["finish_reason"]
