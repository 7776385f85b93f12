"""A client of the Lambda Runtime API on asyncio streams: events, streamed answers and error reports.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html and, for streaming,
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-response-streaming
Polls share one connection, as in Lambda's own client; each answer has its own. asyncio sets TCP_NODELAY.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Mapping
from typing import NamedTuple

from handler.redact import redact

BASE = "/2018-06-01/runtime"
ACCEPTED, GONE = 202, 410  # status codes


class RuntimeApiError(Exception):
    """The Runtime API sent a response after which the runtime cannot continue."""


class Reply(NamedTuple):
    """One HTTP response of the Runtime API; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Invocation(NamedTuple):
    """One event to answer. The app finds it in the scope as `aws.context`, like Lambda's context object."""

    aws_request_id: str
    deadline: float  # seconds since the epoch
    invoked_function_arn: str
    trace_id: str | None
    invocation_id: str | None  # echoed, so that a late answer cannot reach another request
    event: bytes

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.deadline - time.time()) * 1000))


def _invocation(reply: Reply) -> Invocation:
    headers = reply.headers
    return Invocation(
        aws_request_id=headers["lambda-runtime-aws-request-id"],
        deadline=int(headers["lambda-runtime-deadline-ms"]) / 1000,
        invoked_function_arn=headers.get("lambda-runtime-invoked-function-arn", ""),
        trace_id=headers.get("lambda-runtime-trace-id"),
        invocation_id=headers.get("lambda-runtime-invocation-id"),
        event=reply.body,
    )


class Response:
    """A streamed answer. Each `write` sends one chunk at once; it raises OSError if the answer is lost."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def write(self, data: bytes) -> None:
        self._writer.write(b"%x\r\n%b\r\n" % (len(data), data))
        await self._writer.drain()

    async def end(self, error: BaseException | None = None) -> None:
        """End the stream. An error goes into its trailers, which Lambda reads and no HTTP client sees."""
        trailers = b"" if error is None else _trailers(error)
        self._writer.write(b"0\r\n" + trailers + b"\r\n")
        await self._writer.drain()

    async def reply(self) -> Reply:
        """Read Lambda's response to the whole answer, and close the connection."""
        try:
            return await _read(self._reader)
        finally:
            self._writer.close()


class RuntimeApi:
    """A client of the API at `address` (host:port)."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._host, _, self._port = address.rpartition(":")
        self._polling: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def next(self) -> Invocation:
        """Wait for the next event, without a limit."""
        return _invocation(await self._get("/invocation/next"))

    def close(self) -> None:
        if self._polling is not None:
            self._polling[1].close()

    async def restore(self) -> None:
        """Allow Lambda to take a SnapStart snapshot; returns in an instance that was restored from it."""
        await self._get("/restore/next")

    async def respond(self, invocation: Invocation, prelude: bytes) -> Response:
        """Begin an answer. The prelude (status and headers) is a chunk of its own, sent at once."""
        id = invocation.invocation_id
        response = await self._send(
            f"POST {BASE}/invocation/{invocation.aws_request_id}/response",
            {
                "Content-Type": "application/vnd.awslambda.http-integration-response",
                "Lambda-Runtime-Function-Response-Mode": "streaming",
                "Transfer-Encoding": "chunked",
                "Trailer": "Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body",
                **({"Lambda-Runtime-Invocation-Id": id} if id else {}),
            },
        )
        await response.write(prelude + b"\0" * 8)
        return response

    async def init_error(self, error: BaseException) -> None:
        await self._report("/init/error", error)

    async def restore_error(self, error: BaseException) -> None:
        await self._report("/restore/error", error)

    async def _get(self, path: str) -> Reply:
        try:
            reply = await self._poll(path)
        except (OSError, EOFError):
            self.close()  # an idle connection may have been closed, and a poll may be repeated
            self._polling = None
            reply = await self._poll(path)
        if reply.status != 200:
            raise RuntimeApiError(f"{path} failed with status {reply.status}: {reply.body[:200]!r}")
        return reply

    async def _poll(self, path: str) -> Reply:
        if self._polling is not None and not await _is_quiet(self._polling[0]):
            self.close()
            self._polling = None
        reader, writer = self._polling or await asyncio.open_connection(self._host, int(self._port))
        self._polling = reader, writer
        writer.write(f"GET {BASE}{path} HTTP/1.1\r\nHost: {self._address}\r\n\r\n".encode("latin-1"))
        reply = await _read(reader)
        if reply.headers.get("connection", "").lower() == "close":
            writer.close()
            self._polling = None
        return reply

    async def _report(self, path: str, error: BaseException) -> None:
        headers = {"Lambda-Runtime-Function-Error-Type": _type_of(error), "Transfer-Encoding": "chunked"}
        response = await self._send(f"POST {BASE}{path}", headers)
        await response.write(_report_of(error))
        await response.end()
        await response.reply()

    async def _send(self, line: str, headers: Mapping[str, str]) -> Response:
        reader, writer = await asyncio.open_connection(self._host, int(self._port))
        head = {"Host": self._address, "Connection": "close", **headers}
        fields = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        writer.write(f"{line} HTTP/1.1\r\n{fields}\r\n".encode("latin-1"))
        return Response(reader, writer)


def _type_of(error: BaseException) -> str:
    return f"Runtime.{type(error).__name__}"


def _report_of(error: BaseException) -> bytes:
    report = {"errorMessage": redact(str(error)), "errorType": type(error).__name__, "stackTrace": []}
    return json.dumps(report).encode()


def _trailers(error: BaseException) -> bytes:
    """Return the trailers. The body is in base64, because a line end in it would break the framing."""
    body = base64.b64encode(_report_of(error))
    return b"Lambda-Runtime-Function-Error-Type: %b\r\nLambda-Runtime-Function-Error-Body: %b\r\n" % (
        _type_of(error).encode(),
        body,
    )


async def _is_quiet(reader: asyncio.StreamReader) -> bool:
    """True if nothing has come since the last response; it would be read as the next one."""
    for _ in range(2):  # the event loop polls the socket, then passes its bytes on
        await asyncio.sleep(0)
    try:
        async with asyncio.timeout(0):
            await reader.read(1)
    except TimeoutError:
        return True
    return False


async def _read(reader: asyncio.StreamReader) -> Reply:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    fields = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in fields}
    status = first.partition(" ")[2][:3]
    if not status.isdecimal():
        raise RuntimeApiError(f"not an HTTP response: {first[:200]!r}")
    return Reply(int(status), headers, await _read_body(reader, headers))


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return await _read_chunks(reader)
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    return await reader.read()


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":  # trailers, and the end; another response may follow
        pass
    return bytes(body)
