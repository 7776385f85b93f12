"""Bedrock's Converse and ConverseStream as a client format; see ClientFormat.

https://docs.aws.amazon.com/bedrock/latest/userguide/conversation-inference.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from handler.errors import GatewayError, Json
from handler.formats.chat.request import Chat
from handler.formats.client_format import Effect
from handler.formats.converse.answer import answer_of
from handler.formats.converse.errors import error_body
from handler.formats.converse.native import EFFECTS, native_body
from handler.formats.converse.request import parse_request
from handler.formats.converse.stream import ConverseEncoder
from handler.formats.options import Headers
from handler.settings import Settings


@dataclass(frozen=True, slots=True)
class ConverseFormat:
    """The format of one request, whose path has the model and the kind of the answer."""

    model: str  # decoded
    stream: bool = False
    latency: Callable[[], int] = lambda: 0  # the milliseconds since the request came

    @property
    def name(self) -> str:
        return "bedrock"

    @property
    def effects(self) -> Mapping[str, Effect]:
        return EFFECTS

    def native_body(self, body: Json) -> Json:
        return native_body(body)

    def parse(self, body: bytes, headers: Headers, settings: Settings) -> Chat:
        return parse_request(body, headers, settings, model=self.model, stream=self.stream)

    def answer(self, completion: Json, chat: Chat) -> Json:
        return answer_of(completion, chat, latency=self.latency())

    def encoder(self, chat: Chat) -> ConverseEncoder:
        return ConverseEncoder(chat, self.latency)

    def error(self, error: GatewayError) -> Json:
        return error_body(error)
