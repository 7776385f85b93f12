"""A DynamoDB on a loopback port that knows three calls, and can be as bad as a real one: see Fault."""

from __future__ import annotations

import asyncio
import json
import struct
import zlib
from collections.abc import Iterable
from enum import Enum, auto
from socket import SO_LINGER, SOL_SOCKET
from types import TracebackType
from typing import Any, Self

from handler.settings import Settings
from handler.store.attributes import serialize_item
from handler.store.dynamodb import create_client
from handler.store.tables import Store

Json = dict[str, Any]


class Fault(Enum):
    HANGS = auto()
    RESETS = auto()
    CLOSES = auto()
    FAILS = auto()  # 500, as AWS says it
    FAILS_IN_OTHER_WORDS = auto()  # 502 of something on the way
    THROTTLES = auto()
    REFUSES = auto()  # access denied
    HAS_NO_SUCH_TABLE = auto()  # the wrong region, too
    SAYS_NOTHING = auto()  # 200 without a body
    SAYS_HTML = auto()
    IS_CUT = auto()
    IS_CHANGED = auto()  # a body that is not the one its checksum was made of
    IS_NO_OBJECT = auto()
    HAS_OTHER_SHAPES = auto()
    ANSWERS_ANOTHER = auto()  # as on a connection that had one answer too many


_ERRORS = {
    Fault.FAILS: (500, "InternalServerError"),
    Fault.THROTTLES: (400, "ProvisionedThroughputExceededException"),
    Fault.REFUSES: (400, "AccessDeniedException"),
    Fault.HAS_NO_SUCH_TABLE: (400, "ResourceNotFoundException"),
}
_BODIES = {
    Fault.SAYS_NOTHING: b"",
    Fault.SAYS_HTML: b"<html>Please sign in</html>",
    Fault.IS_NO_OBJECT: b"[]",
    Fault.HAS_OTHER_SHAPES: b'{"Item": ["x"], "Items": {"a": 1}}',
    Fault.ANSWERS_ANOTHER: json.dumps({"Item": serialize_item({"hash": "another", "id": "k2"})}).encode(),
}


class Database:
    """`async with Database(records, keys) as database`: `database.store()` is a Store of it."""

    def __init__(self, records: Iterable[Json], keys: Iterable[Json]) -> None:
        self.records, self.keys = list(records), {key["hash"]: key for key in keys}
        self.fault: Fault | None = None
        self.calls: list[str] = []
        self._open: dict[asyncio.StreamWriter, asyncio.Task[Any] | None] = {}

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        serving = [task for task in self._open.values() if task is not None]
        for writer in self._open:
            writer.transport.abort()
        await asyncio.gather(*serving, return_exceptions=True)

    def store(self, *, timeout: float = 2.0, budget: float = 5.0) -> Store:
        environment = {
            "AWS_ENDPOINT_URL_DYNAMODB": f"http://127.0.0.1:{self.port}",
            "AWS_REGION": "us-east-1",
        }
        settings = Settings(environment=environment)
        return Store(create_client(settings, attempts=1, read_timeout=timeout), settings, budget=budget)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open[writer] = asyncio.current_task()
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                fields = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:] if line)
                body = await reader.readexactly(int(fields["content-length"]))
                self.calls.append(fields["x-amz-target"].rpartition(".")[2])
                if self.fault is Fault.HANGS:
                    await reader.read()
                if not await self._answered(writer, self.calls[-1], json.loads(body)):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._open.pop(writer)
            writer.close()

    async def _answered(self, writer: asyncio.StreamWriter, call: str, asked: Json) -> bool:
        """Whether the connection can serve again."""
        good = json.dumps(self._answer(call, asked)).encode()
        match self.fault:
            case Fault.RESETS:
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, linger)
                writer.transport.abort()
                return False
            case Fault.CLOSES:
                return False
            case Fault.FAILS_IN_OTHER_WORDS:
                writer.write(_http(b"Bad Gateway", status=502))
            case Fault.IS_CUT:
                writer.write(_http(good)[:-3])
                return False
            case Fault.IS_CHANGED:
                writer.write(_http(b"{}", checksum=zlib.crc32(good + b" ")))
            case None | Fault.HANGS:
                writer.write(_http(good))
            case fault if fault in _ERRORS:
                status, code = _ERRORS[fault]
                writer.write(_http(json.dumps({"__type": f"x#{code}"}).encode(), status=status))
            case fault:
                writer.write(_http(_BODIES[fault]))
        await writer.drain()
        return True

    def _answer(self, call: str, asked: Json) -> Json:
        if call == "scan":
            return {"Items": [serialize_item(record) for record in self.records], "Count": len(self.records)}
        key = self.keys.get(asked.get("Key", {}).get("hash", {}).get("S"))
        return {"Item": serialize_item(key)} if call == "getitem" and key else {}


def _http(body: bytes, *, status: int = 200, checksum: int | None = None) -> bytes:
    lines = [
        f"HTTP/1.1 {status} As It Is",
        "content-type: application/x-amz-json-1.0",
        f"content-length: {len(body)}",
        *([] if checksum is None else [f"x-amz-crc32: {checksum}"]),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
