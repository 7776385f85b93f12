"""What a person writes into the Rules table, one class for each kind (contract, section 5).

Each class says how several records of its kind combine. An absent optional field is None, so `models=None`
means all and `models=()` none. `rules.reading` makes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from rules.errors import InvalidRecord
from rules.records import fields, provider_fields
from rules.records.base import Enforced, Flag, Reads, Record
from rules.records.coercion import amount, any_order, choice, text, whole, within
from rules.records.fields import Arm

Whole = Annotated[int, Reads(whole(1))]
Seconds = Annotated[float, Reads(amount(above=0))]
Name = Annotated[str, Reads(fields.name)]
Fallbacks = Annotated[tuple[str, ...], Reads(fields.fallbacks)]
Patterns = Annotated[tuple[str, ...], Reads(any_order(fields.pattern))]
Texts = Annotated[tuple[str, ...], Reads(any_order(text))]
Preference = Annotated[str, Reads(fields.preference)]
Parameters = Annotated[Mapping[str, Any], Reads(fields.parameters)]
Each = Annotated[str, Reads(fields.each)]
OnFailure = Annotated[str, Reads(choice("allow", "refuse"))]
Address = Annotated[str, Reads(provider_fields.address)]
Credential = Annotated[str, Reads(provider_fields.credential)]
ProviderId = Annotated[str, Reads(provider_fields.provider_id)]


class RouteRecord(Record):
    """The most specific one that applies applies; its choice yields to a model that the request names."""

    model: Name | None = None
    prefer: Preference | None = None
    fallbacks: Fallbacks | None = None
    split: Annotated[tuple[Arm, ...], Reads(fields.split)] | None = None
    sticky: Annotated[str, Reads(fields.sticky)] | None = None
    override: Flag = False
    defaults: Parameters | None = None
    cap: Annotated[Mapping[str, Any], Reads(fields.cap)] | None = None
    allow_fields: Texts | None = None
    timeouts: Annotated[Mapping[str, float], Reads(fields.timeouts)] | None = None
    retries: Annotated[int, Reads(whole(0, 3))] | None = None
    hedge_after: Seconds | None = None
    retry_after_max: Annotated[float, Reads(amount(0, 20))] | None = None
    recovery: Annotated[str, Reads(choice("error", "resume", "buffer"))] | None = None
    set: Parameters | None = None

    @model_validator(mode="after")
    def _chooses_once(self) -> RouteRecord:
        if self.model and self.split:
            raise InvalidRecord("split", "stands instead of `model`, not beside it")
        if self.override and not (self.model or self.split):
            raise InvalidRecord("override", "needs `model` or `split`")
        return self

    @model_validator(mode="after")
    def _says_something(self) -> RouteRecord:
        """Half of a record, saved too early, would take the place of every route behind it."""
        own = type(self).model_fields.keys() - Record.model_fields.keys() - {"override", "sticky"}
        if all(getattr(self, name) in (None, (), {}) for name in own):
            raise InvalidRecord(
                "record", "says nothing: give it `model`, `prefer`, `split`, `fallbacks`, ..."
            )
        return self


class AccessRecord(Enforced):
    """Every one that applies must admit the model. `deny` beats `models`."""

    models: Patterns | None = None
    deny: Patterns | None = None


class LimitRecord(Enforced):
    """All that apply are counted, each on its own."""

    active = False

    requests: Whole | None = None
    tokens: Whole | None = None
    per: Annotated[str, Reads(choice("minute", "hour", "day"))]
    each: Each | None = None
    on_store_failure: OnFailure = "allow"

    @model_validator(mode="after")
    def _counts_one_thing(self) -> LimitRecord:
        if (self.requests is None) == (self.tokens is None):
            raise InvalidRecord("requests", "a limit needs either `requests` or `tokens`")
        return self


class BudgetRecord(Enforced):
    """All that apply are counted, each on its own."""

    active = False

    usd: Annotated[Decimal, Reads(fields.dollars)]
    per: Annotated[str, Reads(choice("day", "month"))]
    each: Each | None = None
    then: Annotated[Mapping[str, Any], Reads(fields.then)] | None = None
    on_store_failure: OnFailure = "refuse"


class AliasRecord(Record):
    """By name: `id` stands for these models, tried in order."""

    scoped = False

    models: Annotated[tuple[str, ...], Reads(fields.members_of_alias)]

    @model_validator(mode="after")
    def _is_a_name(self) -> AliasRecord:
        within("id", fields.own_name, self.id)
        return self


class ProviderRecord(Record):
    """By id; replaces a built-in provider of that id. What is None there stays as it was built in."""

    scoped = False

    dialect: Annotated[str, Reads(choice("openai", "anthropic", "google", "bedrock"))] | None = None
    base_url: Address | None = None
    credential: Credential | None = None
    auth: Annotated[str, Reads(choice(*provider_fields.AUTH))] | None = None
    unlisted: Annotated[str, Reads(choice("pass", "refuse"))] | None = None
    headers: Annotated[Mapping[str, str], Reads(provider_fields.headers)] | None = None
    quirks: Annotated[Mapping[str, Any], Reads(provider_fields.quirks)] | None = None

    @model_validator(mode="after")
    def _is_a_provider(self) -> ProviderRecord:
        within("id", provider_fields.provider_id, self.id)
        return self


class ModelRecord(Record):
    """By id, which is `provider/name`; replaces a catalogue row. Prices: nano-dollars per million tokens.

    `like`: the catalogue's model that this one is, under another name; what is not said here is said there.
    """

    scoped = False

    provider: ProviderId
    name: Annotated[str, Reads(fields.own_name)]
    like: Annotated[str, Reads(fields.listed)] | None = None
    pool: Annotated[str, Reads(fields.pool)] | None = None
    context: Whole | None = None
    max_output: Whole | None = None
    price: Annotated[Mapping[str, int], Reads(fields.price)] | None = None
    can: Annotated[tuple[str, ...], Reads(any_order(choice(*fields.CAN)))] | None = None
    quality: Annotated[int, Reads(whole(1, 5))] | None = None
    auto: Flag = True

    @model_validator(mode="after")
    def _is_named_after_itself(self) -> ModelRecord:
        if self.id != f"{self.provider}/{self.name}":
            raise InvalidRecord(
                "id", f"must be provider/name, `{self.provider}/{self.name}`, got {self.id!r}"
            )
        return self


class TestRecord(Record):
    """What a rule set promises of itself; each is run on its own."""

    __test__: ClassVar[bool] = False  # not a test of this repository
    scoped = False

    request: Annotated[Mapping[str, Any], Reads(fields.request)]
    as_: Annotated[Mapping[str, str], Reads(fields.asked_as)] | None = Field(default=None, alias="as")
    at: Annotated[tuple[str, int], Reads(fields.moment)] = ("mon", 12)  # weekday and hour, UTC
    expect: Annotated[Mapping[str, str], Reads(fields.expected)]


class LogRecord(Record):
    """The most specific one that applies applies."""

    active = False

    sample: Annotated[float, Reads(amount(0, 1))]
    days: Whole


class CacheRecord(Record):
    """The most specific one that applies applies."""

    active = False

    ttl: Seconds


class McpRecord(Record):
    """By id, list_models within its scope."""

    active = False

    url: Address
    credential: Credential | None = None
    tools: Texts | None = None


KINDS: Mapping[str, type[Record]] = {
    "route": RouteRecord,
    "access": AccessRecord,
    "limit": LimitRecord,
    "budget": BudgetRecord,
    "alias": AliasRecord,
    "provider": ProviderRecord,
    "model": ModelRecord,
    "test": TestRecord,
    "log": LogRecord,
    "cache": CacheRecord,
    "mcp": McpRecord,
}
