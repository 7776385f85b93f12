"""The interface of a client format: requests to chat; answers, streams and errors from chat. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from handler.errors import GatewayError, Json
from handler.formats.chat.request import Chat
from handler.formats.options import Headers
from handler.settings import Settings


class StreamEncoder(Protocol):
    """Encodes the chunks of one answer as the stream of a client format. Each answer has a new one.

    Chunks are as the contract (section 8) promises for chat: one `id` and `created`, the role once, the id
    and name of a tool call once, indexes of tool calls from 0 without a gap, the usage chunk last.
    Chunks that differ in one text alone (content, reasoning, arguments) leave an encoder of server-sent
    events in the state that one chunk with all of the text does: their events may be made without it.

    `number`: of the next event, in a format whose events have a `sequence_number`.
    """

    number: int

    @property
    def media_type(self) -> str:
        """The content type of the response."""
        ...

    @property
    def keep_alive(self) -> bytes:
        """The bytes that are sent while there is no content: as the first bytes, or between two events."""
        ...

    def feed(self, chunk: Json) -> bytes:
        """Return the events that a chunk completes; may be empty."""
        ...

    def relay(self, events: bytes) -> bytes:
        """Return events that a provider of the same format sent, as they go to the client.

        b"" is the end of the provider's events.
        """
        ...

    def close(self) -> bytes:
        """Return the last events of a complete answer."""
        ...

    def fail(self, error: GatewayError) -> bytes:
        """Return the last events of an answer that broke off, or that never began."""
        ...


# Returns a native body with the value of a parameter, or without it for None. The given body is not changed.
Effect = Callable[[Json, Any], Json]


class ClientFormat(Protocol):
    """One format of requests and answers, besides chat.

    `name`: as the fact `dialect` has it. `effects`: by name of a chat's parameter, how a rule's value for it
    is put into a native body; a request is translated if a rule changes any other parameter.
    """

    @property
    def name(self) -> str: ...

    @property
    def effects(self) -> Mapping[str, Effect]: ...

    def native_body(self, body: Json) -> Json:
        """Return the body for a provider of the same format: without Sluice's own state in opaque texts."""
        ...

    def parse(self, body: bytes, headers: Headers, settings: Settings) -> Chat:
        """Return the chat that the request is translated to, with `native`. Raises InvalidRequest."""
        ...

    def answer(self, completion: Json, chat: Chat) -> Json:
        """Return a whole answer. completion: as a chat client would get it."""
        ...

    def encoder(self, chat: Chat) -> StreamEncoder: ...

    def error(self, error: GatewayError) -> Json:
        """Return the body of an error response."""
        ...
