"""A proxy on loopback, before a network in which every name is the one server that it is given."""

from __future__ import annotations

import asyncio
import base64
from types import TracebackType
from typing import Self


class ForwardProxy:
    """`lines`: the request lines it was sent. With a `password` it asks for that of the user "me"."""

    def __init__(self, port: int, *, password: str | None = None) -> None:
        self._port = port  # of the server
        pair = base64.b64encode(f"me:{password}".encode()).decode()
        self._authorization = None if password is None else f"Basic {pair}"
        self.lines: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        line, *fields = head.decode().rstrip().split("\r\n")
        self.lines.append(line)
        given = dict(field.lower().partition(": ")[::2] for field in fields)
        if self._authorization not in (None, *(field.partition(": ")[2] for field in fields)):
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
            writer.close()
            return
        there, to_there = await asyncio.open_connection("127.0.0.1", self._port)
        if line.startswith("CONNECT "):
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            method, url, _ = line.split(" ")
            path = "/" + url.split("/", 3)[3]
            names = "".join(f"{field}\r\n" for field in fields if not field.lower().startswith("proxy-"))
            to_there.write(f"{method} {path} HTTP/1.1\r\n{names}\r\n".encode())
            to_there.write(await reader.readexactly(int(given["content-length"])))
        try:
            await asyncio.gather(_copied(reader, to_there), _copied(there, writer))
        finally:
            to_there.close()
            writer.close()


async def _copied(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            to.write(data)
        to.close()
    except ConnectionError:
        pass
