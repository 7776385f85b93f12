"""DynamoDB's tables for measurements: `python -m bench.tables PORT`.

It serves the records of bench/dynamodb, and keeps what instances put and set in transactions, so that the
second one starts from the rules that the first one adopted and compiled.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "dynamodb"
SCAN = json.loads((FOLDER / "Scan.json").read_bytes())
KEY = json.loads((FOLDER / "GetItem.json").read_bytes())["Item"]

_items: dict[str, Any] = {KEY["hash"]["S"]: KEY}  # of all tables, by key


def answer(operation: str, call: Any) -> Any:
    """Return the answer to a call."""
    if operation == "Scan":
        return SCAN
    if operation == "GetItem":
        (key,) = call["Key"].values()
        item = _items.get(key["S"])
        return {"Item": item} if item else {}
    if operation == "PutItem":
        _items[call["Item"]["id"]["S"]] = call["Item"]
    if operation == "TransactWriteItems":
        for write in call["TransactItems"]:
            _set(write["Update"])
    return {}


def _set(update: Any) -> None:
    """Do an update of the form `SET #name = :name, ...`, whatever its condition."""
    values = update["ExpressionAttributeValues"]
    found = {name: values[f":{place[1:]}"] for place, name in update["ExpressionAttributeNames"].items()}
    _items[update["Key"]["id"]["S"]] = {**update["Key"], **found}


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while head := await _head(reader):
        fields = dict(line.lower().split(": ", 1) for line in head.decode().split("\r\n")[1:] if line)
        body = json.loads(await reader.readexactly(int(fields["content-length"])))
        target = next(line for line in head.decode().split("\r\n") if line.lower().startswith("x-amz-target"))
        data = json.dumps(answer(target.rpartition(".")[2], body)).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(data), data))
    writer.close()


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def main(port: int) -> None:
    async with await asyncio.start_server(_serve, "127.0.0.1", port) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
