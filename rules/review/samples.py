"""A sample of a request, as JSON and back: its facts, what was decided, and what it used.

Never in a sample: the prompt, header values, the user's and the session's name, and private tags.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

from rules.facts.chat import bucket_of
from rules.facts.facts import Facts
from rules.frozen import EMPTY, Frozen

ALL_PRIVATE = "*"  # among private names: every tag and every member of `metadata`
USER_ID = "user_id"  # Anthropic's name of the user in `metadata`; it is a tag too
LONGEST_MODEL = 256  # characters of a model's name as the request gives it; longer ones are invalid anyway
MAX_BYTES = 8_192  # of a sample's JSON

_NAMED = ("user", "session")  # facts of which a number between 0 and 99 is kept
_TAGGED = ("tags", "metadata")
_DEFAULTS = {name: getattr(Facts, name) for name in Facts.field_names}


class Sample(Frozen):
    """`withheld`: the facts whose values are not known: `user`, `header.x-team`, `tags.*`, ..."""

    facts: Facts
    withheld: frozenset[str] = frozenset()
    at: int = 0  # epoch seconds
    request_id: str = ""
    revision: str = ""  # of the rules that decided
    reason: str = ""
    rule: str | None = None
    model: str | None = None  # the first candidate; None: the request was refused
    served: str | None = None  # the model that answered
    refused: str | None = None  # the code of the refusal
    spent: tuple[str, ...] = ()  # used-up budgets whose `then` chose
    available: tuple[str, ...] = ()  # providers with a credential
    default_access: str = "allow"
    usage: Mapping[str, int] = EMPTY  # tokens and other units by part of a price
    service_tier: str = ""  # that the price went by
    longest_input: int = 0  # tokens, that the price went by
    cost: int | None = None  # nano-dollars
    first_token: float | None = None  # seconds


_OWN = tuple(name for name in Sample.field_names if name not in ("facts", "withheld"))


def write_sample(sample: Sample, private: Collection[str] = ()) -> str | None:
    """Return a sample as JSON, or None if it is too long. `private`: names of tags, or ALL_PRIVATE."""
    own = {name: value for name in _OWN if (value := getattr(sample, name)) != getattr(Sample, name)}
    text = json.dumps({"facts": _public(sample.facts, private), **own}, separators=(",", ":"))
    return text if len(text) <= MAX_BYTES else None  # ASCII: a character is a byte


def _public(facts: Facts, private: Collection[str]) -> dict[str, Any]:
    """Return the facts that are not the default, without what is private."""
    given = {name: value for name, value in facts.as_dict().items() if value != _DEFAULTS[name]}
    given.pop("opening", None)
    if facts.model is not None:
        given["model"] = facts.model[:LONGEST_MODEL]
    for name in _NAMED:
        if name in given:
            given[name] = bucket_of(given[name])
    if "header" in given:
        given["header"] = [*given["header"]]
    for name in _TAGGED:
        if name in given and ALL_PRIVATE in private:
            given[name] = None
        elif name in given:
            given[name] = {
                tag: None if tag in private or tag == USER_ID else text for tag, text in given[name].items()
            }
    return given


def read_sample(text: str) -> Sample:
    """Return the sample that `write_sample` wrote. Raises ValueError for any other text.

    A value that was withheld is an empty text; a user or a session has a name that stands for it.
    """
    try:
        data = json.loads(text)
        given, withheld = _with_stand_ins(data["facts"])
        facts = Facts.of(_checked(given, Facts))
        own = _checked({name: data[name] for name in data.keys() - {"facts"}}, Sample)
        return Sample(facts=facts, withheld=withheld, **own)
    except (AttributeError, LookupError, RecursionError, TypeError) as error:
        raise ValueError("not a sample of a request") from error


def _with_stand_ins(given: dict[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    withheld = set()
    for name in _NAMED:
        if name in given:
            given[name] = f"{name} {int(given[name])}"
            withheld.add(name)
    if "header" in given:
        withheld |= {f"header.{name}" for name in given["header"]}
        given["header"] = dict.fromkeys(given["header"], "")
    for name in _TAGGED:
        if name in given and given[name] is None:
            withheld.add(f"{name}.*")
            del given[name]
        elif name in given:
            withheld |= {f"{name}.{tag}" for tag, text in given[name].items() if text is None}
            given[name] = {tag: text or "" for tag, text in given[name].items()}
    return given, frozenset(withheld)


def _checked(given: dict[str, Any], cls: type[Frozen]) -> dict[str, Any]:
    """Return the fields with lists as tuples. Raises TypeError or LookupError for one that does not fit."""
    fields = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    for name, value in fields.items():
        if not _CHECKS[cls.__annotations__[name]](value):
            raise TypeError(name)
    return fields


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < 10**18


def _are_texts(value: object) -> bool:
    return isinstance(value, tuple) and all(map(_is_text, value))


def _members(of: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, dict) and all(map(of, value.values()))


def _or_none(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or check(value)


# By the annotation of a field of Facts or Sample, whether a value fits it.
_CHECKS: Mapping[str, Callable[[object], bool]] = {
    "str": _is_text,
    "str | None": _or_none(_is_text),
    "int": _is_count,
    "int | None": _or_none(_is_count),
    "bool": lambda value: isinstance(value, bool),
    "float": lambda value: type(value) in (int, float),
    "float | None": _or_none(lambda value: type(value) in (int, float)),
    "tuple[str, ...]": _are_texts,
    "tuple[str, ...] | None": _or_none(_are_texts),
    "Mapping[str, str]": _members(_is_text),
    "Mapping[str, int]": _members(_is_count),
}
