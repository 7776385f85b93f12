"""A request read with the official types of a service's own client, in which every field is known."""

from __future__ import annotations

import types
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from typing_extensions import is_typeddict

_ATOMS = str | bytes | int | float | None


def adapter(kind: Any) -> TypeAdapter[Any]:
    """A reader of this type that refuses the fields it does not know."""
    closed(kind, set())
    return TypeAdapter(kind)


def closed(hint: Any, seen: set[Any]) -> None:
    """Makes every TypedDict in a type refuse the fields it does not know."""
    if hint in seen:
        return
    seen.add(hint)
    if is_typeddict(hint):
        if not hasattr(hint, "__pydantic_config__"):
            hint.__pydantic_config__ = ConfigDict(extra="forbid")
        for inner in get_type_hints(hint, include_extras=False).values():
            closed(inner, seen)
    elif get_origin(hint) is not None or isinstance(hint, types.UnionType):
        for inner in get_args(hint):
            if not isinstance(inner, str | int | bool | None):
                closed(inner, seen)


def drained(value: Any) -> Any:
    """The value with every lazily checked list in it read to its end."""
    if isinstance(value, dict):
        return {name: drained(one) for name, one in value.items()}
    if isinstance(value, _ATOMS):
        return value
    return [drained(one) for one in value]


def misfit(reader: TypeAdapter[Any], body: Any) -> tuple[str, str] | None:
    """Where the types do not fit and why; None if they know all of it.

    Unions hold the blocks of answers too, which take any field and come out as objects: so it is compared.
    """
    try:
        return None if drained(reader.validate_python(body)) == body else ("", "not what a request may hold")
    except ValidationError as error:
        first = _nearest(error.errors())
        return ".".join(map(str, first["loc"])), first["msg"]


def _nearest(errors: list[Any]) -> Any:
    """The first error of that part of a union which fits best; every part tells its own."""
    parts: dict[Any, list[Any]] = {}
    for one in errors:
        parts.setdefault(one["loc"][:2], []).append(one)
    return min(parts.values(), key=len)[0]
