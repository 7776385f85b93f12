"""Gemini's generateContent, streamGenerateContent and countTokens as a client format.

https://ai.google.dev/api/generate-content, https://ai.google.dev/api/tokens
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from handler.errors import GatewayError, Json
from handler.formats.chat.request import Chat
from handler.formats.client_format import Effect
from handler.formats.gemini.answer import response_of
from handler.formats.gemini.errors import error_body
from handler.formats.gemini.native import EFFECTS, native_body
from handler.formats.gemini.request import parse_request, wants_thoughts
from handler.formats.gemini.stream import GeminiStream
from handler.formats.options import Headers
from handler.settings import Settings


@dataclass(frozen=True, slots=True)
class GeminiFormat:
    """The format of one request, whose path has the model and the kind of the answer."""

    model: str  # decoded; `models/` before it is removed
    stream: bool = False
    sse: bool = True  # a stream of server-sent events; else of one JSON array

    @property
    def name(self) -> str:
        return "gemini"

    @property
    def effects(self) -> Mapping[str, Effect]:
        return EFFECTS

    def native_body(self, body: Json) -> Json:
        return native_body(body)

    def parse(self, body: bytes, headers: Headers, settings: Settings) -> Chat:
        return parse_request(body, headers, settings, model=self.model, stream=self.stream)

    def answer(self, completion: Json, chat: Chat) -> Json:
        return response_of(completion, thoughts=wants_thoughts(chat))

    def encoder(self, chat: Chat) -> GeminiStream:
        return GeminiStream(thoughts=wants_thoughts(chat), events=self.sse)

    def error(self, error: GatewayError) -> Json:
        return error_body(error)


def count_answer(tokens: int) -> Json:
    """Return the answer to a request for a count of tokens."""
    return {"totalTokens": tokens, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}]}
