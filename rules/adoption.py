"""Which records come into force when a rule set is read, and what holds in place of each bad one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rules.catalog.catalog import PROVIDERS
from rules.errors import InvalidRecord, RuleSetTooLarge
from rules.facts.facts import Facts
from rules.records.coercion import read_switch
from rules.records.kinds import KINDS, BudgetRecord, LimitRecord, ProviderRecord
from rules.records.reading import Reading, canonical, named, read
from rules.records.scope import ORGANISATION, Scope, read_scope

Name = tuple[str, str]  # kind and id
Adopted = dict[Name, Reading]

MAX_RECORDS, MAX_BYTES = 1_000, 1_048_576
MOST = f"{MAX_RECORDS} records of {MAX_BYTES} bytes in all"
SCOPED = frozenset(kind for kind, record in KINDS.items() if record.scoped)
LAST, SKIPPED, REFUSES = "last readable version", "skipped", "refuses its scope"
OPEN = "skipped: it restricts nobody"  # of a record that was meant to restrict somebody


@dataclass(frozen=True, slots=True)
class Problem:
    """A bad record, and what holds instead of it.

    `scope` is None when not even that could be read, and for the kinds that have none.
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


def adopt(items: Iterable[Any], previous: Mapping[Name, Mapping[str, Any]]) -> tuple[Adopted, list[Problem]]:
    """What is in force, by name, and a problem for every bad item. Raises RuleSetTooLarge."""
    listed = list(items)
    if len(listed) > MAX_RECORDS:
        raise RuleSetTooLarge(records=len(listed), bytes=sum(map(_size, listed)), most=MOST)
    size = 0
    adopted: Adopted = {}
    bad: list[tuple[Any, InvalidRecord]] = []
    for item in listed:
        try:
            reading = read(item)
            size += len(reading.text)
            if adopted.setdefault(named(item), reading) is not reading:
                bad.append((item, InvalidRecord("id", "is there twice; the first one holds")))
        except InvalidRecord as error:
            size += _size(item)
            bad.append((item, error))
    if size > MAX_BYTES:
        raise RuleSetTooLarge(records=len(listed), bytes=size, most=MOST)
    problems = [_stand_in(item, error, adopted, previous) for item, error in bad]
    for name, misplaced in _misplaced(adopted):
        problems.append(_stand_in(adopted.pop(name).item, misplaced, adopted, previous))
    return adopted, problems


def _size(item: Any) -> int:
    try:
        return len(canonical(item))
    except InvalidRecord:
        return 0  # too deep to be measured, and refused for that


def _stand_in(
    item: Any, error: InvalidRecord, adopted: Adopted, previous: Mapping[Name, Mapping[str, Any]]
) -> Problem:
    """Puts the last readable version in force, if there is one, and says what holds now."""
    name = named(item)
    where = _scope(item) if name[0] in SCOPED else None
    instead = SKIPPED
    if name not in adopted:
        last = _last(previous.get(name))
        if last:
            adopted[name], instead = last, LAST
        elif name[0] in ("access", "budget") and _enabled(item):
            instead = REFUSES if _names_somebody(where) else OPEN
    return Problem(*name, error.field, error.problem, instead, where)


def _last(item: Mapping[str, Any] | None) -> Reading | None:
    try:
        return read(item) if item is not None else None
    except InvalidRecord:  # adopted by another version of the code
        return None


def _scope(item: Any) -> Scope | None:
    try:
        return read_scope(item["scope"]) if "scope" in item else ORGANISATION
    except (InvalidRecord, TypeError):
        return None


def _names_somebody(scope: Scope | None) -> bool:
    """True for a scope with a project or a key; without one a typo would stop the whole organisation."""
    return scope is not None and bool(scope.project or scope.key)


def _enabled(item: Mapping[str, Any]) -> bool:
    try:
        return read_switch(item.get("enabled", True))
    except InvalidRecord:
        return True


def _misplaced(adopted: Adopted) -> list[tuple[Name, InvalidRecord]]:
    """What reads well by itself, and cannot stand in this set."""
    records = {name: reading.record for name, reading in adopted.items()}
    beside = {
        (record.kind, record.scope, frozenset(record.when))
        for record in records.values()
        if isinstance(record, LimitRecord | BudgetRecord) and record.enabled and not _caller_chosen(record)
    }
    found = []
    for name, record in records.items():
        if isinstance(record, LimitRecord | BudgetRecord) and record.enabled and _caller_chosen(record):
            if (
                not {(record.kind, record.scope, when) for when in (frozenset(record.when), frozenset())}
                & beside
            ):
                found.append((name, InvalidRecord("each", _ALONE.format(each=record.each, kind=record.kind))))
        elif isinstance(record, ProviderRecord) and record.id not in PROVIDERS and record.base_url is None:
            found.append(
                (name, InvalidRecord("base_url", "is missing, and no built-in provider has this id"))
            )
    return found


_ALONE = (
    "the caller chooses `{each}`: this stands only beside a {kind} record of the same scope without it, "
    "or with `key` or `project`"
)


def _caller_chosen(record: LimitRecord | BudgetRecord) -> bool:
    return record.each is not None and record.each not in ("key", "project")
