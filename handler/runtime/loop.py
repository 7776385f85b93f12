"""A Lambda runtime loop that streams: each piece of an answer is sent as the app sends it.

`bootstrap` starts it (`python -m handler.runtime.loop`) in place of Lambda's own client, which cannot stream
in Python. One event loop and one app live as long as the instance. Any ASGI 3 app runs on it; once Lambda's
client can stream, it is no longer needed.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any, Protocol

from handler.errors import GatewayError, InternalError, InvalidRequest, UpstreamError
from handler.log import Log, exception_line, json_lines
from handler.runtime.event import encode_prelude, parse_event, to_asgi
from handler.runtime.runtime_api import ACCEPTED, GONE, Invocation, Response, RuntimeApi, RuntimeApiError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MARGIN = 0.3  # seconds before Lambda's deadline at which a running app is stopped
GRACE = 0.1  # seconds that a stopped app has to end
FAILED, NOT_RESTORED, RESTORE_HOOK_FAILED = 1, 64, 65  # exit codes; the last two as in Lambda's own client

# A function URL never ends an answer without a body, unless its status has none in HTTP.
BODYLESS = frozenset({204, 304})


class Hooks(Protocol):
    """Called by the runtime between requests, on the loop that serves them."""

    async def start(self) -> None:
        """Prepare before the first request: init has a full processor, requests have a share."""

    async def settle(self) -> None:
        """End background work after each request, before the instance may be frozen."""

    async def after_restore(self) -> None:
        """Drop state that is stale or must not be shared, random numbers too, after a restore."""


Build = Callable[[], tuple[App, Hooks]]


async def run(build: Build, environment: MutableMapping[str, str], *, log: Log | None = None) -> int:
    """Serve until the Runtime API is gone. Returns the exit code, which is never zero."""
    api = RuntimeApi(environment["AWS_LAMBDA_RUNTIME_API"])
    try:
        return await _serve(api, build, environment, log or json_lines())
    finally:
        api.close()


async def _serve(api: RuntimeApi, build: Build, environment: MutableMapping[str, str], log: Log) -> int:
    try:
        app, hooks = build()
        await hooks.start()
    except Exception as error:  # any failure has to be reported to Lambda
        log(exception_line(error, phase="init"))
        await api.init_error(error)
        return FAILED
    if environment.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start" and (
        code := await _restore(api, hooks, log)
    ):
        return code
    try:
        while True:
            invocation = await api.next()
            _set_trace_id(environment, invocation)
            await handle(api, app, hooks, invocation, log)
    except (RuntimeApiError, OSError, EOFError) as error:
        log(exception_line(error, phase="runtime"))
        return FAILED


async def _restore(api: RuntimeApi, hooks: Hooks, log: Log) -> int:
    """Perform the SnapStart handshake. Returns 0, or an exit code if it failed."""
    try:
        await api.restore()
    except (RuntimeApiError, OSError, EOFError) as error:
        log(exception_line(error, phase="restore"))
        return NOT_RESTORED
    if failed := await _run(hooks.after_restore(), None):
        log(exception_line(failed, phase="restore"))
        await api.restore_error(failed)
        return RESTORE_HOOK_FAILED
    return 0


def _set_trace_id(environment: MutableMapping[str, str], invocation: Invocation) -> None:
    """Set the trace id of the request where botocore and the X-Ray SDK read it."""
    environment.pop("_X_AMZN_TRACE_ID", None)
    if invocation.trace_id:
        environment["_X_AMZN_TRACE_ID"] = invocation.trace_id


async def handle(api: RuntimeApi, app: App, hooks: Hooks, invocation: Invocation, log: Log) -> None:
    """Answer one event. The client does not wait for `settle`, nor for the app after its last piece."""
    id = {"aws_request_id": invocation.aws_request_id}
    try:
        scope, body = to_asgi(parse_event(invocation.event), invocation)
    except InvalidRequest as error:
        cycle = RequestCycle(api, invocation, b"")
        failed = await _run(cycle.send_error(error), None)
    else:
        cycle = RequestCycle(api, invocation, body)
        failed = await _run(cycle.call(app, scope), _seconds_left(invocation))
    if failed is not None:
        log(exception_line(failed, **id))
    try:
        await cycle.finish(failed, log)
    except (OSError, EOFError) as error:  # Lambda has given this request up; the next one may still come
        log(exception_line(error, **id) | {"level": "WARNING", "message": "answer not delivered"})
    if unsettled := await _run(hooks.settle(), _seconds_left(invocation)):
        log(exception_line(unsettled, **id))


def _seconds_left(invocation: Invocation) -> float:
    return max(0.0, invocation.get_remaining_time_in_millis() / 1000 - MARGIN)


async def _run(work: Coroutine[Any, Any, None], seconds: float | None) -> BaseException | None:
    """Run `work` as a task. Returns what it raised, or TimeoutError if it was stopped after `seconds`."""
    task = asyncio.create_task(work)
    await asyncio.wait({task}, timeout=seconds)
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=GRACE)
        return TimeoutError("the function's time is over")
    return asyncio.CancelledError("cancelled from within") if task.cancelled() else task.exception()


class RequestCycle:
    """One request and its answer: `receive` and `send` for the app, `finish` for Lambda."""

    def __init__(self, api: RuntimeApi, invocation: Invocation, body: bytes) -> None:
        self._api = api
        self._invocation = invocation
        self._request: bytes | None = body
        self._response: Response | None = None
        self._empty_allowed = False
        self._ended = asyncio.Event()

    async def call(self, app: App, scope: Scope) -> None:
        await app(scope, self.receive, self.send)

    async def receive(self) -> Message:
        """Return the whole body, then wait for the end of the answer: Lambda reports no disconnect."""
        if (body := self._request) is not None:
            self._request = None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._ended.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Send one ASGI message. Raises OSError if Lambda no longer takes the answer."""
        if message["type"] == "http.response.start" and self._response is None:
            status = message["status"]
            self._empty_allowed = status in BODYLESS
            self._response = await self._api.respond(
                self._invocation, encode_prelude(status, message.get("headers", ()))
            )
        elif message["type"] == "http.response.body" and self._response and not self._ended.is_set():
            await self._write(self._response, message.get("body", b""), more=message.get("more_body", False))
        else:
            raise RuntimeError(f"unexpected ASGI message {message['type']!r}")

    async def _write(self, response: Response, body: bytes, *, more: bool) -> None:
        if not (body or more or self._empty_allowed):
            body = b"\n"
        if body:
            self._empty_allowed = True
            await response.write(body)
        if not more:
            await response.end()
            self._ended.set()

    async def send_error(self, error: GatewayError) -> None:
        headers = [
            (b"content-type", b"application/json"),
            (b"x-request-id", self._invocation.aws_request_id.encode()),
        ]
        body = json.dumps(error.body()).encode()
        await self.send({"type": "http.response.start", "status": error.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    async def finish(self, failed: BaseException | None, log: Log) -> None:
        """End the answer, and read what Lambda replies. Raises OSError, EOFError, RuntimeApiError.

        failed: why the app failed, if it did.
        """
        if self._response is None:
            await self.send_error(_error_of(failed, self._invocation.aws_request_id))
        elif not self._ended.is_set():
            await self._response.end(failed or RuntimeError("the app ended before its answer"))
            self._ended.set()
        assert self._response is not None
        reply = await self._response.reply()
        if reply.status == 500:
            raise RuntimeApiError(f"Lambda asks the runtime to end: {reply.body[:200]!r}")
        if reply.status != ACCEPTED:
            log(
                {
                    "level": "WARNING" if reply.status == GONE else "ERROR",
                    "message": "answer refused by Lambda",
                    "aws_request_id": self._invocation.aws_request_id,
                    "status": reply.status,
                    "detail": reply.body[:200].decode("utf-8", "replace"),
                }
            )


def _error_of(failed: BaseException | None, request_id: str) -> GatewayError:
    if isinstance(failed, TimeoutError):
        return UpstreamError(
            "The request reached the time limit of the function.",
            failure_class="timeout_total",
            status=504,
            type="timeout_error",
            code="deadline_exceeded",
        )
    return InternalError(f"Internal error; the request id is {request_id}.")


def build_gateway() -> tuple[App, Hooks]:
    gc.disable()  # imports allocate much and free nothing: collections would take a tenth of init
    from handler.main import build  # imported here, so that a failure is reported to Lambda

    built = build()
    gc.freeze()  # these objects stay: later collections skip them
    gc.enable()
    return built


def main() -> None:
    from handler.settings import process_environment

    # Line by line, because an instance is frozen and killed without warning.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.exit(asyncio.run(run(build_gateway, process_environment())))


if __name__ == "__main__":
    main()
