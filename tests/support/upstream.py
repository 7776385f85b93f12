"""A provider on a loopback port that sends scripted replies, and records the requests that it receives.

    async with Upstream() as upstream:
        upstream.script("gpt", whole(status=500), stream(chunk("Hel"), chunk("lo"), finish()))
        ...  # POST to upstream.url + "/chat/completions" for the model "gpt", twice
        assert upstream.requests[0].body == b'{"model": "gpt"}'

Each model name has its replies: they are sent in turn, and the last one repeats.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections import deque
from dataclasses import dataclass
from typing import Any

from tests.support.canned_answers import Act, Reply, whole
from tests.support.loopback_server import LoopbackServer


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    path: str
    headers: tuple[tuple[str, str], ...]  # as they came
    body: bytes
    at: float  # the loop's time

    def header(self, name: str) -> str | None:
        return next((value for known, value in self.headers if known.lower() == name), None)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Upstream(LoopbackServer):
    """The server. `gone`: how many clients left before the end of a reply; `hung_up`: their requests."""

    def __init__(self, *, port: int = 0) -> None:
        super().__init__(port=port)
        self.requests: list[Request] = []
        self.connections = 0  # ever
        self.open = 0  # now
        self.busy = 0  # replies that are being sent
        self.gone = 0
        self.hung_up: list[Request] = []
        self._scripts: dict[str, deque[Reply]] = {}
        self._change = asyncio.Condition()

    @property
    def url(self) -> str:
        return f"http://{self.address}/v1"

    def script(self, model: str, *replies: Reply) -> None:
        self._scripts[model] = deque(replies)

    def requests_for(self, model: str) -> list[Request]:
        return [request for request in self.requests if request.json.get("model") == model]

    async def until(self, what: str, count: int, *, seconds: float = 2.0) -> None:
        """Waits until `gone`, `open`, `busy` or `connections` is `count`, or len(`requests`)."""

        def reached() -> bool:
            value = getattr(self, what)
            return (len(value) if isinstance(value, list) else value) == count

        async with asyncio.timeout(seconds), self._change:
            await self._change.wait_for(reached)

    async def _note(self) -> None:
        async with self._change:
            self._change.notify_all()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            first = b""
            while (request := await _read(reader, first)) is not None:
                self.requests.append(request)
                await self._note()
                self.busy += 1
                try:
                    left = await _play(self._reply(request), reader, writer)
                except _Gone:
                    self.gone += 1
                    self.hung_up.append(request)
                    break
                finally:
                    self.busy -= 1
                    await self._note()
                if left is None:
                    break
                first = left
        finally:
            self.open -= 1
            writer.close()
            await self._note()

    def _reply(self, request: Request) -> Reply:
        try:
            model = str(request.json.get("model"))
        except ValueError:
            model = ""
        script = self._scripts.get(model)
        if script is None:
            return whole(
                {"error": {"message": f"no such model: {model}", "code": "model_not_found"}}, status=404
            )
        return script.popleft() if len(script) > 1 else script[0]


class _Gone(Exception):
    """The other side closed before the reply had ended."""


async def _read(reader: asyncio.StreamReader, first: bytes) -> Request | None:
    try:
        head = first + await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    start, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, path, _ = start.split(" ")
    headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
    length = next((int(value) for name, value in headers if name.lower() == "content-length"), 0)
    try:
        body = await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return Request(method, path, headers, body, asyncio.get_running_loop().time())


async def _play(reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes | None:
    """Sends the reply. Returns what it read of the next request, or None if the connection is over."""
    gone = asyncio.ensure_future(reader.read(1))
    try:
        writer.write(_head(reply))
        for piece in reply.pieces:
            if isinstance(piece, bytes):
                writer.write(_framed(piece, reply))
                await writer.drain()
                await asyncio.sleep(0)
            elif isinstance(piece, Act) and piece is not Act.STALL:
                _end(piece, writer)
                return None
            else:
                await _pause(piece, gone)
            if gone.done() and gone.result() == b"":
                raise _Gone
        writer.write(b"0\r\n\r\n" if reply.chunked else b"")
        await writer.drain()
        return gone.result() if gone.done() else b""
    except ConnectionError:
        raise _Gone from None
    finally:
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)


async def _pause(piece: float | asyncio.Event | Act, gone: asyncio.Future[bytes]) -> None:
    """Waits as long as `piece` says, or until the other side closes."""
    event = piece if isinstance(piece, asyncio.Event) else asyncio.Event()
    waiting = asyncio.ensure_future(event.wait())
    either: set[asyncio.Future[Any]] = {gone, waiting}
    seconds = piece if isinstance(piece, float) else None
    try:
        await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


def _end(act: Act, writer: asyncio.StreamWriter) -> None:
    if act is Act.RESET:
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()


def _head(reply: Reply) -> bytes:
    if reply.status is None:
        return b""
    headers = dict(reply.headers)
    if reply.chunked:
        headers["transfer-encoding"] = "chunked"
    else:
        headers.setdefault("content-length", str(sum(len(p) for p in reply.pieces if isinstance(p, bytes))))
    lines = [f"HTTP/1.1 {reply.status} X", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _framed(data: bytes, reply: Reply) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data) if reply.chunked else data
