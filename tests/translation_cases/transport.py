"""128 to 144: bytes, events and connections."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from handler.errors import UpstreamError
from handler.providers.provider import Provider
from handler.wire import sse
from handler.wire.strict_json import loads
from rules import Model
from tests.support.canned_answers import Reply, stream, whole
from tests.support.event_stream import frames
from tests.support.running_relay import RunningRelay, call, frames_of, run_relay
from tests.translation_cases.case_types import AnswerCase, Case, CheckCase, FailureCase, Run
from tests.translation_cases.vocabulary import (
    CONTENT,
    FINISH,
    Json,
    chunk,
    claude_events,
    claude_text,
    completion,
    converse_events,
    converse_text,
    gemini_answer,
)

NUMBERS = range(128, 145)

LETTERS = "Zürich 日本 😀"
ODD_LINES = "a\u2028b\u2029c\u0085d\x0be\x0cf"
EVENT_STREAM = {"content-type": "application/vnd.amazon.eventstream"}
HI, END = chunk(content="Hi"), chunk("stop")


def encode_event(data: Json | str, *, data_field: str = "data: ", end: str = "\n\n") -> bytes:
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return f"{data_field}{text}{end}".encode()


def encode_events(*events: Json | str, **how: str) -> bytes:
    return b"".join(encode_event(one, **how) for one in events)


def with_relay(check: Callable[[RunningRelay], Coroutine[Any, Any, None]]) -> Run:
    """Runs a check with a relay and the provider behind it."""

    async def run() -> None:
        async with run_relay() as relay:
            await check(relay)

    return lambda: asyncio.run(run())


async def check_leading_blank_lines(relay: RunningRelay) -> None:
    relay.upstream.script("a", whole(b"\n\n\n" + json.dumps(completion({"content": "Hi"})).encode()))
    answer = await relay.complete(call("one/a"))
    assert json.loads(answer.body)["choices"][0]["message"]["content"] == "Hi"


async def check_failure_before_content(relay: RunningRelay) -> None:
    role = chunk(role="assistant", content="")
    relay.upstream.script("a", stream(role, {"error": {"code": 429, "message": "slow"}}))
    relay.upstream.script("b", stream(HI, END))
    answer = await relay.complete(call("one/a", "two/b", stream=True))
    frames = b"".join(await frames_of(answer))
    assert answer.candidate.id == "two/b"
    assert b"error" not in frames


def script_converse(relay: RunningRelay, *events: Json) -> None:
    """Makes provider `one` answer in Converse. Its requests name no model in their body."""
    relay.rows["one"] = Provider(name="one", base_url=relay.upstream.url, dialect="bedrock")
    relay.upstream.script("None", whole(frames(events), headers=EVENT_STREAM))


async def check_converse_before_content(relay: RunningRelay) -> None:
    script_converse(
        relay, {"messageStart": {"role": "assistant"}}, {"throttlingException": {"message": "slow"}}
    )
    relay.upstream.script("b", stream(HI, END))
    answer = await relay.complete(call("one/a", "two/b", stream=True))
    assert answer.candidate.id == "two/b"
    assert [attempt.failure_class for attempt in answer.attempts] == ["rate_limit", "ok"]


async def check_converse_after_content(relay: RunningRelay) -> None:
    events = converse_events([converse_text("Hi")])[:2]
    script_converse(relay, *events, {"modelStreamErrorException": {"message": "down"}})
    sent = await frames_of(await relay.complete(call("one/a", "two/b", stream=True)))
    assert json.loads(sent[-1].removeprefix(b"data: "))["error"]["code"] == "upstream_error"
    assert b"[DONE]" not in b"".join(sent)


async def check_failure_after_content(relay: RunningRelay) -> None:
    relay.upstream.script("a", stream(HI, {"error": {"code": 502, "message": "down"}}, END))
    frames = await frames_of(await relay.complete(call("one/a", stream=True)))
    event = json.loads(frames[-1].removeprefix(b"data: "))
    assert event["error"].keys() >= {"message", "type", "param", "code"}
    assert b'finish_reason": "stop' not in b"".join(frames)
    assert b"[DONE]" not in b"".join(frames)


async def check_failure(relay: RunningRelay, reply: Reply, failure_class: str, *, streamed: bool) -> None:
    relay.upstream.script("a", reply)
    with pytest.raises(UpstreamError) as raised:
        await relay.complete(call("one/a", stream=streamed))
    assert raised.value.metadata["attempts"][-1]["class"] == failure_class


def answer_fails(reply: Reply, failure_class: str, *, streamed: bool) -> Run:
    return with_relay(lambda relay: check_failure(relay, reply, failure_class, streamed=streamed))


async def check_no_compression(relay: RunningRelay) -> None:
    relay.upstream.script("a", whole(completion({"content": "Hi"}), headers={"set-cookie": "a=b"}))
    await relay.complete(call("one/a"))
    assert relay.upstream.requests[0].header("accept-encoding") == "identity"


def check_event_framing() -> None:
    sent = sse.encode(json.dumps({"a": f"x\ny{ODD_LINES}"}, ensure_ascii=False))
    assert sent.startswith(b"data: {")
    assert sent.endswith(b"}\n\n")
    assert sent.count(b"\n") == 2


def check_lone_surrogate(target_dialect: str) -> Run:
    """Checks half a surrogate pair in a text, which a model's cut-off escapes can leave in a history."""
    text = '{"messages":[{"role":"user","content":"a\\ud83d b"}],"model":"m"}'

    async def check(relay: RunningRelay) -> None:
        relay.rows["one"] = Provider(name="one", base_url=relay.upstream.url, dialect=target_dialect)
        relay.upstream.script("m", whole(status=500))
        relay.upstream.script("", whole(status=500))
        with pytest.raises(UpstreamError):
            await relay.complete(call(Model(provider="one", name="m"), body=text, retries=0))
        body = relay.upstream.requests[0].body.decode()
        loads(body.encode())
        if target_dialect == "openai":
            assert "a\\ud83d b" in body
        else:
            assert "a\ufffd b" in body
            assert "\\ud83d" not in body

    return with_relay(check)


CASES: list[Case] = [
    *(
        AnswerCase(
            128,
            "a character that is cut between its bytes stays whole",
            target,
            {CONTENT: LETTERS},
            events=events,
        )
        for target, events in (
            ("openai", encode_events(chunk(content=LETTERS), END)),
            ("anthropic", encode_events(*claude_events(claude_text(LETTERS)))),
            ("gemini", encode_events(gemini_answer({"text": LETTERS}))),
            ("bedrock", converse_events([converse_text(LETTERS)])),
        )
    ),
    *(
        AnswerCase(
            129,
            f"lines end at {how} only",
            "openai",
            {CONTENT: ODD_LINES},
            events=encode_events(chunk(content=ODD_LINES), END, end=end),
        )
        for how, end in (("LF", "\n\n"), ("CRLF", "\r\n\r\n"), ("CR", "\r\r"))
    ),
    AnswerCase(
        130,
        "the space after data: is optional",
        "moonshot",
        {CONTENT: "Hi", FINISH: "stop"},
        events=encode_events(HI, END, "[DONE]", data_field="data:"),
    ),
    AnswerCase(
        131,
        "an event may have several data lines",
        "openai",
        {CONTENT: "Hi", FINISH: "stop"},
        events=encode_events(
            json.dumps(HI, indent=1).replace("\n", "\ndata: "),
            json.dumps(END, indent=1).replace("\n", "\ndata: "),
        ),
    ),
    AnswerCase(
        132,
        "comments, other fields and a byte order mark are ignored",
        "openrouter",
        {CONTENT: "Hi", FINISH: "stop"},
        events=b"\xef\xbb\xbf: OPENROUTER PROCESSING\n\nevent: x\nid: 7\nretry: 3\n"
        + encode_events(HI)
        + b": keep-alive\n\n"
        + encode_events(END),
    ),
    CheckCase(133, "blank lines before a body are ignored", with_relay(check_leading_blank_lines)),
    AnswerCase(
        134,
        "the last event needs no blank line",
        "openai",
        {CONTENT: "Hi", FINISH: "stop"},
        events=encode_events(HI) + encode_event(END, end=""),
    ),
    FailureCase(
        134,
        "an error without a final blank line is an error",
        "gemini",
        "overloaded",
        events=encode_event({"error": {"code": 503, "message": "x", "status": "UNAVAILABLE"}}, end=""),
    ),
    *(
        FailureCase(
            134,
            f"{name} in a stream is {failure_class}",
            "bedrock",
            failure_class,
            events=[*converse_events([converse_text("Hi")])[:-2], {name: {"message": "x"}}],
        )
        for name, failure_class in (
            ("throttlingException", "rate_limit"),
            ("serviceUnavailableException", "overloaded"),
            ("modelStreamErrorException", "server"),
            ("internalServerException", "server"),
            ("validationException", "invalid_request"),
        )
    ),
    AnswerCase(
        135, "a stream with a finish reason may lack [DONE]", "openai", {FINISH: "stop"}, events=[HI, END]
    ),
    AnswerCase(
        135,
        "a stream with [DONE] may lack a finish reason",
        "openai",
        {FINISH: "stop"},
        events=[HI, "[DONE]"],
    ),
    *(
        FailureCase(135, "a stream with neither has broken off", target, "network", events=events)
        for target, events in (
            ("openai", [HI]),
            ("anthropic", claude_events(claude_text("Hi"))[:-2]),
            ("gemini", [gemini_answer({"text": "Hi"}, finish=None)]),
            ("bedrock", converse_events([converse_text("Hi")])[:-2]),
        )
    ),
    AnswerCase(
        135,
        "a stream of Converse may lack usage",
        "bedrock",
        {FINISH: "stop", CONTENT: "Hi"},
        events=converse_events([converse_text("Hi")])[:-1],
    ),
    FailureCase(
        135,
        "a stream that ends inside a frame has broken off",
        "bedrock",
        "network",
        events=frames(converse_events([converse_text("Hi")])[:-1])[:-1],
    ),
    FailureCase(
        135,
        "a stream with a damaged frame has failed",
        "bedrock",
        "protocol",
        events=frames(converse_events([converse_text("Hi")]))[:-1] + b"\0",
    ),
    CheckCase(136, "a stream fails over until its first content", with_relay(check_failure_before_content)),
    CheckCase(
        136,
        "a stream of Converse fails over until its first content",
        with_relay(check_converse_before_content),
    ),
    CheckCase(
        137,
        "a stream that fails after its first content ends with an error",
        with_relay(check_failure_after_content),
    ),
    CheckCase(
        137,
        "a stream of Converse that fails after its first content ends with an error",
        with_relay(check_converse_after_content),
    ),
    CheckCase(
        138,
        "a whole answer to a streaming request is a protocol failure",
        answer_fails(whole(completion({"content": "Hi"})), "protocol", streamed=True),
    ),
    CheckCase(
        138,
        "a whole error of a streaming request keeps its class",
        answer_fails(whole({"error": {"code": 429, "message": "slow"}}), "rate_limit", streamed=True),
    ),
    CheckCase(
        138,
        "an unrequested stream is a protocol failure",
        answer_fails(stream(HI, END), "protocol", streamed=False),
    ),
    CheckCase(139, "the request forbids compression", with_relay(check_no_compression)),
    CheckCase(
        139,
        "a compressed answer is a protocol failure",
        answer_fails(whole(b"\x1f\x8b", headers={"content-encoding": "gzip"}), "protocol", streamed=False),
    ),
    CheckCase(143, "an event is a line of JSON and a blank line, without an id", check_event_framing),
    *(
        CheckCase(144, f"a lone surrogate {how}", check_lone_surrogate(dialect))
        for dialect, how in (
            ("openai", "is passed on in the client's own format"),
            ("anthropic", "is replaced for Claude"),
            ("google", "is replaced for Gemini"),
            ("bedrock", "is replaced for Converse"),
        )
    ),
]
