"""Parse a chat completion request: the checked body, the client's own text, and Sluice's options in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from handler.errors import InvalidRequest, Json
from handler.formats.chat import foreign_fields
from handler.formats.chat.fields import MAX_TAGS, TAGS, check_chat, checked
from handler.formats.options import Headers, forbids_content_log, function_of, prefer_of, tags_of
from handler.settings import Settings
from handler.wire.strict_json import loads


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


def _object(body: Json, name: str) -> Mapping[str, Any]:
    return body.get(name) or {}
