"""Failures of attempts, by class."""

from __future__ import annotations

from handler.errors import SchemaMismatch, UpstreamError


def make_failure(
    failure_class: str, retry_after: float | None = None, status: int | None = 500
) -> UpstreamError:
    if failure_class == "schema":
        return SchemaMismatch("$: expected object", answer_text="[]", upstream_status=status)
    return UpstreamError(
        f"It is {failure_class}.",
        failure_class=failure_class,
        retry_after=retry_after,
        upstream_status=status,
    )
