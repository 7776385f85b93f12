"""What a caller must see under each fault (contract, section 6), and what is wrong with what one saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from handler.endpoints.streaming import HEAD_AFTER
from handler.errors import ACTIONS
from tests.fault_injection.faults import FAULTS
from tests.fault_injection.gateway import Seen, Setup
from tests.fault_injection.replies import ANSWER
from tests.support.upstream import Request

# Status and code, where every candidate has failed.
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
OTHERWISE = (502, "upstream_error")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """`models`: who says so, in turn, of a complete answer; empty where there is none."""

    models: tuple[str, ...] = ()
    failure_class: str = "ok"  # of the last attempt on the fault
    attempts: int
    in_band: bool = False
    waited: float = 0.0


def expected(name: str, setup: Setup, *, stream: bool) -> Expected:
    """What contract section 6 says of this fault."""
    fault = FAULTS[name]
    end = fault.stream if stream else fault.whole
    primary, spare = f"{fault.provider}/{name}", setup.fallback
    failure_class = end.ruled if setup.ruled and end.ruled else end.failure_class
    attempts = end.alone if spare is None or end.beside is None else end.beside
    if end.silent and spare is not None and not setup.ruled:
        return Expected(models=(spare,), attempts=1)
    if failure_class == "ok" and (end.beside is None or spare is None):
        return Expected(models=(primary,), attempts=attempts, waited=end.waited)
    if end.committed:
        rescued = spare is not None and end.rescue and failure_class != "timeout_total"
        both = (primary, str(spare)) if rescued else ()
        return Expected(models=both, failure_class=failure_class, attempts=attempts, in_band=not rescued)
    onward = failure_class == "ok" or (ACTIONS[failure_class].failover and failure_class != "timeout_total")
    models = (spare,) if spare is not None and onward else ()
    return Expected(models=models, failure_class=failure_class, attempts=attempts)


def wrong(seen: Seen, name: str, setup: Setup, attempts: list[Request]) -> list[str]:
    """What is not as it must be; empty when all is well."""
    want = expected(name, setup, stream=seen.stream)
    found = _rescued(seen, want, name) if want.models else _refused(seen, want)
    return [*_always(seen), *found, *_asked(seen, want, attempts, FAULTS[name].provider)]


def _always(seen: Seen) -> Iterator[str]:
    if seen.looks_whole and seen.text != ANSWER:
        yield f"a truncated answer that looks whole: {len(seen.text)} of {len(ANSWER)} characters"
    if seen.response.body.count(b"[DONE]") > 1:
        yield "[DONE] more than once"
    if seen.error is not None and seen.done:
        yield "[DONE] after an error"
    if not seen.response.ended:
        yield "the response has no end"


def _rescued(seen: Seen, want: Expected, name: str) -> Iterator[str]:
    if not seen.looks_whole:
        yield f"no complete answer: {shown(seen)}"
        return
    if tuple(seen.models) != want.models:
        yield f"model names {seen.models}, not {list(want.models)}"
    if seen.usage is None and (FAULTS[name].usage or len(want.models) > 1):
        yield "no usage"
    if len(want.models) > 1 and "resumed_from" not in seen.told:
        yield "the last chunk does not tell that it was resumed"


def _refused(seen: Seen, want: Expected) -> Iterator[str]:
    status, code = ENDS.get(want.failure_class, OTHERWISE)
    late = seen.stream and seen.seconds >= HEAD_AFTER  # the head had left
    status = 200 if want.in_band or late else status
    if seen.looks_whole:
        yield "an answer where there can be none"
    if seen.response.status != status:
        yield f"status {seen.response.status}, not {status}"
    error = seen.error
    if error is None:
        yield "no error"
        return
    if code is not None and error["code"] != code:
        yield f"code {error['code']}, not {code}"
    metadata = error.get("metadata", {})
    if metadata.get("class") != want.failure_class:
        yield f"class {metadata.get('class')}, not {want.failure_class}"
    if status >= 500 and seen.response.headers.get("x-should-retry") != "false":
        yield "the client is not told to leave it at that"


def _asked(seen: Seen, want: Expected, attempts: list[Request], provider: str) -> Iterator[str]:
    """What the provider saw."""
    if provider == "wall" and len(attempts) != want.attempts:
        yield f"{len(attempts)} attempts, not {want.attempts}"
    if len({attempt.body for attempt in attempts}) > 1:
        yield "a later attempt asks for something else"
    told = (seen.error or {}).get("metadata", {}).get("attempts", attempts)
    if provider == "wall" and len(told) != len(attempts):
        yield f"the error names {len(told)} attempts of {len(attempts)}"
    if want.waited and len(attempts) > 1 and attempts[1].at - attempts[0].at < want.waited:
        yield f"asked again before {want.waited} s were over"


def shown(seen: Seen) -> str:
    """What the caller saw, in a few words."""
    if seen.looks_whole:
        how = f" resumed at {seen.told.get('at_chars')}" if "resumed_from" in seen.told else ""
        return f"{'complete' if seen.text == ANSWER else 'TRUNCATED'} by {' then '.join(seen.models)}{how}"
    if seen.error is None:
        return f"{seen.response.status}, {'no end' if not seen.response.ended else 'no error'}"
    where = f"{len(seen.text)} characters, then " if seen.text else ""
    failure_class = seen.error.get("metadata", {}).get("class")
    return f"{where}{seen.response.status} {seen.error['code'] or seen.error['type']} ({failure_class})"
