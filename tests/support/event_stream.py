"""AWS's event-stream framing, from its specification: what a fake of Bedrock sends.

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

TEXT = 7  # the type of a header's value


def message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message: prelude with its checksum, headers, payload, checksum of it all."""
    head = b"".join(
        struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", TEXT, len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack("!II", 16 + len(head) + len(payload), len(head))
    said = prelude + struct.pack("!I", zlib.crc32(prelude)) + head + payload
    return said + struct.pack("!I", zlib.crc32(said))


def framed(event: Mapping[str, Any]) -> bytes:
    """An event as `{"its type": {...}}`; one whose name ends in Exception is sent as an exception."""
    ((name, told),) = event.items()
    kind = "exception" if name.endswith("Exception") else "event"
    headers = {
        f":{kind}-type": name,
        ":content-type": "application/json",
        ":message-type": kind,
    }
    return message(headers, json.dumps(told, ensure_ascii=False).encode())


def frames(events: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(map(framed, events))
