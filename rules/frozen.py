"""The base class of immutable values."""

from __future__ import annotations

from typing import Any, ClassVar, Self, dataclass_transform


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Frozen:
    """A value with named fields, which it is compared by. Defaults are attributes of the class.

    A dataclass generates code for each class when it is defined, 0.5 ms of a cold start; this does not.
    """

    field_names: ClassVar[tuple[str, ...]] = ()  # in order, those of base classes first
    _known: ClassVar[frozenset[str]] = frozenset()
    _required: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, *, kw_only: bool = True) -> None:
        """`kw_only`: for the type checker; False lets the fields be given by their places."""
        own = (name for name, type_ in cls.__annotations__.items() if not type_.startswith("ClassVar"))
        cls.field_names = tuple(dict.fromkeys((*cls.field_names, *own)))
        cls._known = frozenset(cls.field_names)
        cls._required = frozenset(name for name in cls.field_names if not hasattr(cls, name))

    def __init__(self, *values: Any, **fields: Any) -> None:
        if values:
            fields |= zip(self.field_names[: len(values)], values, strict=True)
        if not self._required <= fields.keys() <= self._known:
            wrong = sorted(self._required - fields.keys() | fields.keys() - self._known)
            raise TypeError(f"{type(self).__name__}: missing or unknown: {', '.join(wrong)}")
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
        """Return a value with other fields in the place of these."""
        return type(self)(**{**self.as_dict(), **fields})

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
        fields = (f"{name}={getattr(self, name)!r}" for name in self.field_names)
        return f"{type(self).__name__}({', '.join(fields)})"
