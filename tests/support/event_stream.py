"""Messages of AWS's event streams, for fakes of Bedrock."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from handler.wire.eventstream import encode


def framed(event: Mapping[str, Any]) -> bytes:
    """The message of an event `{type: {...}}`. A type that ends in Exception is sent as an exception."""
    ((name, fields),) = event.items()
    kind = "exception" if name.endswith("Exception") else "event"
    return encode(name, json.dumps(fields, ensure_ascii=False).encode(), kind=kind)


def frames(events: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(map(framed, events))
