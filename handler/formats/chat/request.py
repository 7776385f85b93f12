"""The chat format: what a client may send, what of it is for us, and the body that goes on (docs/api.md).

A Chat keeps the client's own text beside the parsed body; `prepared` shares every part it does not change
with that body, so that the client's bytes can go on as they are (handler/wire/splice.py).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from handler.errors import InvalidRequest, Json
from handler.formats.chat import foreign_fields
from handler.formats.chat.fields import MAX_TAGS, TAGS, check_chat, checked
from handler.formats.options import (
    Headers,
    forbids_content_log,
    function_of,
    header_facts,
    prefer_of,
    tags_of,
)
from handler.providers.quirks.request import refused
from handler.settings import Settings
from handler.wire.strict_json import loads
from rules import Effects, Facts, facts_of_request

if TYPE_CHECKING:
    from handler.access.auth import Key

# Sluice's own fields: no upstream ever sees them.
OWN = frozenset(
    {"hints", "route", "fallback_models", "models", "output_schema", "tags", "usage", *foreign_fields.BODY}
)
MAX_TOKENS = ("max_tokens", "max_completion_tokens")  # two names of one field
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A request that is fit to be decided. `body` is never changed."""

    text: str  # the client's JSON
    body: Json
    prefer: str | None  # the header's
    tags: Mapping[str, str]
    function: str | None
    n: int
    stream: bool
    include_usage: bool  # stream_options.include_usage
    include_cost: bool  # usage.include
    legacy: bool  # asked with functions, to be answered with function_call
    no_content_log: bool


def parse(body: bytes, headers: Headers, settings: Settings) -> Chat:
    """The chat request in `body`. Raises InvalidRequest that names the field."""
    foreign_fields.check_headers(headers)
    text, value = loads(body)
    check_chat(value, max_n=settings.max_n)
    return chat_of(text, value, headers)


def chat_of(text: str, body: Json, headers: Headers) -> Chat:
    """The Chat of a checked body. Raises InvalidRequest for what the headers add."""
    return Chat(
        text=text,
        body=body,
        prefer=prefer_of(headers),
        tags=_tags(body, headers),
        function=function_of(headers),
        n=int(body.get("n") or 1),
        stream=body.get("stream") is True,
        include_usage=_object(body, "stream_options").get("include_usage") is True,
        include_cost=_object(body, "usage").get("include") is True,
        legacy=any(body.get(name) is not None for name in ("functions", "function_call")),
        no_content_log=body.get("store") is False or forbids_content_log(headers),
    )


def facts_of(chat: Chat, *, key: Key, headers: Headers, now: datetime, roll: float) -> Facts:
    """What the rules may know of `chat`. `now` is in UTC; `roll` is drawn anew for each request."""
    return facts_of_request(
        chat.body,
        project=key.project,
        key=key.id,
        key_models=key.models,
        function=chat.function,
        header=header_facts(headers),
        tags=chat.tags,
        prefer=chat.prefer,
        at=now,
        roll=roll,
    )


def prepared(chat: Chat, effects: Effects) -> Json:
    """The body to send on, in chat form: without what is for us, with what hints and the rule ask for."""
    body = {name: value for name, value in chat.body.items() if name not in OWN}
    if (schema := chat.body.get("output_schema")) is not None:
        json_schema = {"name": "output", "schema": schema}
        body["response_format"] = {"type": "json_schema", "json_schema": json_schema}
    hints = {name: value for name, value in _object(chat.body, "hints").items() if name != "prefer"}
    _fill(body, hints)
    _fill(body, effects.defaults)
    _set(body, effects.set)
    _cap(body, effects.cap)
    return body


def refused_fields(
    chat: Chat, refuse: Collection[str], allow_fields: Collection[str], *, model: str
) -> InvalidRequest | None:
    """Why a provider whose row refuses these fields may not be sent `chat` for its `model`, if it may not."""
    name = refused(chat.body, refuse, allow_fields, model=model)
    if name is None:
        return None
    what = f"model {model}" if name == "model" else name
    message = f"{what}: not accepted here; a rule's `allow_fields` can allow it"
    return InvalidRequest(message, code="unsupported_parameter", param=name)


def _tags(body: Json, headers: Headers) -> Mapping[str, str]:
    given = tags_of(headers)
    if given:
        checked("tags", TAGS, given)
    found = {**_object(body, "metadata"), **given, **_object(body, "tags")}
    tags = {name: _plain(value) for name, value in found.items() if value is not None}
    if len(tags) > MAX_TAGS:
        problem = f"tags: at most {MAX_TAGS} with those of headers and metadata, got {len(tags)}"
        raise InvalidRequest(problem, param="tags")
    return tags


def _plain(value: str | float) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _fill(body: Json, values: Mapping[str, Any]) -> None:
    """Puts `values` where the body has none."""
    has_limit = any(body.get(name) is not None for name in MAX_TOKENS)
    for name, value in values.items():
        if value is not None and body.get(name) is None and not (has_limit and name in MAX_TOKENS):
            body[name] = value


def _set(body: Json, values: Mapping[str, Any]) -> None:
    """Puts `values` whatever the body has; null takes a field away."""
    limits = dict.fromkeys(MAX_TOKENS) if not values.keys().isdisjoint(MAX_TOKENS) else {}
    for name, value in {**limits, **values}.items():
        if value is None:
            body.pop(name, None)
        else:
            body[name] = value


def _cap(body: Json, cap: Mapping[str, Any]) -> None:
    """Lowers what is over a cap. Output without a bound is over it; an absent `n` or effort is not."""
    if (most := cap.get("max_tokens")) is not None:
        _fill(body, {"max_tokens": most})
        for name in MAX_TOKENS:
            _lower(body, name, most)
    if (most := cap.get("n")) is not None:
        _lower(body, "n", most)
    effort = body.get("reasoning_effort")
    if (
        (most := cap.get("reasoning_effort")) is not None
        and effort is not None
        and _rank(effort) > _rank(most)
    ):
        body["reasoning_effort"] = most


def _lower(body: Json, name: str, most: float) -> None:
    if body.get(name) is not None and body[name] > most:
        body[name] = most


def _rank(effort: str) -> int:
    """An effort nobody knows is over every cap."""
    return EFFORTS.index(effort) if effort in EFFORTS else len(EFFORTS)


def _object(body: Json, name: str) -> Mapping[str, Any]:
    return body.get(name) or {}
