"""Bedrock's Converse and ConverseStream: a chat request becomes one, and its answer a chat completion.

The request is made in bedrock_request, the answer in bedrock_answer, chunks in bedrock_stream.
docs/providers.md says what becomes of what. https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference.html
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from urllib.parse import quote

from handler.errors import UpstreamError
from handler.providers.bedrock.answer import blocks_of, failed, finish_of, tier_of, usage_of
from handler.providers.bedrock.request import request
from handler.providers.bedrock.stream import ConverseStream
from handler.providers.content_blocks.answer import message_of
from handler.providers.legacy_functions import legacy_answer
from handler.providers.provider import Quirks
from handler.providers.translator import Json, StreamDecoder
from rules import Model


class Bedrock:
    """The translator of the `bedrock` dialect. `clock`: epoch seconds, for the answers' `created`."""

    framing = "eventstream"
    several = False

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock

    def path(self, model: Model, *, stream: bool) -> str:
        """The id is encoded once, whole: one that is an ARN has slashes."""
        return f"/model/{quote(model.name, safe='')}/{'converse-stream' if stream else 'converse'}"

    def holds(self, schema: Json | None, chat: Json, model: Model) -> bool:
        from handler.providers.content_blocks.grammar import (
            compiles,  # few requests need it: not part of a cold start
        )

        return compiles(schema)

    def request(self, chat: Json, model: Model, quirks: Quirks) -> tuple[Json, tuple[str, ...]]:
        return request(chat, model)

    def response(self, body: Json, quirks: Quirks, *, legacy: bool = False, model: str = "") -> Json:
        match body:
            case {"output": {"message": {"content": list(content)}}}:
                blocks = blocks_of(content)
            case {"message": str()} | {"Message": str()}:
                raise failed(500, {}, json.dumps(body).encode())
            case _:
                raise UpstreamError("The provider's answer is no message.", failure_class="protocol")
        message, usage = message_of(blocks, model, None), body.get("usage")
        called, spoken = "tool_calls" in message, bool(message["content"])
        finish = finish_of(body.get("stopReason"), called=called, spoken=spoken)
        completion = {
            "id": _id(),
            "object": "chat.completion",
            "created": int(self._clock()),
            "model": model,
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
            **({"usage": usage_of(usage)} if isinstance(usage, dict) else {}),
            **tier_of(body),
        }
        return legacy_answer(completion) if legacy else completion

    def stream(self, quirks: Quirks, *, legacy: bool = False, model: str = "") -> StreamDecoder:
        return ConverseStream(id=_id(), created=int(self._clock()), legacy=legacy, model=model)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return failed(status, headers, body)


def _id() -> str:
    """Bedrock's own is in a header of the response."""
    return f"chatcmpl-{uuid.uuid4().hex}"
