"""Translates between chat and Bedrock's Converse. docs/providers.md, "Bedrock", lists every field.

https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference.html
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from urllib.parse import quote

from handler.errors import Json, UpstreamError
from handler.providers.bedrock.answer import (
    content_blocks,
    read_error,
    read_finish_reason,
    read_service_tier,
    read_usage,
)
from handler.providers.bedrock.request import build_request
from handler.providers.bedrock.stream import ConverseStream
from handler.providers.content_blocks.answer import chat_completion, chat_message
from handler.providers.legacy_functions import to_legacy_completion
from handler.providers.provider import Quirks
from handler.providers.translator import StreamDecoder
from rules import Model


class Bedrock:
    """The translator of the `bedrock` dialect. `clock`: epoch seconds, for `created` in answers."""

    framing = "eventstream"
    supports_n = False

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock

    def path(self, model: Model, *, stream: bool) -> str:
        """Return the path. The id is encoded as one segment, since an ARN contains slashes."""
        return f"/model/{quote(model.name, safe='')}/{'converse-stream' if stream else 'converse'}"

    def enforces_schema(self, schema: Json | None, chat: Json, model: Model) -> bool:
        from handler.providers.content_blocks.structured_outputs import is_supported  # not at a cold start

        return is_supported(schema)

    def request(self, chat: Json, model: Model, quirks: Quirks) -> tuple[Json, tuple[str, ...]]:
        return build_request(chat, model)

    def response(self, body: Json, quirks: Quirks, *, legacy: bool = False, model: str = "") -> Json:
        match body:
            case {"output": {"message": {"content": list(content)}}}:
                blocks = content_blocks(content)
            case {"message": str()} | {"Message": str()}:
                raise read_error(500, {}, json.dumps(body).encode())
            case _:
                raise UpstreamError("The provider's answer is not a message.", failure_class="protocol")
        message, usage = chat_message(blocks, model, None), body.get("usage")
        called, has_text = "tool_calls" in message, bool(message["content"])
        reason = read_finish_reason(body.get("stopReason"), called=called, has_text=has_text)
        completion = {
            **chat_completion(message, reason, id=_new_id(), created=int(self._clock()), model=model),
            **({"usage": read_usage(usage)} if isinstance(usage, dict) else {}),
            **read_service_tier(body),
        }
        return to_legacy_completion(completion) if legacy else completion

    def stream(self, quirks: Quirks, *, legacy: bool = False, model: str = "") -> StreamDecoder:
        return ConverseStream(id=_new_id(), created=int(self._clock()), legacy=legacy, model=model)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return read_error(status, headers, body)


def _new_id() -> str:
    """Return an id of our own. Bedrock's is only in a header of the response."""
    return f"chatcmpl-{uuid.uuid4().hex}"
