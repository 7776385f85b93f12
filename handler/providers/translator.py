"""The interface of a translator: chat completions to and from one wire format, without I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from handler.errors import Json, UpstreamError
from handler.providers.provider import Quirks
from rules import Model

STRING_OVERHEAD = 60  # bytes that a short string takes besides its characters


def answer_too_large() -> UpstreamError:
    """The failure of a stream that would need more memory than is allowed."""
    return UpstreamError("The provider's answer is too large.", failure_class="protocol")


class StreamDecoder(Protocol):
    """Upstream events to chat chunks. Fresh for each attempt.

    It keeps what the contract (section 8) promises of a stream: one id and `created`, role once, id and name
    of a tool call once, indexes of tool calls from 0 without a gap, the usage chunk last.

    `event`: what the data last fed parses to; `splice(data, decoder.event, chunk)` keeps the upstream's text.
    """

    @property
    def event(self) -> Json: ...

    def feed(self, data: str) -> Iterator[Json]:
        """The chunks that one event's data completes; give it every event, `[DONE]` included.

        One event that cannot be parsed is skipped, at a second UpstreamError is raised, as on an error event.
        """
        ...

    def close(self) -> Iterator[Json]:
        """What is left when the upstream has ended. Raises UpstreamError when that was too early."""
        ...


class Translator(Protocol):
    """Between chat and one wire format; dict in and dict out.

    A translator of the client's own format shares every part that it does not change with the dict it was
    given, so that `splice` can keep the client's bytes.

    `framing`: how a stream is cut into events (wire/framing.py). `several`: one answer can have several
    choices, unless a row says that there it cannot. `model`: what was asked, for an answer that does not say
    it. `legacy`: the client sent `functions` or `function_call`, and the answer goes back in that form;
    `request` sees it for itself.
    """

    @property
    def framing(self) -> str: ...

    @property
    def several(self) -> bool: ...

    def path(self, model: Model, *, stream: bool) -> str: ...

    def holds(self, schema: Json | None, chat: Json, model: Model) -> bool:
        """Whether this wire can hold the answer to a schema (None: to any JSON object) in this request."""
        ...

    def request(self, chat: Json, model: Model, quirks: Quirks) -> tuple[Json, tuple[str, ...]]:
        """The upstream's request body, and the names of the tuning left out.

        A stream is asked for its usage where the row allows it; the caller withholds the usage chunk from a
        client that did not ask.
        """
        ...

    def response(self, body: Json, quirks: Quirks, *, legacy: bool = False, model: str = "") -> Json:
        """A chat completion. Raises UpstreamError when the body is an error in disguise."""
        ...

    def stream(self, quirks: Quirks, *, legacy: bool = False, model: str = "") -> StreamDecoder: ...

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """What a status other than 200 means: its class, and what a caller sees if it ends here.

        Keys and addresses are gone from the message, but only the caller knows the credential itself.
        """
        ...
