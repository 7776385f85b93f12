"""The log: one JSON line per request and one per problem; never a prompt or an answer."""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from handler.answers.costs import costs_of, details, dollars
from handler.answers.usage import COUNTS, Usage, WastedUsage
from handler.errors import AttemptRecord, GatewayError, Json, Unauthenticated
from handler.redact import redact
from handler.settings import InvalidSetting
from rules import UNITS, Decision, Fields, Reason, fresh

if TYPE_CHECKING:
    from handler.access.keys import Key
    from handler.access.reservation import Reservation
    from handler.answers.answer import Answer
    from handler.content.recording import Recording
    from handler.wire.traceparent import Trace

Log = Callable[[Mapping[str, Any]], None]

# Codes of the gateway whose message may quote a value of the request.
_QUOTING = frozenset({"invalid_value", "invalid_json", "unsupported_parameter"})

_USAGE = (*COUNTS, *UNITS, "service_tier", "estimated")

LONGEST = 256  # characters of a value that the caller chose

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class RequestLog(Fields):
    """The log entry of one request, filled in while it is served; `request_line` writes it."""

    request_id: str
    method: str
    path: str
    started: float  # monotonic seconds
    headers: Mapping[str, str] = fresh(factory=dict)  # only the user agent is logged
    trace: Mapping[str, str] = fresh(factory=dict)
    aws_request_id: str | None = None  # matches the lines that Lambda writes
    source_ip: str | None = None
    routine: bool = False  # a health check, logged at level DEBUG only
    status: int = 0
    key: Key | None = None
    decision: Decision | None = None
    answer: Answer | None = None
    attempts: list[AttemptRecord] = fresh(factory=list)
    reservation: Reservation | None = None  # what the request took from its limits and budgets
    # The usage of attempts without an answer, and of model calls before the last one.
    wasted: list[WastedUsage] = fresh(factory=list)
    settled: int = 0  # how many of `wasted` are counted by limits and budgets already
    model_calls: int = 0  # of a request whose tools Sluice runs, and the calls of these tools
    tool_calls: int = 0
    stream: bool = False
    tags: Mapping[str, str] = fresh(factory=dict)
    cache: str | None = None  # hit | miss; None: the cache was not looked into
    recording: Recording | None = None  # of its content, where a `log` record asks for it
    failure: GatewayError | None = None
    span: Trace | None = None  # of a request that a provider is asked for, if it is traced
    waiting_since: float | None = None  # monotonic seconds; set while a provider is called
    waited: float = 0.0  # seconds spent waiting on providers
    client_left: bool = False  # the client disconnected before the answer was complete

    @property
    def ids(self) -> dict[str, str | None]:
        """The ids of the request that the client and Lambda know."""
        return {"request_id": self.request_id, "aws_request_id": self.aws_request_id}

    @property
    def model(self) -> str | None:
        """The model that answered; without an answer, the model of the last attempt."""
        if self.answer is not None:
            return self.answer.candidate.id
        return self.attempts[-1].model if self.attempts else None

    @property
    def result(self) -> Answer | AttemptRecord | None:
        """The answer; without one, the last attempt. Both have `dropped` and `schema`."""
        return self.answer or (self.attempts[-1] if self.attempts else None)

    @property
    def spent(self) -> list[WastedUsage]:
        """The usage of each attempt that used something."""
        answer = self.answer
        own = [(answer.candidate, answer.used)] if answer is not None and answer.used is not None else []
        return [*self.wasted, *own]

    @property
    def usage(self) -> Usage | None:
        """The usage of all attempts, charged without an answer too; None if nothing was used."""
        if self.answer is not None:
            return self.answer.usage
        return sum((used for _, used in self.wasted), start=Usage()) or None

    @property
    def costs(self) -> dict[str, int] | None:
        """The nano-dollars of all attempts, by part; None if nothing was used, or when a price is unknown."""
        if self.answer is not None:
            return self.answer.costs
        return None if self.usage is None else costs_of(self.wasted)

    @property
    def cost(self) -> int | None:
        """The cost of all attempts in nano-dollars; None if nothing was used, or when it is unknown."""
        costs = self.costs
        return None if costs is None else sum(costs.values())

    @property
    def price(self) -> str:
        """Where the prices of the cost come from: "listed", or "assumed" or "unknown" if one of them is."""
        answer = self.answer
        candidates = [candidate for candidate, _ in self.wasted] + ([answer.candidate] if answer else [])
        if any(candidate.price is None for candidate in candidates):
            return "unknown"
        return "assumed" if any(candidate.price_assumed for candidate in candidates) else "listed"

    def set_failure(self, error: GatewayError) -> None:
        self.failure = error

    def overhead_ms(self, now: float) -> float:
        """Return the milliseconds until `now` that were not spent waiting on providers."""
        waiting = 0.0 if self.waiting_since is None else now - self.waiting_since
        return max(0.0, (now - self.started - self.waited - waiting) * 1000)


def request_line(entry: RequestLog, now: float) -> Json:
    """Return the log line of a finished request: never a prompt, an answer, a key or a provider's address.

    Every line has the same fields, with null where there is no value (docs/operating.md).
    """
    failure = entry.failure or (entry.answer.failure if entry.answer else None)
    return {
        "level": _level(entry, failure),
        "message": "request",
        **_request_fields(entry),
        **_caller_fields(entry),
        **_decision_fields(entry),
        **_result_fields(entry),
        "error": error_fields(failure) if failure else None,
        "left": entry.client_left,
        "ms": round((now - entry.started) * 1000, 1),
        "overhead_ms": round(entry.overhead_ms(now), 2),
        "provider_ms": round(entry.waited * 1000, 1),
        "first_token_ms": _milliseconds(entry.answer.first_token if entry.answer else None),
    }


def _level(entry: RequestLog, failure: GatewayError | None) -> str:
    if entry.routine:
        return "DEBUG"
    if failure is None:
        return "ERROR" if entry.status >= 500 else "INFO"
    in_band = entry.status < 400  # after the head was sent
    # Converse has 424 and 408 for failures that have 502 and 504 elsewhere.
    return "ERROR" if max(entry.status, failure.status) >= 500 or in_band else "INFO"


def _request_fields(entry: RequestLog) -> Json:
    return {
        **entry.ids,
        "traceparent": entry.trace.get("traceparent"),
        "x-opper-trace-id": entry.trace.get("x-opper-trace-id"),
        "method": entry.method,
        "path": entry.path[:LONGEST],
        "status": entry.status,
        "stream": entry.stream,
    }


def _caller_fields(entry: RequestLog) -> Json:
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
        "session": facts.session if facts else None,
        "agent": facts.agent if facts else None,
        "tags": {name[:LONGEST]: value[:LONGEST] for name, value in entry.tags.items()},
    }


def _decision_fields(entry: RequestLog) -> Json:
    decision = entry.decision
    requested = decision.facts.model if decision else None
    return {
        "asked_model": requested[:LONGEST] if requested else None,
        "model": entry.model,
        "reason": reason_of(decision, entry.answer),
        "rule": decision.rule if decision else None,
        "revision": decision.revision if decision else None,
        "stale": decision.stale if decision else None,
    }


def _result_fields(entry: RequestLog) -> Json:
    answer, usage, costs = entry.answer, entry.usage, entry.costs
    return {
        "attempts": [attempt.logged() for attempt in entry.attempts],
        "resumed": answer.resumed if answer else None,
        "dropped": list(entry.result.dropped) if entry.result else [],
        "schema": entry.result.schema if entry.result else None,
        "cache": entry.cache,
        "model_calls": entry.model_calls or None,
        "tool_calls": entry.tool_calls or None,
        "usage": _tokens(usage) if usage else None,
        "cost": None if costs is None else dollars(sum(costs.values())),
        "costs": None if costs is None else details(costs),
        "price": entry.price if usage else None,
    }


def error_fields(error: GatewayError) -> Json:
    """Return the client's error object, without attempts and without a message that may quote the request."""
    fields = dict(error.body()["error"])
    metadata = fields.get("metadata", {})
    metadata.pop("attempts", None)
    quotes = error.code in _QUOTING and metadata.get("origin") != "provider"
    if quotes or metadata.get("class") == "schema":
        del fields["message"]
    if error.param:
        fields["param"] = error.param[:LONGEST]
    return fields


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def _tokens(usage: Usage) -> Json:
    return {name: value for name in _USAGE if (value := getattr(usage, name))}


def reason_of(decision: Decision | None, answer: Answer | None) -> str | None:
    """Return why the model answered; `fallback` for a fallback and for any candidate but the first."""
    if decision is None:
        return None
    first = decision.candidates[0].id if decision.candidates else None
    fell_back = answer and (answer.candidate.id != first or first in decision.fallbacks)
    return str(Reason.FALLBACK if fell_back else decision.reason)


def problem_line(message: str, fields: Mapping[str, Any]) -> Json:
    """Return the line of a problem that an operator should look at."""
    return {"level": "ERROR", "message": message, **fields}


def exception_line(error: BaseException, **ids: str | None) -> Json:
    """Return the line of an unexpected exception: its source, and its message without secrets.

    `ids`: the request, or the phase of the instance, that it ended.
    """
    if isinstance(error, InvalidSetting):  # the message is enough for the person who set it
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
    """Return a log that writes a JSON line per entry of at least `level`, with an RFC 3339 timestamp."""
    least = LEVELS.index(level)
    encode = json.JSONEncoder(default=str, separators=(",", ":")).encode

    def log(fields: Mapping[str, Any]) -> None:
        if LEVELS.index(fields.get("level", "INFO")) < least:
            return
        stamp = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds")
        text = encode({"timestamp": stamp.replace("+00:00", "Z"), **fields})
        (write or sys.stdout.write)(text + "\n")

    return log
