"""What can be wrong with a record that a person wrote."""

from __future__ import annotations


class InvalidRecord(ValueError):
    """One record that cannot be read: which field, and what was meant.

    `str(error)` is the line a person sees: "`prefers`: unknown field, did you mean `prefer`?"
    """

    def __init__(self, field: str, problem: str, *, kind: str | None = None, id: str | None = None) -> None:
        super().__init__(f"`{field}`: {problem}")
        self.field = field
        self.problem = problem
        self.kind = kind
        self.id = id


class RuleSetTooLarge(ValueError):
    """More records, or more bytes of them, than are adopted: the set before it stays."""

    def __init__(self, *, records: int, bytes: int, most: str) -> None:
        super().__init__(f"{records} records of {bytes} bytes in all: a rule set is at most {most}")
        self.records = records
        self.bytes = bytes
