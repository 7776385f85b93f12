"""Outputs in chat's format and in that of Responses, read by OpenAI's client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import openai  # type: ignore[import-not-found,unused-ignore]
from openai.types.chat import (  # type: ignore[import-not-found,unused-ignore]
    ChatCompletion,
    ChatCompletionChunk,
)
from openai.types.responses import (  # type: ignore[import-not-found,unused-ignore]
    Response,
    ResponseStreamEvent,
)
from openai.types.shared import ErrorObject  # type: ignore[import-not-found,unused-ignore]
from pydantic import TypeAdapter

from tests.official_types.output import Output
from tests.official_types.strict import (
    Canned,
    Json,
    Mismatch,
    More,
    data_of,
    must_equal,
    raised,
    validate,
    without_empty,
)

CANNED = Canned()
CLIENT = openai.OpenAI(api_key="k", max_retries=0, base_url="http://m", http_client=CANNED.http)
CHAT: Json = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
RESPONSE: Json = {"model": "m", "input": "hi"}
COMPLETION: TypeAdapter[Any] = TypeAdapter(ChatCompletion)
CHUNK: TypeAdapter[Any] = TypeAdapter(ChatCompletionChunk)
ANSWER: TypeAdapter[Any] = TypeAdapter(Response)
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
ERROR: TypeAdapter[Any] = TypeAdapter(ErrorObject)
# Members that the types lack. The last ones are of streams, whose types lack what those of answers have.
CHAT_MORE = frozenset(
    {
        *("reasoning_content", "reasoning_details", "extra_content", "thought_signature", "phase"),
        *("images", "cost", "annotations"),
    }
)
# OpenAI sends the last three, too. Its client's older types require the `name` of a finished call.
RESPONSE_MORE = frozenset({"cost", "store", "bytes", "name"})
ERROR_MORE = frozenset({"metadata"})
UNTYPED_CODES = ("context_length_exceeded",)  # by which clients know what to do; docs/api.md
# The client adds these to what it accumulates, or takes them from the first chunk only.
ACCUMULATED = ("parsed", "parsed_arguments", "index", "obfuscation", "service_tier")


def check_chat(output: Output) -> None:
    CANNED.set(output.status, output.headers, output.body)
    more = None if output.relayed else CHAT_MORE
    if output.status >= 400:
        check_error(output, lambda: CLIENT.chat.completions.create(**CHAT))
    elif output.stream:
        check_chat_stream(output, more)
    else:
        validate(COMPLETION, output.json, more)
        must_equal(CLIENT.chat.completions.create(**CHAT).to_dict(), output.json, "answer")


def check_chat_stream(output: Output, more: More) -> None:
    events = data_of(output.body)
    for event in events:
        if event != "[DONE]" and "error" not in event:
            validate(CHUNK, event, more)
    if output.ends == "failed":
        validate(ERROR, events[-1]["error"], ERROR_MORE)
        raised(lambda: list(CLIENT.chat.completions.create(**CHAT, stream=True)), openai.APIError)
        return
    with CLIENT.chat.completions.stream(**CHAT) as stream:
        stream.until_done()
        final = stream.current_completion_snapshot.to_dict()
    if output.folded:
        must_equal(without_empty(final, *ACCUMULATED), without_empty(output.folded, *ACCUMULATED), "answer")


def check_response(output: Output) -> None:
    CANNED.set(output.status, output.headers, output.body)
    more = None if output.relayed else RESPONSE_MORE
    if output.status >= 400:
        check_error(output, lambda: CLIENT.responses.create(**RESPONSE))
    elif output.stream:
        check_response_stream(output, more)
    else:
        validate(ANSWER, output.json, more)
        must_equal(CLIENT.responses.create(**RESPONSE).to_dict(), output.json, "answer")


def check_response_stream(output: Output, more: More) -> None:
    events = data_of(output.body)
    for event in events:
        if "error" not in event:  # as OpenAI sends it at times, and the types do not say
            validate(EVENT, _with_known_code(event), more)
    with CLIENT.responses.stream(**RESPONSE) as stream:
        try:
            ending = [event.type for event in stream][-1:]
        except openai.APIError:
            ending = ["error"]
        if output.folded and output.folded["status"] == "completed":
            final = without_empty(stream.get_final_response().to_dict(), "parsed", "parsed_arguments")
            must_equal(final, without_empty(output.folded), "answer")
    if output.ends == "failed" and ending[0] not in ("response.failed", "error"):
        raise Mismatch(f"the client gets {ending[0]} as the last event")


def _with_known_code(event: Json) -> Json:
    match event:
        case {"response": {"error": {"code": code} as error} as response} if code in UNTYPED_CODES:
            return {**event, "response": {**response, "error": {**error, "code": "server_error"}}}
    return event


def check_error(output: Output, call: Callable[[], Any]) -> None:
    validate(ERROR, output.json["error"], ERROR_MORE)
    must_equal(raised(call, openai.APIStatusError).status_code, output.status, "status")
