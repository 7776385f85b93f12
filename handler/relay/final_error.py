"""The one error that a caller gets when every attempt has failed (contract, section 6). No I/O."""

from __future__ import annotations

from collections.abc import Sequence

from handler.errors import AttemptRecord, Json, NativeError, SchemaMismatch, UpstreamError

# Failures that the caller can correct, so the error has the provider's message.
CALLERS_OWN = ("invalid_request", "content_policy", "context_length")
# Failures that a provider of the client's own format reports to the client in its own words.
_PASSED_ON = ("rate_limit", "server", "overloaded")
_BROKE_OFF = "The answer broke off"


def final_error(
    failures: Sequence[UpstreamError],
    attempts: Sequence[AttemptRecord],
    *,
    model: str | None = None,
    pinned: bool = False,
    broke_off: bool = False,
) -> UpstreamError:
    """Make the caller's error of all failures.

    model: the candidate of the last failure, if not the last attempt's. pinned: the request named the one
    model that was tried. broke_off: a stream had begun, and the error goes into it.
    """
    last, model = failures[-1], model or attempts[-1].model
    status, type_, code, message = _verdict(failures, pinned=pinned)
    error = UpstreamError(
        _message(last, message, model, attempts, broke_off=broke_off),
        failure_class=last.failure_class,
        upstream_status=last.upstream_status,
        status=status,
        type=type_,
        code=code,
        param=last.param if last.failure_class in CALLERS_OWN else None,
        retry_after=_shortest(failures) if status == 429 else None,
        metadata=_metadata(last, model, attempts),
    )
    error.native = _native(failures, broke_off=broke_off)
    if error.native is not None and not broke_off:
        error.status = error.native.status
    if status != 429:
        error.headers["x-should-retry"] = "false"  # the SDKs would multiply attempts that were made already
    return error


def _message(
    last: UpstreamError, verdict: str, model: str, attempts: Sequence[AttemptRecord], *, broke_off: bool
) -> str:
    """A provider's own words behind its name, or our summary of all attempts."""
    if last.failure_class in CALLERS_OWN:
        return f"{model}: {verdict}" if last.origin == "provider" else verdict
    summary = _BROKE_OFF if broke_off and last.failure_class != "schema" else verdict
    return f"{summary}: {', '.join(map(_summary, attempts))}."


def _native(failures: Sequence[UpstreamError], *, broke_off: bool) -> NativeError | None:
    """Return the provider's own error if it is all that the caller has to know.

    An event of a stream that had not begun is none: it is no body of a response.
    """
    last = failures[-1]
    if last.native is not None and last.native.status < 400 and not broke_off:
        return None
    only = all(failure.native and failure.failure_class in _PASSED_ON for failure in failures)
    return last.native if only or last.failure_class in CALLERS_OWN else None


def _shortest(failures: Sequence[UpstreamError]) -> float | None:
    return min((one.retry_after for one in failures if one.retry_after is not None), default=None)


def _verdict(failures: Sequence[UpstreamError], *, pinned: bool) -> tuple[int, str, str, str]:
    """Status, type, code, message."""
    last, classes = failures[-1], {failure.failure_class for failure in failures}
    if last.failure_class in CALLERS_OWN:
        return last.status, last.type, last.code, last.message
    if classes == {"rate_limit"}:
        return 429, "rate_limit_error", "rate_limit_exceeded", "Every candidate is over its rate limit"
    if last.failure_class.startswith("timeout"):
        return 504, "timeout_error", "deadline_exceeded", "No answer came in time"
    if classes == {"not_found"} and pinned:
        return 404, "invalid_request_error", "model_not_found", "The provider does not serve this model"
    if isinstance(last, SchemaMismatch):
        return (
            502,
            "upstream_error",
            "upstream_error",
            f"No candidate returned output that matches the request ({last.problem})",
        )
    same = last.cause is not None and {failure.cause for failure in failures} == {last.cause}
    message = last.message.removesuffix(".") if same else "No candidate gave an answer"
    return 502, "upstream_error", "upstream_error", message


def _metadata(last: UpstreamError, model: str, attempts: Sequence[AttemptRecord]) -> Json:
    return {
        "origin": last.origin,
        "class": last.failure_class,
        "provider": model.partition("/")[0],
        "attempts": [attempt.body() for attempt in attempts],
    }


def _summary(attempt: AttemptRecord) -> str:
    found = (attempt.failure_class, attempt.status, attempt.cause)
    return f"{attempt.model} ({', '.join(str(one) for one in found if one is not None)})"
