"""The JSON Schema and the meaning of each field of records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rules.catalog.price import PARTS, UNITS
from rules.facts.facts import EFFORTS, PREFERENCES
from rules.reading.fields import FEATURES
from rules.reading.log_fields import RETENTION
from rules.reading.provider_fields import QUIRKS
from rules.records.kinds import AUTH, DIALECTS, KINDS, YEAR

Schema = dict[str, Any]

_NUMBER_TEXT: Schema = {"type": "string", "pattern": r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$"}
TEXT: Schema = {"type": "string", "pattern": r"\S"}
FLAG: Schema = {"enum": [True, False, "true", "false"]}
_OBJECT: Schema = {"type": "object"}


def number(type: str = "number", **bounds: float) -> Schema:
    return {"anyOf": [{"type": type, **bounds}, _NUMBER_TEXT]}


def whole(low: int = 0, high: int | None = None) -> Schema:
    return number("integer", minimum=low, **({} if high is None else {"maximum": high}))


_SECONDS = number(exclusiveMinimum=0)


def one_of(*known: Any) -> Schema:
    return {"enum": [*known]}


def _one_of_or_tag(*known: str) -> Schema:
    return {"anyOf": [one_of(*known), {"type": "string", "pattern": r"^tag\.."}]}


def list_of(member: Schema, **bounds: int) -> Schema:
    """Return the schema of a list, for which one value may stand."""
    return {"anyOf": [{"type": "array", "items": member, **bounds}, member]}


def map_of(members: Mapping[str, Schema], *required: str, **bounds: int) -> Schema:
    rest: Schema = {"required": [*required]} if required else {}
    return {"type": "object", "properties": {**members}, "additionalProperties": False, **rest, **bounds}


def map_to(value: Schema) -> Schema:
    return {"type": "object", "additionalProperties": value}


def _switch(*words: str) -> Schema:
    """Return the schema of a flag that may also be one of these words, in any case."""
    cases = ("".join(f"[{one.lower()}{one.upper()}]" for one in word) for word in words)
    return {"anyOf": [{"type": "boolean"}, one_of(0, 1), {"type": "string", "pattern": _whole_word(cases)}]}


def _whole_word(words: Any) -> str:
    return rf"^\s*({'|'.join(words)}|0|1)\s*$"


_PRICES = dict.fromkeys(("input", "output", *PARTS, *UNITS), number(minimum=0))
_TIER = map_of({"service": TEXT, "above": whole(), **_PRICES})
_CALLER = map_of({"project": TEXT, "key": TEXT, "function": TEXT})
_QUIRK_TYPES: Mapping[str, Schema] = {
    "map": map_to(TEXT),
    "set": list_of(TEXT),
    "flag": FLAG,
    "text": TEXT,
    "number": number(minimum=0, maximum=64),
}

ABOUT: Mapping[str, str] = {
    "route": "Which model answers, and how. Of those that match a request, the most specific applies.",
    "access": "Which models may answer. Every record that applies must admit the model.",
    "limit": "The most requests or tokens in a window. Each record that applies is counted separately.",
    "budget": "The most money in a window. Each record that applies is counted separately.",
    "alias": "A name of your own for models, which are tried in order.",
    "provider": "A provider of yours, or fields of a built-in one.",
    "model": "A model of yours, or another description of one in the catalogue.",
    "test": "A request with the decision that it must have. A set that fails a test is not written.",
    "log": "Whose requests and answers are stored. The most specific applies.",
    "cache": "Whose answers are cached. The most specific applies.",
    "mcp": "A server of tools that requests may use.",
}

# By field, or by kind and field where kinds differ: its schema, and what it means.
FIELDS: Mapping[str, tuple[Schema, str]] = {
    "kind": (one_of(*KINDS), "What the record is for."),
    "id": ({"type": "string", "pattern": r"^\S"}, "Its name: unique among the records of its kind."),
    "enabled": (_switch("true", "false", "yes", "no", "on", "off"), "false: the record counts as absent."),
    "note": ({"type": "string"}, "For people; no rule reads it."),
    "priority": (
        number("integer"),
        "Of records with equally specific scopes, the one with the highest goes first (0).",
    ),
    "route.model": (TEXT, "The model, pool or alias that answers."),
    "prefer": (one_of(*PREFERENCES), "How a model is chosen among those that may answer."),
    "fallbacks": (list_of(TEXT), "Models to try next, in this order."),
    "split": (
        list_of(map_of({"model": TEXT, "weight": _SECONDS}, "model", "weight"), minItems=1),
        "Several models, each with a share of the requests.",
    ),
    "sticky": (_one_of_or_tag("user", "key", "request"), "What keeps its arm of a split (user)."),
    "override": (FLAG, "true: applies although the request names a model."),
    "affinity": (one_of("session", "none"), "session: a conversation stays with its model."),
    "defaults": (_OBJECT, "Parameters for requests that do not give them."),
    "set": (_OBJECT, "Parameters for every request; null removes one."),
    "cap": (
        map_of({"max_tokens": whole(1), "n": whole(1), "reasoning_effort": one_of(*EFFORTS)}),
        "The most that a request may ask for.",
    ),
    "allow_fields": (list_of(TEXT), "Fields that a provider would refuse, and that requests may have."),
    "timeouts": (map_of(dict.fromkeys(("connect", "first_token", "idle", "total"), _SECONDS)), "In seconds."),
    "retries": (whole(0, 3), "Further attempts with the same model (1)."),
    "hedge_after": (_SECONDS, "Seconds of silence after which another model is asked as well."),
    "retry_after_max": (
        number(minimum=0, maximum=20),
        "The longest Retry-After to wait for, in s (3).",
    ),
    "recovery": (one_of("error", "resume", "buffer"), "What follows when a stream breaks off."),
    "access.models": (list_of(TEXT), "Patterns of the models that may answer; all if it is absent."),
    "deny": (list_of(TEXT), "Patterns of models that may not answer."),
    "requests": (whole(1), "The most requests in a window."),
    "tokens": (whole(1), "The most tokens in a window."),
    "limit.per": (one_of("minute", "hour", "day"), "The window."),
    "budget.per": (one_of("day", "month"), "The window."),
    "each": (
        _one_of_or_tag("key", "project", "user", "session", "agent"),
        "What has a counter of its own; without it, all have one together.",
    ),
    "on_store_failure": (one_of("allow", "refuse"), "For requests while DynamoDB cannot be used."),
    "notify": (TEXT, "An SNS topic or an https address that is told when it is nearly used up."),
    "usd": (number(exclusiveMinimum=0), "The most dollars in a window."),
    "then": (
        map_of({"prefer": one_of(*PREFERENCES), "model": TEXT, "override": FLAG}, minProperties=1),
        "What a spent budget does instead of refusing.",
    ),
    "alias.models": (list_of(TEXT, minItems=1), "The models that the name stands for, tried in this order."),
    "dialect": (one_of(*DIALECTS), "The wire format of the provider."),
    "base_url": (TEXT, "The address of the provider's API."),
    "provider.credential": (list_of(TEXT, minItems=1), "The names of its credentials, never their values."),
    "auth": (one_of(*AUTH), "How the credential is sent."),
    "unlisted": (one_of("pass", "refuse"), "For models that the catalogue does not list."),
    "headers": (map_to(TEXT), "Headers of every request to the provider."),
    "quirks": (
        map_of({name: _QUIRK_TYPES[type] for name, type in QUIRKS.items()}),
        "How the provider differs from its format.",
    ),
    "provider": (TEXT, "The provider that serves the model."),
    "name": (TEXT, "The provider's name of the model. The record's id is `provider/name`."),
    "like": (TEXT, "The id of a model in the catalogue that supplies what is absent here."),
    "pool": (TEXT, "The bare name under which several providers serve the model."),
    "context": (whole(1), "Tokens of its context window."),
    "max_output": (whole(1), "The most tokens of an answer."),
    "price": (
        map_of({**_PRICES, "tiers": list_of(_TIER)}, "input", "output"),
        "Dollars per million tokens or other units.",
    ),
    "can": (list_of(one_of(*FEATURES)), "What the model can do."),
    "quality": (whole(1, 5), "From 1 to 5."),
    "auto": (FLAG, "false: it answers only requests that name it."),
    "request": (_OBJECT, "The chat request of the test."),
    "as": (_CALLER, "Who sends the request of the test."),
    "at": (TEXT, "When: a time such as 2027-01-31T12:00:00Z, or `mon 09:00`, in UTC (mon 12:00)."),
    "expect": (
        map_of(
            {
                "model": TEXT,
                "rule": TEXT,
                "reason": one_of("requested", "rule", "preference", "budget"),
                "error": TEXT,
            },
            minProperties=1,
        ),
        "What the test expects of the decision.",
    ),
    "sample": (number(minimum=0, maximum=1), "The share of the requests whose content is stored."),
    "days": ({"anyOf": [one_of(*RETENTION), _NUMBER_TEXT]}, "Days that the content stays."),
    "redact": (list_of(TEXT), "What is removed: names of detectors, and patterns of single words."),
    "ttl": (number(minimum=1, maximum=YEAR), "Seconds that an answer is cached."),
    "url": (TEXT, "The address of the server."),
    "mcp.credential": (TEXT, "The name of its credential, never the value."),
    "tools": (list_of(TEXT), "Patterns of the tools that may be used; all if it is absent."),
}
