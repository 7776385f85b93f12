"""Tests of handler/answers/resume.py: another candidate continues a broken stream, or it ends in an error."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from handler.answers.resume import MAX_SENT, Continuation, Sent, SentText
from handler.errors import Json
from tests.support.broken_streams import BREAKS, HALF, OTHER, TEXT, TOOL, receive_stream
from tests.support.canned_answers import HEAD, Act, chunk, finish, role, stream, whole
from tests.support.running_relay import CHAT, CHAT_WITH_TOOL, call, model
from tests.support.scripted_transport import (
    Script,
    ScriptedTransport,
    answer_with,
    break_after,
    prefilled,
    receive,
    reply_with,
)
from tests.support.virtual_clock import run

PREFILL_MODEL = model("two/b", can=["prefill"])
PREFILL_OR_RESTART = pytest.mark.parametrize(
    "prefill", [True, False], ids=["from a prefill", "from the start"]
)


@PREFILL_OR_RESTART
@pytest.mark.parametrize(("ending", "failure_class"), BREAKS)
def test_the_next_candidate_continues_a_broken_stream(
    ending: list[Any], failure_class: str, prefill: bool
) -> None:
    received, transport = receive_stream(
        [break_after(HALF, *ending)],
        [answer_with(TEXT, id="chatcmpl-2")],
        models=("one/a", PREFILL_MODEL if prefill else "two/b"),
    )
    assert received.text == TEXT
    assert received.done
    assert received.classes == [f"one/a {failure_class}", "two/b ok"]
    assert [prefilled(body) for body in transport.requests_for("b")] == [HALF.rstrip() if prefill else ""]
    assert {(one["id"], one["created"]) for one in received.chunks} == {(HEAD["id"], HEAD["created"])}
    assert [one["delta"]["role"] for one in received.choices if "role" in one["delta"]] == ["assistant"]
    assert [one["finish_reason"] for one in received.choices if one["finish_reason"]] == ["stop"]
    served = [one["model"] for one in received.chunks]
    assert served == sorted(served), "chunks after the break have the id of the new model"
    assert set(served) == {"one/a", "two/b"}
    assert [one.get("sluice") for one in received.chunks if "sluice" in one] == [
        received.chunks[-1]["sluice"]
    ]
    assert received.chunks[-1]["sluice"] == {"resumed_from": "one/a", "at_chars": len(HALF)}


def test_a_prefill_is_the_only_difference_from_a_fresh_request() -> None:
    _, transport = receive_stream(
        [break_after(HALF, Act.CUT)], [answer_with(TEXT)], models=("one/a", PREFILL_MODEL)
    )
    fresh = ScriptedTransport({"b": [answer_with(TEXT)]})
    run(receive(fresh, call(PREFILL_MODEL, stream=True, recovery="resume")))
    (resuming,), (plain,) = transport.requests_for("b"), fresh.requests_for("b")
    assert resuming.pop("messages") == [
        *plain.pop("messages"),
        {"role": "assistant", "content": HALF.rstrip()},
    ]
    assert resuming == plain


@pytest.mark.parametrize(
    ("continuation", "text"),
    [
        pytest.param("    return", "def f():\n    return", id="the white space is not repeated"),
        pytest.param("\n    return", "def f():\n    return", id="the white space is repeated"),
        pytest.param("\n\n    return", "def f():\n\n    return", id="more white space follows"),
        pytest.param("def f():\n    return", "def f():\n    return", id="the whole prefill is echoed"),
        pytest.param("def g", "def f():\ndef g", id="the text only begins like an echo"),
        pytest.param("def", "def f():\ndef", id="the text ends while it may be an echo"),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 5, 99])
def test_text_after_a_prefill_is_not_sent_twice(continuation: str, text: str, size: int) -> None:
    """A prefill is sent without white space at its end, which a model may repeat. Some echo the prefill."""
    chunks = [chunk(continuation[at : at + size]) for at in range(0, len(continuation), size)]
    received, _ = receive_stream(
        [break_after("def f():\n", Act.CUT)],
        [lambda _: stream(role(), *chunks, finish())],
        models=("one/a", PREFILL_MODEL),
    )
    assert (received.text, received.done) == (text, True)


def test_white_space_alone_is_not_sent_as_a_prefill() -> None:
    received, transport = receive_stream(
        [break_after(" \n", Act.CUT)], [answer_with(" \nHello")], models=("one/a", PREFILL_MODEL)
    )
    assert (received.text, received.done) == (" \nHello", True)
    assert prefilled(transport.requests_for("b")[0]) == ""


@pytest.mark.parametrize("size", [1, 3, 7, 20, 21, 1000])
def test_a_restart_sends_nothing_twice_at_any_size_of_chunks(size: int) -> None:
    chunks = [chunk(TEXT[at : at + size]) for at in range(0, len(TEXT), size)]
    received, _ = receive_stream([break_after(HALF, Act.CUT)], [lambda _: stream(role(), *chunks, finish())])
    assert received.text == TEXT
    assert received.done
    assert not [one for one in received.choices if one["delta"].get("content") == ""][1:]


@pytest.mark.parametrize(
    ("characters", "resumed"),
    [
        pytest.param(MAX_SENT, True, id="as long as the limit"),
        pytest.param(MAX_SENT + 1, False, id="longer than the limit"),
    ],
)
def test_an_answer_is_resumed_up_to_the_size_limit(characters: int, resumed: bool) -> None:
    """The chunks differ in their text only, so most of them are never parsed."""
    text = "word " * (MAX_SENT // 5)
    pieces = [chunk(text[at : at + 50_000]) for at in range(0, MAX_SENT, 50_000)]
    broken = stream(role(), *pieces, *[chunk("!")] * (characters - MAX_SENT), Act.CUT, done=False)
    again = stream(role(), *pieces, chunk("And so on."), finish())
    received, _ = receive_stream([lambda _: broken], [lambda _: again])
    assert (received.done, received.text == f"{text}And so on.") == (resumed, resumed)


def test_an_answer_without_its_end_is_finished() -> None:
    received, _ = receive_stream([break_after(TEXT, Act.CUT)], [answer_with(TEXT)])
    assert (received.text, received.done) == (TEXT, True)


def test_every_candidate_may_continue_the_stream() -> None:
    received, transport = receive_stream(
        [break_after(HALF, Act.CUT)],
        [break_after(TEXT[20:30], Act.STALL)],
        [answer_with(TEXT)],
        models=("one/a", PREFILL_MODEL, "three/c"),
    )
    assert (received.text, received.done) == (TEXT, True)
    assert received.classes == ["one/a network", "two/b timeout_idle", "three/c ok"]
    assert received.chunks[-1]["sluice"] == {"resumed_from": "one/a", "at_chars": len(HALF)}
    assert transport.observed == [
        ("one/a", "ok", None),
        ("one/a", "network", None),
        ("two/b", "ok", None),
        ("two/b", "timeout_idle", None),
        ("three/c", "ok", None),
    ]


def test_a_candidate_that_breaks_before_new_text_is_skipped() -> None:
    received, _ = receive_stream(
        [break_after(HALF, Act.CUT)], [break_after(TEXT[:9], Act.CUT)], [answer_with(TEXT)]
    )
    assert (received.text, received.done) == (TEXT, True)
    assert received.classes == ["one/a network", "two/b network", "three/c ok"]


REFUSED = whole({"error": {"message": "Prefill is not supported."}}, status=400)


def answer_unless_prefilled(text: str) -> Script:
    return lambda body: REFUSED if prefilled(body) else answer_with(text)(body)


def test_a_candidate_that_refuses_the_prefill_starts_over() -> None:
    received, transport = receive_stream(
        [break_after(HALF, Act.CUT)], [answer_unless_prefilled(TEXT)], models=("one/a", PREFILL_MODEL)
    )
    assert (received.text, received.done) == (TEXT, True)
    assert [prefilled(body) for body in transport.requests_for("b")] == [HALF.rstrip(), ""]
    assert received.classes == ["one/a network", "two/b invalid_request", "two/b ok"]


NOT_CONTINUED = [
    pytest.param(reply_with(REFUSED), True, id="the candidate refuses everything"),
    pytest.param(
        answer_unless_prefilled(OTHER), True, id="the candidate refuses the prefill and gives another answer"
    ),
    pytest.param(answer_with(OTHER), False, id="the candidate gives another answer"),
    pytest.param(answer_with(HALF[:5]), False, id="the candidate gives a shorter answer"),
    pytest.param(reply_with(whole(status=500)), True, id="the candidate fails"),
    pytest.param(
        reply_with(whole(status=429, headers={"retry-after": "60"})), True, id="the candidate is rate limited"
    ),
    pytest.param(
        reply_with(whole({"error": {"message": "No.", "code": "content_filter"}}, status=400)),
        True,
        id="the candidate filters the content",
    ),
]


@pytest.mark.parametrize(("script", "prefill"), NOT_CONTINUED)
def test_the_error_is_the_break_when_no_candidate_continues(script: Script, prefill: bool) -> None:
    received, transport = receive_stream(
        [break_after(HALF, Act.CUT)], [script], models=("one/a", PREFILL_MODEL if prefill else "two/b")
    )
    assert received.text == HALF
    assert not received.done
    assert received.failure["metadata"]["class"] == "network"
    assert received.failure["metadata"]["provider"] == "one"
    assert received.failure["code"] == "upstream_error"
    assert received.failure["message"].startswith(
        "The answer broke off: one/a (network, 200, closed), two/b ("
    )
    assert len(received.failure["metadata"]["attempts"]) == 1 + len(transport.requests_for("b"))
    assert received.answer is not None
    assert received.answer.failure


NOT_RESUMABLE = [
    pytest.param(CHAT_WITH_TOOL, [TOOL], id="after a tool call"),
    pytest.param(
        {"functions": [{"name": "f"}]},
        [chunk(None, function_call={"name": "f"})],
        id="after a legacy function call",
    ),
    pytest.param({}, [chunk(None, reasoning_content="Hm")], id="after reasoning"),
    pytest.param({}, [chunk(None, refusal="I")], id="after a refusal"),
    pytest.param({}, [chunk(None, audio={"id": "x"})], id="after audio"),
    pytest.param({}, [chunk("x", index=1)], id="after a second choice"),
    pytest.param({}, [finish(), {"error": {"message": "No.", "code": 500}}], id="after the finish reason"),
    pytest.param({}, [{"error": {"message": "No.", "code": "content_filter"}}], id="after a content filter"),
    pytest.param({"response_format": {"type": "json_object"}}, [], id="with a JSON answer"),
    pytest.param({"output_schema": {"type": "object"}}, [], id="with an output schema"),
    pytest.param({"n": 2}, [], id="with two choices"),
    pytest.param({"logprobs": True}, [], id="with logprobs"),
    pytest.param(
        {"modalities": ["text", "audio"], "audio": {"voice": "x", "format": "wav"}},
        [],
        id="with audio output",
    ),
]


@pytest.mark.parametrize(("fields", "events"), NOT_RESUMABLE)
def test_an_answer_that_is_not_one_text_is_not_resumed(fields: Json, events: list[Json]) -> None:
    models = [model(id, can=["json_object", "json_schema"]) for id in ("one/a", "two/b")]
    received, transport = receive_stream(
        [break_after("Hello", *events, Act.CUT)],
        [answer_with(TEXT)],
        models=tuple(models),
        body={**CHAT, **fields},
    )
    assert not received.done
    assert "error" in received.events[-1]
    assert transport.requests_for("b") == []


def test_an_answer_in_response_format_text_is_resumed() -> None:
    body = {**CHAT, "response_format": {"type": "text"}, "n": 1, "logprobs": False}
    received, _ = receive_stream([break_after(HALF, Act.CUT)], [answer_with(TEXT)], body=body)
    assert received.done


@pytest.mark.parametrize(
    "recovery", ["error", "resume"], ids=["without the rule", "without another candidate"]
)
def test_a_broken_stream_ends_in_an_error(recovery: str) -> None:
    scripts = [[break_after(HALF, Act.CUT)], [answer_with(TEXT)]][: 1 if recovery == "resume" else 2]
    received, transport = receive_stream(*scripts, recovery=recovery)
    assert (received.text, received.done) == (HALF, False)
    assert len(transport.requests) == 1


def test_the_total_timeout_includes_the_continuation() -> None:
    received, transport = receive_stream(
        [break_after(HALF, Act.STALL)], [answer_with(TEXT)], timeouts={"idle": 20.0, "total": 15.0}
    )
    assert received.seconds == pytest.approx(15)
    assert received.failure["metadata"]["class"] == "timeout_total"
    assert len(transport.requests) == 1


def test_a_restart_is_limited_by_the_idle_timeout_and_not_by_first_token() -> None:
    slow = [piece for at in range(0, len(TEXT), 4) for piece in (2.0, chunk(TEXT[at : at + 4]))]
    received, _ = receive_stream(
        [break_after(HALF, Act.CUT)],
        [lambda _: stream(role(), *slow, finish())],
        timeouts={"first_token": 3.0, "idle": 3.0},
    )
    assert (received.text, received.done) == (TEXT, True)
    assert received.answer is not None
    assert received.answer.first_token == pytest.approx(2)


@PREFILL_OR_RESTART
def test_usage_and_cost_count_every_attempt_as_the_log_does(prefill: bool) -> None:
    body = {**CHAT, "stream_options": {"include_usage": True}, "usage": {"include": True}}
    second = PREFILL_MODEL if prefill else "two/b"
    received, _ = receive_stream(
        [break_after(HALF, Act.CUT)], [answer_with(TEXT)], models=("one/a", second), body=body
    )
    last = received.chunks[-1]
    assert last["choices"] == []
    assert last["usage"] == {
        "prompt_tokens": 5 + 7,
        "completion_tokens": len(HALF) // 4 + 3,
        "total_tokens": 20,
        "cost": pytest.approx((12 * 1 + 8 * 2) / 1e6),
        "cost_details": {"input": 12 / 1e6, "output": 16 / 1e6},
        "cost_estimated": True,  # the usage of the attempt that broke off
    }
    assert last["sluice"] == {"resumed_from": "one/a", "at_chars": len(HALF)}
    assert received.answer is not None
    used = received.answer.usage
    assert used is not None
    assert (used.input, used.output, used.estimated) == (5 + 7, len(HALF) // 4 + 3, True)
    assert received.answer.cost == (12 * 1 + 8 * 2) * 1000
    assert received.answer.candidate.id == "two/b"
    assert received.answer.resumed == last["sluice"]


def test_the_last_chunk_has_the_explanation_too() -> None:
    received, _ = receive_stream(
        [break_after(HALF, Act.CUT)], [answer_with(TEXT)], explanation={"reason": "rule"}
    )
    assert received.chunks[-1]["sluice"] == {
        "reason": "rule",
        "resumed_from": "one/a",
        "at_chars": len(HALF),
    }


def test_reasoning_of_the_new_model_is_left_out() -> None:
    thinking = [chunk(None, reasoning_content="Hm"), *(chunk(one) for one in TEXT), finish()]
    received, _ = receive_stream([break_after(HALF, Act.CUT)], [lambda _: stream(role(), *thinking)])
    assert (received.text, received.done) == (TEXT, True)
    assert not any("reasoning_content" in one["delta"] for one in received.choices)


def test_a_tool_call_instead_of_the_text_does_not_continue_it() -> None:
    received, _ = receive_stream(
        [break_after(HALF, Act.CUT)],
        [lambda _: stream(role(), TOOL, finish("tool_calls"))],
        body=CHAT_WITH_TOOL,
    )
    assert (received.text, received.done) == (HALF, False)
    assert received.classes == ["one/a network", "two/b cancelled"]


def test_a_tool_call_after_the_text_continues_it() -> None:
    received, _ = receive_stream(
        [break_after(HALF, Act.CUT)],
        [lambda _: stream(role(), chunk(HALF), TOOL, finish("tool_calls"))],
        body=CHAT_WITH_TOOL,
    )
    assert received.done
    assert received.choices[-2]["delta"]["tool_calls"][0]["id"] == "c"


def test_an_edited_chunk_keeps_the_rest_of_the_providers_json() -> None:
    event = (
        '{"x": 1.50, "choices":[{"index":0,"delta":{"content":"%s"},"e":"\\u00e9"}],'
        '"id":"q","created":1,"model":"m"}'
    )
    transport = ScriptedTransport(
        {
            "a": [break_after("Hel", Act.CUT)],
            "b": [lambda _: stream(event % "Hello", event % "!", finish())],
        }
    )

    async def frames() -> bytes:
        answer = await transport.relay().complete(
            call("one/a", "two/b", stream=True, recovery="resume", retries=0)
        )
        return b"".join([frame async for frame in answer.frames()])

    text = run(frames()).decode()
    assert (
        f'{{"x": 1.50, "choices":[{{"index":0,"delta":{{"content":"lo"}},"e":"\\u00e9"}}],"id":"{HEAD["id"]}"'
        in text
    )
    assert text.count('"x": 1.50') == 2


def test_a_disconnect_cancels_the_continuation() -> None:
    transport = ScriptedTransport(
        {"a": [break_after(HALF, Act.CUT)], "b": [reply_with(stream(role(), Act.STALL))]}
    )

    async def attempts_until_disconnect() -> list[str]:
        answer = await transport.relay().complete(
            call("one/a", "two/b", stream=True, recovery="resume", retries=0)
        )

        async def read() -> None:
            async for _ in answer.frames():
                pass

        reading = asyncio.ensure_future(read())
        await asyncio.sleep(5)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        return [f"{one.model} {one.failure_class}" for one in answer.attempts]

    assert run(attempts_until_disconnect()) == ["one/a network", "two/b cancelled"]
    assert transport.open == 0


def test_each_attempt_tracks_its_own_text() -> None:
    continuation = Continuation(Sent("Hi", {"id": "1", "created": 1}, "one/a", 2), prefill=False)
    first, second = SentText("two/b", continuation), SentText("three/c", continuation)
    assert first.chunk(chunk("Hi there")) == {**HEAD, "id": "1", "created": 1, **_choices(" there")}
    assert second.chunk(chunk("Hi there")) == {**HEAD, "id": "1", "created": 1, **_choices(" there")}
    assert first.sent() == Sent("Hi there", {"id": "1", "created": 1}, "one/a", 2)


def _choices(text: str) -> Json:
    return {"choices": chunk(text)["choices"]}
