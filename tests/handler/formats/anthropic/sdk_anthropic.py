"""Our messages, streams and errors, read by Anthropic's own client and its types in strict mode.

test_sdks.py runs this in the environment of `make sdks`.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from typing import Any

from anthropic.types import (  # type: ignore[import-not-found]
    ErrorResponse,
    Message,
    RawMessageStreamEvent,
    message_create_params,
)
from pydantic import TypeAdapter

from handler.errors import Json, UpstreamError
from handler.formats.anthropic.format import MESSAGES
from handler.formats.chat.request import Chat
from tests.handler.formats.anthropic.builders import (
    USER,
    assistant,
    chunk,
    completion,
    events_of,
    parse,
    request,
)
from tests.handler.formats.anthropic.generated import answer_of, chunks_of
from tests.handler.providers.sdk_anthropic import REQUEST, client, raised_status
from tests.provider_fakes.request_types import mismatch, strict_reader

SEEDS = range(200)
UNTYPED = frozenset({"request_too_large"})  # documented, but not among the client's types
USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 5,
    "prompt_tokens_details": {"cached_tokens": 10, "cache_write_tokens": 8, "cache_write_1h_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
PAGE = {"type": "url_citation", "url_citation": {"url": "https://x", "title": "X"}}
OTHERS: list[tuple[str, Json]] = [
    ("stop", {"content": "a", "annotations": [PAGE]}),
    ("stop", {"content": None, "refusal": "No."}),
    ("content_filter", {"content": None}),
    ("length", {"content": "a"}),
]


def cases() -> Iterator[tuple[Chat, Json, list[Json]]]:
    """Yield chats, each with a whole answer and the same one as a stream."""
    for seed in SEEDS:
        random_ = random.Random(seed)
        display = random_.choice(["summarized", "omitted"])
        chat = parse(request(thinking={"type": "adaptive", "display": display}))
        message = answer_of(random_)
        yield chat, completion(*_reason(message), usage=USAGE, **message), chunks_of(message, random_)
    for reason, message in OTHERS:
        yield parse(request()), completion(reason, usage=USAGE, **message), [chunk(**message), chunk(reason)]


def _reason(message: Json) -> list[str]:
    return ["tool_calls"] if "tool_calls" in message else []


def check_answers() -> int:
    """The types know a whole answer, the client keeps all of it, and may send it back."""
    count, reader = 0, strict_reader(message_create_params.MessageCreateParams)
    for chat, answer, _ in cases():
        body = MESSAGES.answer(answer, chat)
        message = client(200, json.dumps(body).encode(), "application/json").messages.create(**REQUEST)
        assert message.to_dict() == body, body
        TypeAdapter(Message).validate_python(body, strict=True)
        if not any(
            "citations" in block for block in body["content"]
        ):  # those are read as blocks of an answer
            assert mismatch(reader, request(USER, assistant(*body["content"]), USER)) is None, body["content"]
        count += 1
    return count


def check_streams() -> int:
    """The types know every event, and the client accumulates the whole answer."""
    count = 0
    for chat, answer, chunks in cases():
        encoder, usage = MESSAGES.encoder(chat), {**chunk(), "choices": [], "usage": USAGE}
        data = b"".join(
            [encoder.keep_alive, *map(encoder.feed, [*chunks, usage]), encoder.keep_alive, encoder.close()]
        )
        for event in events_of(data):
            if event["type"] != "ping":
                TypeAdapter(RawMessageStreamEvent).validate_python(event, strict=True)
        with client(200, data, "text/event-stream").messages.stream(**REQUEST) as stream:
            accumulated = stream.get_final_message().to_dict()
        assert without_origin(accumulated) == without_origin(MESSAGES.answer(answer, chat)), accumulated
        count += 1
    return count


def without_origin(message: Json) -> Any:
    """Return the message without what the client adds to texts, or does not take from the end of a stream."""
    usage = {name: value for name, value in message["usage"].items() if name != "cache_creation"}
    content = [{name: one[name] for name in one if name != "parsed_output"} for one in message["content"]]
    return {**message, "usage": usage, "content": content}


def check_errors() -> int:
    statuses = (400, 401, 402, 403, 404, 413, 429, 500, 502, 503, 504, 529)
    for status in statuses:
        body = MESSAGES.error(UpstreamError("m", failure_class="server", status=status))
        if body["error"]["type"] not in UNTYPED:
            TypeAdapter(ErrorResponse).validate_python(body, strict=True)
        assert raised_status(status, json.dumps(body).encode()) == status
    return len(statuses)


def main() -> None:
    for check in (check_answers, check_streams, check_errors):
        count = check()
        sys.stdout.write(f"{check.__name__}: {count}\n")


if __name__ == "__main__":
    main()
