"""Adopts the records of a rule set: which come into force, and what holds in place of each bad one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rules.catalog.catalog import PROVIDERS
from rules.errors import MAX_BYTES, MAX_RECORDS, InvalidRecord, RuleSetTooLarge
from rules.reading.coercion import read_switch
from rules.reading.fields import read_scope
from rules.reading.records import SourcedRecord, canonical_json, kind_and_id, read_item
from rules.records.base import Record
from rules.records.kinds import KINDS, BudgetRecord, LimitRecord, ProviderRecord
from rules.records.problem import LAST, OPEN, REFUSES, SKIPPED, Problem, RecordKey
from rules.records.scope import ORGANISATION, Scope

Adopted = dict[RecordKey, SourcedRecord]

LIMIT = f"{MAX_RECORDS} records of {MAX_BYTES} bytes in all"
SCOPED = frozenset(kind for kind, record in KINDS.items() if record.scoped)


def adopt(
    items: Iterable[Any], previous: Mapping[RecordKey, Mapping[str, Any]]
) -> tuple[Adopted, list[Problem]]:
    """Return the records in force, and a problem for every bad item. Raises RuleSetTooLarge."""
    listed = list(items)
    if len(listed) > MAX_RECORDS:
        raise RuleSetTooLarge(records=len(listed), bytes=sum(map(_size, listed)), limit=LIMIT)
    size = 0
    adopted: Adopted = {}
    bad: list[tuple[Any, InvalidRecord]] = []
    for item in listed:
        try:
            sourced = read_item(item)
            size += len(sourced.json)
            if adopted.setdefault(kind_and_id(item), sourced) is not sourced:
                bad.append((item, InvalidRecord("id", "is there twice; the first one is used")))
        except InvalidRecord as error:
            size += _size(item)
            bad.append((item, error))
    if size > MAX_BYTES:
        raise RuleSetTooLarge(records=len(listed), bytes=size, limit=LIMIT)
    problems = [_replace_bad(item, error, adopted, previous) for item, error in bad]
    for key, set_error in _check_set(adopted):
        problems.append(_replace_bad(adopted.pop(key).item, set_error, adopted, previous))
    return adopted, problems


def _size(item: Any) -> int:
    try:
        return len(canonical_json(item))
    except InvalidRecord:
        return 0  # nested too deep to be measured, which is a problem of its own


def _replace_bad(
    item: Any, error: InvalidRecord, adopted: Adopted, previous: Mapping[RecordKey, Mapping[str, Any]]
) -> Problem:
    """Put the last readable version in force, if there is one, and return the problem."""
    key = kind_and_id(item)
    scope = _scope(item) if key[0] in SCOPED else None
    instead = SKIPPED
    if key not in adopted:
        last = _read_previous(previous.get(key))
        if last:
            adopted[key], instead = last, LAST
        elif key[0] in ("access", "budget") and _is_enabled(item):
            instead = REFUSES if _is_specific(scope) else OPEN
    kind, id = key
    return Problem(kind=kind, id=id, field=error.field, problem=error.problem, instead=instead, scope=scope)


def _read_previous(item: Mapping[str, Any] | None) -> SourcedRecord | None:
    try:
        return read_item(item) if item is not None else None
    except InvalidRecord:  # adopted by another version of the code
        return None


def _scope(item: Any) -> Scope | None:
    try:
        return read_scope(item["scope"]) if "scope" in item else ORGANISATION
    except (InvalidRecord, TypeError):
        return None


def _is_specific(scope: Scope | None) -> bool:
    """Return True for a scope with a project or a key; otherwise a typo would stop the whole organisation."""
    return scope is not None and bool(scope.project or scope.key)


def _is_enabled(item: Mapping[str, Any]) -> bool:
    try:
        return read_switch(item.get("enabled", True))
    except InvalidRecord:
        return True


def _check_set(adopted: Adopted) -> list[tuple[RecordKey, InvalidRecord]]:
    """Return the errors of records that are valid, but not in this set."""
    records = {key: sourced.record for key, sourced in adopted.items()}
    counting_all = {
        (record.kind, record.scope, frozenset(record.when))
        for record in records.values()
        if isinstance(record, LimitRecord | BudgetRecord) and record.enabled and not _is_caller_chosen(record)
    }
    checked = ((key, _set_error(record, counting_all)) for key, record in records.items())
    return [(key, error) for key, error in checked if error]


def _set_error(record: Record, counting_all: set[tuple[Any, ...]]) -> InvalidRecord | None:
    """`counting_all`: kind, scope and conditions of the records whose counter a caller cannot choose."""
    if isinstance(record, LimitRecord | BudgetRecord) and record.enabled and _is_caller_chosen(record):
        same_or_wider = ((record.kind, record.scope, when) for when in (frozenset(record.when), frozenset()))
        if counting_all.isdisjoint(same_or_wider):
            return InvalidRecord("each", _EVADABLE.format(each=record.each, kind=record.kind))
    elif isinstance(record, ProviderRecord) and record.id not in PROVIDERS and record.base_url is None:
        return InvalidRecord("base_url", "is missing, and no built-in provider has this id")
    return None


_EVADABLE = (
    "callers can change `{each}` to get a fresh counter: add a {kind} record of the same scope without "
    "`each`, or with `key` or `project`"
)


def _is_caller_chosen(record: LimitRecord | BudgetRecord) -> bool:
    return record.each is not None and record.each not in ("key", "project")
