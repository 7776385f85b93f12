"""Readers of the fields that only a record has: names of models, parameters, shares, money, times."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from rules.errors import InvalidRecord
from rules.facts.facts import PREFERENCES, WEEKDAYS
from rules.records.coercion import (
    Reader,
    amount,
    choice,
    flag,
    in_order,
    mapping,
    members,
    number,
    plain,
    shown,
    text,
    whole,
    within,
    wrong,
)

NANO = 10**9

_NAME = re.compile(r"[A-Za-z0-9@][A-Za-z0-9._:/@+-]{0,199}")
_PATTERN = re.compile(r"[A-Za-z0-9@*._:/+-]{1,200}")
_MOMENT = re.compile(r"(mon|tue|wed|thu|fri|sat|sun)[ T]([01]?[0-9]|2[0-3])(:[0-5][0-9])?")

# What a model can do (the `can` of a model record).
CAN = ("tools", "images", "audio", "files", "json_object", "json_schema", "reasoning", "prefill")

# Fields of a request that `set` and `defaults` leave alone: they decide, or they are the conversation.
_NOT_SET = (
    *("model", "models", "messages", "stream", "stream_options"),
    *("route", "hints", "fallback_models", "tags", "usage"),
)


def _object(value: Any) -> Mapping[str, Any]:
    return dict(plain(mapping(value)))


def _objects(value: Any) -> list[Any]:
    return list(in_order(_object)(value))


# Parameters whose type is known, so that what a person typed can be read as one.
_PARAMETERS: Mapping[str, Reader[Any]] = {
    "temperature": amount(0, 2),
    "top_p": amount(0, 1),
    "presence_penalty": amount(-2, 2),
    "frequency_penalty": amount(-2, 2),
    "max_tokens": whole(1),
    "max_completion_tokens": whole(1),
    "n": whole(1),
    "top_logprobs": whole(0, 20),
    "logprobs": flag,
    "parallel_tool_calls": flag,
    "store": flag,
    "reasoning_effort": text,
    "verbosity": text,
    "service_tier": text,
    "user": text,
    "response_format": _object,
    "tools": _objects,
    "functions": _objects,
    "modalities": lambda value: list(in_order(text)(value)),
}


def name(value: Any) -> str:
    """The name of a pin, a pool or an alias, or `auto` (contract, section 4)."""
    segments = text(value).split("/")
    if not _NAME.fullmatch(value) or not {"", ".", ".."}.isdisjoint(segments):
        raise wrong(f"is no name of a model, got {shown(value)}")
    return str(value)


def own_name(value: Any) -> str:
    """A name that is not `auto`, with a preference or without."""
    if name(value).lower().partition(":")[0] == "auto":
        raise wrong(f"{value} is no name of its own: it means whichever model is preferred")
    return str(value)


def listed(value: Any) -> str:
    """The id of a model of the catalogue."""
    if "/" not in own_name(value):
        raise wrong(f"is the id of a model of the catalogue, `provider/name`, got {shown(value)}")
    return str(value)


def pool(value: Any) -> str:
    if "/" in own_name(value):
        raise wrong(f"is the bare name that models are pooled under, without `/`, got {shown(value)}")
    return str(value)


def pattern(value: Any) -> str:
    if not _PATTERN.fullmatch(text(value)):
        raise wrong(f"is no pattern of model names, got {shown(value)}")
    return str(value)


def parameters(value: Any) -> Mapping[str, Any]:
    """The reader of `set` and `defaults`: fields of a chat request."""
    for field in mapping(value):
        if field in _NOT_SET:
            raise InvalidRecord(field, "a rule cannot put this into a request")
    return {field: within(field, _PARAMETERS.get(field, plain), each) for field, each in value.items()}


@dataclass(frozen=True, slots=True)
class Arm:
    """One side of a split. Weights are relative to each other."""

    model: str
    weight: float


_arm = members({"model": name, "weight": amount(above=0)}, required=("model", "weight"))


def split(value: Any) -> tuple[Arm, ...]:
    return _some(in_order(lambda each: Arm(**_arm(each)))(value))


fallbacks = in_order(name)


def members_of_alias(value: Any) -> tuple[str, ...]:
    """Pins and pools in the order they are tried, at least one."""
    return _some(in_order(own_name)(value))


def _some(read: tuple[Any, ...]) -> tuple[Any, ...]:
    if not read:
        raise wrong("is empty: at least one is needed")
    return read


def _sharing(*known: str) -> Reader[str]:
    """One of the known, or `tag.<name>`."""

    def read(value: Any) -> str:
        if text(value).startswith("tag.") and value != "tag.":
            return str(value)
        if value in known:
            return str(value)
        meant = f", did you mean `tag.{value[5:]}`?" if value.startswith("tags.") else ""
        raise wrong(f"must be {' | '.join(known)} | tag.<name>, got {shown(value)}{meant}")

    return read


each = _sharing("key", "project", "user")
sticky = _sharing("user", "key", "request")

_seconds = amount(above=0)
timeouts = members(dict.fromkeys(("connect", "first_token", "idle", "total"), _seconds))
cap = members({"max_tokens": whole(1), "n": whole(1), "reasoning_effort": text})
preference = choice(*PREFERENCES)
_then = members({"prefer": preference, "model": name, "override": flag})


def then(value: Any) -> Mapping[str, Any]:
    """What a spent budget does instead of refusing."""
    read = _then(value)
    if ("prefer" in read) == ("model" in read):
        raise wrong("needs either `prefer` or `model`")
    return read


def dollars(value: Any) -> Decimal:
    """Money greater than nothing."""
    read = Decimal(str(number(value)))
    if read <= 0:
        raise wrong(f"must be greater than 0, got {shown(value)}")
    return read


def _nano_dollars(value: Any) -> int:
    return int(Decimal(str(amount(0)(value))) * NANO)


price = members(
    dict.fromkeys(("input", "output", "cached_input"), _nano_dollars), required=("input", "output")
)


def moment(value: Any) -> tuple[str, int]:
    """Weekday and hour, UTC: of an RFC 3339 time, or as `mon 12` or `mon 12:30`."""
    short = _MOMENT.fullmatch(text(value).lower())
    if short:
        return short[1], int(short[2])
    try:
        read = datetime.fromisoformat(value)
    except ValueError:
        read = datetime.min
    if read.tzinfo is None:
        raise wrong(f"must be a time like 2026-01-31T09:00:00Z or like `mon 09:00`, got {shown(value)}")
    utc = read.astimezone(UTC)
    return WEEKDAYS[utc.weekday()], utc.hour


def request(value: Any) -> Mapping[str, Any]:
    """A chat request, as the handler's reader of JSON would give it."""
    return _object(value)


asked_as = members({"project": text, "key": text, "function": text})
_expected = members(
    {
        "model": name,
        "rule": text,
        "reason": choice("requested", "rule", "preference", "budget"),
        "error": text,
    }
)


def expected(value: Any) -> Mapping[str, str]:
    read = _expected(value)
    if not read:
        raise wrong("is empty: say `model`, `rule`, `reason` or `error`")
    return read
