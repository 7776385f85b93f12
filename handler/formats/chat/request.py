"""Parse a chat completion request: the client's own text, the checked body, and Sluice's options in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from handler.errors import InvalidRequest, Json
from handler.formats.chat.fields import MAX_TAGS, TAGS, check_chat
from handler.formats.chat.foreign_fields import check_headers
from handler.formats.options import CacheMode, Headers, read_options
from handler.formats.validators import validate
from handler.settings import Settings
from handler.wire.strict_json import loads
from rules import Frozen


class NativeRequest(Frozen):
    """A request in another format than chat, as its client sent it.

    A provider that has the same format gets this body, with declared edits. All others get the chat that it
    was translated to.
    """

    dialect: str  # the wire format of such providers: anthropic, responses, google, bedrock
    text: str  # the client's JSON, which parses to `body`
    body: Json  # never changed
    # What a chat cannot say, so that no provider of another format can answer: the path of the first such
    # field (`tools[2].type`), and a sentence about it. None: every provider can answer.
    only: tuple[str, str] | None = None
    dropped: tuple[str, ...] = ()  # fields that the chat leaves out, as x-sluice-dropped names them


class Chat(Frozen):
    """A valid chat request. `body` is never changed."""

    text: str  # the client's JSON
    body: Json
    native: NativeRequest | None = None  # of a client with another format, from which `body` was translated
    prefer: str | None  # the header's
    tags: Mapping[str, str]
    function: str | None
    session: str | None  # the header's, and so is `agent`
    agent: str | None
    n: int
    stream: bool
    include_usage: bool  # stream_options.include_usage
    include_cost: bool  # usage.include
    legacy: bool  # sent with `functions`, so the answer has `function_call`
    no_content_log: bool
    cache: CacheMode


def parse(body: bytes, headers: Headers, settings: Settings) -> Chat:
    """Parse and validate a request. Raises InvalidRequest, which names the field or header."""
    check_headers(headers)
    text, value = loads(body)
    check_chat(value, max_n=settings.max_n)
    return chat_of(text, value, headers)


def chat_of(text: str, value: Json, headers: Headers, native: NativeRequest | None = None) -> Chat:
    """Return the chat of a valid body, with the options in the headers. Raises InvalidRequest.

    text: the client's JSON; value: a chat, which `native` was translated to, if that is given.
    """
    options = read_options(headers)
    unstored = value.get("store") is False
    return Chat(
        text=text,
        body=value,
        native=native,
        prefer=options.preference,
        tags=all_tags(value, options.tags),
        function=options.function,
        session=options.session,
        agent=options.agent,
        n=int(value.get("n") or 1),
        stream=value.get("stream") is True,
        include_usage=_object(value, "stream_options").get("include_usage") is True,
        include_cost=_object(value, "usage").get("include") is True,
        legacy=any(value.get(name) is not None for name in ("functions", "function_call")),
        no_content_log=unstored or options.no_content_log,
        cache=options.cache._replace(write=False) if unstored else options.cache,
    )


def all_tags(body: Json, in_headers: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the tags of metadata, headers and body as text; a later one replaces an earlier one."""
    if in_headers:
        validate(TAGS, in_headers, param="tags")
    found = {**_object(body, "metadata"), **in_headers, **_object(body, "tags")}
    tags = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in found.items()
        if value is not None
    }
    if len(tags) > MAX_TAGS:
        problem = f"tags: at most {MAX_TAGS} with those of headers and metadata, got {len(tags)}"
        raise InvalidRequest(problem, param="tags")
    return tags


def _object(body: Json, name: str) -> Mapping[str, Any]:
    return body.get(name) or {}
