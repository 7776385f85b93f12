"""The interface of a translator: chat completions to and from one wire format, without I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from handler.errors import Json, UpstreamError
from handler.providers.provider import Quirks
from rules import Model

STRING_OVERHEAD = 60  # bytes that a short string takes besides its characters


def answer_too_large() -> UpstreamError:
    """Return the error for a stream that needs more memory than allowed."""
    return UpstreamError("The provider's answer is too large.", failure_class="protocol")


class StreamDecoder(Protocol):
    """Decodes the events of one stream into chat completion chunks. Each attempt has a new one.

    The chunks are as the contract (section 8) promises: one `id` and `created`, the role once, the id and
    name of a tool call once, indexes of tool calls from 0 without a gap, the usage chunk last.

    `event`: the parsed data that was last fed. `splice(data, decoder.event, chunk)` keeps its text.
    `adds_text`: it brought a piece of text, reasoning or arguments, and nothing else to remember. Events that
    differ in that text alone could be fed as one with all of it.
    """

    @property
    def event(self) -> Json: ...

    @property
    def adds_text(self) -> bool: ...

    def feed(self, data: str) -> Iterator[Json]:
        """Yield the chunks that the event completes. Every event must be fed, `[DONE]` too.

        Raises UpstreamError for an error event and for the second event that cannot be parsed; the first one
        is skipped.
        """
        ...

    def close(self) -> Iterator[Json]:
        """Yield the remaining chunks at the end of the stream. Raises UpstreamError if it ended too early."""
        ...


class Translator(Protocol):
    """Translates between chat completions and one wire format.

    A translator for the client's own format shares each part that it does not change with the dict it was
    given, so that `splice` can keep the client's bytes.

    `framing`: how a stream is cut into events (wire/framing.py). `supports_n`: an answer can have several
    choices, unless the row has `n` in `unable`. `model`: the requested model, for an answer that does not
    name it. `legacy`: the client sent `functions` or `function_call`, so the answer must use that form, too;
    `request` looks for it itself.
    """

    @property
    def framing(self) -> str: ...

    @property
    def supports_n(self) -> bool: ...

    def path(self, model: Model, *, stream: bool) -> str: ...

    def enforces_schema(self, schema: Json | None, chat: Json, model: Model) -> bool:
        """True if the provider can enforce the schema in this request; None stands for any JSON object."""
        ...

    def request(self, chat: Json, model: Model, quirks: Quirks) -> tuple[Json, tuple[str, ...]]:
        """Return the body to send, and the parameters that were left out or lowered.

        A stream is asked for its usage where the row allows it. The caller withholds the usage chunk from a
        client that did not ask for it.
        """
        ...

    def response(self, body: Json, quirks: Quirks, *, legacy: bool = False, model: str = "") -> Json:
        """Return a chat completion. Raises UpstreamError if the body of the 200 is an error."""
        ...

    def stream(self, quirks: Quirks, *, legacy: bool = False, model: str = "") -> StreamDecoder: ...

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        """Return the error for a status other than 200, without keys and addresses in its message.

        The caller removes the credential itself, which only the caller knows.
        """
        ...
