"""Translates between chat and Anthropic's Messages. docs/providers.md, "Anthropic", lists every field.

https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping

from handler.errors import Json, UpstreamError
from handler.providers.anthropic.answer import (
    read_error,
    read_finish_reason,
    read_refusal,
    read_service_tier,
    read_usage,
)
from handler.providers.anthropic.request import build_request
from handler.providers.anthropic.stream import MessageStream
from handler.providers.content_blocks.answer import chat_completion, chat_message
from handler.providers.legacy_functions import to_legacy_completion
from handler.providers.provider import Quirks
from handler.providers.translator import StreamDecoder
from rules import Model


class Anthropic:
    """The translator of the `anthropic` dialect. `clock`: epoch seconds, for `created` in answers."""

    framing = "sse"
    supports_n = False

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock

    def path(self, model: Model, *, stream: bool) -> str:
        return "/messages"

    def enforces_schema(self, schema: Json | None, chat: Json, model: Model) -> bool:
        from handler.providers.content_blocks.structured_outputs import is_supported  # not at a cold start

        return is_supported(schema)

    def request(self, chat: Json, model: Model, quirks: Quirks) -> tuple[Json, tuple[str, ...]]:
        return build_request(chat, model)

    def response(self, body: Json, quirks: Quirks, *, legacy: bool = False, model: str = "") -> Json:
        if body.get("type") == "error" or "error" in body:
            raise read_error(500, {}, json.dumps(body).encode())
        blocks = body.get("content")
        if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
            raise UpstreamError("The provider's answer is not a message.", failure_class="protocol")
        message = chat_message(blocks, str(body.get("model")), read_refusal(body))
        usage = found if isinstance(found := body.get("usage"), dict) else {}
        completion = {
            **chat_completion(
                message,
                read_finish_reason(body.get("stop_reason"), called="tool_calls" in message),
                id=body.get("id"),
                created=int(self._clock()),
                model=body.get("model"),
            ),
            **({"usage": read_usage(usage)} if usage else {}),
            **read_service_tier(usage),
        }
        return to_legacy_completion(completion) if legacy else completion

    def stream(self, quirks: Quirks, *, legacy: bool = False, model: str = "") -> StreamDecoder:
        return MessageStream(created=int(self._clock()), legacy=legacy)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return read_error(status, headers, body)
