"""The closed vocabulary a rule may ask about, and what else is known of a request when it is decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, NamedTuple

Scalar = str | int | float | bool

PREFERENCES = ("cheap", "fast", "quality", "balanced")
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")  # of reasoning, in ascending order
DIALECTS = ("openai", "anthropic")  # the formats that clients speak
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of one request. `None` is absent: nothing holds of an absent fact but `exists: false`."""

    # facts that a condition may name (contract, section 5)
    model: str | None = None  # as asked; None when the request named none ("auto" is none)
    dialect: str = "openai"  # the client's format: openai | anthropic
    project: str = "default"
    key: str = ""  # the key's id, never the key
    function: str | None = None  # x-sluice-function
    user: str | None = None
    stream: bool = False
    tools: int = 0  # how many tools are declared
    images: int = 0  # how many parts of each sort
    audio: int = 0
    files: int = 0
    messages: int = 0
    json: str | None = None  # text | object | schema; None when no response_format was given
    reasoning: str | None = None  # the reasoning effort asked for
    input_tokens: int = 0  # an estimate
    max_tokens: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    header: Mapping[str, str] = field(default_factory=dict)  # lower-case names
    hour: int = 12  # UTC
    weekday: str = "mon"  # mon..sun, UTC
    bucket: int = 0  # 0..99

    # what the request asked of the decision; not part of the vocabulary
    prefer: str | None = None  # by suffix, header or body; hints.prefer included
    fallbacks: tuple[str, ...] = ()  # fallback_models, or `models` after its first
    n: int = 1
    url: str | None = None  # the first part that is given by its address: `messages[0].content[1]`
    custom_tools: int = 0  # tools that take a text
    pages: int = 0  # of input_tokens: those of documents, which only a provider can count
    random: float = 0.0  # 0 <= random < 1, drawn by the handler: what `split` uses per request
    key_models: tuple[str, ...] | None = None  # the key record's own patterns; None: no limit


class Sort(NamedTuple):
    """What a fact may be, and so what a rule may ask of it."""

    type: str  # text | effort | flag | count | number
    choices: tuple[str, ...] = ()  # the only texts it can be
    high: int | None = None  # the largest number it can be; the smallest is 0
    ignore_case: bool = False  # capitals do not count
    scalars: bool = False  # sent as numbers or booleans too, which count as their text


TEXT, COUNT, NUMBER = Sort(type="text"), Sort(type="count"), Sort(type="number")
SENT = Sort(type="text", scalars=True)

VOCABULARY: Mapping[str, Sort] = {
    "model": Sort(type="text", ignore_case=True),
    "dialect": Sort(type="text", choices=DIALECTS),
    "project": TEXT,
    "key": TEXT,
    "function": TEXT,
    "user": TEXT,
    "stream": Sort(type="flag"),
    "tools": COUNT,
    "images": COUNT,
    "audio": COUNT,
    "files": COUNT,
    "messages": COUNT,
    "json": Sort(type="text", choices=("text", "object", "schema")),
    "reasoning": Sort(type="effort"),
    "input_tokens": NUMBER,
    "max_tokens": NUMBER,
    "hour": Sort(type="number", high=23),
    "weekday": Sort(type="text", choices=WEEKDAYS),
    "bucket": Sort(type="number", high=99),
}

# Families of facts, asked for as `tags.<name>`.
FAMILIES: Mapping[str, Sort] = {"tags": SENT, "metadata": SENT, "header": SENT}

# Headers that hold secrets are no facts, so that no rule asks for one and none appears in an explanation.
SECRET_HEADERS = frozenset(
    {"authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "x-amz-security-token"}
)


def is_secret_header(name: str) -> bool:
    low = name.lower()
    return low in SECRET_HEADERS or low.startswith("proxy-")


def sort_of(name: str) -> Sort | None:
    """The sort of the fact called `name`, None when a rule may not ask for it."""
    family, dot, member = name.partition(".")
    if not dot:
        return VOCABULARY.get(name)
    if not member or (family == "header" and not _askable(member)):
        return None
    return FAMILIES.get(family)


def _askable(header: str) -> bool:
    return header == header.lower() and not is_secret_header(header)


def getter(name: str) -> Callable[[Facts], Any]:
    """What looks up the fact called `name`; None means absent."""
    family, dot, member = name.partition(".")
    if not dot:
        return attrgetter(name)
    members = attrgetter(family)
    return lambda facts: members(facts).get(member)


def value_of(facts: Facts, name: str) -> Any:
    """The fact called `name`; None means absent."""
    return getter(name)(facts)
