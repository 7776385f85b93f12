"""Several choices (`n`) from concurrent subcalls, merged into one answer or one stream."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from handler.answers.answer import Answer
from handler.providers.provider import Provider, Quirks
from handler.providers.rows.builtin import PROVIDERS
from handler.relay.call import Call
from handler.relay.response import MAX_ANSWER, MAX_BUFFERED
from handler.upstream.pool import MIN_IDLE
from handler.wire.sse import MAX_EVENT
from tests.handler.providers.wire_cases import (
    CASES,
    comparable,
    completion_of,
    configuration,
    fold,
    read_file,
    stream_bytes,
)
from tests.handler.relay.exchanges import BOTH, read_events
from tests.support.canned_answers import (
    HEAD,
    USAGE,
    Act,
    Piece,
    Reply,
    chunk,
    completion,
    finish,
    role,
    sse,
    stream,
    texts,
    whole,
)
from tests.support.canned_answers import usage as usage_chunk
from tests.support.running_relay import (
    CHAT,
    CHAT_WITH_TOOL,
    PRICE,
    ROWS,
    Json,
    RunningRelay,
    call,
    frames_of,
    run_relay,
)
from tests.support.scripted_transport import Received, Script, ScriptedTransport, receive, reply_with
from tests.support.virtual_clock import clock, run

WITHOUT_N = Quirks(unable=frozenset({"n"}))
# `two` supports `n`.
ROWS_WITHOUT_N = {**ROWS, "one": Provider(name="one", base_url="http://up/v1", quirks=WITHOUT_N)}
DELAYS = list(permutations((0.0, 1.0, 2.5)))


def call_with_n(*models: str, n: int = 3, body: Json | None = None, **options: Any) -> Call:
    chat_call = call(*(models or ("one/a",)), body={**CHAT, "n": n, **(body or {})}, **options)
    return chat_call.replaced(rows=ROWS_WITHOUT_N)


def subcall(number: int, *, streamed: bool, after: float = 0.0, usage: bool = True) -> Script:
    """An answer `<number>-<number>`. It starts `after` so many seconds, and a stream ends as long after."""
    text, id = f"{number}-{number}", f"id-{number}"
    pause: list[Piece] = [after] if after else []
    if not streamed:
        answer = whole(
            {key: value for key, value in completion(text, id=id).items() if usage or key != "usage"}
        )
        return reply_with(Reply(headers=answer.headers, chunked=True, pieces=(*pause, *answer.pieces)))
    events = [role(), chunk(f"{number}-"), chunk(f"{number}"), finish(), *([usage_chunk()] if usage else [])]
    first, *rest = ({**event, "id": id, "created": number} for event in events)
    return reply_with(stream(first, *pause, rest[0], *pause, *rest[1:]))


def subcalls(*after: float, streamed: bool) -> list[Script]:
    return [subcall(number, streamed=streamed, after=each) for number, each in enumerate(after)]


def broken(*pieces: Any) -> Script:
    """A subcall that sends `Hel` and then `pieces`, without an end."""
    return lambda _: stream(role(), chunk("Hel"), *pieces, done=False)


def refusing(status: int, **headers: str) -> Script:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return reply_with(whole({"error": {"message": "No."}}, status=status, headers=names))


def play(scripts: Sequence[Script], *models: str, b: Script | None = None, **options: Any) -> Received:
    transport = ScriptedTransport({"a": scripts, **({"b": [b]} if b else {})})
    return run(receive(transport, call_with_n(*models, n=options.pop("n", len(scripts)), **options)))


def contents(received: Received) -> list[str]:
    """The text of each choice."""
    if received.answer is not None and received.answer.body:
        return [one["message"]["content"] for one in json.loads(received.answer.body)["choices"]]
    by_index: dict[int, str] = {}
    for choice in received.choices:
        by_index[choice["index"]] = by_index.get(choice["index"], "") + (choice["delta"].get("content") or "")
    return [by_index[index] for index in sorted(by_index)]


# Answers.


@BOTH
@pytest.mark.parametrize("after", DELAYS, ids=str)
def test_the_answers_are_merged_in_any_order_of_arrival(after: tuple[float, ...], streamed: bool) -> None:
    received = play(subcalls(*after, streamed=streamed), stream=streamed)
    assert contents(received) == ["0-0", "1-1", "2-2"]
    assert received.classes == ["one/a ok"], "one attempt"
    assert received.answer is not None
    assert received.answer.usage is not None
    assert (received.answer.usage.input, received.answer.usage.output) == (21, 9)
    assert not received.answer.usage.estimated
    assert received.seconds == pytest.approx(5 if streamed else 2.5), "no subcall waits for another"


@pytest.mark.parametrize("after", DELAYS, ids=str)
def test_the_merged_stream_has_the_form_of_a_single_one(after: tuple[float, ...]) -> None:
    received = play(
        subcalls(*after, streamed=True), stream=True, body={"stream_options": {"include_usage": True}}
    )
    *chunks, last = received.chunks
    assert len({(one["id"], one["created"], one["model"]) for one in received.chunks}) == 1
    assert received.events.count("[DONE]") == 1
    assert received.done
    for index in range(3):
        mine = [choice for one in chunks for choice in one["choices"] if choice["index"] == index]
        assert [choice["delta"].get("role") for choice in mine] == ["assistant", None, None, None]
        assert [choice["finish_reason"] for choice in mine] == [None, None, None, "stop"]
    assert last.keys() == {"id", "object", "created", "model", "choices", "usage"}
    assert last["choices"] == []
    assert last["usage"] == {"prompt_tokens": 21, "completion_tokens": 9, "total_tokens": 30}
    assert not any(one.get("usage") for one in chunks)


@pytest.mark.parametrize("after", DELAYS, ids=str)
def test_choices_start_in_order_of_their_index(after: tuple[float, ...]) -> None:
    """OpenAI's library accepts the first chunk of choice 1 only after that of choice 0."""
    scripts = [reply_with(stream(wait, role(), chunk(f"{at}"), finish())) for at, wait in enumerate(after)]
    received = play(scripts, stream=True)
    pieces = [choice for one in received.chunks for choice in one["choices"]]
    assert list(dict.fromkeys(choice["index"] for choice in pieces)) == [0, 1, 2]
    for index in range(3):
        mine = [choice["delta"] for choice in pieces if choice["index"] == index]
        assert [delta["role"] for delta in mine if "role" in delta] == ["assistant"]
        assert "role" in mine[0]
        assert "".join(delta.get("content") or "" for delta in mine) == f"{index}"
    assert received.seconds == pytest.approx(max(after)), "no subcall waits for another"


def test_every_word_is_forwarded_when_it_arrives() -> None:
    """The silence of other subcalls does not delay it."""

    async def timed() -> list[tuple[float, int, str]]:
        transport = ScriptedTransport({"a": subcalls(4.0, 1.0, 2.5, streamed=True)})
        answer, seen = await transport.relay().complete(call_with_n(stream=True)), []
        assert clock() == 1.0, "the first content of any subcall commits"
        async for frame in answer.frames():
            for text in texts([frame]):
                for choice in [] if text == "[DONE]" else json.loads(text)["choices"]:
                    if content := choice["delta"].get("content"):
                        seen.append((clock(), choice["index"], content))
        return seen

    assert run(timed()) == [
        *((1.0, 1, "1-"), (2.0, 1, "1"), (2.5, 2, "2-")),
        *((4.0, 0, "0-"), (5.0, 2, "2"), (8.0, 0, "0")),
    ]


SINGLE = [case for case in CASES if len(completion_of(case)["choices"]) == 1]


def offering(completion: Json, *, legacy: bool) -> Json:
    """The fields of a chat that offers every tool which the completion calls."""
    message = completion["choices"][0]["message"]
    if legacy:
        return {"functions": [{"name": (message.get("function_call") or {}).get("name", "f")}]}
    calls = message.get("tool_calls") or ()
    tools = [{"type": call["type"], call["type"]: {"name": call[call["type"]]["name"]}} for call in calls]
    return {"tools": tools} if tools else {}


@pytest.mark.parametrize("case", SINGLE, ids=lambda case: case.name)
async def test_the_merged_stream_equals_the_merged_answer_in_every_format(
    relay: RunningRelay, case: Path
) -> None:
    dialect, quirks, legacy = configuration(case)
    row = PROVIDERS[read_file(case, "about.json")["provider"]]
    relay.rows["one"] = row.replaced(
        dialect=dialect,
        base_url=relay.upstream.url,
        credential=None,
        auth="none",
        quirks=quirks.replaced(unable=quirks.unable | {"n"}),
    )
    name = "None" if dialect in ("google", "bedrock") else "a"  # their model is in the path
    body = offering(completion_of(case), legacy=legacy)
    relay.upstream.script(name, whole((case / "whole.json").read_bytes()))
    answer = json.loads((await relay.complete(call_with_n(body=body))).body)
    streaming = {"stream_options": {"include_usage": True}}
    relay.upstream.script(name, stream(stream_bytes(case), done=False, cut_every=64))
    events = await read_events(await relay.complete(call_with_n(body={**body, **streaming}, stream=True)))
    assert events.pop() == "[DONE]"
    single, each = comparable(fold(events)), comparable(answer)
    assert len(single["choices"]) == 3
    assert single["choices"] == each["choices"]
    assert (single["usage"], single["model"]) == (each["usage"], each["model"])
    assert len(relay.upstream.requests) == 6
    assert not any("n" in request.json for request in relay.upstream.requests)


def test_a_providers_bytes_change_only_at_the_edits() -> None:
    """White space, order, escapes and the text of numbers stay, in the events of every subcall."""
    text = (
        '{ "choices":[{"index": %s, "delta":{"role":"assistant","content":"\\u00e9"},"x":1.50}],'
        '"model" : "%s","object":"chat.completion.chunk","id":"%s","created":7}'
    )
    scripts = [reply_with(stream(text % (0, "m", f"id-{one}"), finish())) for one in range(2)]

    async def read_texts() -> list[str]:
        answer = await ScriptedTransport({"a": scripts}).relay().complete(call_with_n(n=2, stream=True))
        return texts([frame async for frame in answer.frames()])

    events = run(read_texts())
    assert sorted(events[:2]) == [text % (index, "one/a", "id-0") for index in range(2)]


def test_the_merged_answer_is_the_first_with_the_choices_of_the_others() -> None:
    first = (
        '{ "zeta":1.50, "id":"x","object":"chat.completion","created":7,'
        '"choices":[{"message":{"role":"assistant","content":"\\u00e9"},"index":0}],"model":"m" }'
    )
    second = completion("Hello", id="y", system_fingerprint="f")
    received = play([reply_with(whole(first)), reply_with(whole(second))])
    assert received.answer is not None
    choice = json.dumps({**second["choices"][0], "index": 1}, separators=(",", ":"))
    expected = first.replace("0}]", f'0,"finish_reason":"stop"}},{choice}]').replace('"m"', '"one/a"')
    assert digest(received.answer.body.decode()) == digest(expected), received.answer.body


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_tool_calls_are_numbered_within_their_choice() -> None:
    def calls_tool(id: str) -> Script:
        calls = [{"index": 0, "id": id, "type": "function", "function": {"name": "f", "arguments": ""}}]
        more = [{"index": 0, "function": {"arguments": "{}"}}]
        return reply_with(
            stream(role(), chunk(None, tool_calls=calls), chunk(None, tool_calls=more), finish("tool_calls"))
        )

    received = play([calls_tool("x"), calls_tool("y")], stream=True, body=CHAT_WITH_TOOL)
    choices = fold(received.chunks)["choices"]
    assert [one["message"]["tool_calls"][0]["id"] for one in choices] == ["x", "y"]
    assert [one["finish_reason"] for one in choices] == ["tool_calls"] * 2


# Usage, cost, explanation.


@pytest.mark.parametrize("requested", [False, True], ids=["not requested", "requested"])
@pytest.mark.parametrize("explanation", [None, {"reason": "rule"}], ids=["unexplained", "explained"])
def test_usage_and_explanation_come_once_and_last(requested: bool, explanation: Json | None) -> None:
    received = play(
        subcalls(2.0, 0.0, 1.0, streamed=True),
        stream=True,
        body={"stream_options": {"include_usage": requested}},
        explanation=explanation,
    )
    last = [one for one in received.chunks if one.get("usage") or "sluice" in one]
    assert last == (received.chunks[-1:] if requested or explanation else [])
    assert [one.get("sluice") for one in last] == [explanation] * len(last)
    assert [one.get("usage", {}).get("total_tokens") for one in last] == [30 if requested else None] * len(
        last
    )


@BOTH
def test_the_cost_is_that_of_the_summed_usage(streamed: bool) -> None:
    received = play(subcalls(0.0, 0.0, streamed=streamed), stream=streamed, body={"usage": {"include": True}})
    assert received.answer is not None
    body = received.chunks[-1] if streamed else json.loads(received.answer.body)
    assert body["usage"]["cost"] == (14 * PRICE.input + 6 * PRICE.output) / 1e15
    assert received.answer.cost == (14 * PRICE.input + 6 * PRICE.output) // 10**6


@BOTH
def test_usage_is_omitted_when_a_subcall_has_none(streamed: bool) -> None:
    scripts = [subcall(0, streamed=streamed), subcall(1, streamed=streamed, usage=False)]
    options = {"stream_options": {"include_usage": True}} if streamed else {}
    received = play(scripts, stream=streamed, body=options)
    assert received.answer is not None
    bodies = received.chunks if streamed else [json.loads(received.answer.body)]
    assert not any("usage" in body for body in bodies)
    assert received.answer.usage is not None
    assert received.answer.usage.estimated
    assert (received.answer.usage.input, received.answer.usage.output) == (7 + 5, 3 + 1)


def test_numbers_in_usage_are_summed_and_other_values_are_the_firsts() -> None:
    usages: list[Json] = [
        {**USAGE, "details": {"cached": 1, "kind": "x"}, "queue_time": 0, "tier": None, "nonsense": 10**4000},
        {**USAGE, "details": {"cached": 2, "audio": 3}, "queue_time": 0.5, "tier": "on", "nonsense": 1.5},
    ]
    received = play([reply_with(whole(completion(usage=usage))) for usage in usages])
    assert received.answer is not None
    added = {"prompt_tokens": 14, "completion_tokens": 6, "total_tokens": 20, "queue_time": 0.5}
    rest = {"details": {"cached": 3, "kind": "x", "audio": 3}, "tier": "on", "nonsense": 10**4000}
    assert json.loads(received.answer.body)["usage"] == added | rest


# Requests.


def sent_bodies(n: int, row: str = "one", **options: Any) -> list[Json]:
    transport = ScriptedTransport({"a": [subcall(0, streamed=False)]})
    run(receive(transport, call_with_n(f"{row}/a", n=n, **options)))
    return transport.requests_for("a")


SEEDS = [
    pytest.param(0, [0, 1, 2], id="zero"),
    pytest.param(7, [7, 6, 5], id="a small number"),
    pytest.param(2**63 - 1, [2**63 - 1, 2**63 - 2, 2**63 - 3], id="the largest"),
    pytest.param(-(2**63), [-(2**63), -(2**63) + 1, -(2**63) + 2], id="the smallest"),
    pytest.param(None, [None] * 3, id="null"),
]


@pytest.mark.parametrize(("seed", "seeds"), SEEDS)
def test_each_subcall_has_no_n_and_its_own_seed(seed: int | None, seeds: list[int | None]) -> None:
    bodies = sent_bodies(3, body={"seed": seed})
    assert [body["seed"] for body in bodies] == seeds
    assert all(body == {**CHAT, "model": "a", "seed": body["seed"]} for body in bodies)


@pytest.mark.parametrize(
    ("n", "row", "expected"),
    [
        pytest.param(1, "one", [1], id="an n of one is sent unchanged"),
        pytest.param(8, "one", [None] * 8, id="the largest n"),
        pytest.param(2.0, "one", [None] * 2, id="an integral float"),
        pytest.param(3, "two", [3], id="a provider that supports n"),
    ],
)
def test_the_number_of_subcalls(n: int, row: str, expected: list[int | None]) -> None:
    assert [body.get("n") for body in sent_bodies(n, row)] == expected


def test_a_rule_caps_n() -> None:
    assert len(sent_bodies(8, cap={"n": 2})) == 2
    ended = reply_with(stream(chunk("Hello"), finish(), finish(index=1), Act.STALL))
    transport = ScriptedTransport({"b": [ended]})
    answered = run(receive(transport, call_with_n("two/b", n=8, cap={"n": 2}, stream=True)))
    assert answered.done
    assert answered.seconds == pytest.approx(5), "it ends after two choices"


def test_an_idempotency_key_is_not_sent_with_several_subcalls() -> None:
    async def headers(n: int) -> list[str | None]:
        async with run_relay() as relay:
            relay.rows["one"] = relay.rows["one"].replaced(quirks=WITHOUT_N)
            relay.upstream.script("a", whole(completion()))
            await relay.complete(call_with_n(n=n, headers={"idempotency-key": "k", "openai-beta": "b"}))
            assert {request.header("openai-beta") for request in relay.upstream.requests} == {"b"}
            return [request.header("idempotency-key") for request in relay.upstream.requests]

    assert asyncio.run(headers(1)) == ["k"]
    assert asyncio.run(headers(2)) == [None, None]


# Failures.

SILENT = reply_with(Reply(status=None, pieces=(Act.STALL,)))
EARLY = [
    pytest.param(refusing(429), "rate_limit", id="a rate limit"),
    pytest.param(refusing(401), "auth", id="a refused credential"),
    pytest.param(refusing(503), "overloaded", id="overload"),
    pytest.param(reply_with(Reply(status=None, pieces=(Act.RESET,))), "network", id="a reset"),
    pytest.param(reply_with(whole("<html>")), "protocol", id="an HTML page"),
    pytest.param(SILENT, "timeout_first_token", id="silence"),
]


@BOTH
@pytest.mark.parametrize("at", range(3))
@pytest.mark.parametrize(("failing", "failure_class"), EARLY)
def test_a_failure_before_any_content_fails_the_attempt(
    failing: Script, failure_class: str, at: int, streamed: bool
) -> None:
    scripts: list[Script] = [subcall(one, streamed=streamed, after=9.0) for one in range(2)]
    scripts.insert(at, failing)
    other = subcall(7, streamed=streamed)
    received = play(
        scripts, "one/a", "two/b", b=other, stream=streamed, retries=0, timeouts={"first_token": 4.0}
    )
    assert received.classes == [f"one/a {failure_class}", "two/b ok"]
    assert contents(received) == ["7-7"]
    assert received.seconds == pytest.approx(4 if failing is SILENT else 0), "the others are not waited for"


@BOTH
def test_the_final_error_is_that_of_the_failed_subcall(streamed: bool) -> None:
    scripts = [subcall(0, streamed=streamed, after=9.0), refusing(429, retry_after="40")]
    received = play(scripts, stream=streamed)
    assert received.error is not None
    assert (received.error.status, received.error.retry_after) == (429, 40)
    refused = play(
        [subcall(0, streamed=streamed, after=9.0), refusing(400)], "one/a", "two/b", stream=streamed
    )
    assert refused.error is not None
    assert (refused.error.status, refused.error.message) == (400, "one/a: No.")


@BOTH
def test_a_retry_repeats_all_subcalls(streamed: bool) -> None:
    scripts = [subcall(0, streamed=streamed, after=9.0), refusing(500), *subcalls(0, 0, streamed=streamed)]
    received = play(scripts, n=2, stream=streamed, retries=1)
    assert received.classes == ["one/a server", "one/a ok"]
    assert contents(received) == ["0-0", "1-1"]


def test_the_usage_of_finished_subcalls_is_counted_when_another_fails() -> None:
    late = reply_with(Reply(status=500, chunked=True, pieces=(3.0, b"{}")))
    scripts = [subcall(0, streamed=False), late, subcall(2, streamed=False, after=9.0)]
    received = play(scripts, "one/a", "two/b", b=subcall(7, streamed=False), retries=0)
    assert received.answer is not None
    wasted = [(candidate.id, usage.input) for candidate, usage in received.answer.wasted]
    assert sorted(wasted) == [("one/a", 5), ("one/a", 7)], "the third was cancelled, the second is an error"
    assert received.answer.usage is not None
    assert received.answer.usage.input == 19
    assert received.answer.cost == (19 * PRICE.input + 6 * PRICE.output) // 10**6


LATE: list[Any] = [
    pytest.param([Act.CUT], "network", id="cut"),
    pytest.param([Act.STALL], "timeout_idle", id="silence"),
    pytest.param(["{not", "{json}"], "protocol", id="invalid JSON"),
    pytest.param([{"error": {"message": "No.", "code": 429}}], "rate_limit", id="a rate limit as an event"),
    pytest.param([], "network", id="end of stream"),
]


@pytest.mark.parametrize("recovery", ["error", "resume"])
@pytest.mark.parametrize(("ending", "failure_class"), LATE)
def test_a_failure_after_content_ends_the_stream_with_an_error(
    ending: list[Any], failure_class: str, recovery: str
) -> None:
    """`resume` needs one text: a candidate cannot continue several choices."""
    scripts = [
        subcall(0, streamed=True, after=1.0),
        broken(3.0, *ending),
        subcall(2, streamed=True, after=90.0),
    ]
    limits = {"idle": 20.0, "first_token": 100.0}
    other = subcall(7, streamed=True)
    received = play(scripts, "one/a", "two/b", b=other, stream=True, recovery=recovery, timeouts=limits)
    assert contents(replace(received, events=received.events[:-1])) == ["0-0", "Hel", ""]
    assert "[DONE]" not in received.events
    assert received.failure["metadata"]["class"] == failure_class
    assert received.classes == [f"one/a {failure_class}"]
    assert received.seconds == pytest.approx(20 if failure_class == "timeout_idle" else 3)
    assert received.answer is not None
    assert received.answer.failure
    assert received.answer.usage is not None
    assert received.answer.usage.estimated
    assert received.answer.usage.input == 7 + 5 + 5, "the last had sent nothing, but was at work"


def test_content_that_comes_with_a_failure_is_sent_before_it() -> None:
    """The last word of a subcall and its error come in one read."""
    error = sse({"error": {"message": "No.", "code": 500}})
    scripts = [subcall(0, streamed=True, after=9.0), broken(3.0, sse(chunk("lo")) + error)]
    received = play(scripts, stream=True)
    assert contents(replace(received, events=received.events[:-1])) == ["", "Hello"]
    assert received.failure["metadata"]["class"] == "server"


def test_subcalls_share_the_size_limit_of_an_answer() -> None:
    long = reply_with(whole(json.dumps(completion("x" * (MAX_ANSWER // 2)))))
    assert play([long], n=1).classes == ["one/a ok"]
    error = play([long], n=2).error
    assert error is not None
    assert "too large" in str(error.__cause__)


def test_subcalls_share_the_size_limit_of_an_event() -> None:
    long = reply_with(stream(chunk("x" * (MAX_EVENT // 2)), finish()))
    assert play([long], n=1, stream=True).classes == ["one/a ok"]
    error = play([long], n=2, stream=True).error
    assert error is not None
    assert "too large" in str(error.__cause__)


LATE_LIMIT = reply_with(Reply(status=429, chunked=True, pieces=(3.0, b"{}")))


@pytest.mark.parametrize(
    ("failing", "failure_class"),
    [(LATE_LIMIT, "rate_limit"), (SILENT, "timeout_first_token")],
    ids=["429", "silence"],
)
def test_a_subcall_that_never_starts_ends_a_stream_that_has_started(
    failing: Script, failure_class: str
) -> None:
    received = play([subcall(0, streamed=True), failing], stream=True, timeouts={"first_token": 5.0})
    assert "[DONE]" not in received.events
    assert received.classes == [f"one/a {failure_class}"]
    assert contents(replace(received, events=received.events[:-1])) == ["0-0"]


@pytest.mark.parametrize("n", [2, 5])
def test_a_buffered_stream_waits_for_all_subcalls(n: int) -> None:
    scripts = [*subcalls(*(1.0,) * (n - 1), streamed=True), broken(3.0, Act.CUT)]
    received = play(
        scripts, "one/a", "two/b", b=subcall(7, streamed=True), stream=True, recovery="buffer", retries=0
    )
    assert received.classes == ["one/a network", "two/b ok"]
    assert contents(received) == ["7-7"]
    assert received.answer is not None
    assert [(candidate.id, usage.input) for candidate, usage in received.answer.wasted] == [
        ("one/a", 7 * (n - 1) + 5)
    ]


def test_a_buffered_stream_starts_when_the_buffer_is_full() -> None:
    large = "x" * (MAX_BUFFERED // 4)

    async def committed() -> tuple[float, list[str]]:
        wordy = reply_with(stream(role(), *(chunk(large) for _ in range(3)), 5.0, finish()))
        answer = (
            await ScriptedTransport({"a": [wordy]})
            .relay()
            .complete(call_with_n(n=2, stream=True, recovery="buffer"))
        )
        at = clock()
        return at, texts([frame async for frame in answer.frames()])

    at, events = run(committed())
    assert at == 0
    assert events[-1] == "[DONE]"


# Cancellation.


@BOTH
@pytest.mark.parametrize("at", [0.5, 1.5, 3.0], ids=["before any content", "after the first", "after two"])
def test_cancelling_a_call_cancels_all_subcalls(at: float, streamed: bool) -> None:
    transport = ScriptedTransport({"a": subcalls(1.0, 2.0, 90.0, streamed=streamed)})

    async def cancel_call() -> Answer | None:
        answer = None

        async def reads() -> None:
            nonlocal answer
            answer = await transport.relay().complete(call_with_n(stream=streamed))
            await frames_of(answer)

        task = asyncio.create_task(reads())
        await asyncio.sleep(at)
        assert transport.open == (3 if streamed else 3 - min(int(at), 2))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(asyncio.all_tasks()) == 1, "no task is left behind"
        return answer

    answer = run(cancel_call())
    assert transport.open == 0
    if answer is not None:
        assert [attempt.failure_class for attempt in answer.attempts] == ["cancelled"]
        assert answer.usage is not None
        assert answer.usage.input >= 5


def test_closing_an_unread_answer_closes_all_subcalls() -> None:
    transport = ScriptedTransport({"a": subcalls(1.0, 2.0, 90.0, streamed=True)})

    async def close_answer() -> None:
        answer = await transport.relay().complete(call_with_n(stream=True))
        await answer.aclose()
        await answer.aclose()
        assert len(asyncio.all_tasks()) == 1

    run(close_answer())
    assert transport.open == 0


@BOTH
def test_the_loser_of_a_hedge_cancels_all_its_subcalls(streamed: bool) -> None:
    received = play(
        subcalls(90.0, 90.0, 90.0, streamed=streamed),
        *("one/a", "two/b"),
        b=subcall(7, streamed=streamed),
        stream=streamed,
        hedge_after=2.0,
    )
    assert received.classes == ["one/a cancelled", "two/b ok"]
    assert received.seconds == pytest.approx(2)


async def test_connections_are_reused(relay: RunningRelay) -> None:
    relay.rows["one"] = relay.rows["one"].replaced(quirks=WITHOUT_N)
    for _ in range(3):
        relay.upstream.script("a", stream(role(), chunk("Hello"), finish(), usage_chunk()))
        assert (await read_events(await relay.complete(call_with_n(stream=True))))[-1] == "[DONE]"
        await asyncio.sleep(2 * MIN_IDLE)
    assert relay.upstream.connections == 3


async def test_a_credential_in_the_failure_of_a_subcall_is_redacted(relay: RunningRelay) -> None:
    relay.rows["one"] = relay.rows["one"].replaced(quirks=WITHOUT_N, credential="ONE_KEY")
    relay.credentials["ONE_KEY"] = "canary value"
    refusal = {"error": {"message": "Not with canary value.", "code": "content_filter"}}
    relay.upstream.script("a", stream(chunk("Hello"), 0.05, refusal))
    events = await read_events(await relay.complete(call_with_n(stream=True)))
    assert events[-1]["error"]["message"] == "one/a: Not with [redacted]."
    assert HEAD["id"] == events[0]["id"]
