"""Maps the errors of Gemini's API to failure classes. https://google.aip.dev/193"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from handler.errors import UpstreamError
from handler.providers.failure import error_from_body, error_from_response
from handler.providers.google.answer import objects_in

# A reason or status of google.rpc.Status -> the code that handler/providers/failure.py classifies.
_CODES: Mapping[str, str] = {
    "API_KEY_INVALID": "invalid_api_key",
    "API_KEY_EXPIRED": "invalid_api_key",
    "FAILED_PRECONDITION": "failed_precondition",  # no billing account, or a country that is not served
    "CANCELLED": "server_is_overloaded",
    "ABORTED": "server_is_overloaded",
}


def error_of(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
    """The failure that a response with a status other than 200 is."""
    with suppress(ValueError, RecursionError):
        body = json.dumps(_with_code(json.loads(body))).encode()
    return error_from_response(status, headers, body)


def raise_if_error(body: Any) -> None:
    """Raise UpstreamError if the body of a 200, or one event of its stream, is an error."""
    if (error := error_from_body(_with_code(body))) is not None:
        raise error


def _with_code(body: Any) -> Any:
    """Add the code as the `type` of an error; any other body is returned as it is."""
    error = body[0] if isinstance(body, list) and body else body
    error = error.get("error") if isinstance(error, dict) else None
    if not isinstance(error, dict):
        return body
    details = objects_in(error.get("details"))
    reasons = [*(one.get("reason") for one in details), error.get("status")]
    codes = [_CODES[reason] for reason in reasons if isinstance(reason, str) and reason in _CODES]
    if any("PerDay" in str(one.get("violations")) for one in details):  # a retry on the same day fails too
        codes = ["insufficient_quota"]
    return {"error": {**error, "type": codes[0]} if codes else error}
