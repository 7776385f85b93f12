"""What a caller must see under each fault, and how an observation differs from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from handler.endpoints.exchange.streaming import HEAD_AFTER
from handler.errors import ACTIONS
from tests.fault_injection.clients import OWN_STATUSES
from tests.fault_injection.faults import CUT, FAULTS, Ending
from tests.fault_injection.gateway import Observation, Setup
from tests.fault_injection.replies import ANSWER
from tests.support.upstream import Request

# Status and code if every candidate failed.
ENDS: Mapping[str, tuple[int, str | None]] = {
    "rate_limit": (429, "rate_limit_exceeded"),
    "not_found": (404, "model_not_found"),
    "context_length": (400, "context_length_exceeded"),
    "content_policy": (400, "content_policy_violation"),
    "invalid_request": (400, None),
    **dict.fromkeys(
        [failure_class for failure_class in ACTIONS if failure_class.startswith("timeout")],
        (504, "deadline_exceeded"),
    ),
}
# How a stream in another dialect ends, where that makes a difference. The last event of Responses has both
# the finish reason and the usage, and there is no `[DONE]`.
STREAMS: Mapping[tuple[str, str], Ending] = {
    ("responses", "no-finish"): CUT,
    ("responses", "usage-after-done"): CUT,
}
ROUNDING = 0.001  # seconds
OTHERWISE = (502, "upstream_error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """`models`: the models of a complete answer in turn, or () if there is no answer."""

    models: tuple[str, ...] = ()
    failure_class: str = "ok"  # of the last attempt
    attempts: int
    in_band: bool = False
    retry_after: float = 0.0


def expected_for(name: str, setup: Setup, *, stream: bool) -> Expected:
    """What a caller must see of this fault, by docs/failures.md."""
    fault = FAULTS[name]
    end = fault.stream if stream else fault.whole
    if stream and not (setup.native and name == "usage-after-done"):  # the last event is passed on
        end = STREAMS.get((setup.dialect, name), end)
    primary, spare = f"{fault.provider}/{name}", setup.fallback
    failure_class = end.class_with_rule if setup.with_rule and end.class_with_rule else end.failure_class
    attempts = end.without_fallback if spare is None or end.with_fallback is None else end.with_fallback
    if end.hedged and spare is not None and not setup.with_rule:
        return Expected(models=(spare,), attempts=1)
    if failure_class == "ok" and (end.with_fallback is None or spare is None):
        return Expected(models=(primary,), attempts=attempts, retry_after=end.retry_after)
    if end.committed:
        resumed = (
            spare is not None and end.resumable and not setup.native and failure_class != "timeout_total"
        )
        both = (primary, str(spare)) if resumed else ()
        return Expected(models=both, failure_class=failure_class, attempts=attempts, in_band=not resumed)
    fails_over = failure_class == "ok" or (
        ACTIONS[failure_class].failover and failure_class != "timeout_total"
    )
    models = (spare,) if spare is not None and fails_over else ()
    return Expected(models=models, failure_class=failure_class, attempts=attempts)


def mismatches(observed: Observation, name: str, setup: Setup, attempts: list[Request]) -> list[str]:
    """How the observation differs from what it must be."""
    expected = expected_for(name, setup, stream=observed.stream)
    if setup.native and not expected.models:
        found = _check_native_error(observed, expected)
    else:
        found = (
            _check_answer(observed, expected, name)
            if expected.models
            else _check_error(observed, expected, setup.client)
        )
    return [
        *_check_always(observed),
        *found,
        *_check_attempts(observed, expected, attempts, FAULTS[name].provider),
    ]


def _check_always(observed: Observation) -> Iterator[str]:
    if observed.looks_complete and observed.text != ANSWER:
        yield f"a truncated answer that looks whole: {len(observed.text)} of {len(ANSWER)} characters"
    if observed.response.body.count(b"[DONE]") > 1:
        yield "[DONE] more than once"
    if observed.error is not None and observed.done:
        yield "[DONE] after an error"
    if not observed.response.ended:
        yield "the response has no end"


def _check_answer(observed: Observation, expected: Expected, name: str) -> Iterator[str]:
    if not observed.looks_complete:
        yield f"no complete answer: {summary(observed)}"
        return
    if tuple(observed.models) != expected.models:
        yield f"model names {observed.models}, not {list(expected.models)}"
    if observed.usage is None and (FAULTS[name].usage or len(expected.models) > 1):
        yield "no usage"
    if len(expected.models) > 1 and "resumed_from" not in observed.sluice:
        yield "the last chunk does not say that the stream was resumed"


def _check_error(observed: Observation, expected: Expected, client: str) -> Iterator[str]:
    status, code = ENDS.get(expected.failure_class, OTHERWISE)
    late = observed.stream and observed.seconds >= HEAD_AFTER  # after the head was sent
    status = 200 if expected.in_band or late else status
    if observed.looks_complete:
        yield "an answer although none is possible"
    status = OWN_STATUSES.get(client, {}).get(status, status)
    if observed.response.status != status:
        yield f"status {observed.response.status}, not {status}"
    error = observed.error
    if error is None:
        yield "no error"
        return
    if code is not None and error["code"] != code:
        yield f"code {error['code']}, not {code}"
    metadata = error.get("metadata", {})
    if metadata.get("class") != expected.failure_class:
        yield f"class {metadata.get('class')}, not {expected.failure_class}"
    if status >= 500 and observed.response.headers.get("x-should-retry") != "false":
        yield "the client is not told not to retry"


def _check_native_error(observed: Observation, expected: Expected) -> Iterator[str]:
    """How an error differs that may be the provider's own: its status and its words are not Sluice's."""
    if observed.looks_complete:
        yield "an answer although none is possible"
    elif observed.error is None:
        yield "no error"
    elif observed.error["metadata"]["class"] != expected.failure_class:
        yield f"class {observed.error['metadata']['class']}, not {expected.failure_class}"
    if expected.in_band != (observed.response.status == 200) and observed.seconds < HEAD_AFTER:
        yield f"status {observed.response.status}"


def _check_attempts(
    observed: Observation, expected: Expected, attempts: list[Request], provider: str
) -> Iterator[str]:
    """How the requests that the provider received differ."""
    if provider == "faulty" and len(attempts) != expected.attempts:
        yield f"{len(attempts)} attempts, not {expected.attempts}"
    if len({attempt.body for attempt in attempts}) > 1:
        yield "a later attempt sends another body"
    reported = (observed.error or {}).get("metadata", {}).get("attempts", attempts)
    if provider == "faulty" and len(reported) != len(attempts):
        yield f"the error names {len(reported)} attempts of {len(attempts)}"
    pause = attempts[1].at - attempts[0].at if len(attempts) > 1 else expected.retry_after
    if pause < expected.retry_after - ROUNDING:
        yield f"a second attempt before {expected.retry_after} s were over"


def summary(observed: Observation) -> str:
    """A short description of the observation."""
    if observed.looks_complete:
        how = f" resumed at {observed.sluice.get('at_chars')}" if "resumed_from" in observed.sluice else ""
        whole = "complete" if observed.text == ANSWER else "TRUNCATED"
        return f"{whole} by {' then '.join(observed.models)}{how}"
    if observed.error is None:
        return f"{observed.response.status}, {'no end' if not observed.response.ended else 'no error'}"
    start = f"{len(observed.text)} characters, then " if observed.text else ""
    code = observed.error["code"] or observed.error["type"]
    failure_class = observed.error.get("metadata", {}).get("class")
    return f"{start}{observed.response.status} {code} ({failure_class})"
