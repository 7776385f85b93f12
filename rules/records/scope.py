"""Where a record applies: functions, keys and projects. All that are given must match; none is everyone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rules.errors import InvalidRecord
from rules.facts.facts import Facts
from rules.records.coercion import any_order, members, shown, text, untrimmed, wrong


@dataclass(frozen=True, slots=True)
class Scope:
    """None: not given. `key` is the key's id."""

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
        """True when it covers everything that the other one covers."""
        return all(
            mine is None or (theirs is not None and set(theirs) <= set(mine))
            for mine, theirs in zip(self.names, other.names, strict=True)
        )

    @property
    def names(self) -> tuple[tuple[str, ...] | None, ...]:
        return self.function, self.key, self.project


ORGANISATION = Scope()


def read_scope(value: Any) -> Scope:
    """The reader of `scope`."""
    given = _NAMES(value)
    if not given:
        raise wrong("is empty: leave it out for the whole organisation")
    for name, listed in given.items():
        if not listed:
            raise InvalidRecord(name, "is empty: nobody is in it; leave it out for everybody")
    return Scope(**{name: tuple(sorted(set(listed))) for name, listed in given.items()})


def _name(value: Any) -> str:
    if "*" in text(value):
        raise wrong(f"a scope takes whole names, not patterns, got {shown(value)}")
    if untrimmed(value):
        raise wrong(f"has white space around it: write {shown(value.strip())}")
    return str(value)


_NAMES = members(dict.fromkeys(("function", "key", "project"), any_order(_name)))
