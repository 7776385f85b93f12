"""A DynamoDB on a loopback port that serves scans and single items, and fails in the ways of `Fault`."""

from __future__ import annotations

import asyncio
import json
import struct
import zlib
from collections.abc import Iterable
from enum import Enum, auto
from socket import SO_LINGER, SOL_SOCKET
from typing import Any

from handler.aws.client import create_json_client
from handler.settings import Settings
from handler.store.attributes import serialize_item
from handler.store.tables import Store
from handler.upstream.pool import create_pool
from tests.support.loopback_server import LoopbackServer

Json = dict[str, Any]


class Fault(Enum):
    HANG = auto()
    RESET = auto()
    CLOSE = auto()
    INTERNAL_ERROR = auto()  # 500 in AWS's format
    BAD_GATEWAY = auto()  # 502 of a proxy in between
    THROTTLING = auto()
    ACCESS_DENIED = auto()
    NO_SUCH_TABLE = auto()  # the wrong region, too
    EMPTY_BODY = auto()  # of a 200
    HTML = auto()
    CUT_BODY = auto()
    WRONG_CHECKSUM = auto()
    NOT_AN_OBJECT = auto()
    WRONG_SHAPES = auto()
    FOREIGN_ITEM = auto()  # as on a connection that carried one answer too many


_ERRORS = {
    Fault.INTERNAL_ERROR: (500, "InternalServerError"),
    Fault.THROTTLING: (400, "ProvisionedThroughputExceededException"),
    Fault.ACCESS_DENIED: (400, "AccessDeniedException"),
    Fault.NO_SUCH_TABLE: (400, "ResourceNotFoundException"),
}
_BODIES = {
    Fault.EMPTY_BODY: b"",
    Fault.HTML: b"<html>Please sign in</html>",
    Fault.NOT_AN_OBJECT: b"[]",
    Fault.WRONG_SHAPES: b'{"Item": ["x"], "Items": {"a": 1}}',
    Fault.FOREIGN_ITEM: json.dumps({"Item": serialize_item({"hash": "another", "id": "k2"})}).encode(),
}


class Database(LoopbackServer):
    """`async with Database(records, keys) as database`: `database.store()` is a Store of it."""

    def __init__(self, records: Iterable[Json], keys: Iterable[Json]) -> None:
        super().__init__()
        self.records, self.keys = list(records), {key["hash"]: key for key in keys}
        self.fault: Fault | None = None
        self.calls: list[str] = []

    def store(self, *, timeout: float = 2.0, budget: float = 5.0) -> Store:
        environment = {"AWS_ENDPOINT_URL_DYNAMODB": f"http://{self.address}", "AWS_REGION": "us-east-1"}
        settings = Settings(environment=environment)
        client = create_json_client(
            settings, "dynamodb", create_pool(settings), attempts=1, read_timeout=timeout
        )
        return Store(client, settings, timeout=budget)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                fields = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:] if line)
                body = await reader.readexactly(int(fields["content-length"]))
                self.calls.append(fields["x-amz-target"].rpartition(".")[2])
                if self.fault is Fault.HANG:
                    await reader.read()
                if not await self._reply(writer, self.calls[-1], json.loads(body)):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()

    async def _reply(self, writer: asyncio.StreamWriter, call: str, arguments: Json) -> bool:
        """Sends the answer, or the fault. True if the connection can serve again."""
        good = json.dumps(self._answer(call, arguments)).encode()
        match self.fault:
            case Fault.RESET:
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, linger)
                writer.transport.abort()
                return False
            case Fault.CLOSE:
                return False
            case Fault.BAD_GATEWAY:
                writer.write(_http(b"Bad Gateway", status=502))
            case Fault.CUT_BODY:
                writer.write(_http(good)[:-3])
                return False
            case Fault.WRONG_CHECKSUM:
                writer.write(_http(b"{}", checksum=zlib.crc32(good + b" ")))
            case None | Fault.HANG:
                writer.write(_http(good))
            case fault if fault in _ERRORS:
                status, code = _ERRORS[fault]
                writer.write(_http(json.dumps({"__type": f"x#{code}"}).encode(), status=status))
            case fault:
                writer.write(_http(_BODIES[fault]))
        await writer.drain()
        return True

    def _answer(self, call: str, arguments: Json) -> Json:
        if call == "scan":
            return {"Items": [serialize_item(record) for record in self.records], "Count": len(self.records)}
        key = self.keys.get(arguments.get("Key", {}).get("hash", {}).get("S"))
        return {"Item": serialize_item(key)} if call == "getitem" and key else {}


def _http(body: bytes, *, status: int = 200, checksum: int | None = None) -> bytes:
    lines = [
        f"HTTP/1.1 {status} Status",
        "content-type: application/x-amz-json-1.0",
        f"content-length: {len(body)}",
        *([] if checksum is None else [f"x-amz-crc32: {checksum}"]),
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
