"""One attempt: the bytes, headers, credential and address of its request, and the bytes of its answer."""

from __future__ import annotations

import hashlib
import json

import pytest

from handler import __version__
from handler.providers.provider import Provider
from handler.upstream.request import USER_AGENT
from tests.handler.relay.exchanges import (
    BOTH,
    error_reply,
    failure_classes,
    good_reply,
    read_answer,
    read_error,
)
from tests.support.canned_answers import chunk, completion, finish, stream, whole
from tests.support.running_relay import RunningRelay, call, classes, frames_of

UNUSUAL_REQUEST = (
    '{ "messages" : [{"role":"user","content":"\\u00e9\\ud83d\\ude00\\/ \u20ac"}],\r\n "temperature": 1.0,'
    ' "seed":1E2, "stop":null, "z_unknown": {"b":1,"a":[ ]}, "model": "x" }'
)
UNUSUAL_ANSWER = (
    '\n\n{ "id":"r1", "object":"chat.completion", "created":1, "model" : "whatever-1", '
    '"choices":[ {"index":0,"message":{"role":"assistant","content":'
    '"\\u00e9 \u20ac","refusal":null},"logprobs":null,"finish_reason":"stop","x":1.50}],'
    ' "usage": {"prompt_tokens":1e0,"completion_tokens":2, "total_tokens":3}, "system_fingerprint":null }\n'
)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def test_a_request_keeps_the_clients_bytes_except_the_model(relay: RunningRelay) -> None:
    relay.upstream.script("a", good_reply(False))
    await relay.complete(call("one/a", body=UNUSUAL_REQUEST))
    (request,) = relay.upstream.requests
    assert digest(request.body.decode()) == digest(UNUSUAL_REQUEST.replace('"model": "x"', '"model": "a"'))


async def test_an_answer_keeps_the_providers_bytes_except_the_model(relay: RunningRelay) -> None:
    relay.upstream.script("a", whole(UNUSUAL_ANSWER))
    answer = await relay.complete(call("one/a"))
    assert digest(answer.body.decode()) == digest(UNUSUAL_ANSWER.replace('"whatever-1"', '"one/a"'))
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.output, answer.usage.estimated) == (1, 2, False)
    assert answer.cost == 5000


async def test_every_attempt_sends_the_same_request(relay: RunningRelay) -> None:
    relay.upstream.script("a", error_reply(500), error_reply(503), error_reply(500), good_reply(False))
    chat_call = call("one/a", retries=3)
    await relay.complete(chat_call)
    await relay.complete(chat_call)
    bodies = {(request.body, request.headers) for request in relay.upstream.requests}
    assert (len(relay.upstream.requests), len(bodies)) == (5, 1)


async def test_an_answer_has_cost_and_explanation_on_request(relay: RunningRelay) -> None:
    relay.upstream.script("a", whole(completion()))
    chat_call = call(
        "one/a", body={"messages": [{"role": "user", "content": "x"}], "usage": {"include": True}}
    )
    body = json.loads((await relay.complete(chat_call.replaced(explanation={"reason": "rule"}))).body)
    assert body["usage"] == {
        **completion()["usage"],
        "cost": 1.3e-05,
        "cost_details": {"input": 7e-06, "output": 6e-06},
    }
    assert body["sluice"] == {"reason": "rule"}
    assert "usage" not in relay.upstream.requests[0].json


async def test_missing_usage_is_estimated(relay: RunningRelay) -> None:
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
async def test_usage_without_valid_token_counts_is_estimated(
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


@BOTH
@pytest.mark.parametrize("usage", [None, {"total_tokens": 5}], ids=["no usage", "usage without counts"])
async def test_an_estimated_cost_is_marked_for_the_client(
    relay: RunningRelay, usage: dict[str, int] | None, streamed: bool
) -> None:
    last = {**completion("x" * 40), "usage": usage}
    relay.upstream.script("a", stream(chunk("x" * 40), finish()) if streamed else whole(last))
    chat = {"messages": [{"role": "user", "content": "x"}], "usage": {"include": True}}
    answer = await relay.complete(call("one/a", stream=streamed, body=chat))
    last = json.loads((await frames_of(answer))[-2][6:]) if streamed else json.loads(answer.body)
    assert last["usage"] == {
        "prompt_tokens": 5,
        "completion_tokens": 10,
        "total_tokens": 15,
        "cost": 2.5e-05,
        "cost_details": {"input": 5e-06, "output": 2e-05},
        "cost_estimated": True,
    }


async def test_only_listed_client_headers_are_forwarded(relay: RunningRelay) -> None:
    relay.rows["one"] = relay.rows["one"].replaced(credential="ONE_KEY", headers={"X-Title": "sluice"})
    relay.credentials["ONE_KEY"] = "canary"
    relay.upstream.script("a", good_reply(False))
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
async def test_auth_sets_the_header_of_the_credential(
    relay: RunningRelay, auth: str, header: str, value: str | None
) -> None:
    headers = {"Authorization": "Bearer other", "x-api-key": "other"} if value else {}
    relay.rows["one"] = relay.rows["one"].replaced(credential="ONE_KEY", auth=auth, headers=headers)
    relay.credentials["ONE_KEY"] = "canary"
    relay.upstream.script("a", good_reply(False))
    await relay.complete(call("one/a"))
    assert relay.upstream.requests[0].header(header) == value


async def test_a_request_that_cannot_be_signed_fails_with_auth(relay: RunningRelay) -> None:
    relay.rows["one"] = relay.rows["one"].replaced(credential="ONE_KEY", auth="sigv4")
    assert failure_classes(await read_error(relay, call("one/a"))) == ["one/a auth"]
    assert relay.upstream.requests == []


async def test_client_headers_are_forwarded_only_to_the_same_dialect(relay: RunningRelay) -> None:
    chat_call = call("one/a", headers={"anthropic-beta": "x"})
    foreign = chat_call.replaced(
        decision=chat_call.decision.replaced(facts=chat_call.decision.facts.replaced(dialect="anthropic")),
    )
    relay.upstream.script("a", good_reply(False))
    await relay.complete(foreign)
    assert relay.upstream.requests[0].header("anthropic-beta") is None


@BOTH
async def test_a_credential_in_a_providers_error_is_redacted(relay: RunningRelay, streamed: bool) -> None:
    relay.rows["one"] = relay.rows["one"].replaced(credential="ONE_KEY")
    relay.credentials["ONE_KEY"] = "canary value"
    relay.upstream.script("a", error_reply(400, message="I was given canary value by you."))
    failure = await read_error(relay, call("one/a", stream=streamed))
    assert failure.message == "one/a: I was given [redacted] by you."
    assert "canary" not in str(failure)


async def test_cookies_are_neither_stored_nor_sent(relay: RunningRelay) -> None:
    relay.upstream.script("a", whole(completion(), headers={"set-cookie": "a=b; Path=/"}))
    await relay.complete(call("one/a"))
    await relay.complete(call("one/a"))
    assert relay.upstream.requests[1].header("cookie") is None


async def test_a_host_name_with_a_private_address_is_refused_before_connecting(
    relay: RunningRelay,
) -> None:
    relay.private_ok = False
    relay.rows["one"] = Provider(name="one", base_url=f"https://localhost:{relay.upstream.port}")
    assert failure_classes(await read_error(relay, call("one/a"))) == ["one/a permission"]
    assert relay.upstream.connections == 0


async def test_a_url_without_tls_is_refused_before_connecting(relay: RunningRelay) -> None:
    relay.private_ok = False
    assert failure_classes(await read_error(relay, call("one/a"))) == ["one/a permission"]
    assert relay.upstream.connections == 0


@pytest.mark.parametrize(
    ("row", "failure_class"),
    [
        pytest.param(None, "not_found", id="unknown provider"),
        pytest.param(Provider(name="odd"), "permission", id="no base_url"),
        pytest.param(Provider(name="odd", base_url="http://[::1"), "network", id="invalid URL"),
        pytest.param(Provider(name="odd", base_url="ftp://127.0.0.1"), "network", id="unsupported scheme"),
        pytest.param(
            Provider(name="odd", base_url="http://127.0.0.1:1", credential="X_KEY"),
            "auth",
            id="no credential",
        ),
        pytest.param(Provider(name="odd", base_url="http://127.0.0.1:1"), "network", id="connection refused"),
        pytest.param(
            Provider(name="odd", base_url="http://127.0.0.1:1", dialect="martian"),
            "not_found",
            id="unknown dialect",
        ),
    ],
)
async def test_an_unreachable_provider_fails_over(
    relay: RunningRelay, row: Provider | None, failure_class: str
) -> None:
    if row:
        relay.rows["odd"] = row
    relay.upstream.script("b", good_reply(False))
    answer = await read_answer(relay, call("odd/a", "two/b", retries=0))
    assert classes(answer) == [f"odd/a {failure_class}", "two/b ok"]


def test_the_user_agent_has_the_version() -> None:
    assert f"sluice/{__version__}" == USER_AGENT
