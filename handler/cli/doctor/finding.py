"""A finding: what was checked, how it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from handler.aws.errors import StoreError

# The states, and the exit code of a run whose worst finding has it. `skipped`: it could not be checked.
EXIT_CODES = {"ok": 0, "skipped": 0, "warning": 1, "fault": 2}
DENIED = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
MISSING = frozenset({"ResourceNotFoundException", "TableNotFoundException"})
MOST = 20  # findings of one kind that are shown


class Finding(NamedTuple):
    """One line of the report. `check`: the name of what was checked."""

    check: str
    state: str
    text: str
    mend: str = ""


def ok(check: str, text: str) -> Finding:
    return Finding(check, "ok", text)


def skipped(check: str, text: str, mend: str = "") -> Finding:
    return Finding(check, "skipped", text, mend)


def warning(check: str, text: str, mend: str) -> Finding:
    return Finding(check, "warning", text, mend)


def fault(check: str, text: str, mend: str) -> Finding:
    return Finding(check, "fault", text, mend)


def guarded(check: str, findings: Callable[[], Iterable[Finding]], permission: str) -> Iterator[Finding]:
    """Yield the findings of a check of AWS, or one that says why it could not be made."""
    try:
        yield from findings()
    except StoreError as error:
        if error.code in DENIED:
            yield skipped(check, f"not checked: {error}", f"allow yourself {permission}")
        elif error.code in MISSING:
            called = str(error).partition(":")[0]
            yield fault(check, f"there is none ({called})", "deploy the template again: `make update`")
        else:
            yield fault(check, str(error), "see that the network, the region and the credentials are right")


def limited(findings: Iterable[Finding], more: Callable[[int], Finding]) -> Iterator[Finding]:
    """Yield the first findings, and `more` with the number of the others."""
    found = list(findings)
    yield from found[:MOST]
    if len(found) > MOST:
        yield more(len(found) - MOST)
