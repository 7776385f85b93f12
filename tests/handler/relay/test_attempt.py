"""One attempt: the bytes and headers of its request, its credential and address, the bytes of its answer."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from handler import __version__
from handler.providers.provider import Provider
from handler.upstream.request import USER_AGENT
from tests.handler.relay.exchanges import BOTH, error, good, read_answer, read_refusal, tried
from tests.support.canned_answers import chunk, completion, finish, stream, whole
from tests.support.running_relay import RunningRelay, call, classes, frames_of

ODD = (
    '{ "messages" : [{"role":"user","content":"\\u00e9\\ud83d\\ude00\\/ \u20ac"}],\r\n "temperature": 1.0,'
    ' "seed":1E2, "stop":null, "z_unknown": {"b":1,"a":[ ]}, "model": "x" }'
)
ODD_ANSWER = (
    '\n\n{ "id":"r1", "object":"chat.completion", "created":1, "model" : "whatever-1", '
    '"choices":[ {"index":0,"message":{"role":"assistant","content":'
    '"\\u00e9 \u20ac","refusal":null},"logprobs":null,"finish_reason":"stop","x":1.50}],'
    ' "usage": {"prompt_tokens":1e0,"completion_tokens":2, "total_tokens":3}, "system_fingerprint":null }\n'
)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def test_the_bytes_of_a_request_go_on_as_they_came(relay: RunningRelay) -> None:
    relay.upstream.script("a", good(False))
    await relay.complete(call("one/a", body=ODD))
    (request,) = relay.upstream.requests
    assert digest(request.body.decode()) == digest(ODD.replace('"model": "x"', '"model": "a"'))


async def test_the_bytes_of_an_answer_come_back_as_they_went(relay: RunningRelay) -> None:
    relay.upstream.script("a", whole(ODD_ANSWER))
    answer = await relay.complete(call("one/a"))
    assert digest(answer.body.decode()) == digest(ODD_ANSWER.replace('"whatever-1"', '"one/a"'))
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.output, answer.usage.estimated) == (1, 2, False)
    assert answer.cost_dollars == 5e-6


async def test_every_attempt_is_the_same_request_anew(relay: RunningRelay) -> None:
    relay.upstream.script("a", error(500), error(503), error(500), good(False))
    chat_call = call("one/a", retries=3)
    await relay.complete(chat_call)
    await relay.complete(chat_call)
    bodies = {(request.body, request.headers) for request in relay.upstream.requests}
    assert (len(relay.upstream.requests), len(bodies)) == (5, 1)


async def test_cost_and_explanation_are_told_to_whom_asked(relay: RunningRelay) -> None:
    relay.upstream.script("a", whole(completion()))
    chat_call = call(
        "one/a", body={"messages": [{"role": "user", "content": "x"}], "usage": {"include": True}}
    )
    body = json.loads((await relay.complete(replace(chat_call, explanation={"reason": "rule"}))).body)
    assert body["usage"] == {**completion()["usage"], "cost": 1.3e-05}
    assert body["sluice"] == {"reason": "rule"}
    assert "usage" not in relay.upstream.requests[0].json


async def test_usage_that_is_not_told_is_estimated(relay: RunningRelay) -> None:
    answer = completion("x" * 40)
    del answer["usage"]
    relay.upstream.script("a", whole(answer))
    usage = (await relay.complete(call("one/a"))).usage
    assert usage is not None
    assert (usage.input, usage.output, usage.estimated) == (5, 10, True)


@BOTH
@pytest.mark.parametrize(
    "counts", [{"total_tokens": 5}, {"total_tokens": 0}, {"prompt_tokens": -1, "completion_tokens": 0}]
)
async def test_usage_that_tells_of_no_tokens_is_estimated(
    relay: RunningRelay, counts: dict[str, int], streamed: bool
) -> None:
    last = {**completion("x" * 40), "usage": counts}
    events = [chunk("x" * 40), finish(), {**chunk(), "choices": [], "usage": counts}]
    relay.upstream.script("a", stream(*events) if streamed else whole(last))
    answer = await relay.complete(call("one/a", stream=streamed))
    frames = await frames_of(answer) if streamed else []
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.output, answer.usage.estimated) == (5, 10, True)
    assert not any(b"total_tokens" in frame for frame in frames)


async def test_nothing_of_the_clients_goes_upstream_but_what_is_named(relay: RunningRelay) -> None:
    relay.rows["one"] = replace(relay.rows["one"], credential="ONE_KEY", headers={"X-Title": "sluice"})
    relay.credentials["ONE_KEY"] = "canary"
    relay.upstream.script("a", good(False))
    await relay.complete(call("one/a", headers={"accept-language": "de", "openai-beta": "x=\u20ac"}))
    (request,) = relay.upstream.requests
    assert {name.lower(): value for name, value in request.headers} == {
        "host": f"127.0.0.1:{relay.upstream.port}",
        "content-type": "application/json",
        "content-length": str(len(request.body)),
        "accept": "application/json",
        "accept-encoding": "identity",
        "user-agent": "sluice/0.1.0",
        "accept-language": "de",
        "openai-beta": "x=%E2%82%AC",
        "x-title": "sluice",
        "authorization": "Bearer canary",
    }


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ("bearer", "authorization", "Bearer canary"),
        ("x-api-key", "x-api-key", "canary"),
        ("none", "authorization", None),
    ],
)
async def test_how_a_credential_is_presented(
    relay: RunningRelay, auth: str, header: str, value: str | None
) -> None:
    headers = {"Authorization": "Bearer other", "x-api-key": "other"} if value else {}
    relay.rows["one"] = replace(relay.rows["one"], credential="ONE_KEY", auth=auth, headers=headers)
    relay.credentials["ONE_KEY"] = "canary"
    relay.upstream.script("a", good(False))
    await relay.complete(call("one/a"))
    assert relay.upstream.requests[0].header(header) == value


async def test_what_must_be_signed_is_passed_over_where_nothing_can_sign(relay: RunningRelay) -> None:
    relay.rows["one"] = replace(relay.rows["one"], credential="ONE_KEY", auth="sigv4")
    assert tried(await read_refusal(relay, call("one/a"))) == ["one/a auth"]
    assert relay.upstream.requests == []


async def test_the_clients_headers_go_only_to_its_own_format(relay: RunningRelay) -> None:
    chat_call = call("one/a", headers={"anthropic-beta": "x"})
    foreign = replace(
        chat_call,
        decision=replace(chat_call.decision, facts=replace(chat_call.decision.facts, dialect="anthropic")),
    )
    relay.upstream.script("a", good(False))
    await relay.complete(foreign)
    assert relay.upstream.requests[0].header("anthropic-beta") is None


@BOTH
async def test_no_credential_comes_back_in_a_providers_words(relay: RunningRelay, streamed: bool) -> None:
    relay.rows["one"] = replace(relay.rows["one"], credential="ONE_KEY")
    relay.credentials["ONE_KEY"] = "canary value"
    relay.upstream.script("a", error(400, message="I was given canary value by you."))
    failure = await read_refusal(relay, call("one/a", stream=streamed))
    assert failure.message == "one/a: I was given [redacted] by you."
    assert "canary" not in str(failure)


async def test_cookies_are_neither_kept_nor_sent(relay: RunningRelay) -> None:
    relay.upstream.script("a", whole(completion(), headers={"set-cookie": "a=b; Path=/"}))
    await relay.complete(call("one/a"))
    await relay.complete(call("one/a"))
    assert relay.upstream.requests[1].header("cookie") is None


async def test_a_name_that_leads_to_a_private_address_is_refused_before_anything_is_sent(
    relay: RunningRelay,
) -> None:
    relay.private_ok = False
    relay.rows["one"] = Provider(name="one", base_url=f"https://localhost:{relay.upstream.port}")
    assert tried(await read_refusal(relay, call("one/a"))) == ["one/a permission"]
    assert relay.upstream.connections == 0


async def test_without_tls_nothing_is_even_connected(relay: RunningRelay) -> None:
    relay.private_ok = False
    assert tried(await read_refusal(relay, call("one/a"))) == ["one/a permission"]
    assert relay.upstream.connections == 0


@pytest.mark.parametrize(
    ("row", "failure_class"),
    [
        pytest.param(None, "not_found", id="no such provider"),
        pytest.param(Provider(name="odd"), "permission", id="no base_url"),
        pytest.param(Provider(name="odd", base_url="http://[::1"), "network", id="no URL"),
        pytest.param(Provider(name="odd", base_url="ftp://127.0.0.1"), "network", id="another scheme"),
        pytest.param(
            Provider(name="odd", base_url="http://127.0.0.1:1", credential="X_KEY"),
            "auth",
            id="no credential",
        ),
        pytest.param(Provider(name="odd", base_url="http://127.0.0.1:1"), "network", id="nobody listens"),
        pytest.param(
            Provider(name="odd", base_url="http://127.0.0.1:1", dialect="martian"),
            "not_found",
            id="a dialect",
        ),
    ],
)
async def test_a_provider_that_cannot_be_reached_is_passed_over(
    relay: RunningRelay, row: Provider | None, failure_class: str
) -> None:
    if row:
        relay.rows["odd"] = row
    relay.upstream.script("b", good(False))
    answer = await read_answer(relay, call("odd/a", "two/b", retries=0))
    assert classes(answer) == [f"odd/a {failure_class}", "two/b ok"]


def test_the_user_agent_tells_the_version() -> None:
    assert f"sluice/{__version__}" == USER_AGENT
