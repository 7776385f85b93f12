"""What a provider is (a row of data) and what a translator does (chat to and from a wire format, no I/O)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from handler.errors import UpstreamError
from rules import Model

Json = dict[str, Any]
PIECE = 60  # bytes that a short string takes besides its characters


def too_large() -> UpstreamError:
    """The failure of a stream that would need more memory than is allowed."""
    return UpstreamError("The provider's answer is too large.", failure_class="protocol")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirks:
    """Where an OpenAI-compatible provider differs, as data (docs/providers.md says what each does)."""

    rename: Mapping[str, str] = field(default_factory=dict)  # field -> the provider's name for it
    drop: frozenset[str] = frozenset()  # tuning it refuses: left out and named in x-sluice-dropped
    # Features it cannot represent: the model is no candidate. `n`: one answer to a call (relay/subcalls.py).
    unable: frozenset[str] = frozenset()
    refuse: frozenset[str] = frozenset()  # fields and models that a caller may not name (contract, section 3)
    drop_null: bool = False  # null fields are refused there: leave them out
    drop_empty: bool = False  # and lists of nothing: tools, stop, the calls of a message
    message_drop: frozenset[str] = frozenset()  # message fields it refuses
    call_id_length: int = 0  # ids of calls are so many letters and digits; 0: whatever they are
    alternate: bool = False  # user and assistant take turns: what two in a row said becomes one message
    roles: Mapping[str, str] = field(default_factory=dict)  # developer -> system
    tool_choice: Mapping[str, str] = field(default_factory=dict)  # required -> any
    allowed_tools: bool = True  # takes a choice of some of the tools; False: the others are left out
    tool_drop: frozenset[str] = frozenset()  # fields of a tool and its function it refuses
    text_content: bool = False  # a list of text parts becomes one text
    temperature_least: float = 0
    temperature_most: float = 2
    service_tier: Mapping[str, str] = field(default_factory=dict)  # OpenAI's word -> its own; no other goes
    legacy: bool = True  # takes functions and function_call; False: they become tools (legacy_functions.py)
    stream_usage: bool = True  # takes stream_options.include_usage
    finish_reasons: Mapping[str, str] = field(default_factory=dict)  # its word -> OpenAI's
    finish_by_calls: bool = False  # says "stop" after tool calls
    call_ids: bool = True  # ids of calls differ over a whole conversation; False: they get others
    reasoning_tag: str = ""  # what thoughts stand in at the start of content: `reasoning`

    @property
    def forces(self) -> bool:
        """Whether a model can be forced to call a tool."""
        return "tools" not in self.unable and "auto" not in self.tool_choice.values()

    @property
    def lacking(self) -> frozenset[str]:
        """What the rules may know of that: what it is unable to do, and `forced_tool`."""
        return self.unable if self.forces else self.unable | {"forced_tool"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """Another way into a provider, for the models whose rules say `surface:<name>`."""

    path: str  # behind its base_url
    dialect: str
    headers: Mapping[str, str] = field(default_factory=dict)
    quirks: Quirks = field(default_factory=Quirks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A place that serves models."""

    name: str
    dialect: str = "openai"  # which translator
    base_url: str | None = None  # None: off until a record gives one; `{region}` is the gateway's own
    root: str = ""  # path behind a base_url that is a host alone
    versioned: str = ""  # the same where it has an api-version; `{model}` is the model's name
    credential: str | None = None  # the name it is looked up under; None: needs none
    hosts: tuple[str, ...] = ()  # where else the credential may go than to base_url's host; `*.` is any below
    # bearer | none | sigv4: as bearer where the credential is at hand, else signed | the name of its header
    auth: str = "bearer"
    on: bool = True  # False: counts as available only when a record or SLUICE_PROVIDERS says so
    unlisted: str = "pass"  # pass | refuse
    headers: Mapping[str, str] = field(default_factory=dict)
    quirks: Quirks = field(default_factory=Quirks)
    surfaces: Mapping[str, Surface] = field(default_factory=dict)


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
