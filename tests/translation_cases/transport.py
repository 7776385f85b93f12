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
from tests.support.relaying import Relaying, call, frames_of, relaying
from tests.translation_cases.case_types import Case, Fails, Heard, Holds, Run
from tests.translation_cases.vocabulary import (
    CONTENT,
    FINISH,
    Json,
    chunk,
    completion,
    converse_events,
    generated,
    message_events,
    says,
    words,
)

NUMBERS = range(128, 145)

LETTERS = "Zürich 日本 😀"
ODD_LINES = "a\u2028b\u2029c\u0085d\x0be\x0cf"
EVENT_STREAM = {"content-type": "application/vnd.amazon.eventstream"}
HI, END = chunk(content="Hi"), chunk("stop")


def event(data: Json | str, *, data_field: str = "data: ", end: str = "\n\n") -> bytes:
    said = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return f"{data_field}{said}{end}".encode()


def written(*events: Json | str, **how: str) -> bytes:
    return b"".join(event(one, **how) for one in events)


def relays(story: Callable[[Relaying], Coroutine[Any, Any, None]]) -> Run:
    """Runs a story of one relay and the provider behind it."""

    async def told() -> None:
        async with relaying() as relay:
            await story(relay)

    return lambda: asyncio.run(told())


async def blanks_before_a_body(relay: Relaying) -> None:
    relay.upstream.script("a", whole(b"\n\n\n" + json.dumps(completion({"content": "Hi"})).encode()))
    answer = await relay(call("one/a"))
    assert json.loads(answer.body)["choices"][0]["message"]["content"] == "Hi"


async def a_failure_before_content_has_its_status(relay: Relaying) -> None:
    role = chunk(role="assistant", content="")
    relay.upstream.script("a", stream(role, {"error": {"code": 429, "message": "slow"}}))
    relay.upstream.script("b", stream(HI, END))
    answer = await relay(call("one/a", "two/b", stream=True))
    frames = b"".join(await frames_of(answer))
    assert answer.candidate.id == "two/b"
    assert b"error" not in frames


def converse(relay: Relaying, *events: Json) -> None:
    """Has provider `one` speak Converse, in AWS's framing. A request of that has no model's name."""
    relay.rows["one"] = Provider(name="one", base_url=relay.upstream.url, dialect="bedrock")
    relay.upstream.script("None", whole(frames(events), headers=EVENT_STREAM))


async def converse_fails_before_content(relay: Relaying) -> None:
    converse(relay, {"messageStart": {"role": "assistant"}}, {"throttlingException": {"message": "slow"}})
    relay.upstream.script("b", stream(HI, END))
    answer = await relay(call("one/a", "two/b", stream=True))
    assert answer.candidate.id == "two/b"
    assert [attempt.failure_class for attempt in answer.attempts] == ["rate_limit", "ok"]


async def converse_fails_behind_content(relay: Relaying) -> None:
    said = converse_events([words("Hi")])[:2]
    converse(relay, *said, {"modelStreamErrorException": {"message": "down"}})
    sent = await frames_of(await relay(call("one/a", "two/b", stream=True)))
    assert json.loads(sent[-1].removeprefix(b"data: "))["error"]["code"] == "upstream_error"
    assert b"[DONE]" not in b"".join(sent)


async def a_failure_behind_content_is_told(relay: Relaying) -> None:
    relay.upstream.script("a", stream(HI, {"error": {"code": 502, "message": "down"}}, END))
    frames = await frames_of(await relay(call("one/a", stream=True)))
    told = json.loads(frames[-1].removeprefix(b"data: "))
    assert told["error"].keys() >= {"message", "type", "param", "code"}
    assert b'finish_reason": "stop' not in b"".join(frames)
    assert b"[DONE]" not in b"".join(frames)


async def fails_with(relay: Relaying, reply: Reply, failure_class: str, *, streamed: bool) -> None:
    relay.upstream.script("a", reply)
    with pytest.raises(UpstreamError) as raised:
        await relay(call("one/a", stream=streamed))
    assert raised.value.metadata["attempts"][-1]["class"] == failure_class


def answers_otherwise(reply: Reply, failure_class: str, *, streamed: bool) -> Run:
    return relays(lambda relay: fails_with(relay, reply, failure_class, streamed=streamed))


async def nothing_is_packed(relay: Relaying) -> None:
    relay.upstream.script("a", whole(completion({"content": "Hi"}), headers={"set-cookie": "a=b"}))
    await relay(call("one/a"))
    assert relay.upstream.requests[0].header("accept-encoding") == "identity"


def an_event_is_one_line() -> None:
    sent = sse.encode(json.dumps({"a": f"x\ny{ODD_LINES}"}, ensure_ascii=False))
    assert sent.startswith(b"data: {")
    assert sent.endswith(b"}\n\n")
    assert sent.count(b"\n") == 2


def halves(target_dialect: str) -> Run:
    """Half a surrogate pair in a text, as a model's cut off escapes leave it in a history."""
    text = '{"messages":[{"role":"user","content":"a\\ud83d b"}],"model":"m"}'

    async def story(relay: Relaying) -> None:
        relay.rows["one"] = Provider(name="one", base_url=relay.upstream.url, dialect=target_dialect)
        relay.upstream.script("m", whole(status=500))
        relay.upstream.script("", whole(status=500))
        with pytest.raises(UpstreamError):
            await relay(call(Model(provider="one", name="m"), body=text, retries=0))
        body = relay.upstream.requests[0].body.decode()
        loads(body.encode())
        if target_dialect == "openai":
            assert "a\\ud83d b" in body
        else:
            assert "a\ufffd b" in body
            assert "\\ud83d" not in body

    return relays(story)


CASES: list[Case] = [
    *(
        Heard(
            128,
            "a letter that is cut in its bytes stays whole",
            target,
            {CONTENT: LETTERS},
            events=events,
        )
        for target, events in (
            ("openai", written(chunk(content=LETTERS), END)),
            ("anthropic", written(*message_events(says(LETTERS)))),
            ("gemini", written(generated({"text": LETTERS}))),
            ("bedrock", converse_events([words(LETTERS)])),
        )
    ),
    *(
        Heard(
            129,
            f"lines end at {how} and at nothing else",
            "openai",
            {CONTENT: ODD_LINES},
            events=written(chunk(content=ODD_LINES), END, end=end),
        )
        for how, end in (("LF", "\n\n"), ("CRLF", "\r\n\r\n"), ("CR", "\r\r"))
    ),
    Heard(
        130,
        "the blank behind data: may be missing",
        "moonshot",
        {CONTENT: "Hi", FINISH: "stop"},
        events=written(HI, END, "[DONE]", data_field="data:"),
    ),
    Heard(
        131,
        "an event of several lines is one",
        "openai",
        {CONTENT: "Hi", FINISH: "stop"},
        events=written(
            json.dumps(HI, indent=1).replace("\n", "\ndata: "),
            json.dumps(END, indent=1).replace("\n", "\ndata: "),
        ),
    ),
    Heard(
        132,
        "comments and other fields say nothing, nor does a byte order mark",
        "openrouter",
        {CONTENT: "Hi", FINISH: "stop"},
        events=b"\xef\xbb\xbf: OPENROUTER PROCESSING\n\nevent: x\nid: 7\nretry: 3\n"
        + written(HI)
        + b": keep-alive\n\n"
        + written(END),
    ),
    Holds(133, "blank lines before a body are part of nothing", relays(blanks_before_a_body)),
    Heard(
        134,
        "the last event counts without its blank line",
        "openai",
        {CONTENT: "Hi", FINISH: "stop"},
        events=written(HI) + event(END, end=""),
    ),
    Fails(
        134,
        "an error that is left at the end is one, and no answer that was cut off",
        "gemini",
        "overloaded",
        events=event({"error": {"code": 503, "message": "x", "status": "UNAVAILABLE"}}, end=""),
    ),
    *(
        Fails(
            134,
            f"{name} in a stream is {failure_class}, whatever was said before",
            "bedrock",
            failure_class,
            events=[*converse_events([words("Hi")])[:-2], {name: {"message": "x"}}],
        )
        for name, failure_class in (
            ("throttlingException", "rate_limit"),
            ("serviceUnavailableException", "overloaded"),
            ("modelStreamErrorException", "server"),
            ("internalServerException", "server"),
            ("validationException", "invalid_request"),
        )
    ),
    Heard(135, "an end without [DONE] is an end", "openai", {FINISH: "stop"}, events=[HI, END]),
    Heard(135, "[DONE] without a reason is an end", "openai", {FINISH: "stop"}, events=[HI, "[DONE]"]),
    *(
        Fails(135, "with neither it broke off", target, "network", events=events)
        for target, events in (
            ("openai", [HI]),
            ("anthropic", message_events(says("Hi"))[:-2]),
            ("gemini", [generated({"text": "Hi"}, finish=None)]),
            ("bedrock", converse_events([words("Hi")])[:-2]),
        )
    ),
    Heard(
        135,
        "an end without usage is one",
        "bedrock",
        {FINISH: "stop", CONTENT: "Hi"},
        events=converse_events([words("Hi")])[:-1],
    ),
    Fails(
        135,
        "a frame that is cut off ends no answer",
        "bedrock",
        "network",
        events=frames(converse_events([words("Hi")])[:-1])[:-1],
    ),
    Fails(
        135,
        "a frame that is damaged does not, either",
        "bedrock",
        "protocol",
        events=frames(converse_events([words("Hi")]))[:-1] + b"\0",
    ),
    Holds(
        136,
        "until the first content a stream fails over",
        relays(a_failure_before_content_has_its_status),
    ),
    Holds(136, "so does one of Converse's", relays(converse_fails_before_content)),
    Holds(137, "behind it the stream ends in an error", relays(a_failure_behind_content_is_told)),
    Holds(137, "and one of Converse's does", relays(converse_fails_behind_content)),
    Holds(
        138,
        "an answer that is not streamed is one that cannot be read",
        answers_otherwise(whole(completion({"content": "Hi"})), "protocol", streamed=True),
    ),
    Holds(
        138,
        "but an error that is not streamed is its own",
        answers_otherwise(whole({"error": {"code": 429, "message": "slow"}}), "rate_limit", streamed=True),
    ),
    Holds(
        138,
        "a stream that nobody asked for is one that cannot be read",
        answers_otherwise(stream(HI, END), "protocol", streamed=False),
    ),
    Holds(139, "a provider is asked not to pack its answer", relays(nothing_is_packed)),
    Holds(
        139,
        "one that does it all the same is passed over",
        answers_otherwise(
            whole(b"\x1f\x8b", headers={"content-encoding": "gzip"}), "protocol", streamed=False
        ),
    ),
    Holds(143, "an event is one line of JSON and a blank one, without an id", an_event_is_one_line),
    *(
        Holds(144, f"half a letter {how}", halves(dialect))
        for dialect, how in (
            ("openai", "goes on as it came in the client's own format"),
            ("anthropic", "is replaced for Claude"),
            ("google", "is replaced for Gemini"),
            ("bedrock", "is replaced for Converse"),
        )
    ),
]
