"""Tests of handler/runtime/loop.py with a fake Runtime API that records each chunk and its time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from handler.runtime.loop import FAILED, NOT_RESTORED, RESTORE_HOOK_FAILED, App, Receive, Scope, Send, run
from tests.support.lambda_url import event_of, function_url
from tests.support.runtime_api import NULS, FakeRuntimeApi, Json, listening

POST = event_of("POST", "/v1/chat/completions", headers={"content-type": "application/json"}, body=b"{}")
SNAP_START = {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}


@dataclass(slots=True)
class Hooks:
    """Hooks that record their calls; the one named `failing` fails."""

    failing: str = ""
    calls: list[str] = field(default_factory=list)
    settling: Callable[[], Awaitable[object]] | None = None

    async def start(self) -> None:
        self._record("start")

    async def settle(self) -> None:
        self._record("settle")
        if self.settling:
            await self.settling()

    async def after_restore(self) -> None:
        self._record("after_restore")

    def _record(self, name: str) -> None:
        self.calls.append(name)
        if name == self.failing:
            raise RuntimeError(f"{name} failed")


@dataclass(slots=True)
class Function:
    """A runtime that serves an app of the test from the fake API."""

    api: FakeRuntimeApi
    hooks: Hooks
    environment: dict[str, str]
    lines: list[Mapping[str, Any]]
    ending: asyncio.Task[int]


@asynccontextmanager
async def function(
    app: App,
    *,
    hooks: Hooks | None = None,
    build: Callable[[], Any] | None = None,
    environment: dict[str, str] | None = None,
) -> AsyncIterator[Function]:
    hooks, environment = hooks or Hooks(), {} if environment is None else environment
    lines: list[Mapping[str, Any]] = []
    async with FakeRuntimeApi().serving() as api:
        environment["AWS_LAMBDA_RUNTIME_API"] = api.address
        ending = asyncio.ensure_future(run(build or (lambda: (app, hooks)), environment, log=lines.append))
        yield Function(api, hooks, environment, lines, ending)
        idle = asyncio.ensure_future(api.idle.wait())
        await asyncio.wait({ending, idle}, return_when=asyncio.FIRST_COMPLETED)
        idle.cancel()
        ending.cancel()
        with suppress(asyncio.CancelledError):
            await ending


def answering(*pieces: bytes, status: int = 200, headers: tuple[tuple[bytes, bytes], ...] = ()) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": headers})
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})

    return app


async def start(send: Send, *, status: int = 200) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})


async def piece(send: Send, body: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def test_each_piece_is_sent_before_the_next_one_exists() -> None:
    go = asyncio.Semaphore(0)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send)
        for number in range(3):
            await go.acquire()
            await piece(send, b"data: %d\n\n" % number)
        await go.acquire()
        await piece(send, b"", more=False)

    async with function(app) as running:
        invocation = await running.api.submit(POST)
        for number in range(4):  # the head is a chunk of its own, sent before the app continues
            await invocation.wait(chunks=number + 1)
            assert len(invocation.chunks) == number + 1
            assert not invocation.over
            go.release()
        await invocation.wait()
    assert [data for _, data in invocation.chunks[1:]] == [b"data: 0\n\n", b"data: 1\n\n", b"data: 2\n\n"]
    assert invocation.chunks[0][1] == json.dumps({"statusCode": 200, "headers": {}}).encode() + NULS
    assert invocation.headers["lambda-runtime-function-response-mode"] == "streaming"
    assert invocation.headers["content-type"] == "application/vnd.awslambda.http-integration-response"
    assert invocation.ended is not None
    assert not invocation.trailers


async def test_the_request_reaches_the_app_as_asgi() -> None:
    scopes: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append({**scope, "message": await receive()})
        await answering(b"x")(scope, receive, send)

    event = event_of(
        "POST",
        "/v1/models/openai%2Fgpt%20x?limit=2&limit=3",
        headers={"Authorization": "Bearer k", "X-Twice": "a,b", "cookie": "a=1; b=2"},
        body=b"\xff\x00raw",
    )
    async with function(app) as running:
        await (await running.api.submit(event)).wait()
    (scope,) = scopes
    assert scope["type"] == "http"
    assert scope["method"] == "POST"
    assert scope["path"] == "/v1/models/openai/gpt x"
    assert scope["raw_path"] == b"/v1/models/openai%2Fgpt%20x"
    assert scope["query_string"] == b"limit=2&limit=3"
    assert scope["asgi"] == {"version": "3.0", "spec_version": "2.4"}
    assert {(b"authorization", b"Bearer k"), (b"x-twice", b"a,b"), (b"cookie", b"a=1; b=2")} <= {
        tuple(pair) for pair in scope["headers"]
    }
    assert scope["message"] == {"type": "http.request", "body": b"\xff\x00raw", "more_body": False}


async def test_the_app_can_read_the_remaining_time() -> None:
    left: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        left.append(scope["aws.context"].get_remaining_time_in_millis())
        await answering(b"x")(scope, receive, send)

    async with function(app) as running:
        await (await running.api.submit(POST, seconds=20)).wait()
    assert 15_000 < left[0] <= 20_000


async def test_the_app_receives_a_disconnect_only_after_its_answer() -> None:
    received: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        waiting = asyncio.ensure_future(receive())
        await answering(b"x")(scope, receive, send)
        received.append((await waiting)["type"])

    async with function(app) as running:
        await (await running.api.submit(POST)).wait()
        await (await running.api.submit(POST)).wait()
    assert received[0] == "http.disconnect"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        pytest.param(200, b"\n", id="an answer without a body gets one byte"),
        pytest.param(302, b"\n", id="a redirect without a body gets one byte"),
        pytest.param(204, b"", id="204 has no body"),
        pytest.param(304, b"", id="304 has no body"),
    ],
)
async def test_an_empty_answer(status: int, body: bytes) -> None:
    async with function(answering(status=status)) as running:
        invocation = await (await running.api.submit(POST)).wait()
    assert (invocation.prelude["statusCode"], invocation.body) == (status, body)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param(((b"X-A", b"1"),), {"headers": {"x-a": "1"}}, id="names are lower case"),
        pytest.param(
            ((b"vary", b"a"), (b"vary", b"b")),
            {"headers": {"vary": "a, b"}},
            id="values of a name are joined",
        ),
        pytest.param(
            ((b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")),
            {"headers": {}, "cookies": ["a=1", "b=2"]},
            id="cookies are a list",
        ),
        pytest.param(
            (
                (b"content-length", b"1"),
                (b"connection", b"close"),
                (b"transfer-encoding", b"chunked"),
                (b"date", b"now"),
                (b"server", b"x"),
                (b"retry-after", b"2"),
            ),
            {"headers": {"retry-after": "2"}},
            id="headers that Lambda sets are omitted",
        ),
        pytest.param(((b"x-a", b"\xe9\x00"),), {"headers": {"x-a": "\xe9\0"}}, id="a NUL is escaped"),
    ],
)
async def test_the_head(headers: tuple[tuple[bytes, bytes], ...], expected: Json) -> None:
    async with function(answering(b"x", headers=headers)) as running:
        invocation = await (await running.api.submit(POST)).wait()
    assert invocation.prelude == {"statusCode": 200, **expected}
    assert invocation.body == b"x"


async def test_the_client_does_not_wait_for_work_after_the_answer_and_the_next_event_does() -> None:
    go = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answering(b"x")(scope, receive, send)
        await go.wait()

    async with function(app, hooks=Hooks(settling=go.wait)) as running:
        invocation = await (await running.api.submit(POST)).wait()
        assert invocation.ended is not None
        assert len(running.api.polls) == 1
        go.set()
        await (await running.api.submit(POST)).wait()
        assert len(running.api.polls) == 2
        assert running.hooks.calls[:2] == ["start", "settle"]


async def raising_before(scope: Scope, receive: Receive, send: Send) -> None:
    raise ValueError("a secret sk-aaaaaaaaaaaaaaaaaaaa")


async def silent(scope: Scope, receive: Receive, send: Send) -> None:
    pass


async def cancelling_itself(scope: Scope, receive: Receive, send: Send) -> None:
    raise asyncio.CancelledError


async def headless(scope: Scope, receive: Receive, send: Send) -> None:
    await piece(send, b"x")


@pytest.mark.parametrize(
    "app",
    [
        pytest.param(raising_before, id="an app that fails"),
        pytest.param(silent, id="an app that sends nothing"),
        pytest.param(cancelling_itself, id="an app that cancels itself"),
        pytest.param(headless, id="an app that sends a body without a head"),
    ],
)
async def test_a_failure_before_the_head_is_a_500(app: App) -> None:
    async with function(app) as running:
        invocation = await (await running.api.submit(POST)).wait()
        await (await running.api.submit(POST)).wait()  # the instance still serves
    error = json.loads(invocation.body)["error"]
    assert invocation.prelude["statusCode"] == 500
    assert invocation.prelude["headers"]["x-request-id"] == invocation.id
    assert (error["type"], error["code"]) == ("server_error", "internal_error")
    assert invocation.id in error["message"]
    assert b"secret" not in invocation.raw
    assert not invocation.trailers


async def failing_midway(scope: Scope, receive: Receive, send: Send) -> None:
    await start(send)
    await piece(send, b"data: 1\n\n")
    raise ValueError("broken\r\npipe sk-aaaaaaaaaaaaaaaaaaaa")


async def stopping_midway(scope: Scope, receive: Receive, send: Send) -> None:
    await start(send)
    await piece(send, b"data: 1\n\n")


@pytest.mark.parametrize(
    ("app", "kind"),
    [
        pytest.param(failing_midway, "ValueError", id="an app that fails midway"),
        pytest.param(stopping_midway, "RuntimeError", id="an app that stops midway"),
    ],
)
async def test_a_failure_after_the_head_is_in_the_trailers(app: App, kind: str) -> None:
    async with function(app) as running:
        invocation = await (await running.api.submit(POST)).wait()
        await (await running.api.submit(POST)).wait()
    assert invocation.body == b"data: 1\n\n"
    assert invocation.trailers["lambda-runtime-function-error-type"] == f"Runtime.{kind}"
    assert invocation.error["errorType"] == kind
    assert "sk-aaaa" not in invocation.error["errorMessage"]


async def test_a_failure_after_the_answer_is_only_logged() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answering(b"x")(scope, receive, send)
        raise ValueError("too late")

    async with function(app, hooks=Hooks(failing="settle")) as running:
        invocation = await (await running.api.submit(POST)).wait()
        await (await running.api.submit(POST)).wait()
    assert invocation.body == b"x"
    assert not invocation.trailers
    assert [line["detail"] for line in running.lines[:2]] == ["too late", "settle failed"]
    assert {line["level"] for line in running.lines} == {"ERROR"}
    assert running.lines[0]["aws_request_id"] == invocation.id


async def test_a_message_after_the_end_is_refused() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answering(b"x")(scope, receive, send)
        await piece(send, b"more")

    async with function(app) as running:
        invocation = await (await running.api.submit(POST)).wait()
        await (await running.api.submit(POST)).wait()
    assert invocation.body == b"x"
    assert "http.response.body" in running.lines[0]["detail"]


async def endless(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.sleep(60)


async def endless_midway(scope: Scope, receive: Receive, send: Send) -> None:
    await start(send)
    await asyncio.sleep(60)


async def test_an_app_is_stopped_before_lambda_stops_it() -> None:
    async with function(endless) as running:
        invocation = await (await running.api.submit(POST, seconds=0.5)).wait()
    error = json.loads(invocation.body)["error"]
    assert invocation.prelude["statusCode"] == 504
    assert (error["type"], error["code"]) == ("timeout_error", "deadline_exceeded")


async def test_a_stream_is_ended_before_lambda_stops_it() -> None:
    async with function(endless_midway) as running:
        invocation = await (await running.api.submit(POST, seconds=0.5)).wait()
    assert invocation.trailers["lambda-runtime-function-error-type"] == "Runtime.TimeoutError"


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({"key1": "value1", "key2": "value2"}, id="the console's test event"),
        pytest.param({}, id="an empty object"),
        pytest.param([], id="a list"),
        pytest.param(["version", "requestContext"], id="a list of the right names"),
        pytest.param(7, id="a number"),
        pytest.param(None, id="null"),
        pytest.param("version requestContext", id="a string"),
        pytest.param(b"", id="an empty event"),
        pytest.param(b"{", id="broken JSON"),
        pytest.param(b'{"a": "\xff"}', id="broken UTF-8"),
        pytest.param(b"[" * 100_000, id="deep nesting"),
        pytest.param({**POST, "requestContext": {}}, id="no http in the context"),
        pytest.param({**POST, "requestContext": None}, id="a null context"),
        pytest.param({**POST, "headers": None}, id="null headers"),
        pytest.param({**POST, "headers": {"a": 1}}, id="a header that is a number"),
        pytest.param({**POST, "headers": {"host": "a:b:c"}}, id="a host of many colons"),
        pytest.param({**POST, "rawPath": 7}, id="a path that is a number"),
        pytest.param({**POST, "body": {"messages": []}}, id="a body that is an object"),
        pytest.param({**POST, "body": "\ud800"}, id="a body with a lone surrogate"),
        pytest.param({**POST, "body": "YQ", "isBase64Encoded": True}, id="base64 without padding"),
        pytest.param({**POST, "body": "é", "isBase64Encoded": True}, id="characters that are not base64"),
        pytest.param({"Records": [{"eventSource": "aws:sqs"}]}, id="a queue's event"),
    ],
)
async def test_an_event_that_is_not_an_http_request_is_refused(event: Any) -> None:
    async with function(answering(b"x")) as running:
        raw = event if isinstance(event, bytes) else json.dumps(event).encode()
        invocation = await (await running.api.submit(raw)).wait()
        after = await (await running.api.submit(POST)).wait()
    error = json.loads(invocation.body)["error"]
    assert invocation.prelude["statusCode"] == 400
    assert (error["type"], error["code"]) == ("invalid_request_error", "invalid_value")
    assert after.body == b"x"
    assert not running.lines


async def test_an_api_gateway_event_is_answered() -> None:
    event = {
        "resource": "/{proxy+}",
        "path": "/v1/models",
        "httpMethod": "GET",
        "headers": {"Host": "example.com"},
        "requestContext": {"identity": {"sourceIp": "203.0.113.9"}},
        "body": None,
    }
    async with function(answering(b"x")) as running:
        invocation = await (await running.api.submit(event)).wait()
    assert invocation.body == b"x"


async def test_the_invocation_id_is_echoed() -> None:
    async with function(answering(b"x")) as running:
        running.api.guard = "inv-7"
        invocation = await (await running.api.submit(POST)).wait()
    assert invocation.headers["lambda-runtime-invocation-id"] == "inv-7"


@pytest.mark.parametrize(
    ("verdict", "level"),
    [
        pytest.param(410, "WARNING", id="410: the answer came too late"),
        pytest.param(413, "ERROR", id="413: the answer is too large"),
        pytest.param(400, "ERROR", id="400: the answer is malformed"),
    ],
)
async def test_the_runtime_survives_a_refused_answer(verdict: int, level: str) -> None:
    async with function(answering(b"x")) as running:
        running.api.answer_status = verdict
        await (await running.api.submit(POST)).wait()
        await (await running.api.submit(POST)).wait()
        assert not running.ending.done()
    assert (running.lines[0]["level"], running.lines[0]["status"]) == (level, verdict)


async def test_a_container_error_ends_the_runtime() -> None:
    async with function(answering(b"x")) as running:
        running.api.answer_status = 500
        await running.api.submit(POST)
        assert await running.ending == FAILED


async def test_sending_raises_oserror_once_lambda_gives_up_the_answer() -> None:
    caught: list[BaseException] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await start(send)
        try:
            while not caught:
                await piece(send, b"x" * 65536)
        except OSError as error:
            caught.append(error)
            raise
        await piece(send, b"", more=False)

    async with function(app) as running:
        running.api.drop_after = 3
        await (await running.api.submit(POST)).wait()
        running.api.drop_after = None
        after = await (await running.api.submit(POST)).wait()
    assert isinstance(caught[0], OSError)
    assert after.body == b"\n"


async def test_the_trace_id_is_that_of_the_request() -> None:
    trace_ids: list[str] = []
    environment: dict[str, str] = {"_X_AMZN_TRACE_ID": "of the init"}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        trace_ids.append(environment["_X_AMZN_TRACE_ID"])
        await answering(b"x")(scope, receive, send)

    async with function(app, environment=environment) as running:
        first = await (await running.api.submit(POST)).wait()
        second = await (await running.api.submit(POST)).wait()
    assert trace_ids == [first.trace, second.trace]


async def test_one_loop_and_one_app_serve_all_events() -> None:
    loops: set[int] = set()
    built: list[None] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        loops.add(id(asyncio.get_running_loop()))
        await answering(b"x")(scope, receive, send)

    def build() -> tuple[App, Hooks]:
        built.append(None)
        return app, Hooks()

    async with function(app, build=build) as running:
        for _ in range(20):
            await (await running.api.submit(POST)).wait()
    assert (len(loops), len(built)) == (1, 1)


def failing_build() -> tuple[App, Hooks]:
    raise ImportError("No module named 'nowhere'")


async def test_a_failing_build_is_reported() -> None:
    async with function(silent, build=failing_build) as running:
        assert await running.ending == FAILED
    (path, kind, body) = running.api.reports[0]
    assert (path, kind) == ("/init/error", "Runtime.ImportError")
    assert body["errorMessage"] == "No module named 'nowhere'"
    assert running.lines[0]["level"] == "ERROR"


async def test_a_failing_start_is_reported() -> None:
    async with function(silent, hooks=Hooks(failing="start")) as running:
        assert await running.ending == FAILED
    assert running.api.reports[0][0] == "/init/error"
    assert not running.api.polls


async def test_a_snapshot_is_taken_between_start_and_restore() -> None:
    async with function(answering(b"x"), environment=dict(SNAP_START)) as running:
        await (await running.api.submit(POST)).wait()
    assert running.api.restores == 1
    assert running.hooks.calls[:2] == ["start", "after_restore"]


async def test_without_snapstart_nothing_is_restored() -> None:
    async with function(
        answering(b"x"), environment={"AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand"}
    ) as running:
        await (await running.api.submit(POST)).wait()
    assert running.api.restores == 0
    assert "after_restore" not in running.hooks.calls


async def test_a_failing_restore_hook_is_reported() -> None:
    hooks = Hooks(failing="after_restore")
    async with function(silent, hooks=hooks, environment=dict(SNAP_START)) as running:
        assert await running.ending == RESTORE_HOOK_FAILED
    assert running.api.reports[0][:2] == ("/restore/error", "Runtime.RuntimeError")


async def test_a_refused_restore_ends_the_runtime() -> None:
    async with FakeRuntimeApi(restore_status=500).serving() as api:
        environment = {"AWS_LAMBDA_RUNTIME_API": api.address, **SNAP_START}
        code = await run(lambda: (silent, Hooks()), environment, log=lambda _: None)
    assert code == NOT_RESTORED


async def test_without_a_runtime_api_the_runtime_ends() -> None:
    async with FakeRuntimeApi().serving() as api:
        environment = {"AWS_LAMBDA_RUNTIME_API": api.address}
    assert await run(lambda: (silent, Hooks()), environment, log=lambda _: None) == FAILED


async def test_a_large_event_arrives_whole() -> None:
    sizes: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        sizes.append(len((await receive())["body"]))
        await answering(b"y" * 3_000_000)(scope, receive, send)

    event = event_of("POST", "/", headers={"content-type": "text/plain"}, body=b"x" * 5_000_000)
    async with function(app) as running:
        invocation = await (await running.api.submit(event)).wait()
    assert (sizes, len(invocation.body)) == ([5_000_000], 3_000_000)


@pytest.mark.parametrize("size", [10, 2_000, 3_000, 500_000])
async def test_events_of_any_size_follow_one_another_on_one_connection(size: int) -> None:
    """A long event comes in chunks, and their end must not be read as the next event."""
    sizes: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        sizes.append(len((await receive())["body"]))
        await answering(b"x")(scope, receive, send)

    event = event_of("POST", "/", headers={"content-type": "text/plain"}, body=b"x" * size)
    async with function(app) as running:
        for one in (event, POST, event, POST):
            answered = asyncio.ensure_future((await running.api.submit(one)).wait())
            await asyncio.wait({answered, running.ending}, return_when=asyncio.FIRST_COMPLETED)
            assert not running.ending.done(), running.lines
    assert sizes == [size, 2, size, 2]
    assert running.api.connections < 4 + 2  # one for each answer, and one for the polls


async def test_an_api_that_does_not_speak_http_ends_the_runtime() -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"nonsense\r\n\r\n")

    lines: list[Mapping[str, Any]] = []
    async with listening(connected) as address:
        environment = {"AWS_LAMBDA_RUNTIME_API": address}
        assert await run(lambda: (silent, Hooks()), environment, log=lines.append) == FAILED
    assert "nonsense" in lines[0]["detail"]


async def test_an_http_client_receives_each_piece_when_it_is_sent() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        for number in range(3):
            await go.acquire()
            await piece(send, b"data: %d\n\n" % number)
        await piece(send, b"", more=False)

    go = asyncio.Semaphore(0)
    pieces = []
    async with (
        function(app) as running,
        function_url(running.api) as url,
        httpx.AsyncClient() as client,
        client.stream("POST", f"{url}/v1/chat/completions", json={}) as answer,
    ):
        go.release()  # the head has come: the first piece is sent, and each other once the last one has come
        async for data in answer.aiter_raw():
            pieces.append(data)
            go.release()
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "text/event-stream"
    assert pieces == [b"data: 0\n\n", b"data: 1\n\n", b"data: 2\n\n"]
