"""What a JSON value may be, as small checks that tables are made of (handler/formats/chat/fields.py).

A check takes a value and raises Wrong, or returns. It builds no path on the way in: what encloses it adds its
own step to the failure on the way out, so a good request pays nothing. Null is absent in every member.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

Check = Callable[[Any], None]

MISSING = "missing_required_parameter"
_PLAIN = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_KINDS = {dict: "an object", list: "a list", str: "text", bool: "a boolean", type(None): "null"}


class Wrong(Exception):
    """What is wrong with one value; `path` leads to it from the value that was checked."""

    def __init__(self, problem: str, *, path: str = "", code: str = "invalid_value") -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path
        self.code = code

    def within(self, step: str) -> Wrong:
        self.path = step + self.path
        return self


def unlike(wanted: str, value: Any) -> Wrong:
    """`value` is not what was wanted. A text is never quoted: it may be a prompt, and messages are logged."""
    kind = _KINDS.get(type(value))
    return Wrong(f"expected {wanted}, got {kind or repr(value)[:40]}")


def of_type(kind: type, wanted: str) -> Check:
    def check(value: Any) -> None:
        if type(value) is not kind:
            raise unlike(wanted, value)

    return check


anything: Check = lambda _: None  # noqa: E731
text = of_type(str, "text")
boolean = of_type(bool, "a boolean")
an_object = of_type(dict, "an object")


def sized(least: int, most: int) -> Check:
    """Text of so many characters."""

    def check(value: Any) -> None:
        text(value)
        if not least <= len(value) <= most:
            raise Wrong(f"expected text of {least} to {most} characters, got {len(value)}")

    return check


def matching(pattern: str, wanted: str) -> Check:
    compiled = re.compile(pattern)

    def check(value: Any) -> None:
        text(value)
        if not compiled.fullmatch(value):
            raise Wrong(f"expected {wanted}")

    return check


def choice(*values: str) -> Check:
    wanted = f"one of {', '.join(values)}"

    def check(value: Any) -> None:
        if type(value) is not str:
            raise unlike(wanted, value)
        if value not in values:
            raise Wrong(f"expected {wanted}, got {json.dumps(value[:40])}")

    return check


def number(low: float, high: float) -> Check:
    def check(value: Any) -> None:
        if type(value) not in (int, float) or not low <= value <= high:
            raise unlike(f"a number from {low} to {high}", value)

    return check


def integer(low: int, high: int = 2**63 - 1) -> Check:
    """An integer, or a float without a fraction."""
    wanted = f"an integer from {low} to {high}"

    def check(value: Any) -> None:
        whole = type(value) is int or (type(value) is float and value.is_integer())
        if not whole or not low <= value <= high:
            raise unlike(wanted, value)

    return check


def by_type(**forms: Check) -> Check:
    """The check for the value's own JSON type: text, list, object."""
    table: dict[type, Check] = {
        {"text": str, "list": list, "object": dict}[name]: check for name, check in forms.items()
    }
    wanted = " or ".join(_KINDS[kind] for kind in table)

    def check(value: Any) -> None:
        form = table.get(type(value))
        if form is None:
            raise unlike(wanted, value)
        if form is not anything:
            form(value)

    return check


def list_of(item: Check, *, least: int = 0, most: int | None = None) -> Check:
    def check(value: Any) -> None:
        if type(value) is not list:
            raise unlike("a list", value)
        if len(value) < least or (most is not None and len(value) > most):
            bound = f"at least {least}" if len(value) < least else f"at most {most}"
            raise Wrong(f"expected {bound} in the list, got {len(value)}")
        checked = 0
        try:
            for one in value:
                item(one)
                checked += 1
        except Wrong as wrong:
            raise wrong.within(f"[{checked}]") from None

    return check


def map_of(item: Check, *, most: int | None = None, longest: int | None = None) -> Check:
    """An object of names the caller chooses, at most `longest` characters each."""

    def check(value: Any) -> None:
        an_object(value)
        if most is not None and len(value) > most:
            raise Wrong(f"expected at most {most} names, got {len(value)}")
        for name, one in value.items():
            if longest is not None and not 1 <= len(name) <= longest:
                raise Wrong(f"expected names of 1 to {longest} characters, got one of {len(name)}")
            if one is not None:
                _member(item, name, one)

    return check


def shape(members: Mapping[str, Check], required: Collection[str] = (), *, closed: bool = False) -> Check:
    """An object with these members. Others pass, unless it is closed."""

    def check(value: Any) -> None:
        if type(value) is not dict:
            raise unlike("an object", value)
        if closed and (unknown := [name for name in value if name not in members]):
            raise _unknown(unknown[0], members)
        name = ""
        try:
            for name, one in value.items():
                if one is not None and name in members:
                    members[name](one)
        except Wrong as wrong:
            raise wrong.within(_step(name)) from None
        for name in required:
            if value.get(name) is None:
                raise missing(name)

    return check


def tagged(forms: Mapping[str, Check], *, by: str = "type", otherwise: Check | None = None) -> Check:
    """An object whose member `by` says which form it has; `otherwise`: what an unknown one must be."""
    known = choice(*forms)

    def check(value: Any) -> None:
        if type(value) is not dict:
            raise unlike("an object", value)
        tag = value.get(by)
        form = forms.get(tag) if type(tag) is str else None
        if form is None:
            if tag is None:
                raise missing(by)
            if otherwise is None or type(tag) is not str:
                _member(known, by, tag)
            form = otherwise or anything
        form(value)

    return check


def missing(name: str) -> Wrong:
    return Wrong(f"`{name}` is missing", path=f".{name}", code=MISSING)


def _member(check: Check, name: str, value: Any) -> None:
    try:
        check(value)
    except Wrong as wrong:
        raise wrong.within(_step(name)) from None


def _step(name: str) -> str:
    return f".{name}" if _PLAIN.fullmatch(name) else ""


def _unknown(name: str, members: Collection[str]) -> Wrong:
    from difflib import get_close_matches  # only on the way to an error: not part of a cold start

    near = get_close_matches(name, members, 1)
    hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(members)}"
    return Wrong(f"unknown field {json.dumps(name[:80])}, {hint}", path=_step(name))
