"""The scope of a record: functions, keys and projects. All that are given must match; none means everyone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rules.errors import InvalidRecord
from rules.facts.facts import Facts
from rules.records.coercion import has_outer_space, invalid, mapping_of, quoted, read_text, unordered_list


@dataclass(frozen=True, slots=True)
class Scope:
    """None: not given. `key` holds ids of keys."""

    function: tuple[str, ...] | None = None
    key: tuple[str, ...] | None = None
    project: tuple[str, ...] | None = None

    def covers(self, facts: Facts) -> bool:
        return (
            (self.project is None or facts.project in self.project)
            and (self.key is None or facts.key in self.key)
            and (self.function is None or facts.function in self.function)
        )

    def includes(self, other: Scope) -> bool:
        """Return True if this scope covers every request that the other one covers."""
        return all(
            mine is None or (theirs is not None and set(theirs) <= set(mine))
            for mine, theirs in zip(self._names, other._names, strict=True)
        )

    @property
    def _names(self) -> tuple[tuple[str, ...] | None, ...]:
        return self.function, self.key, self.project


ORGANISATION = Scope()


def read_scope(value: Any) -> Scope:
    names = _read_names(value)
    if not names:
        raise invalid("is empty: remove it to match everyone")
    for name, members in names.items():
        if not members:
            raise InvalidRecord(name, "is an empty list, which matches nobody; remove it to match everyone")
    return Scope(**{name: tuple(sorted(set(members))) for name, members in names.items()})


def _read_name(value: Any) -> str:
    if "*" in read_text(value):
        raise invalid(f"a scope takes whole names, not patterns, got {quoted(value)}")
    if has_outer_space(value):
        raise invalid(f"has white space around it: write {quoted(value.strip())}")
    return str(value)


_read_names = mapping_of(dict.fromkeys(("function", "key", "project"), unordered_list(_read_name)))
