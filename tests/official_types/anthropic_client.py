"""Outputs in the format of Messages, read by Anthropic's client."""

from __future__ import annotations

from typing import Any

import anthropic  # type: ignore[import-not-found,unused-ignore]
from anthropic.types import (  # type: ignore[import-not-found,unused-ignore]
    ErrorResponse,
    Message,
    RawMessageStreamEvent,
)
from pydantic import TypeAdapter

from tests.official_types.output import Output
from tests.official_types.strict import (
    Canned,
    Json,
    More,
    data_of,
    must_equal,
    raised,
    validate,
    without_empty,
)

CANNED = Canned()
CLIENT = anthropic.Anthropic(api_key="k", max_retries=0, base_url="http://m", http_client=CANNED.http)
REQUEST: Json = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
MESSAGE: TypeAdapter[Any] = TypeAdapter(Message)
EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
ERROR: TypeAdapter[Any] = TypeAdapter(ErrorResponse)
UNTYPED = ("request_too_large",)  # documented, but not among the types
IGNORED = ("ping", "content_block_note")  # the second is a capture's event of a later day
# Members that the types lack: of errors, and of usage, of which they know less at the end of a stream.
ERROR_MORE = frozenset({"code", "param", "metadata"})
MORE = frozenset({"cost", "cache_creation", "service_tier"})
# The client adds the first to what it accumulates, does not take the next from the end, and has no place for
# arguments that are cut off.
ACCUMULATED = ("parsed_output", *MORE, "_raw")


def check_message(output: Output) -> None:
    CANNED.set(output.status, output.headers, output.body)
    if output.status >= 400:
        validate_error(output.json, output)
        error = raised(lambda: CLIENT.messages.create(**REQUEST), anthropic.APIStatusError)
        must_equal(error.status_code, output.status, "status")
    elif output.stream:
        check_stream(output, None if output.relayed else MORE)
    else:
        validate(MESSAGE, output.json, None if output.relayed else MORE)
        must_equal(CLIENT.messages.create(**REQUEST).to_dict(), output.json, "answer")


def validate_error(body: Json, output: Output) -> None:
    if body["error"]["type"] not in UNTYPED:
        validate(ERROR, body, None if output.relayed else ERROR_MORE)


def check_stream(output: Output, more: More) -> None:
    for event in data_of(output.body):
        if event["type"] == "error":
            validate_error(event, output)
        elif event["type"] not in IGNORED:
            validate(EVENT, event, more)
    with CLIENT.messages.stream(**REQUEST) as stream:
        if output.ends == "failed":
            raised(stream.until_done, anthropic.APIError)
            return
        stream.until_done()
        final = stream.current_message_snapshot.to_dict()
    if output.folded:
        must_equal(without_empty(final, *ACCUMULATED), without_empty(output.folded, *ACCUMULATED), "answer")
