"""Translates between chat and OpenAI's Responses. docs/providers.md, "OpenAI's Responses", lists every field.

https://platform.openai.com/docs/api-reference/responses
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from handler.errors import Json, UpstreamError
from handler.providers.legacy_functions import to_legacy_completion
from handler.providers.provider import Quirks
from handler.providers.responses.answer import read_completion
from handler.providers.responses.errors import read_error
from handler.providers.responses.request import build_request
from handler.providers.responses.stream import ResponseStream
from handler.providers.translator import StreamDecoder
from rules import Model


class Responses:
    """The translator of the `responses` dialect. `clock`: epoch seconds, for an answer that has no time."""

    framing = "sse"
    supports_n = False

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock

    def path(self, model: Model, *, stream: bool) -> str:
        return "/responses"

    def enforces_schema(self, schema: Json | None, chat: Json, model: Model) -> bool:
        return True

    def request(self, chat: Json, model: Model, quirks: Quirks) -> tuple[Json, tuple[str, ...]]:
        return build_request(chat, model, quirks)

    def response(self, body: Json, quirks: Quirks, *, legacy: bool = False, model: str = "") -> Json:
        completion = read_completion(body, created=int(self._clock()), model=model)
        return to_legacy_completion(completion) if legacy else completion

    def stream(self, quirks: Quirks, *, legacy: bool = False, model: str = "") -> StreamDecoder:
        return ResponseStream(created=int(self._clock()), legacy=legacy, model=model)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return read_error(status, headers, body)
