"""The attempt loop under any faults: attempts are independent, within the plan and reported as they were."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handler.errors import ACTIONS, Json
from handler.providers.openai.translator import OpenAI
from handler.providers.provider import Provider
from handler.relay.call import Call
from handler.upstream.request import build_request
from rules import Model
from tests.handler.relay.exchanges import BOTH
from tests.support.canned_answers import Act, Reply, chunk, completion, whole
from tests.support.running_relay import call, model
from tests.support.scripted_transport import (
    Received,
    Script,
    ScriptedTransport,
    answer_with,
    break_after,
    prefilled,
    receive,
    reply_with,
)
from tests.support.virtual_clock import run

TEXT = "The quick brown fox jumps over the lazy dog."
OTHER = "No. Something else."
TOTAL = 300.0


def limited(**headers: str) -> Script:
    return reply_with(
        whole(status=429, headers={name.replace("_", "-"): value for name, value in headers.items()})
    )


def failing(status: int, **fields: Any) -> Script:
    return reply_with(whole({"error": {"message": "No.", **fields}}, status=status))


def refusing_prefill(body: Json) -> Reply:
    return whole(status=400) if prefilled(body) else answer_with(TEXT)(body)


def without_done(body: Json) -> Reply:
    reply = answer_with(TEXT)(body)
    return replace(reply, pieces=reply.pieces[:-1])


# By name: the reply of a provider, and the failure class of its attempt.
COMMON: dict[str, tuple[Script, str]] = {
    "500": (failing(500), "server"),
    "408": (failing(408), "server"),
    "529": (failing(529), "overloaded"),
    "429": (limited(), "rate_limit"),
    "429, in 2 s": (limited(retry_after="2"), "rate_limit"),
    "429, in 60 s": (limited(retry_after="60"), "rate_limit"),
    "429, in 40 ms": (limited(retry_after_ms="40"), "rate_limit"),
    "401": (failing(401), "auth"),
    "403": (failing(403), "permission"),
    "402": (failing(402), "quota"),
    "404": (failing(404), "not_found"),
    "400": (failing(400), "invalid_request"),
    "409": (failing(409), "invalid_request"),
    "filter": (failing(400, code="content_filter"), "content_policy"),
    "too long": (failing(400, code="context_length_exceeded"), "context_length"),
    "reset": (reply_with(Reply(status=None, pieces=(Act.RESET,))), "network"),
    "silence": (reply_with(Reply(status=None, pieces=(Act.STALL,))), "timeout_first_token"),
    "empty": (reply_with(whole(b"")), "protocol"),
    "HTML": (reply_with(whole("<html>")), "protocol"),
    "gzip": (reply_with(whole(b"x", headers={"content-encoding": "gzip"})), "protocol"),
    "redirect": (reply_with(whole("", status=302)), "protocol"),
    "error in a 200": (failing(200, code=500), "server"),
}
WHOLE: dict[str, tuple[Script, str]] = {
    **COMMON,
    "answer": (reply_with(whole(completion(TEXT))), "ok"),
    "truncated": (reply_with(whole(json.dumps(completion(TEXT))[:-9])), "protocol"),
    "cut": (reply_with(Reply(chunked=True, pieces=(b'{"id', Act.CUT))), "network"),
}
STREAM: dict[str, tuple[Script, str]] = {
    **COMMON,
    "answer": (answer_with(TEXT), "ok"),
    "another answer": (answer_with(OTHER, continues=False), "ok"),
    "no [DONE]": (without_done, "ok"),
    "role, then cut": (break_after("", Act.CUT), "network"),
    "role, then silence": (break_after("", Act.STALL), "timeout_first_token"),
    "early error event": (break_after("", {"error": {"message": "No.", "code": 503}}), "overloaded"),
    "cut": (break_after(TEXT[:20], Act.CUT), "network"),
    "cut later": (break_after(TEXT[:30], Act.CUT), "network"),
    "stall": (break_after(TEXT[:10], Act.STALL), "timeout_idle"),
    "invalid JSON": (break_after(TEXT[:10], "{not", "json}"), "protocol"),
    "error event": (break_after(TEXT[:10], {"error": {"message": "No.", "code": 500}}), "server"),
    "limit event": (break_after(TEXT[:10], {"error": {"message": "No.", "code": 429}}), "rate_limit"),
    "cut in a tool call": (
        break_after(TEXT[:10], chunk(None, tool_calls=[{"index": 0, "id": "c"}]), Act.CUT),
        "network",
    ),
    "refused prefill": (refusing_prefill, "ok"),
}
TABLES = {False: WHOLE, True: STREAM}
RESUMABLE = ["cut", "cut later", "stall", "answer", "another answer", "refused prefill"]


@st.composite
def calls(draw: st.DrawFn, *, resuming: bool = False) -> tuple[Call, dict[str, list[str]]]:
    """A call, and by model the names of its replies. `resuming`: streams break off and are resumed."""
    streamed = resuming or draw(st.booleans())
    names = draw(st.sampled_from(["a", "ab", "abc"]))
    faults = st.lists(
        st.sampled_from(RESUMABLE if resuming else sorted(TABLES[streamed])), min_size=1, max_size=4
    )
    scripts = {name: draw(faults) for name in names}
    candidates: list[str | Model] = [
        model(
            f"{provider}/{name}",
            context=draw(st.sampled_from([8000, 9000])),
            can=["prefill"] if draw(st.booleans()) else [],
        )
        for provider, name in zip(("one", "two", "three"), names, strict=False)
    ]
    chat_call = call(
        *candidates,
        stream=streamed,
        retries=draw(st.integers(0, 3)),
        recovery=draw(st.sampled_from(["resume"] if resuming else ["error", "resume", "buffer"])),
        hedge_after=draw(st.sampled_from([None, None, 1.0, 40.0])),
        timeouts={"first_token": 10.0, "idle": 10.0, "total": TOTAL},
    )
    return chat_call, scripts


def play(chat_call: Call, scripts: dict[str, list[str]]) -> tuple[Received, ScriptedTransport]:
    table = TABLES[chat_call.chat.stream]
    transport = ScriptedTransport(
        {name: [table[fault][0] for fault in faults] for name, faults in scripts.items()}
    )
    return run(receive(transport, chat_call)), transport


def first_request(chat_call: Call, candidate: Model, prefill: str) -> bytes:
    """The request that a first attempt at this candidate sends."""
    body = chat_call.body
    if prefill:
        body = {**body, "messages": [*body["messages"], {"role": "assistant", "content": prefill}]}
    row = Provider(name=candidate.provider, base_url="http://up/v1")
    sent, dropped = OpenAI().request(body, candidate, row.quirks)
    return build_request(
        row,
        candidate,
        OpenAI().path(candidate, stream=chat_call.chat.stream),
        sent,
        dropped=dropped,
        client_text=chat_call.chat.text,
        client_body=chat_call.chat.body,
        client_headers={},
        media_type="application/json",
        credential=None,
        private_ok=True,
    ).body


@settings(max_examples=400, deadline=None)
@given(calls() | calls(resuming=True))
def test_attempts_share_nothing_except_a_prefill(case: tuple[Call, dict[str, list[str]]]) -> None:
    chat_call, scripts = case
    received, transport = play(chat_call, scripts)
    models = {one.model.name: one.model for one in chat_call.decision.candidates}
    for name, body, _ in transport.requests:
        prefill = prefilled(json.loads(body))
        assert body == first_request(chat_call, models[name], prefill)
        assert not prefill or (
            chat_call.decision.effects.recovery == "resume" and "prefill" in models[name].can
        )
        assert received.text.startswith(prefill)


@settings(max_examples=400, deadline=None)
@given(calls() | calls(resuming=True))
def test_attempts_stay_within_the_plan_and_are_all_reported(case: tuple[Call, dict[str, list[str]]]) -> None:
    chat_call, scripts = case
    received, transport = play(chat_call, scripts)
    effects, candidates = chat_call.decision.effects, chat_call.decision.candidates
    refusals = sum(bool(prefilled(body)) for name in scripts for body in transport.requests_for(name))
    assert len(transport.requests) <= len(candidates) * (2 + effects.retries) + 2 + refusals
    assert received.seconds <= TOTAL
    attempts = Counter(one.split()[0].partition("/")[2] for one in received.classes)
    assert attempts == Counter(name for name, _, _ in transport.requests)
    assert {one.split()[1] for one in received.classes} <= {"ok", *ACTIONS}
    _check_classes(received, transport, chat_call, scripts)


def _check_classes(
    received: Received, transport: ScriptedTransport, chat_call: Call, scripts: dict[str, list[str]]
) -> None:
    """Checks that each attempt has its fault's class, or "cancelled" for the loser of a hedge or the like."""
    table = TABLES[chat_call.chat.stream]
    for name, faults in scripts.items():
        seen = [one.split()[1] for one in received.classes if one.split()[0].endswith(f"/{name}")]
        requests = transport.requests_for(name)
        for at, (failure_class, request) in enumerate(zip(seen, requests, strict=True)):
            fault = faults[min(at, len(faults) - 1)]
            expected = {table[fault][1], "cancelled"}
            if fault == "refused prefill" and prefilled(request):
                expected = {"invalid_request"}
            assert failure_class in expected, (fault, received.classes)


@settings(max_examples=400, deadline=None)
@given(calls() | calls(resuming=True))
def test_an_answer_is_complete_or_ends_with_an_error(case: tuple[Call, dict[str, list[str]]]) -> None:
    chat_call, scripts = case
    received, transport = play(chat_call, scripts)
    if received.error is not None:
        assert received.failure["metadata"]["class"] in {one.split()[1] for one in received.classes}
        return
    if not chat_call.chat.stream:
        assert received.text == TEXT
        return
    possible = [TEXT, OTHER]
    if any(prefilled(body) for name in scripts for body in transport.requests_for(name)):
        possible = [received.text]  # another answer may continue the text of the first
    if received.done:
        assert received.text in possible
        assert [one["finish_reason"] for one in received.choices if one["finish_reason"]] == ["stop"]
    else:
        assert "error" in received.events[-1]
        assert any(text.startswith(received.text) for text in possible)
    assert len({(one["id"], one["created"]) for one in received.chunks}) == 1
    assert sum("role" in one["delta"] for one in received.choices) == 1
    resumed = [one["sluice"] for one in received.chunks if "sluice" in one]
    assert received.answer is not None
    assert resumed == ([received.answer.resumed] if received.answer.resumed and received.done else [])


@settings(max_examples=400, deadline=None)
@given(calls() | calls(resuming=True))
def test_every_attempt_is_observed_once_and_a_broken_stream_twice(
    case: tuple[Call, dict[str, list[str]]],
) -> None:
    chat_call, scripts = case
    received, transport = play(chat_call, scripts)
    observed = Counter(f"{id} {failure_class}" for id, failure_class, _ in transport.observed)
    classes = Counter(received.classes)
    breaks = observed - classes  # each was "ok" when it started
    assert not classes - observed
    assert {one.split()[1] for one in breaks} <= {"ok"}
    assert len(transport.observed) == len(transport.requests) + sum(breaks.values())


@BOTH
@pytest.mark.parametrize(
    ("header", "at"),
    [({}, [0, 1, 3]), ({"retry_after": "2"}, [0, 2, 4]), ({"retry_after_ms": "2000"}, [0, 2, 4])],
    ids=["no header", "Retry-After", "retry-after-ms"],
)
def test_a_lasting_rate_limit_gets_three_attempts(
    header: dict[str, str], at: list[int], streamed: bool
) -> None:
    transport = ScriptedTransport({"a": [limited(**header)]})
    received = run(receive(transport, call("one/a", stream=streamed, retries=3)))
    assert received.error is not None
    assert (received.error.status, received.error.headers) == (429, {})
    assert [round(when, 3) for _, _, when in transport.requests] == at


WITH_SCHEMA = {
    "messages": [{"role": "user", "content": "Hi"}],
    "output_schema": {"type": "object", "required": ["city"]},
}
MATCHING = '{"city": "Paris"}'


def answer_after(text: str, after: float = 0.0) -> Script:
    answer = whole(completion(text))
    return reply_with(replace(answer, pieces=(after, *answer.pieces)))


@BOTH
@pytest.mark.parametrize(
    ("scripts", "classes"),
    [
        pytest.param(
            {"a": [answer_after("No."), answer_after(MATCHING)]},
            ["one/a schema", "one/a ok"],
            id="the correction matches",
        ),
        pytest.param(
            {"a": [answer_after("No.")], "b": [answer_after(MATCHING)]},
            ["one/a schema", "one/a schema", "two/b ok"],
            id="the correction does not match",
        ),
        pytest.param(
            {
                "a": [answer_after("No."), failing(500), answer_after("No.")],
                "b": [answer_after("No."), answer_after(MATCHING)],
            },
            ["one/a schema", "one/a server", "one/a schema", "two/b schema", "two/b ok"],
            id="one correction each, despite another failure",
        ),
        pytest.param(
            {"a": [answer_after("No.", 3.0)], "b": [answer_after(MATCHING, 1.0)]},
            ["one/a schema", "two/b ok"],
            id="the first does not match during a hedge",
        ),
        pytest.param(
            {"a": [answer_after("No.", 3.0)], "b": [answer_after("No.", 2.0)]},
            ["one/a schema", "two/b schema", "two/b schema"],
            id="neither matches: the last to fail gets the correction",
        ),
    ],
)
def test_a_schema_mismatch_gets_one_correction(
    scripts: dict[str, list[Script]], classes: list[str], streamed: bool
) -> None:
    transport = ScriptedTransport(scripts)
    chat_call = call("one/a", "two/b", body=WITH_SCHEMA, stream=streamed, hedge_after=2.0)
    received = run(
        receive(transport, chat_call if "b" in scripts else call("one/a", body=WITH_SCHEMA, stream=streamed))
    )
    assert received.classes == classes
    assert (
        received.text == MATCHING
        if classes[-1].endswith("ok")
        else received.failure["code"] == "upstream_error"
    )
    assert received.done is (streamed and classes[-1].endswith("ok"))
