"""Anthropic's Messages: a chat request becomes one, and its answer, whole or streamed, a chat completion.

The request is made in anthropic_request, the answer in anthropic_answer, chunks in anthropic_stream.
docs/providers.md says what becomes of what. https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping

from handler.errors import UpstreamError
from handler.providers.anthropic.answer import failed, finish_of, refusal_of, tier_of, usage_of
from handler.providers.anthropic.request import request
from handler.providers.anthropic.stream import MessageStream
from handler.providers.content_blocks.answer import message_of
from handler.providers.legacy_functions import legacy_answer
from handler.providers.provider import Quirks
from handler.providers.translator import Json, StreamDecoder
from rules import Model


class Anthropic:
    """The translator of the `anthropic` dialect. `clock`: epoch seconds, for the answers' `created`."""

    framing = "sse"
    several = False

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock

    def path(self, model: Model, *, stream: bool) -> str:
        return "/messages"

    def holds(self, schema: Json | None, chat: Json, model: Model) -> bool:
        from handler.providers.content_blocks.grammar import (
            compiles,  # few requests need it: not part of a cold start
        )

        return compiles(schema)

    def request(self, chat: Json, model: Model, quirks: Quirks) -> tuple[Json, tuple[str, ...]]:
        return request(chat, model)

    def response(self, body: Json, quirks: Quirks, *, legacy: bool = False, model: str = "") -> Json:
        if body.get("type") == "error" or "error" in body:
            raise failed(500, {}, json.dumps(body).encode())
        blocks = body.get("content")
        if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
            raise UpstreamError("The provider's answer is no message.", failure_class="protocol")
        message = message_of(blocks, str(body.get("model")), refusal_of(body))
        usage = told if isinstance(told := body.get("usage"), dict) else {}
        finish = finish_of(body.get("stop_reason"), called="tool_calls" in message)
        completion = {
            "id": body.get("id"),
            "object": "chat.completion",
            "created": int(self._clock()),
            "model": body.get("model"),
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
            **({"usage": usage_of(usage)} if usage else {}),
            **tier_of(usage),
        }
        return legacy_answer(completion) if legacy else completion

    def stream(self, quirks: Quirks, *, legacy: bool = False, model: str = "") -> StreamDecoder:
        return MessageStream(created=int(self._clock()), legacy=legacy)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return failed(status, headers, body)
