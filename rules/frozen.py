"""Base classes of objects with named fields, in the place of dataclasses.

A dataclass generates code when it is defined, 0.5 ms of a cold start for each class. These do not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, Self, TypeVar, cast, dataclass_transform

T = TypeVar("T")

EMPTY: Mapping[str, Any] = {}  # a default, which nobody changes


class _Fresh(NamedTuple):
    factory: Callable[[], Any]


def fresh(*, factory: Callable[[], T]) -> T:
    """Declare a field whose default is a new object in each instance."""
    return cast(T, _Fresh(factory))


class _Named:
    field_names: ClassVar[tuple[str, ...]] = ()  # in order, those of base classes first
    _known: ClassVar[frozenset[str]] = frozenset()
    _required: ClassVar[frozenset[str]] = frozenset()
    _fresh: ClassVar[Mapping[str, Callable[[], Any]]] = {}

    def __init_subclass__(cls, *, kw_only: bool = True) -> None:
        """`kw_only`: for the type checker; False lets the fields be given by their places."""
        own = [name for name, type_ in cls.__annotations__.items() if not type_.startswith("ClassVar")]
        cls.field_names = tuple(dict.fromkeys((*cls.field_names, *own)))
        defaults = {name: cls.__dict__.get(name) for name in own}
        factories = {name: each.factory for name, each in defaults.items() if isinstance(each, _Fresh)}
        cls._fresh = {**cls._fresh, **factories}
        cls._known = frozenset(cls.field_names)
        cls._required = frozenset(name for name in cls.field_names if not hasattr(cls, name))

    def __init__(self, *values: Any, **fields: Any) -> None:
        if values:
            names = self.field_names[: len(values)]
            if len(names) < len(values) or not fields.keys().isdisjoint(names):
                raise TypeError(f"{type(self).__name__}: too many values, or two for one field")
            fields |= zip(names, values, strict=True)
        if not self._required <= fields.keys() <= self._known:
            wrong = sorted(self._required - fields.keys() | fields.keys() - self._known)
            raise TypeError(f"{type(self).__name__}: missing or unknown: {', '.join(wrong)}")
        if self._fresh:
            for name, factory in self._fresh.items():
                if name not in fields:
                    fields[name] = factory()
        self.__dict__.update(fields)

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Self:
        """Return the value with these fields, whose dict it keeps. Raises TypeError as `__init__` does."""
        if not cls._required <= fields.keys() <= cls._known:
            return cls(**fields)
        made = cls.__new__(cls)
        object.__setattr__(made, "__dict__", fields)
        return made

    def replaced(self, **fields: Any) -> Self:
        """Return a copy with other values in these fields."""
        own = {name: value for name, value in self.__dict__.items() if name in self._known}
        return type(self)(**{**own, **fields})


@dataclass_transform(kw_only_default=True, field_specifiers=(fresh,))
class Fields(_Named):
    """An object with named fields, which may change. Defaults are attributes of the class."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Frozen(_Named):
    """A value with named fields that does not change, and is compared by its fields."""

    hidden: ClassVar[frozenset[str]] = frozenset()  # fields that `repr` does not show

    def as_dict(self) -> dict[str, Any]:
        """Return the fields with their values."""
        return {name: getattr(self, name) for name in self.field_names}

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: {name} cannot be deleted")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self is other or all(getattr(self, name) == getattr(other, name) for name in self.field_names)

    def __hash__(self) -> int:
        return hash(tuple(getattr(self, name) for name in self.field_names))

    def __repr__(self) -> str:
        shown = (name for name in self.field_names if name not in self.hidden)
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"
