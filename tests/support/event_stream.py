"""An encoder of AWS's event-stream framing, written from its specification, for fakes of Bedrock.

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
    """A message: prelude and its checksum, headers, payload, checksum of everything."""
    head = b"".join(
        struct.pack("!B", len(name)) + name.encode() + struct.pack("!BH", TEXT, len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack("!II", 16 + len(head) + len(payload), len(head))
    unsigned = prelude + struct.pack("!I", zlib.crc32(prelude)) + head + payload
    return unsigned + struct.pack("!I", zlib.crc32(unsigned))


def framed(event: Mapping[str, Any]) -> bytes:
    """The message of an event `{type: {...}}`. A type that ends in Exception is sent as an exception."""
    ((name, fields),) = event.items()
    kind = "exception" if name.endswith("Exception") else "event"
    headers = {f":{kind}-type": name, ":content-type": "application/json", ":message-type": kind}
    return message(headers, json.dumps(fields, ensure_ascii=False).encode())


def frames(events: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(map(framed, events))
