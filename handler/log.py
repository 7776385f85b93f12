"""One JSON line per request, one per thing an operator should know; never a prompt or an answer."""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from handler.answer import dollars_of
from handler.cost import Usage
from handler.failover import OWN_WORDS
from handler.redact import redacted

if TYPE_CHECKING:
    from handler.answer import Answer, Spent
    from handler.errors import GatewayError
    from handler.keys import Key
    from rules import Decision

Json = dict[str, Any]
Log = Callable[[Mapping[str, Any]], None]

# Codes of our own whose message says what was wrong with a value, and may quote it.
_QUOTING = frozenset({"invalid_value", "invalid_json", "unsupported_parameter"})

_USAGE = tuple(field.name for field in fields(Usage))

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(slots=True)
class Entry:
    """What is known of one request as it goes along; `line` is what remains of it in the log."""

    request_id: str
    method: str
    path: str
    started: float  # monotonic seconds
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # for the endpoints; never logged
    trace: Mapping[str, str] = field(default_factory=dict)
    status: int = 0
    key: Key | None = None
    decision: Decision | None = None
    answer: Answer | None = None
    spent: list[Spent] = field(default_factory=list)  # what attempts without an answer used
    stream: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    error: Json | None = None  # the error object the client was given, without words of the request
    waiting_since: float | None = None  # monotonic seconds; set while the providers have the word
    waited: float = 0.0  # seconds spent waiting on providers
    left: bool = False  # the client went away

    def failed(self, error: GatewayError) -> None:
        quotes = error.code in _QUOTING or error.metadata.get("class") in (*OWN_WORDS, "schema")
        told = error.body()["error"].items()
        self.error = {name: value for name, value in told if not (quotes and name == "message")}

    def overhead_ms(self, now: float) -> float:
        """Milliseconds so far that were not spent waiting on providers."""
        waiting = 0.0 if self.waiting_since is None else now - self.waiting_since
        return max(0.0, (now - self.started - self.waited - waiting) * 1000)


def line(entry: Entry, now: float) -> Json:
    """The log line of a finished request: never a prompt, an answer, a key or an address."""
    found = {
        "level": "ERROR" if entry.status >= 500 or _broke_off(entry.answer) else "INFO",
        "message": "request",
        "request_id": entry.request_id,
        **entry.trace,
        "method": entry.method,
        "path": entry.path,
        "status": entry.status,
        "ms": round((now - entry.started) * 1000, 1),
        "overhead_ms": round(entry.overhead_ms(now), 2),
        "stream": entry.stream or None,
        "key": entry.key.id if entry.key else None,
        "project": entry.key.project if entry.key else None,
        "tags": dict(entry.tags) or None,
        **_decided(entry.decision, entry.answer),
        **(_answered(entry.answer) if entry.answer else _unanswered(entry)),
        "error": entry.error,
        "left": entry.left or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _broke_off(answer: Answer | None) -> bool:
    """Whether a stream failed after its head: its status says nothing of that."""
    return answer is not None and answer.broke_off


def _decided(decision: Decision | None, answer: Answer | None) -> Json:
    if decision is None:
        return {}
    return {
        "reason": reason_of(decision, answer),
        "rule": decision.rule,
        "revision": decision.revision,
        "stale": decision.stale or None,
    }


def _unanswered(entry: Entry) -> Json:
    """What is to be paid all the same; of a client that left, what had just been asked may be too."""
    asked = entry.decision.facts.input_tokens if entry.decision and entry.left and entry.waited else 0
    left = Usage(input=asked, estimated=asked > 0)
    usage = sum((usage for _, usage in entry.spent), start=left)
    return {"usage": _told(usage), "cost": None if asked else dollars_of(entry.spent)} if usage else {}


def _answered(answer: Answer) -> Json:
    return {
        "model": answer.candidate.id,
        "attempts": [attempt.body() for attempt in answer.attempts],
        "resumed": answer.resumed,
        "first_token_ms": None if answer.first_token is None else round(answer.first_token * 1000, 1),
        "usage": _told(answer.usage) if answer.usage else None,
        "cost": answer.cost_dollars,
    }


def _told(usage: Usage) -> Json:
    return {name: value for name in _USAGE if (value := getattr(usage, name))}


def reason_of(decision: Decision | None, answer: Answer | None) -> str | None:
    """What settled the model that answered; `fallback` when a later candidate or a fallback did."""
    if decision is None:
        return None
    first = decision.candidates[0].id if decision.candidates else None
    fell_back = answer and (answer.candidate.id != first or first in decision.fallbacks)
    return "fallback" if fell_back else str(decision.reason)


def trouble(what: str, found: Mapping[str, Any]) -> Json:
    """The line of something an operator should look at: `what` it is, and the fields that tell more."""
    return {"level": "ERROR", "message": what, **found}


def failure(error: BaseException, request_id: str) -> Json:
    """The line of an exception nobody expected: where it came from, and its words without secrets."""
    frames = traceback.extract_tb(error.__traceback__)[-12:]
    return {
        "level": "ERROR",
        "message": "internal error",
        "request_id": request_id,
        "exception": type(error).__name__,
        "detail": redacted(str(error)),
        "frames": [f"{frame.filename.rsplit('/', 2)[-1]}:{frame.lineno} {frame.name}" for frame in frames],
    }


def json_lines(write: Callable[[str], object] | None = None, *, level: str = "INFO") -> Log:
    """A log that writes one JSON line per entry of at least `level`, stamped in RFC 3339."""
    least = LEVELS.index(level)

    def log(fields: Mapping[str, Any]) -> None:
        if LEVELS.index(fields.get("level", "INFO")) < least:
            return
        stamp = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
        text = json.dumps(
            {"timestamp": stamp.replace("+00:00", "Z"), **fields}, default=str, separators=(",", ":")
        )
        (write or sys.stdout.write)(text + "\n")

    return log
