"""A record that is not in force as it was written, and what holds instead of it."""

from __future__ import annotations

from rules.facts.facts import Facts
from rules.frozen import Frozen
from rules.records.scope import Scope

RecordKey = tuple[str, str]  # kind and id

LAST, SKIPPED, REFUSES = "last readable version", "skipped", "refuses its scope"
OPEN = "skipped: it restricts nobody"  # of a record whose kind restricts callers


class Problem(Frozen):
    """A bad record, and what holds instead of it.

    `scope` is None for kinds that take no scope, and where the scope cannot be read either.
    """

    kind: str
    id: str
    field: str
    problem: str
    instead: str  # LAST | SKIPPED | REFUSES | OPEN
    scope: Scope | None = None

    def covers(self, facts: Facts) -> bool:
        return self.scope is not None and self.scope.covers(facts)

    def refuses(self, facts: Facts) -> bool:
        return self.instead == REFUSES and self.covers(facts)

    def as_json(self) -> dict[str, str]:
        names = ("kind", "id", "field", "problem", "instead")
        return {name: getattr(self, name) for name in names}

    @property
    def message(self) -> str:
        return f"{self.kind}/{self.id}: `{self.field}`: {self.problem}"

    def __str__(self) -> str:
        return f"{self.message} ({self.instead})"
