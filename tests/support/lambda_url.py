"""A function URL without AWS: HTTP requests become payload v2.0 events for a runtime process.

The function runs under the fake Runtime API of `runtime_api`, which passes on each piece of an answer, or
under Lambda's own `Emulator` (its binary comes with aws-sam-cli), which buffers answers.
`python -m tests.support.lambda_url [--emulator BINARY] [--port N] -- COMMAND ...` serves COMMAND, a runtime.

https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import socket
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qsl

import h11
import httpx

from tests.support.runtime_api import NULS, FakeRuntimeApi, Json, Wire, listening

HOST = "abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.on.aws"
CLOSE = {"connection": "close"}


def event_of(
    method: str, target: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Json:
    """The event that a function URL makes of an HTTP request."""
    path, _, query = target.partition("?")
    fields = {"host": HOST, "x-forwarded-proto": "https", "x-forwarded-port": "443", "user-agent": "test"}
    fields |= {name.lower(): value for name, value in (headers or {}).items()}
    cookies = [part for part in fields.pop("cookie", "").split("; ") if part]
    http = {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.9"}
    event: Json = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": fields,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": HOST.split(".")[0],
            "domainName": HOST,
            "http": {**http, "userAgent": fields["user-agent"]},
            "requestId": str(uuid.uuid4()),
            "routeKey": "$default",
            "stage": "$default",
            "timeEpoch": int(time.time() * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if query:
        event["queryStringParameters"] = dict(parse_qsl(query, keep_blank_values=True))
    return event | (_body_of(body, fields.get("content-type", "")) if body else {})


def _body_of(body: bytes, content_type: str) -> Json:
    """The body fields of an event: text and JSON as text, anything else as base64."""
    if any(kind in content_type for kind in ("text/", "json", "xml", "javascript")):
        try:
            return {"body": body.decode(), "isBase64Encoded": False}
        except UnicodeDecodeError:
            pass
    return {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}


class Backend(Protocol):
    def invoke(self, event: Json) -> AsyncIterator[bytes]: ...


@dataclass(slots=True)
class Emulator:
    """Lambda's Runtime Interface Emulator: the state machine of the real service with one runtime."""

    url: str
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def invoke(self, event: Json) -> AsyncIterator[bytes]:
        async with self.turn, httpx.AsyncClient(timeout=60, trust_env=False) as client:
            answer = await client.post(f"{self.url}/2015-03-31/functions/function/invocations", json=event)
        yield answer.content


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def emulator(
    binary: Path, command: Sequence[str], *, environment: Mapping[str, str], cwd: Path, handler: str = "none"
) -> AsyncIterator[Emulator]:
    """Runs `command`, a runtime, under the emulator, which logs to standard error."""
    api, invoke = free_port(), free_port()
    process = await asyncio.create_subprocess_exec(
        binary,
        "--runtime-api-address",
        f"127.0.0.1:{api}",
        "--runtime-interface-emulator-address",
        f"127.0.0.1:{invoke}",
        *command,
        handler,
        env={**environment},
        cwd=cwd,
    )
    try:
        await _wait_for_port(invoke)
        yield Emulator(f"http://127.0.0.1:{invoke}")
    finally:
        await _stop(process)


@asynccontextmanager
async def runtime(
    command: Sequence[str], *, api: FakeRuntimeApi, environment: Mapping[str, str], cwd: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs `command`, a runtime, which polls the fake API."""
    variables = {**environment, "AWS_LAMBDA_RUNTIME_API": api.address}
    process = await asyncio.create_subprocess_exec(*command, env=variables, cwd=cwd)
    try:
        yield process
    finally:
        await _stop(process)


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), 5)
    except TimeoutError:
        process.kill()
        await process.wait()


async def _wait_for_port(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise TimeoutError(f"nothing listens on port {port}")


@asynccontextmanager
async def function_url(backend: Backend, *, port: int = 0) -> AsyncIterator[str]:
    """The base URL at which `backend` answers HTTP."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wire = Wire(reader, writer)
        try:
            if isinstance(request := await wire.event(), h11.Request):
                await _answer(wire, backend, await _event(wire, request))
        except (ConnectionError, h11.ProtocolError, asyncio.CancelledError):
            writer.transport.abort()  # the client must see that the answer was cut
        finally:
            writer.close()

    async with listening(connected, port=port) as address:
        yield f"http://{address}"


async def _event(wire: Wire, request: Any) -> Json:
    joined: dict[str, list[str]] = defaultdict(list)
    for name, value in request.headers:
        joined[name.decode()].append(value.decode("latin-1"))
    if b"100-continue" in dict(request.headers).get(b"expect", b""):
        await wire.send(h11.InformationalResponse(status_code=100, headers=[]))
    headers = {name: ",".join(values) for name, values in joined.items()}
    body = await wire.body()
    return event_of(request.method.decode(), request.target.decode(), headers=headers, body=body)


async def _answer(wire: Wire, backend: Backend, event: Json) -> None:
    """Sends a streamed answer piece by piece, and one that the runtime buffered, a JSON object, at once."""
    buffer, head_sent = b"", False
    async for piece in backend.invoke(event):
        if head_sent:
            await wire.send(h11.Data(data=piece))
            continue
        buffer += piece
        if NULS in buffer:
            prelude, _, rest = buffer.partition(NULS)
            await wire.send(_head(json.loads(prelude)), *([h11.Data(data=rest)] if rest else []))
            head_sent = True
    if head_sent:
        await wire.send(h11.EndOfMessage())
    else:
        await _send_buffered(wire, buffer)


def _head(prelude: Json) -> h11.Response:
    cookies = [("set-cookie", cookie) for cookie in prelude.get("cookies", ())]
    fields = [*prelude.get("headers", {}).items(), *cookies, *CLOSE.items()]
    return h11.Response(status_code=prelude.get("statusCode", 200), headers=fields)


async def _send_buffered(wire: Wire, answer: bytes) -> None:
    response = json.loads(answer or b"{}")
    if "statusCode" not in response:  # a failed function: the client does not see why
        await wire.reply(
            502, b'{"message":"Internal Server Error"}', {"content-type": "application/json", **CLOSE}
        )
        return
    text = response.get("body") or ""
    body = base64.b64decode(text) if response.get("isBase64Encoded") else text.encode()
    headers = {
        name: value for name, value in (response.get("headers") or {}).items() if name != "content-length"
    }
    await wire.reply(response["statusCode"], body, headers | CLOSE)


async def _serve(arguments: argparse.Namespace) -> None:
    environment, here = dict(os.environ), Path.cwd()
    async with FakeRuntimeApi().serving() as api:
        started: AbstractAsyncContextManager[Any] = (
            emulator(arguments.emulator, arguments.command, environment=environment, cwd=here)
            if arguments.emulator
            else runtime(arguments.command, api=api, environment=environment, cwd=here)
        )
        async with started as process:
            backend = process if arguments.emulator else api
            async with function_url(backend, port=arguments.port) as url:
                sys.stdout.write(f"{url}\n")
                sys.stdout.flush()
                await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--emulator", type=Path, help="the aws-lambda-rie binary; else the fake Runtime API")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("command", nargs="+")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
