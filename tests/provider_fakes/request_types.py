"""Checks a request against the types of the service's official client, which must know every field."""

from __future__ import annotations

import types
from typing import Any, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from typing_extensions import NoExtraItems, is_typeddict

_ATOMS = str | bytes | int | float | None


def strict_reader(kind: Any) -> TypeAdapter[Any]:
    """A reader of this type that refuses unknown fields."""
    forbid_extra_fields(kind, set())
    return TypeAdapter(kind)


def forbid_extra_fields(hint: Any, seen: set[Any]) -> None:
    """Makes every TypedDict in `hint` refuse unknown fields."""
    if hint in seen:
        return
    seen.add(hint)
    if is_typeddict(hint):
        if not hasattr(hint, "__pydantic_config__"):
            closed = hint.__extra_items__ is NoExtraItems
            hint.__pydantic_config__ = ConfigDict(extra="forbid" if closed else "allow")
        for inner in get_type_hints(hint, include_extras=False).values():
            forbid_extra_fields(inner, seen)
    elif get_origin(hint) is not None or isinstance(hint, types.UnionType):
        for inner in get_args(hint):
            if not isinstance(inner, str | int | bool | None):
                forbid_extra_fields(inner, seen)


def evaluate_lists(value: Any) -> Any:
    """The value with its lazily validated lists evaluated."""
    if isinstance(value, dict):
        return {name: evaluate_lists(one) for name, one in value.items()}
    if isinstance(value, _ATOMS):
        return value
    return [evaluate_lists(one) for one in value]


def mismatch(reader: TypeAdapter[Any], body: Any) -> tuple[str, str] | None:
    """The path and the message of the first mismatch with the types, or None.

    Unions hold the blocks of answers, too, which take any field and become objects: the result is compared.
    """
    try:
        known = evaluate_lists(reader.validate_python(body)) == body
        return None if known else ("", "not a value for a request")
    except ValidationError as error:
        first = _closest_error(error.errors())
        return ".".join(map(str, first["loc"])), first["msg"]


def _closest_error(errors: list[Any]) -> Any:
    """The first error of the member of a union that has the fewest: each member reports its own."""
    parts: dict[Any, list[Any]] = {}
    for one in errors:
        parts.setdefault(one["loc"][:2], []).append(one)
    return min(parts.values(), key=len)[0]
