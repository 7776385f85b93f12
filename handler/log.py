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

from handler.answers.usage import Spent, Usage, dollars_of
from handler.errors import Unauthenticated
from handler.redact import redact
from handler.settings import InvalidSetting
from rules import Decision, Reason

if TYPE_CHECKING:
    from handler.access.keys import Key
    from handler.answers.answer import Answer
    from handler.errors import AttemptRecord, GatewayError

Json = dict[str, Any]
Log = Callable[[Mapping[str, Any]], None]

# Codes of our own whose message says what was wrong with a value, and may quote it.
_QUOTING = frozenset({"invalid_value", "invalid_json", "unsupported_parameter"})

_USAGE = tuple(field.name for field in fields(Usage))

LONGEST = 256  # characters of what a caller chose freely

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


@dataclass(slots=True)
class RequestLog:
    """What is known of one request as it goes along; `line` is what remains of it in the log."""

    request_id: str
    method: str
    path: str
    started: float  # monotonic seconds
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # logged: the user agent alone
    trace: Mapping[str, str] = field(default_factory=dict)
    aws_request_id: str | None = None  # Lambda's own, to find the lines that Lambda writes
    source_ip: str | None = None
    routine: bool = False  # a health check, logged for debugging only
    status: int = 0
    key: Key | None = None
    decision: Decision | None = None
    answer: Answer | None = None
    attempts: list[AttemptRecord] = field(default_factory=list)
    spent: list[Spent] = field(default_factory=list)  # what attempts without an answer used
    stream: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    failure: GatewayError | None = None
    waiting_since: float | None = None  # monotonic seconds; set while the providers have the word
    waited: float = 0.0  # seconds spent waiting on providers
    left: bool = False  # the client went away

    @property
    def ids(self) -> dict[str, str | None]:
        """The ids that the client and Lambda know the request by."""
        return {"request_id": self.request_id, "aws_request_id": self.aws_request_id}

    @property
    def model(self) -> str | None:
        """The model that answered, or without an answer the one asked last."""
        if self.answer is not None:
            return self.answer.candidate.id
        return self.attempts[-1].model if self.attempts else None

    @property
    def served(self) -> Answer | AttemptRecord | None:
        """What tells `dropped` and `schema`: the answer, or without one the last attempt."""
        return self.answer or (self.attempts[-1] if self.attempts else None)

    def failed(self, error: GatewayError) -> None:
        self.failure = error

    def overhead_ms(self, now: float) -> float:
        """Milliseconds so far that were not spent waiting on providers."""
        waiting = 0.0 if self.waiting_since is None else now - self.waiting_since
        return max(0.0, (now - self.started - self.waited - waiting) * 1000)


def line(entry: RequestLog, now: float) -> Json:
    """The log line of a finished request: never a prompt, an answer, a key or an upstream's address.

    It has the same fields however the request ended, null where there is no value
    (docs/operating.md).
    """
    failure = entry.failure or (entry.answer.failure if entry.answer else None)
    return {
        "level": _level(entry, failure),
        "message": "request",
        **_request(entry),
        **_caller(entry),
        **_decided(entry),
        **_served(entry),
        "error": error_of(failure) if failure else None,
        "left": entry.left,
        "ms": round((now - entry.started) * 1000, 1),
        "overhead_ms": round(entry.overhead_ms(now), 2),
        "provider_ms": round(entry.waited * 1000, 1),
        "first_token_ms": _milliseconds(entry.answer.first_token if entry.answer else None),
    }


def _level(entry: RequestLog, failure: GatewayError | None) -> str:
    if entry.routine:
        return "DEBUG"
    in_band = failure is not None and entry.status < 400  # the status had left: it says nothing of that
    return "ERROR" if entry.status >= 500 or in_band else "INFO"


def _request(entry: RequestLog) -> Json:
    return {
        **entry.ids,
        "traceparent": entry.trace.get("traceparent"),
        "x-opper-trace-id": entry.trace.get("x-opper-trace-id"),
        "method": entry.method,
        "path": entry.path[:LONGEST],
        "status": entry.status,
        "stream": entry.stream,
    }


def _caller(entry: RequestLog) -> Json:
    facts, key = entry.decision.facts if entry.decision else None, entry.key
    key_id, project = (key.id, key.project) if key else (None, None)
    if isinstance(entry.failure, Unauthenticated):  # the key may be known, and disabled or expired
        key_id, project = entry.failure.key_id, entry.failure.project
    return {
        "source_ip": entry.source_ip,
        "user_agent": redact(entry.headers.get("user-agent", ""), limit=LONGEST) or None,
        "key": key_id,
        "project": project,
        "function": facts.function if facts else None,
        "user": facts.user[:LONGEST] if facts and facts.user else None,
        "tags": {name[:LONGEST]: value[:LONGEST] for name, value in entry.tags.items()},
    }


def _decided(entry: RequestLog) -> Json:
    decision = entry.decision
    asked = decision.facts.model if decision else None
    return {
        "asked_model": asked[:LONGEST] if asked else None,
        "model": entry.model,
        "reason": reason_of(decision, entry.answer),
        "rule": decision.rule if decision else None,
        "revision": decision.revision if decision else None,
        "stale": decision.stale if decision else None,
    }


def _served(entry: RequestLog) -> Json:
    """The attempts and their usage, which is paid for without an answer too.

    Of a client that left, what had just been asked may have to be, too.
    """
    answer, attempts = entry.answer, [attempt.logged() for attempt in entry.attempts]
    if answer is not None:
        usage, cost = answer.usage, answer.cost_dollars
    else:
        asked = entry.decision.facts.input_tokens if entry.decision and entry.left and entry.waited else 0
        usage = sum((used for _, used in entry.spent), start=Usage(input=asked, estimated=asked > 0))
        cost = None if asked or not usage else dollars_of(entry.spent)
    return {
        "attempts": attempts,
        "resumed": answer.resumed if answer else None,
        "dropped": list(entry.served.dropped) if entry.served else [],
        "schema": entry.served.schema if entry.served else None,
        "usage": _tokens(usage) if usage else None,
        "cost": cost,
    }


def error_of(error: GatewayError) -> Json:
    """The error that the client was given, without the attempts and our own words about a value."""
    found = dict(error.body()["error"])
    metadata = found.get("metadata", {})
    metadata.pop("attempts", None)
    quotes = error.code in _QUOTING and metadata.get("origin") != "provider"
    if quotes or metadata.get("class") == "schema":
        del found["message"]
    if error.param:
        found["param"] = error.param[:LONGEST]
    return found


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def _tokens(usage: Usage) -> Json:
    return {name: value for name in _USAGE if (value := getattr(usage, name))}


def reason_of(decision: Decision | None, answer: Answer | None) -> str | None:
    """What settled the model that answered; `fallback` when a later candidate or a fallback did."""
    if decision is None:
        return None
    first = decision.candidates[0].id if decision.candidates else None
    fell_back = answer and (answer.candidate.id != first or first in decision.fallbacks)
    return str(Reason.FALLBACK if fell_back else decision.reason)


def trouble(what: str, found: Mapping[str, Any]) -> Json:
    """The line of something an operator should look at: `what` it is, and the fields that tell more."""
    return {"level": "ERROR", "message": what, **found}


def failure(error: BaseException, **ids: str | None) -> Json:
    """The line of an exception nobody expected: where it came from, and its words without secrets.

    `ids`: of the request, or the part of an instance's life, that it ended.
    """
    if isinstance(error, InvalidSetting):  # the person who set it needs the message, not our frames
        return {"level": "ERROR", "message": str(error), **ids}
    frames = traceback.extract_tb(error.__traceback__)[-12:]
    return {
        "level": "ERROR",
        "message": "internal error",
        **ids,
        "exception": type(error).__name__,
        "detail": redact(str(error)),
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
