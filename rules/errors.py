"""Errors of records and of rule sets."""

from __future__ import annotations

MAX_RECORDS, MAX_BYTES = 1_000, 1_048_576  # of a rule set


class InvalidRecord(ValueError):
    """A record that cannot be read, with the field and the problem.

    `str(error)` is the message for a person: "`prefers`: unknown field, did you mean `prefer`?"
    """

    def __init__(self, field: str, problem: str, *, kind: str | None = None, id: str | None = None) -> None:
        super().__init__(f"`{field}`: {problem}")
        self.field = field
        self.problem = problem
        self.kind = kind
        self.id = id


class RuleSetTooLarge(ValueError):
    """A rule set with too many records or bytes. The previous set stays in force."""

    def __init__(self, *, records: int, bytes: int, limit: str) -> None:
        super().__init__(f"{records} records of {bytes} bytes in all: a rule set is at most {limit}")
        self.records = records
        self.bytes = bytes
