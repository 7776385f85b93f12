"""A provider as a row of data: its address, its credential, and where it differs from OpenAI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from rules import EMPTY, Frozen

REGION = "{region}"  # in a base_url: the AWS region that the gateway runs in


class Quirks(Frozen):
    """Where an OpenAI-compatible provider differs, as data. docs/providers.md describes each."""

    rename: Mapping[str, str] = EMPTY  # field -> the provider's name for it
    drop: frozenset[str] = frozenset()  # parameters it refuses: left out, and named in x-sluice-dropped
    # Features it does not have. A request that needs one goes elsewhere; `n` takes several calls instead.
    unable: frozenset[str] = frozenset()
    refuse: frozenset[str] = frozenset()  # fields and models that a caller may not name (contract, section 3)
    drop_null: bool = False  # it refuses null fields: leave them out
    drop_empty: bool = False  # it refuses empty lists (tools, stop, a message's tool_calls): leave them out
    message_drop: frozenset[str] = frozenset()  # message fields it refuses
    call_id_length: int = 0  # ids of calls must have this many letters and digits; 0: any id
    alternate: bool = False  # user and assistant must take turns: neighbours of one role are merged
    roles: Mapping[str, str] = EMPTY  # developer -> system
    tool_choice: Mapping[str, str] = EMPTY  # required -> any
    allowed_tools: bool = True  # takes `allowed_tools` in tool_choice; False: the other tools are left out
    tool_drop: frozenset[str] = frozenset()  # fields of a tool and its function that it refuses
    text_content: bool = False  # a list of text parts is joined into one text
    tool_texts: bool = False  # a tool's result may be only text: images and files move to the user's message
    temperature_least: float = 0
    temperature_most: float = 2
    service_tier: Mapping[str, str] = EMPTY  # OpenAI's tier -> its own; others: dropped
    legacy: bool = True  # takes functions and function_call; False: they become tools (legacy_functions.py)
    stream_usage: bool = True  # takes stream_options.include_usage
    finish_reasons: Mapping[str, str] = EMPTY  # its finish reason -> OpenAI's
    finish_by_calls: bool = False  # it sends "stop" after tool calls
    call_ids: bool = True  # ids of calls are unique in a conversation; False: each call gets a new one
    reasoning_tag: str = ""  # the tag around reasoning at the start of the content: `think` for <think>
    traceparent: bool = False  # it gets the header `traceparent`, and continues the trace

    @property
    def can_force_tool(self) -> bool:
        return "tools" not in self.unable and "auto" not in self.tool_choice.values()

    @property
    def unsupported_features(self) -> frozenset[str]:
        """The features that the rules check: `unable`, and `forced_tool` where no tool can be forced."""
        return self.unable if self.can_force_tool else self.unable | {"forced_tool"}


class Surface(Frozen):
    """A second API of a provider, for the models whose rules say `surface:<name>`."""

    path: str  # appended to the provider's base_url
    dialect: str
    every_model: bool = False  # all models are served there too, for clients of that format
    versioned_path: str | None = None  # instead of the provider's, if it has one of its own
    headers: Mapping[str, str] = EMPTY
    quirks: Quirks = Quirks()


class Endpoint(NamedTuple):
    """Where a provider serves an operation besides chat."""

    format: str = "openai"  # of handler/providers/operations/formats.py
    path: str = ""  # appended to the base_url; "": the operation's own
    remove: str = ""  # the end of the base_url that this path is not below


class Provider(Frozen):
    """A service that serves models."""

    name: str
    dialect: str = "openai"  # the name of its translator
    base_url: str | None = None  # None: a record must give one. `{region}` is the gateway's region
    default_path: str = ""  # appended to a base_url without a path
    versioned_path: str = ""  # the same for one with an api-version; `{model}` is the model's name
    credential: str | None = None  # the name under which it is looked up; None: none is needed
    accounts: tuple[str, ...] = ()  # the names of all its credentials, if it has several
    hosts: tuple[str, ...] = ()  # further hosts that the credential may be sent to; `*.` is any subdomain
    # "bearer", "none", the name of a header, or "sigv4" (bearer if there is a credential, else signed)
    auth: str = "bearer"
    enabled: bool = True  # False: only available if a record or SLUICE_PROVIDERS names it
    unlisted: str = "pass"  # models that the catalogue does not list: "pass" or "refuse"
    headers: Mapping[str, str] = EMPTY
    quirks: Quirks = Quirks()
    surfaces: Mapping[str, Surface] = EMPTY
    # By operation, chat among them; None: those that its dialect has
    operations: Mapping[str, Endpoint] | None = None
    prompts: bool = False  # its chat models take a plain prompt, too: POST /completions

    def by_account(self) -> tuple[Provider, ...]:
        """Return the row once for each of its credentials, as one request uses it."""
        return tuple(self.replaced(credential=name, accounts=()) for name in self.accounts) or (self,)
