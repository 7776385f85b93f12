"""The client format of Anthropic's Messages; see ClientFormat.

https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

from handler.errors import GatewayError, Json
from handler.formats.anthropic.answer import message_of
from handler.formats.anthropic.errors import error_body
from handler.formats.anthropic.native import EFFECTS, native_body
from handler.formats.anthropic.request import parse
from handler.formats.anthropic.stream import MessageEncoder
from handler.formats.chat.request import Chat
from handler.formats.client_format import ClientFormat, StreamEncoder
from handler.formats.options import Headers
from handler.settings import Settings


class Messages:
    """The format of `POST /messages`."""

    name = "anthropic"
    effects = EFFECTS

    def native_body(self, body: Json) -> Json:
        return native_body(body)

    def parse(self, body: bytes, headers: Headers, settings: Settings) -> Chat:
        return parse(body, headers, settings)

    def answer(self, completion: Json, chat: Chat) -> Json:
        return message_of(completion, chat)

    def encoder(self, chat: Chat) -> StreamEncoder:
        return MessageEncoder(chat)

    def error(self, error: GatewayError) -> Json:
        return error_body(error)


MESSAGES: ClientFormat = Messages()
