"""A provider on a loopback port that does as it is told: answers, fails, stalls, cuts, resets, drips.

    async with Upstream() as upstream:
        upstream.script("gpt", whole(status=500), stream(chunk("Hel"), chunk("lo"), finish()))
        ...  # ask upstream.url + "/chat/completions" for the model "gpt", twice
        assert upstream.requests[0].body == b'{"model": "gpt"}'

Replies are per model name, in turn, the last one again and again. Every byte that was asked is remembered.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from types import TracebackType
from typing import Any, Self

Json = dict[str, Any]


class Act(Enum):
    STALL = auto()  # say nothing more, until the other side goes
    CUT = auto()  # close, without the end that was promised
    RESET = auto()  # the same with a RST


Piece = bytes | float | asyncio.Event | Act  # bytes to send, seconds to pause, what to wait for, or an end


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One response. `status` None: no head at all."""

    status: int | None = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    pieces: Sequence[Piece] = ()
    chunked: bool = False

    def but(self, *pieces: Piece) -> Reply:
        """The same, ending in `pieces`."""
        return replace(self, pieces=(*self.pieces, *pieces))


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


def text_of(value: Json | str) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def whole(
    body: Json | str | bytes | None = None, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Reply:
    """A body that is not streamed; by default a completion, or an error where `status` is one."""
    if body is None:
        body = completion() if status < 400 else {"error": {"message": f"It is {status}."}}
    data = body if isinstance(body, bytes) else text_of(body).encode()
    return Reply(
        status=status, headers={"content-type": "application/json", **(headers or {})}, pieces=(data,)
    )


def stream(
    *events: Json | str | Piece,
    done: bool = True,
    cut_every: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """Server-sent events. `cut_every`: bytes per write, so that nothing arrives as it was meant."""
    pieces = [
        event if isinstance(event, bytes | float | asyncio.Event | Act) else sse(event) for event in events
    ]
    if done:
        pieces.append(b"data: [DONE]\n\n")
    if cut_every is not None:
        data = b"".join(piece for piece in pieces if isinstance(piece, bytes))
        pieces = [data[at : at + cut_every] for at in range(0, len(data), cut_every)]
    head = {"content-type": "text/event-stream", **(headers or {})}
    return Reply(headers=head, pieces=pieces, chunked=True)


def sse(event: Json | str) -> bytes:
    return f"data: {text_of(event)}\n\n".encode()


HEAD: Json = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1763600000, "model": "m"}
USAGE: Json = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def chunk(content: str | None = None, *, index: int = 0, **delta: Any) -> Json:
    said = delta if content is None else {"content": content, **delta}
    return {**HEAD, "choices": [{"index": index, "delta": said, "finish_reason": None}]}


def role() -> Json:
    return chunk("", role="assistant", refusal=None)


def finish(reason: str = "stop", *, index: int = 0) -> Json:
    return {**HEAD, "choices": [{"index": index, "delta": {}, "finish_reason": reason}]}


def usage() -> Json:
    return {**HEAD, "choices": [], "usage": USAGE}


def completion(content: str = "Hello", **more: Any) -> Json:
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    return {**HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE, **more}


class Upstream:
    """The server. `gone`: how often the other side left before the end of a reply; `hung_up`: of which."""

    def __init__(self, *, port: int = 0) -> None:
        self._port = port  # 0: any that is free
        self.requests: list[Request] = []
        self.connections = 0  # ever
        self.open = 0  # now
        self.busy = 0  # replies under way
        self.gone = 0
        self.hung_up: list[Request] = []
        self._scripts: dict[str, deque[Reply]] = {}
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._change = asyncio.Condition()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def script(self, model: str, *replies: Reply) -> None:
        self._scripts[model] = deque(replies)

    def asked(self, model: str) -> list[Request]:
        return [request for request in self.requests if request.json.get("model") == model]

    async def until(self, what: str, count: int, *, seconds: float = 2.0) -> None:
        """Wait until `gone`, `open`, `busy` or `connections` is `count`, or len(`requests`)."""

        def reached() -> bool:
            value = getattr(self, what)
            return (len(value) if isinstance(value, list) else value) == count

        async with asyncio.timeout(seconds), self._change:
            await self._change.wait_for(reached)

    async def _note(self) -> None:
        async with self._change:
            self._change.notify_all()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

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
    """Send it. What of the next request was read in passing; None: the connection is at its end."""
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
    """As long as it says, or until the other side goes."""
    event = piece if isinstance(piece, asyncio.Event) else asyncio.Event()
    told = asyncio.ensure_future(event.wait())
    either: set[asyncio.Future[Any]] = {gone, told}
    seconds = piece if isinstance(piece, float) else None
    try:
        await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        told.cancel()


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


def texts(frames: Iterable[bytes]) -> list[str]:
    """What a client reads out of frames: the data of each event."""
    return [event.removeprefix("data: ") for event in b"".join(frames).decode().split("\n\n") if event]
