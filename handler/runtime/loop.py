"""The Lambda runtime loop that streams: every piece of an answer leaves as the app sends it.

`bootstrap` starts it (`python -m handler.runtime.loop`) in place of Lambda's own client, which cannot
stream in Python. One event loop and one app live as long as the instance. Nothing of the gateway is in
here: any ASGI 3 app runs on it, and the day Lambda's client streams, this file goes.
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
from handler.runtime.event import parsed, prelude, request_of
from handler.runtime.runtime_api import ACCEPTED, GONE, Invocation, Response, RuntimeApi, RuntimeApiError

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MARGIN = 0.3  # seconds before Lambda's deadline at which an app that still runs is stopped
GRACE = 0.1  # seconds it then has to end
FAILED, NOT_RESTORED, RESTORE_HOOK_FAILED = 1, 64, 65  # exit codes; the last two as in Lambda's own client

# A function URL does not end an answer without a body, except where HTTP says that there is none.
BODYLESS = frozenset({204, 304})


class Hooks(Protocol):
    """What an instance asks of its app beside requests, on the loop that serves them."""

    async def start(self) -> None:
        """Before the first request: init time has a full processor, requests have not."""

    async def settle(self) -> None:
        """After each request, before the instance may be frozen: ends the work that requests left behind."""

    async def after_restore(self) -> None:
        """In an instance restored from a snapshot: drops what is stale or must not be shared (dice too)."""


Build = Callable[[], tuple[App, Hooks]]


async def run(build: Build, environment: MutableMapping[str, str], *, log: Log | None = None) -> int:
    """Serves until the Runtime API goes away. The exit code; never zero, as no runtime ends by itself."""
    api = RuntimeApi(environment["AWS_LAMBDA_RUNTIME_API"])
    try:
        return await _serve(api, build, environment, log or json_lines())
    finally:
        api.close()


async def _serve(api: RuntimeApi, build: Build, environment: MutableMapping[str, str], log: Log) -> int:
    try:
        app, hooks = build()
        await hooks.start()
    except Exception as error:  # whatever it is, Lambda has to be told
        log(exception_line(error, phase="init"))
        await api.init_error(error)
        return FAILED
    if environment.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start" and (
        code := await _restored(api, hooks, log)
    ):
        return code
    try:
        while True:
            invocation = await api.next()
            _trace(environment, invocation)
            await answer(api, app, hooks, invocation, log)
    except (RuntimeApiError, OSError, EOFError) as error:
        log(exception_line(error, phase="runtime"))
        return FAILED


async def _restored(api: RuntimeApi, hooks: Hooks, log: Log) -> int:
    """The SnapStart handshake: 0, or the exit code of what went wrong."""
    try:
        await api.restore()
    except (RuntimeApiError, OSError, EOFError) as error:
        log(exception_line(error, phase="restore"))
        return NOT_RESTORED
    if failed := await _bounded(hooks.after_restore(), None):
        log(exception_line(failed, phase="restore"))
        await api.restore_error(failed)
        return RESTORE_HOOK_FAILED
    return 0


def _trace(environment: MutableMapping[str, str], invocation: Invocation) -> None:
    """Where botocore and the X-Ray SDK look for the trace of the current request."""
    environment.pop("_X_AMZN_TRACE_ID", None)
    if invocation.trace_id:
        environment["_X_AMZN_TRACE_ID"] = invocation.trace_id


async def answer(api: RuntimeApi, app: App, hooks: Hooks, invocation: Invocation, log: Log) -> None:
    """Answers one event. What the app does after its last piece, and `settle`, are off the client's clock."""
    id = {"aws_request_id": invocation.aws_request_id}
    try:
        scope, body = request_of(parsed(invocation.event), invocation)
    except InvalidRequest as error:
        cycle = Cycle(api, invocation, b"")
        failed = await _bounded(cycle.refuse(error), None)
    else:
        cycle = Cycle(api, invocation, body)
        failed = await _bounded(_call(app, scope, cycle), _left(invocation))
    if failed is not None:
        log(exception_line(failed, **id))
    try:
        await cycle.conclude(failed, log)
    except (OSError, EOFError) as error:  # Lambda has given this request up; the next one may still come
        log(exception_line(error, **id) | {"level": "WARNING", "message": "answer not delivered"})
    if unsettled := await _bounded(hooks.settle(), _left(invocation)):
        log(exception_line(unsettled, **id))


async def _call(app: App, scope: Scope, cycle: Cycle) -> None:
    await app(scope, cycle.receive, cycle.send)


def _left(invocation: Invocation) -> float:
    return max(0.0, invocation.get_remaining_time_in_millis() / 1000 - MARGIN)


async def _bounded(work: Coroutine[Any, Any, None], seconds: float | None) -> BaseException | None:
    """Runs `work` as a task of its own; what it raised, or TimeoutError when it had to be stopped."""
    task = asyncio.create_task(work)
    await asyncio.wait({task}, timeout=seconds)
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=GRACE)
        return TimeoutError("the function's time is over")
    return asyncio.CancelledError("cancelled from within") if task.cancelled() else task.exception()


class Cycle:
    """One request as its app sees it (`receive`, `send`), and what is owed to Lambda when the app is done."""

    def __init__(self, api: RuntimeApi, invocation: Invocation, body: bytes) -> None:
        self._api = api
        self._invocation = invocation
        self._request: bytes | None = body
        self._response: Response | None = None
        self._empty_allowed = False
        self._ended = asyncio.Event()

    async def receive(self) -> Message:
        """The whole body at once; then nothing until the answer's end: Lambda never says a client left."""
        if (body := self._request) is not None:
            self._request = None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._ended.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Raises OSError when the answer can go nowhere any more."""
        if message["type"] == "http.response.start" and self._response is None:
            status = message["status"]
            self._empty_allowed = status in BODYLESS
            self._response = await self._api.respond(
                self._invocation, prelude(status, message.get("headers", ()))
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

    async def refuse(self, error: GatewayError) -> None:
        """Answers with the error itself."""
        headers = [
            (b"content-type", b"application/json"),
            (b"x-request-id", self._invocation.aws_request_id.encode()),
        ]
        body = json.dumps(error.body()).encode()
        await self.send({"type": "http.response.start", "status": error.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body})

    async def conclude(self, failed: BaseException | None, log: Log) -> None:
        """Ends what the app did not; hears what Lambda says. Raises OSError, EOFError, RuntimeApiError."""
        if self._response is None:
            await self.refuse(_error(failed, self._invocation.aws_request_id))
        elif not self._ended.is_set():
            await self._response.end(failed or RuntimeError("the app ended before its answer did"))
            self._ended.set()
        assert self._response is not None
        reply = await self._response.reply()
        if reply.status == 500:
            raise RuntimeApiError(f"the container is to end: {reply.body[:200]!r}")
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


def _error(failed: BaseException | None, request_id: str) -> GatewayError:
    if isinstance(failed, TimeoutError):
        return UpstreamError(
            "The request ran into the function's own time limit.",
            failure_class="timeout_total",
            status=504,
            type="timeout_error",
            code="deadline_exceeded",
        )
    return InternalError(f"Something went wrong here; the request id is {request_id}.")


def _gateway() -> tuple[App, Hooks]:
    gc.disable()  # imports make much and drop nothing: looking through it all costs a tenth of init
    from handler.main import build  # here, so that a failing import is reported to Lambda

    built = build()
    gc.freeze()  # and what stays for good need not be looked at again
    gc.enable()
    return built


def main() -> None:
    from handler.settings import process_environment

    # Line by line: an instance is frozen and killed without warning.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    sys.exit(asyncio.run(run(_gateway, process_environment())))


if __name__ == "__main__":
    main()
