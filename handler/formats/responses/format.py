"""The client format of OpenAI's Responses."""

from __future__ import annotations

from handler.errors import GatewayError, Json
from handler.formats.chat.request import Chat
from handler.formats.client_format import ClientFormat, StreamEncoder
from handler.formats.options import Headers
from handler.formats.responses.native import EFFECTS, native_body
from handler.formats.responses.request import DIALECT, parse
from handler.formats.responses.stream import ResponsesEncoder, whole_response
from handler.settings import Settings


class ResponsesFormat:
    """See ClientFormat."""

    name = DIALECT
    effects = EFFECTS

    def native_body(self, body: Json) -> Json:
        return native_body(body)

    def parse(self, body: bytes, headers: Headers, settings: Settings) -> Chat:
        return parse(body, headers, settings)

    def answer(self, completion: Json, chat: Chat) -> Json:
        return whole_response(completion, chat)

    def encoder(self, chat: Chat) -> StreamEncoder:
        return ResponsesEncoder(chat)

    def error(self, error: GatewayError) -> Json:
        return error.body()  # the same object as in a chat


RESPONSES: ClientFormat = ResponsesFormat()
