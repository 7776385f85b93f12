"""A forward proxy on loopback. Every name that it is given leads to one server."""

from __future__ import annotations

import asyncio
import base64

from tests.support.loopback_server import LoopbackServer


class ForwardProxy(LoopbackServer):
    """`lines`: the request lines that it received. If `password` is set, the user "me" must send it."""

    def __init__(self, server_port: int, *, password: str | None = None) -> None:
        super().__init__()
        self._server_port = server_port
        pair = base64.b64encode(f"me:{password}".encode()).decode()
        self._authorization = None if password is None else f"Basic {pair}"
        self.lines: list[str] = []

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        line, *fields = head.decode().rstrip().split("\r\n")
        self.lines.append(line)
        headers = dict(field.lower().partition(": ")[::2] for field in fields)
        if self._authorization not in (None, *(field.partition(": ")[2] for field in fields)):
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
            writer.close()
            return
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
        if line.startswith("CONNECT "):
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            method, url, _ = line.split(" ")
            path = "/" + url.split("/", 3)[3]
            names = "".join(f"{field}\r\n" for field in fields if not field.lower().startswith("proxy-"))
            to_server.write(f"{method} {path} HTTP/1.1\r\n{names}\r\n".encode())
            to_server.write(await reader.readexactly(int(headers["content-length"])))
        try:
            await asyncio.gather(_copy(reader, to_server), _copy(from_server, writer))
        finally:
            to_server.close()
            writer.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65536):
            target.write(data)
        target.close()
    except ConnectionError:
        pass
