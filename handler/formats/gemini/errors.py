"""The error body of Google's APIs. https://google.aip.dev/193"""

from __future__ import annotations

from collections.abc import Mapping

from handler.errors import GatewayError, Json
from handler.wire.splice import dump

# https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
_STATUSES: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_RPC = "type.googleapis.com/google.rpc."


def error_body(error: GatewayError) -> Json:
    """Return the body of an error: our code is the reason, our metadata is text, and a wait is RetryInfo."""
    status = _STATUSES.get(error.status) or ("INVALID_ARGUMENT" if error.status < 500 else "INTERNAL")
    metadata = {name: one if isinstance(one, str) else dump(one) for name, one in error.metadata.items()}
    info: Json = {"@type": f"{_RPC}ErrorInfo", "reason": error.code.upper(), "domain": "sluice"}
    details = [{**info, "metadata": {"type": error.type, **metadata}}]
    if error.param:
        violation = {"field": error.param, "description": error.message}
        details.append({"@type": f"{_RPC}BadRequest", "fieldViolations": [violation]})
    if error.retry_after is not None:
        details.append({"@type": f"{_RPC}RetryInfo", "retryDelay": f"{error.retry_after:g}s"})
    body = {"code": error.status, "message": error.message, "status": status, "details": details}
    return {"error": body}
