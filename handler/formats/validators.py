"""Validators of JSON values, from which each format builds the tables of its fields.

A check takes a value and raises InvalidValue, or returns. No path is built for a valid value: when a check
fails, each check around it adds its own step to the path. A member that is null counts as absent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from handler.errors import InvalidRequest

Check = Callable[[Any], None]

MISSING = "missing_required_parameter"
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_TYPE_NAMES = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}


class InvalidValue(Exception):
    """A value failed its check. `path` leads to it from the value that was validated."""

    def __init__(self, problem: str, *, path: str = "", code: str = "invalid_value") -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path
        self.code = code

    def within(self, step: str) -> InvalidValue:
        self.path = step + self.path
        return self


def validate(check: Check, value: Any, *, param: str = "") -> None:
    """Run `check` on the value of the parameter `param`. Raises InvalidRequest, which names the path."""
    try:
        check(value)
    except InvalidValue as error:
        path = f"{param}{error.path}".removeprefix(".")
        message = f"{path or 'The body'}: {error.problem}"
        raise InvalidRequest(message, code=error.code, param=path or None) from None


def unexpected(expected: str, value: Any) -> InvalidValue:
    """Return the error of a wrong type or range. Text is never quoted: it may be a prompt, and is logged."""
    type_name = _TYPE_NAMES.get(type(value))
    return InvalidValue(f"expected {expected}, got {type_name or repr(value)[:40]}")


def missing(name: str) -> InvalidValue:
    return InvalidValue(f"`{name}` is missing", path=f".{name}", code=MISSING)


_ACCEPTED: dict[Check, type] = {}  # the type whose values a check always accepts, so that it need not run


def of_type(kind: type, expected: str) -> Check:
    def check(value: Any) -> None:
        if type(value) is not kind:
            raise unexpected(expected, value)

    _ACCEPTED[check] = kind
    return check


anything: Check = lambda _: None  # noqa: E731
text = of_type(str, "text")
boolean = of_type(bool, "a boolean")
an_object = of_type(dict, "an object")


def text_of_length(least: int, most: int) -> Check:
    """Text of `least` to `most` characters."""

    def check(value: Any) -> None:
        text(value)
        if not least <= len(value) <= most:
            raise InvalidValue(f"expected text of {least} to {most} characters, got {len(value)}")

    return check


def matching(pattern: str, expected: str) -> Check:
    """Text that matches `pattern` as a whole; the error describes it as `expected`."""
    compiled = re.compile(pattern)

    def check(value: Any) -> None:
        text(value)
        if not compiled.fullmatch(value):
            raise InvalidValue(f"expected {expected}")

    return check


def choice(*values: str) -> Check:
    expected = f"one of {', '.join(values)}"

    def check(value: Any) -> None:
        if type(value) is not str:
            raise unexpected(expected, value)
        if value not in values:
            raise InvalidValue(f"expected {expected}, got {json.dumps(value[:40])}")

    return check


def number(low: float, high: float) -> Check:
    def check(value: Any) -> None:
        if type(value) not in (int, float) or not low <= value <= high:
            raise unexpected(f"a number from {low} to {high}", value)

    return check


def integer(low: int, high: int = 2**63 - 1) -> Check:
    """An integer, or a float without a fraction."""
    expected = f"an integer from {low} to {high}"

    def check(value: Any) -> None:
        whole = type(value) is int or (type(value) is float and value.is_integer())
        if not whole or not low <= value <= high:
            raise unexpected(expected, value)

    return check


def by_type(**checks: Check) -> Check:
    """A value of one of several JSON types, each with its own check: text, list, object."""
    table: dict[type, Check] = {
        {"text": str, "list": list, "object": dict}[name]: check for name, check in checks.items()
    }
    expected = " or ".join(_TYPE_NAMES[kind] for kind in table)

    def check(value: Any) -> None:
        inner = table.get(type(value))
        if inner is None:
            raise unexpected(expected, value)
        if inner is not anything:
            inner(value)

    if checks.get("text") is anything:
        _ACCEPTED[check] = str
    return check


def list_of(item: Check, *, least: int = 0, most: int | None = None) -> Check:
    """A list of `least` to `most` items."""

    def check(value: Any) -> None:
        if type(value) is not list:
            raise unexpected("a list", value)
        if len(value) < least or (most is not None and len(value) > most):
            bound = f"at least {least}" if len(value) < least else f"at most {most}"
            raise InvalidValue(f"expected {bound} in the list, got {len(value)}")
        index = 0
        try:
            for one in value:
                item(one)
                index += 1
        except InvalidValue as error:
            raise error.within(f"[{index}]") from None

    return check


def map_of(item: Check, *, most: int | None = None, longest: int | None = None) -> Check:
    """An object whose names the caller chooses: at most `most` names of at most `longest` characters."""

    def check(value: Any) -> None:
        an_object(value)
        if most is not None and len(value) > most:
            raise InvalidValue(f"expected at most {most} names, got {len(value)}")
        for name, one in value.items():
            if longest is not None and not 1 <= len(name) <= longest:
                raise InvalidValue(f"expected names of 1 to {longest} characters, got one of {len(name)}")
            if one is not None:
                _check_member(item, name, one)

    return check


def shape(members: Mapping[str, Check], required: Collection[str] = (), *, closed: bool = False) -> Check:
    """An object with these members. Other members are accepted, unless it is closed."""
    accepted = {name: _ACCEPTED[check] for name, check in members.items() if check in _ACCEPTED}

    def check(value: Any) -> None:
        if type(value) is not dict:
            raise unexpected("an object", value)
        if closed and (unknown := [name for name in value if name not in members]):
            raise _unknown_member(unknown[0], members)
        name = ""
        try:
            for name, one in value.items():
                if type(one) is not accepted.get(name) and one is not None and name in members:
                    members[name](one)
        except InvalidValue as error:
            raise error.within(_step(name)) from None
        for name in required:
            if value.get(name) is None:
                raise missing(name)

    return check


def tagged(forms: Mapping[str, Check], *, by: str = "type", otherwise: Check | None = None) -> Check:
    """An object whose member `by` names its check; `otherwise`: the check for names not in `forms`."""
    known = choice(*forms)

    def check(value: Any) -> None:
        if type(value) is not dict:
            raise unexpected("an object", value)
        tag = value.get(by)
        form = forms.get(tag) if type(tag) is str else None
        if form is None:
            if tag is None:
                raise missing(by)
            if otherwise is None or type(tag) is not str:
                _check_member(known, by, tag)
            form = otherwise or anything
        form(value)

    return check


def _check_member(check: Check, name: str, value: Any) -> None:
    try:
        check(value)
    except InvalidValue as error:
        raise error.within(_step(name)) from None


def _step(name: str) -> str:
    return f".{name}" if _PLAIN.fullmatch(name) else ""


def _unknown_member(name: str, members: Collection[str]) -> InvalidValue:
    from difflib import get_close_matches  # for errors only: not part of a cold start

    close = get_close_matches(name, members, 1)
    hint = f"did you mean `{close[0]}`?" if close else f"known: {', '.join(members)}"
    return InvalidValue(f"unknown field {json.dumps(name[:80])}, {hint}", path=_step(name))
