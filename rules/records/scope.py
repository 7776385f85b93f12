"""The scope of a record: functions, keys and projects. All that are given must match; none means everyone."""

from __future__ import annotations

from rules.facts.facts import Facts
from rules.frozen import Frozen


class Scope(Frozen):
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
            mine is None or (theirs is not None and _contains(mine, theirs))
            for mine, theirs in zip(self._names, other._names, strict=True)
        )

    @property
    def _names(self) -> tuple[tuple[str, ...] | None, ...]:
        return self.function, self.key, self.project


def _contains(names: tuple[str, ...], others: tuple[str, ...]) -> bool:
    """Return True if all others are among the names. Most first ones are not, and sets take time to make."""
    return all(name in names for name in others[:1]) and set(others) <= set(names)


ORGANISATION = Scope()
