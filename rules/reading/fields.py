"""Readers of the fields of records: names of models, parameters, splits, money, times, tests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from rules.catalog.price import NANO, PARTS, UNITS
from rules.errors import InvalidRecord
from rules.facts.facts import EFFORTS, OPERATIONS, PREFERENCES, WEEKDAYS
from rules.reading.coercion import (
    Reader,
    any_number,
    has_outer_space,
    invalid,
    mapping_of,
    one_of,
    ordered_list,
    quoted,
    read_at,
    read_flag,
    read_mapping,
    read_number,
    read_text,
    to_json,
    unordered_list,
    whole_number,
)
from rules.records.kinds import Arm
from rules.records.names import is_model_name
from rules.records.scope import Scope

_PATTERN = re.compile(r"[A-Za-z0-9@*._:/+-]{1,200}")
_WEEKDAY_TIME = re.compile(r"(mon|tue|wed|thu|fri|sat|sun)[ T]([01]?[0-9]|2[0-3])(:[0-5][0-9])?")

# What a model can do (`can` of a model record): features of a chat, and operations.
FEATURES = (
    *("tools", "images", "audio", "files", "json_object", "json_schema", "reasoning", "prefill"),
    *OPERATIONS,
)

# Fields that `set` and `defaults` cannot change: the decision depends on them, or they are the conversation.
_FIXED_PARAMETERS = (
    *("model", "models", "messages", "stream", "stream_options"),
    *("route", "hints", "fallback_models", "tags", "usage"),
)


def read_object(value: Any) -> Mapping[str, Any]:
    """Read a JSON object, such as the chat request of a test."""
    return dict(to_json(read_mapping(value)))


def read_objects(value: Any) -> list[Any]:
    return list(ordered_list(read_object)(value))


# Parameters whose type is known, and so can be read from what a person typed.
_PARAMETERS: Mapping[str, Reader[Any]] = {
    "temperature": any_number(0, 2),
    "top_p": any_number(0, 1),
    "presence_penalty": any_number(-2, 2),
    "frequency_penalty": any_number(-2, 2),
    "max_tokens": whole_number(1),
    "max_completion_tokens": whole_number(1),
    "n": whole_number(1),
    "top_logprobs": whole_number(0, 20),
    "logprobs": read_flag,
    "parallel_tool_calls": read_flag,
    "store": read_flag,
    "reasoning_effort": read_text,
    "verbosity": read_text,
    "service_tier": read_text,
    "user": read_text,
    "response_format": read_object,
    "tools": read_objects,
    "functions": read_objects,
    "modalities": lambda value: list(ordered_list(read_text)(value)),
}


def read_model_name(value: Any) -> str:
    """Read the name of a pin, a pool or an alias, or `auto` (contract, section 4)."""
    if not is_model_name(read_text(value)):
        raise invalid(f"is not a name of a model, got {quoted(value)}")
    return str(value)


def read_own_name(value: Any) -> str:
    """Read the name of a model, but not `auto` or `auto:<prefer>`."""
    if read_model_name(value).lower().partition(":")[0] == "auto":
        raise invalid(f"cannot be {value}: that name means the model that is preferred")
    return str(value)


def read_catalog_id(value: Any) -> str:
    if "/" not in read_own_name(value):
        raise invalid(f"must be the id of a model in the catalogue, `provider/name`, got {quoted(value)}")
    return str(value)


def read_pool(value: Any) -> str:
    if "/" in read_own_name(value):
        raise invalid(f"must be the bare name of a pool, without `/`, got {quoted(value)}")
    return str(value)


def read_pattern(value: Any) -> str:
    if not _PATTERN.fullmatch(read_text(value)):
        raise invalid(f"is not a pattern of model names, got {quoted(value)}")
    return str(value)


def read_parameters(value: Any) -> Mapping[str, Any]:
    """Read `set` and `defaults`: fields of a chat request. Null in `set` removes a field."""
    for field in read_mapping(value):
        if field in _FIXED_PARAMETERS:
            raise InvalidRecord(field, "cannot be set by a rule")
    readers = {
        field: to_json if each is None else _PARAMETERS.get(field, to_json) for field, each in value.items()
    }
    return {field: read_at(field, readers[field], each) for field, each in value.items()}


_read_arm = mapping_of(
    {"model": read_model_name, "weight": any_number(above=0)}, required=("model", "weight")
)


def read_split(value: Any) -> tuple[Arm, ...]:
    return _at_least_one(ordered_list(lambda arm: Arm(**_read_arm(arm)))(value))


read_fallbacks = ordered_list(read_model_name)


def read_alias_models(value: Any) -> tuple[str, ...]:
    """Read pins and pools in the order in which they are tried."""
    return _at_least_one(ordered_list(read_own_name)(value))


def _at_least_one(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise invalid("is empty: at least one is needed")
    return values


def _one_of_or_tag(*known: str) -> Reader[str]:
    """Return a reader of these texts and of `tag.<name>`."""

    def read(value: Any) -> str:
        if read_text(value).startswith("tag.") and value != "tag.":
            return str(value)
        if value in known:
            return str(value)
        hint = f", did you mean `tag.{value[5:]}`?" if value.startswith("tags.") else ""
        raise invalid(f"must be {' | '.join(known)} | tag.<name>, got {quoted(value)}{hint}")

    return read


read_each = _one_of_or_tag("key", "project", "user", "session", "agent")
read_sticky = _one_of_or_tag("user", "key", "request")

read_timeouts = mapping_of(
    dict.fromkeys(("connect", "first_token", "idle", "total"), any_number(above=0))  # seconds
)
read_cap = mapping_of(
    {"max_tokens": whole_number(1), "n": whole_number(1), "reasoning_effort": one_of(*EFFORTS)}
)
read_preference = one_of(*PREFERENCES)
_read_then = mapping_of({"prefer": read_preference, "model": read_model_name, "override": read_flag})


def read_then(value: Any) -> Mapping[str, Any]:
    """Read what a spent budget does instead of refusing."""
    then = _read_then(value)
    if ("prefer" in then) == ("model" in then):
        raise invalid("needs either `prefer` or `model`")
    return then


def read_dollars(value: Any) -> Decimal:
    dollars = Decimal(str(read_number(value)))
    if dollars * NANO < 1:
        raise invalid(f"must be at least 0.000000001, got {quoted(value)}")
    return dollars


def _read_nano_dollars(value: Any) -> int:
    return int(Decimal(str(any_number(0)(value))) * NANO)


_PRICES = dict.fromkeys(("input", "output", *PARTS, *UNITS), _read_nano_dollars)
_read_tier_fields = mapping_of({"service": read_text, "above": whole_number(), **_PRICES})
MAX_TIERS = 20  # of one price


def _read_tier(value: Any) -> Mapping[str, Any]:
    tier = _read_tier_fields(value)
    if tier.keys().isdisjoint({"service", "above"}):
        raise invalid("needs `service` or `above`, which say when it applies")
    if tier.keys().isdisjoint(_PRICES):
        raise invalid("has no price")
    return tier


def _read_tiers(value: Any) -> tuple[Mapping[str, Any], ...]:
    tiers = ordered_list(_read_tier)(value)
    if len(tiers) > MAX_TIERS:
        raise invalid(f"has {len(tiers)} entries: at most {MAX_TIERS} are possible")
    return tiers


read_price = mapping_of({**_PRICES, "tiers": _read_tiers}, required=("input", "output"))


def read_weekday_and_hour(value: Any) -> tuple[str, int]:
    """Read an RFC 3339 time, or `mon 12` or `mon 12:30`; the result is in UTC."""
    weekday_time = _WEEKDAY_TIME.fullmatch(read_text(value).lower())
    if weekday_time:
        return weekday_time[1], int(weekday_time[2])
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        time = datetime.min
    if time.tzinfo is None:
        raise invalid(f"must be a time like 2026-01-31T09:00:00Z or like `mon 09:00`, got {quoted(value)}")
    utc = time.astimezone(UTC)
    return WEEKDAYS[utc.weekday()], utc.hour


read_caller = mapping_of({"project": read_text, "key": read_text, "function": read_text})
_read_expectations = mapping_of(
    {
        "model": read_model_name,
        "rule": read_text,
        "reason": one_of("requested", "rule", "preference", "budget"),
        "error": read_text,
    }
)


def read_expectations(value: Any) -> Mapping[str, str]:
    expectations = _read_expectations(value)
    if not expectations:
        raise invalid("is empty: give `model`, `rule`, `reason` or `error`")
    return expectations


def read_scope(value: Any) -> Scope:
    names = _read_names(value)
    if not names:
        raise invalid("is empty: remove it to match everyone")
    for name, members in names.items():
        if not members:
            raise InvalidRecord(name, "is an empty list, which matches nobody; remove it to match everyone")
    return Scope(**{name: tuple(sorted(set(members))) for name, members in names.items()})


def _read_name(value: Any) -> str:
    if "*" in read_text(value):
        raise invalid(f"a scope takes whole names, not patterns, got {quoted(value)}")
    if has_outer_space(value):
        raise invalid(f"has white space around it: write {quoted(value.strip())}")
    return str(value)


_read_names = mapping_of(dict.fromkeys(("function", "key", "project"), unordered_list(_read_name)))
