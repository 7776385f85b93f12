"""What is kept of a request's log line, and how lines are packed into one attribute: no content, no users.

It has the fields of the log line that FIELDS lists. Of an error it has the code, the class and, where Sluice
itself refused the request, the message, which the log has only where it quotes no value of the request.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from handler.errors import Json

FIELDS = (
    *("request_id", "method", "path", "status", "stream", "key", "project", "asked_model", "model", "reason"),
    *(
        "rule",
        "revision",
        "stale",
        "cache",
        "schema",
        "resumed",
        "model_calls",
        "tool_calls",
        "usage",
        "cost",
    ),
    *("left", "ms", "overhead_ms", "provider_ms", "first_token_ms"),
)
OF_ATTEMPTS = ("model", "class", "status", "ms", "cause")
LARGEST = 2048  # bytes of a line as JSON
# Characters of a text, and attempts: the first that fit. A character may take 6 bytes, a surrogate pair 12.
BOUNDS = ((200, 8), (200, 3), (60, 3), (4, 0))
MOST_BYTES = 1_000_000  # unpacked


class Filter(NamedTuple):
    """Which lines are read. `status`: one, a class such as `4xx`, or `error`; `model`: a part of a name.

    `method`: of HTTP; those with POST ask for an answer.
    """

    id: str | None = None
    key: str | None = None
    model: str | None = None
    status: str | None = None
    method: str | None = None

    def fits(self, line: Json) -> bool:
        models = [str(line.get(name)) for name in ("model", "asked_model") if line.get(name)]
        return (
            self.id in (None, line.get("request_id"))
            and self.key in (None, line.get("key"))
            and self.method in (None, line.get("method"))
            and (self.model is None or any(self.model.lower() in name.lower() for name in models))
            and self._fits_status(line)
        )

    def _fits_status(self, line: Json) -> bool:
        status = str(line.get("status"))
        if self.status == "error":
            return line.get("error") is not None
        return self.status in (None, status, f"{status[:1]}xx")


def short_line(time: float, line: Mapping[str, Any]) -> Json:
    """Return what is kept of a log line that ended at `time`, in epoch seconds: at most LARGEST bytes."""
    for longest, most in BOUNDS[:-1]:
        short = _shortened(time, line, longest, most)
        if len(_dump(short)) <= LARGEST:
            return short
    return _shortened(time, line, *BOUNDS[-1])


def _shortened(time: float, line: Mapping[str, Any], longest: int, most: int) -> Json:
    stamp = datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    attempts, error = (line.get("attempts") or [])[:most], line.get("error")
    return {
        "timestamp": stamp,
        **{name: _cut(line.get(name), longest) for name in FIELDS},
        "attempts": [
            {name: _cut(attempt[name], longest) for name in OF_ATTEMPTS if name in attempt}
            for attempt in attempts
        ],
        "error": _cut(_short_error(error), longest) if error else None,
    }


def _short_error(error: Mapping[str, Any]) -> Json:
    metadata = error.get("metadata") or {}
    short = {"code": error.get("code"), "class": metadata.get("class")}
    own = "class" not in metadata and error.get("message")
    return {**short, "message": own} if own else short


def _cut(value: Any, longest: int) -> Any:
    if isinstance(value, dict):
        return {name: _cut(each, longest) for name, each in value.items()}
    return value[:longest] if isinstance(value, str) else value


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), default=str)


def pack(lines: Iterable[Json]) -> bytes:
    return zlib.compress(_dump([*lines]).encode())


def unpack(data: Any, *, having: str = "") -> list[Json]:
    """Return the packed lines, none if their JSON lacks the text `having`, or if nobody packed them."""
    try:
        text = zlib.decompressobj().decompress(data, MOST_BYTES).decode()
        found = json.loads(text) if having in text else []
    except (RecursionError, TypeError, ValueError, zlib.error):
        return []
    return [line for line in found if isinstance(line, dict)] if isinstance(found, list) else []
