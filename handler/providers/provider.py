"""A provider as a row of data: its address, its credential, and where it differs from OpenAI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

REGION = "{region}"  # in a base_url: the AWS region that the gateway runs in


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
        """True if a model can be forced to call a tool."""
        return "tools" not in self.unable and "auto" not in self.tool_choice.values()

    @property
    def lacking(self) -> frozenset[str]:
        """The features that the rules treat as unsupported: `unable`, and `forced_tool`."""
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
