"""Traces: spans of requests and attempts at a collector, and the header that providers get."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from handler.gateway.tracing import tracer
from tests.support.canned_answers import Reply, chunk, completion, finish, stream, usage, whole
from tests.support.gateways import KEY, RunningGateway, model, provider, start_gateway
from tests.support.upstream import Upstream
from tests.support.virtual_clock import now

Json = dict[str, Any]
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADER = f"00-{TRACE}-{PARENT}-01"
UNSAMPLED = f"00-{TRACE}-{PARENT}-00"
NONE = {"SLUICE_OTLP_SAMPLE": "0"}
PRICE = {"input": 1, "output": 2}
TAKEN = whole({})
DOWN = whole(status=503)
ANSWER = stream(chunk("Hello"), finish(), usage())

# Of trace.proto, the fields that a span may have, and how OTLP writes their types in JSON: ids in
# hexadecimal, 64-bit integers as text. https://github.com/open-telemetry/opentelemetry-proto
HEX, NUMBER, TEXT = r"^[0-9a-f]{16}([0-9a-f]{16})?$", r"^[0-9]+$", r"^(?s:.+)$"
SPAN: Json = {
    "traceId": HEX,
    "spanId": HEX,
    "parentSpanId": HEX,
    "name": TEXT,
    "kind": int,
    "startTimeUnixNano": NUMBER,
    "endTimeUnixNano": NUMBER,
    "attributes": "attributes",
    "events": [{"timeUnixNano": NUMBER, "name": TEXT}],
    "status": {"code": int},
}
EXPORT: Json = {
    "resourceSpans": [
        {
            "resource": {"attributes": "attributes"},
            "scopeSpans": [{"scope": {"name": TEXT, "version": TEXT}, "spans": [SPAN]}],
        }
    ]
}
VALUES: Json = {"stringValue": TEXT, "intValue": NUMBER, "doubleValue": float, "boolValue": bool}


def check(value: Any, shape: Any, at: str = "") -> None:
    """Checks that a value of OTLP's JSON has no other fields and types than the proto."""
    match shape:
        case dict():
            assert value.keys() <= shape.keys(), at
            for name, each in value.items():
                check(each, shape[name], f"{at}.{name}")
        case [each]:
            for one in value:
                check(one, each, at)
        case "attributes":
            assert len({one["key"] for one in value}) == len(value)
            for one in value:
                check(one, {"key": TEXT, "value": VALUES}, at)
                assert len(one["value"]) == 1
        case str():
            assert isinstance(value, str), at
            assert re.match(shape, value), (at, value)
        case type():
            assert type(value) is shape, at


@pytest.fixture
async def collector() -> AsyncIterator[Upstream]:
    async with Upstream() as server:
        server.script("None", TAKEN)
        yield server


class Scene:
    """A gateway with the models `main` and `spare`, and its collector."""

    def __init__(
        self, upstream: Upstream, collector: Upstream, *records: Json, takes: bool = True, **settings: str
    ) -> None:
        self.upstream, self.collector = upstream, collector
        route = {"kind": "route", "id": "r", "model": "up/main", "fallbacks": ["up/spare"], "retries": 0}
        names = [model(f"up/{name}", price=PRICE) for name in ("main", "spare")]
        up = provider(upstream.url, quirks={"traceparent": takes})
        address = collector.url.removesuffix("/v1")
        given: Json = {"SLUICE_OTLP_ENDPOINT": address, **settings}
        self.running: RunningGateway = start_gateway([up, *names, route, *records], now=now, **given)
        upstream.script("main", whole(completion()))
        upstream.script("spare", whole(completion()))

    async def chat(self, **fields: Any) -> None:
        await self.running.chat(**fields)
        await self.running.gateway.settle()

    @property
    def spans(self) -> list[Json]:
        """All spans that the collector got, the request's before those of its attempts."""
        bodies = [request.json for request in self.collector.requests]
        for body in bodies:
            check(body, EXPORT)
        return [span for body in bodies for span in body["resourceSpans"][0]["scopeSpans"][0]["spans"]]

    @property
    def problems(self) -> list[Json]:
        return [line for line in self.running.lines if line["message"] == tracer.NOT_SENT]


@pytest.fixture
async def scene(upstream: Upstream, collector: Upstream) -> AsyncIterator[Scene]:
    made = Scene(upstream, collector)
    yield made
    await made.running.gateway.aclose()


def attributes(span: Json) -> Json:
    return {
        one["key"]: int(value) if kind == "intValue" else value
        for one in span["attributes"]
        for kind, value in one["value"].items()
    }


async def test_the_spans_continue_the_callers_trace_and_the_provider_continues_them(scene: Scene) -> None:
    scene.upstream.script("main", DOWN)
    await scene.chat(headers={"traceparent": HEADER})
    request, failed, answered = scene.spans
    assert {span["traceId"] for span in scene.spans} == {TRACE}
    assert [span.get("parentSpanId") for span in scene.spans] == [
        PARENT,
        request["spanId"],
        request["spanId"],
    ]
    assert [span["kind"] for span in scene.spans] == [2, 3, 3]
    assert len({span["spanId"] for span in scene.spans}) == 3
    assert [one.header("traceparent") for one in scene.upstream.requests] == [
        f"00-{TRACE}-{span['spanId']}-01" for span in (failed, answered)
    ]
    assert (failed["status"], attributes(failed)["error.type"]) == ({"code": 2}, "overloaded")
    assert "status" not in answered
    assert "status" not in request


async def test_a_span_has_the_names_of_the_conventions(scene: Scene) -> None:
    scene.upstream.script("main", ANSWER)
    await scene.chat(stream=True, model="main", headers={"x-sluice-session": "s-1"})
    request, attempt = scene.spans
    line = scene.running.lines[-1]
    assert request["name"] == "chat up/main"
    assert attempt["name"] == "chat main"
    assert attributes(request) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.response.model": "main",
        "gen_ai.provider.name": "up",
        "sluice.request_id": line["request_id"],
        "sluice.project": "support",
        "sluice.key": "k1",
        "sluice.rule": "r",
        "sluice.reason": line["reason"],
        "sluice.revision": line["revision"],
        "sluice.cost": line["cost"],
        "gen_ai.request.model": "main",
        "gen_ai.usage.input_tokens": line["usage"]["input"],
        "gen_ai.usage.output_tokens": line["usage"]["output"],
        "http.request.method": "POST",
        "url.path": "/v1/chat/completions",
        "http.response.status_code": 200,
        **({"gen_ai.conversation.id": line["session"]} if line["session"] else {}),
    }
    assert attributes(attempt)["sluice.cost"] == line["cost"]
    (event,) = attempt["events"]
    assert event["name"] == "gen_ai.first_token"
    assert int(attempt["startTimeUnixNano"]) <= int(event["timeUnixNano"]) <= int(attempt["endTimeUnixNano"])
    assert int(request["startTimeUnixNano"]) <= int(attempt["startTimeUnixNano"])


async def test_no_content_no_tag_no_user_and_no_secret_is_sent(scene: Scene) -> None:
    await scene.chat(
        messages=[{"role": "user", "content": "canary-prompt"}],
        user="canary-user",
        metadata={"tag": "canary-tag"},
        headers={"user-agent": "canary-agent"},
    )
    (sent,) = scene.collector.requests
    assert not [word for word in (b"canary", b"Hello", KEY.encode(), b"up-secret") if word in sent.body]
    assert scene.upstream.url.encode() not in sent.body


@pytest.mark.parametrize(
    ("replies", "route", "classes"),
    [
        pytest.param([DOWN, whole(completion())], {"retries": 1}, ["overloaded", None], id="a retry"),
        pytest.param([DOWN], {}, ["overloaded", None], id="another candidate"),
        pytest.param([whole(status=400)], {}, ["invalid_request"], id="a request that is refused"),
        pytest.param([whole(completion())], {"hedge_after": 1}, [None], id="an answer before a hedge"),
        pytest.param(
            [Reply(status=None, pieces=(5.0,))],
            {"hedge_after": 1},
            ["cancelled", None],
            id="a hedge",
        ),
    ],
)
async def test_each_attempt_is_a_span(
    upstream: Upstream, collector: Upstream, replies: list[Reply], route: Json, classes: list[str | None]
) -> None:
    more = {"kind": "route", "id": "r", "model": "up/main", "fallbacks": ["up/spare"], "retries": 0, **route}
    scene = Scene(upstream, collector, more)
    upstream.script("main", *replies)
    await scene.chat()
    request, *attempts = scene.spans
    assert [attributes(one).get("error.type") for one in attempts] == classes
    assert {one["parentSpanId"] for one in attempts} == {request["spanId"]}
    assert {one["spanId"] for one in attempts} == {
        str(one.header("traceparent")).split("-")[2] for one in upstream.requests
    }
    await scene.running.gateway.aclose()


@pytest.mark.parametrize(
    ("settings", "traceparent", "spans", "sent"),
    [
        pytest.param({}, UNSAMPLED, 0, UNSAMPLED, id="one that is not sampled"),
        pytest.param(NONE, HEADER, 2, None, id="the caller's choice wins"),
        pytest.param({"SLUICE_OTLP_ENDPOINT": ""}, HEADER, 0, HEADER, id="there is no collector"),
        pytest.param(NONE, None, 0, None, id="no trace that begins here is recorded"),
        pytest.param({}, None, 2, None, id="a trace begins here"),
    ],
)
async def test_spans_are_sent_for_traces_that_are_sampled(
    upstream: Upstream,
    collector: Upstream,
    settings: Json,
    traceparent: str | None,
    spans: int,
    sent: str | None,
) -> None:
    scene = Scene(upstream, collector, **settings)
    await scene.chat(headers={"traceparent": traceparent} if traceparent else {})
    assert len(scene.spans) == spans
    (asked,) = upstream.requests
    assert sent is None or asked.header("traceparent") == sent
    await scene.running.gateway.aclose()


async def test_a_provider_gets_the_header_only_if_its_record_says_so(
    upstream: Upstream, collector: Upstream
) -> None:
    scene = Scene(upstream, collector, takes=False)
    await scene.chat(headers={"traceparent": HEADER})
    (asked,) = upstream.requests
    assert asked.header("traceparent") is None
    assert len(scene.spans) == 2
    await scene.running.gateway.aclose()


async def test_an_operation_besides_chat_has_its_own_name(scene: Scene) -> None:
    scene.upstream.script("embed", whole({"data": [], "usage": {"prompt_tokens": 3, "total_tokens": 3}}))
    await scene.running.post("/v1/embeddings", {"model": "up/embed", "input": "hi"})
    await scene.running.gateway.settle()
    request, attempt = scene.spans
    assert [request["name"], attempt["name"]] == ["embeddings up/embed", "embeddings embed"]
    assert attributes(attempt)["gen_ai.operation.name"] == "embeddings"
    assert attributes(request)["gen_ai.usage.input_tokens"] == 3
    (asked,) = scene.upstream.requests
    assert str(asked.header("traceparent")).split("-")[2] == attempt["spanId"]


async def test_strangers_and_health_checks_make_no_spans(scene: Scene) -> None:
    await scene.running.get("/health", key=None)
    await scene.running.chat(key="sk-sluice-" + "x" * 43)
    await scene.running.gateway.settle()
    assert scene.collector.requests == []


async def test_a_refused_request_is_one_span_with_its_error(scene: Scene) -> None:
    await scene.chat(model="up/none-such", messages=[])
    (request,) = scene.spans
    assert attributes(request)["error.type"] == scene.running.lines[-1]["error"]["code"]
    assert attributes(request)["http.response.status_code"] == 400


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(whole(status=401), id="it refuses"),
        pytest.param(Reply(status=None, pieces=(60.0,)), id="it is silent"),
    ],
)
async def test_a_failing_collector_is_reported_once_and_fails_no_request(scene: Scene, reply: Reply) -> None:
    scene.collector.script("None", reply)
    for _ in range(3):
        response = await scene.running.chat()
        assert response.status == 200
        await scene.running.gateway.tracer.settle(100)
    (problem,) = scene.problems
    assert problem["level"] == "ERROR"
    assert scene.collector.address not in str(problem)
    assert len(scene.collector.requests) == 1, "it is left alone for a while"
    await asyncio.sleep(tracer.PAUSE)
    scene.collector.script("None", TAKEN)
    await scene.chat()
    scene.collector.script("None", reply)
    await scene.running.chat()
    await scene.running.gateway.tracer.settle(100)
    assert len(scene.problems) == 2, "a new failure after a success is reported again"


async def test_few_spans_wait_for_a_slow_collector(scene: Scene) -> None:
    scene.running.gateway.tracer.most = 6
    scene.collector.script("None", Reply(status=None, pieces=(3.0,)), TAKEN)
    for _ in range(9):
        await scene.running.chat()
    await scene.running.gateway.tracer.settle(100)
    assert len(scene.spans) <= 2 + 6
    assert [line["problem"] for line in scene.problems][:1] == ["too many spans wait for the collector"]


async def test_spans_are_sent_in_batches(scene: Scene) -> None:
    scene.collector.script("None", Reply(pieces=(0.5, b"{}"), chunked=True), TAKEN)
    await scene.running.chat()
    await scene.collector.until("busy", 1)
    for _ in range(4):
        await scene.running.chat()
    await scene.running.gateway.settle()
    assert len(scene.spans) == 10
    assert len(scene.collector.requests) == 2


async def test_the_collector_gets_the_headers_of_the_setting(upstream: Upstream, collector: Upstream) -> None:
    scene = Scene(upstream, collector, SLUICE_OTLP_HEADERS="authorization=Bearer%20canary,x-team=a")
    await scene.chat()
    (sent,) = collector.requests
    assert (sent.header("authorization"), sent.header("x-team")) == ("Bearer canary", "a")
    assert (sent.path, sent.header("content-type")) == ("/v1/traces", "application/json")
    assert "canary" not in repr(scene.running.gateway.settings) + str(scene.running.lines)
    await scene.running.gateway.aclose()
