"""A provider's response before it is read as an answer: what it must be, and how much of it is taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from handler.answers.answer import Source
from handler.errors import Json, UpstreamError
from handler.wire.json_memory import escape_emoji, is_too_large
from handler.wire.strict_json import decode

if TYPE_CHECKING:
    from handler.relay.attempt import Attempt

MAX_ANSWER = 10_000_000  # bytes of a whole answer
MAX_ERROR = 1_000_000  # bytes of an error


class Upstream(Source, Protocol):
    """An open response."""

    @property
    def headers(self) -> Mapping[str, str]: ...

    async def whole(self, most: int) -> bytes:
        """Reads the whole body; of a body over `most` bytes only a beginning that is longer than `most`."""


async def accepted(asked: Attempt, upstream: Upstream) -> None:
    """Raises UpstreamError for a response that holds no answer of the form that was asked for."""
    if upstream.status >= 400:
        body = (await upstream.whole(MAX_ERROR))[:MAX_ERROR]
        raise asked.translator.error(upstream.status, upstream.headers, body)
    if not 200 <= upstream.status < 300:
        raise protocol_error("The provider pointed elsewhere.", upstream.status)
    if upstream.headers.get("content-encoding", "identity") != "identity":
        raise protocol_error("The provider packed its answer though it was asked not to.", upstream.status)
    if asked.call.chat.stream:
        await _check_stream(asked, upstream)


async def _check_stream(asked: Attempt, upstream: Upstream) -> None:
    kind = upstream.headers.get("content-type", "")
    if "html" in kind:
        raise protocol_error("The provider sent a page.", upstream.status)
    if "json" in kind:
        _, body = await parsed(asked, upstream)
        asked.translator.response(body, asked.row.quirks)  # an error in disguise has its own class
        raise protocol_error("The provider did not stream its answer.", upstream.status)


async def parsed(asked: Attempt, upstream: Upstream) -> tuple[str, Json]:
    """The text of the body and the object that it parses to."""
    data = await upstream.whole(most := MAX_ANSWER // asked.parts)
    if len(data) > most:
        raise protocol_error("The provider's answer is too large.", upstream.status)
    try:
        text = escape_emoji(data.decode("utf-8-sig"))
        if is_too_large(text):
            raise protocol_error("The provider's answer is too large.", upstream.status)
        body = decode(text)
    except (ValueError, RecursionError) as error:
        raise protocol_error("The provider's answer is not JSON.", upstream.status) from error
    if not isinstance(body, dict):
        raise protocol_error("The provider's answer is not an object.", upstream.status)
    return text, body


def protocol_error(message: str, status: int) -> UpstreamError:
    return UpstreamError(message, failure_class="protocol", upstream_status=status)
