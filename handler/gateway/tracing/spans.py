"""Spans of OpenTelemetry from the log line of a request: one of the request, and one of each attempt.

They hold ids, models, counts and times: never content, tags, the user, an address or a credential.
https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from handler.answers.costs import cost_of, dollars
from handler.errors import Json
from handler.log import RequestLog
from handler.wire.traceparent import Trace

SERVER, CLIENT = 2, 3  # kinds of spans
ERROR = 2  # the status of a span
FIRST_TOKEN = "gen_ai.first_token"  # an event of the attempt that answered with a stream

# The names that the conventions have for providers, where they differ from Sluice's.
PROVIDERS: Mapping[str, str] = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "xai": "x_ai",
}
OPERATIONS: Mapping[str, str] = {"completion": "text_completion"}
# Attributes of a request, by the field of its line.
_FIELDS: Mapping[str, str] = {
    "request_id": "sluice.request_id",
    "project": "sluice.project",
    "key": "sluice.key",
    "rule": "sluice.rule",
    "reason": "sluice.reason",
    "revision": "sluice.revision",
    "cost": "sluice.cost",
    "asked_model": "gen_ai.request.model",
    "session": "gen_ai.conversation.id",
    "agent": "gen_ai.agent.name",
    "method": "http.request.method",
    "path": "url.path",
    "status": "http.response.status_code",
}
_USAGE: Mapping[str, tuple[str, ...]] = {
    "gen_ai.usage.input_tokens": ("input",),
    "gen_ai.usage.output_tokens": ("output",),
    "gen_ai.usage.cache_read.input_tokens": ("cached",),
    "gen_ai.usage.cache_creation.input_tokens": ("cache_write", "cache_write_1h"),
    "gen_ai.usage.reasoning.output_tokens": ("reasoning",),
}

Epoch = Callable[[float], int]  # monotonic seconds to nanoseconds since 1970


def spans_of(entry: RequestLog, line: Json, trace: Trace, epoch: Epoch) -> list[Json]:
    """Return the span of a finished request and those of its attempts. `line`: its log line."""
    operation = _operation(entry)
    error = line["error"] or {}
    request = {
        "traceId": trace.id,
        "spanId": trace.span,
        **({"parentSpanId": trace.parent} if trace.parent else {}),
        "name": " ".join(filter(None, (operation, line["model"] or line["asked_model"]))),
        "kind": SERVER,
        **_times(epoch(entry.started), line["ms"]),
        "attributes": _attributes(
            {
                "gen_ai.operation.name": operation,
                **_model(line["model"], "gen_ai.response.model"),
                **{attribute: line[field] for field, attribute in _FIELDS.items()},
                **_usage(line["usage"] or {}),
                "error.type": error.get("code"),
            }
        ),
        **({"status": {"code": ERROR}} if line["level"] == "ERROR" else {}),
    }
    return [request, *_attempts(entry, trace, operation, epoch)]


def _operation(entry: RequestLog) -> str:
    name = entry.decision.facts.operation if entry.decision else "chat"
    return OPERATIONS.get(name, name)


def _attempts(entry: RequestLog, trace: Trace, operation: str, epoch: Epoch) -> Iterator[Json]:
    answered = entry.answer.attempts[-1:] if entry.answer else []
    for attempt in entry.attempts:
        if attempt.span is None:
            continue
        id, began = attempt.span
        failed = attempt.failure_class != "ok"
        is_answer = any(one.span == attempt.span for one in answered)
        yield {
            "traceId": trace.id,
            "spanId": id,
            "parentSpanId": trace.span,
            "name": f"{operation} {attempt.model.partition('/')[2]}",
            "kind": CLIENT,
            **_times(epoch(began), attempt.ms),
            "attributes": _attributes(
                {
                    "gen_ai.operation.name": operation,
                    **_model(attempt.model, "gen_ai.request.model"),
                    "http.response.status_code": attempt.status,
                    "error.type": attempt.failure_class if failed else None,
                    **(_answer_attributes(entry) if is_answer else {}),
                }
            ),
            **(_first_token(entry, epoch(began)) if is_answer else {}),
            **({"status": {"code": ERROR}} if failed and attempt.failure_class != "cancelled" else {}),
        }


def _answer_attributes(entry: RequestLog) -> Json:
    """Return what the attempt that answered used, and its cost in dollars."""
    answer = entry.answer
    if answer is None or answer.used is None:
        return {}
    cost = cost_of([(answer.candidate, answer.used)]) if answer.age is None else 0
    counts = {name: getattr(answer.used, name) for names in _USAGE.values() for name in names}
    return {**_usage(counts), "sluice.cost": None if cost is None else dollars(cost)}


def _first_token(entry: RequestLog, began: int) -> Json:
    if entry.answer is None or entry.answer.first_token is None:
        return {}
    return {
        "events": [{"timeUnixNano": str(began + int(entry.answer.first_token * 1e9)), "name": FIRST_TOKEN}]
    }


def _model(id: str | None, attribute: str) -> Json:
    if id is None:
        return {}
    provider, _, name = id.partition("/")
    return {attribute: name, "gen_ai.provider.name": PROVIDERS.get(provider, provider)}


def _usage(counts: Mapping[str, Any]) -> Json:
    sums = {name: sum(counts.get(part) or 0 for part in parts) for name, parts in _USAGE.items()}
    return {name: count for name, count in sums.items() if count}


def _times(began: int, ms: float) -> Json:
    return {"startTimeUnixNano": str(began), "endTimeUnixNano": str(began + int(ms * 1e6))}


def _attributes(values: Mapping[str, Any]) -> list[Json]:
    """Return attributes as OTLP writes them; those without a value are left out."""
    return [{"key": key, "value": _value(value)} for key, value in values.items() if value is not None]


def _value(value: Any) -> Json:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
    return {"stringValue": str(value)}


def export_body(spans: list[Json], resource: Mapping[str, Any], version: str) -> Json:
    """Return the request of a collector that takes traces."""
    scope = {"scope": {"name": "sluice", "version": version}, "spans": spans}
    return {"resourceSpans": [{"resource": {"attributes": _attributes(resource)}, "scopeSpans": [scope]}]}
