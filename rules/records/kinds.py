"""The kinds of records in the Rules table, one class each (contract, section 5).

Each class states how several records of its kind combine. An absent optional field is None: `models=None`
means all models, `models=()` none. `rules.records.reading` makes the records.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from rules.errors import InvalidRecord
from rules.records import fields, log_fields, provider_fields
from rules.records.base import EnforcedRecord, Flag, ReadBy, Record
from rules.records.coercion import any_number, one_of, read_at, read_text, unordered_list, whole_number
from rules.records.fields import Arm

DIALECTS = ("openai", "anthropic", "google", "bedrock", "responses")  # the wire formats of providers

YEAR = 31_536_000  # seconds

Whole = Annotated[int, ReadBy(whole_number(1))]
Seconds = Annotated[float, ReadBy(any_number(above=0))]
Name = Annotated[str, ReadBy(fields.read_model_name)]
Fallbacks = Annotated[tuple[str, ...], ReadBy(fields.read_fallbacks)]
Patterns = Annotated[tuple[str, ...], ReadBy(unordered_list(fields.read_pattern))]
Texts = Annotated[tuple[str, ...], ReadBy(unordered_list(read_text))]
Preference = Annotated[str, ReadBy(fields.read_preference)]
Parameters = Annotated[Mapping[str, Any], ReadBy(fields.read_parameters)]
Each = Annotated[str, ReadBy(fields.read_each)]
Notify = Annotated[str, ReadBy(provider_fields.read_notify)]
OnFailure = Annotated[str, ReadBy(one_of("allow", "refuse"))]
Address = Annotated[str, ReadBy(provider_fields.read_address)]
Credential = Annotated[str, ReadBy(provider_fields.read_credential)]
Credentials = Annotated[tuple[str, ...], ReadBy(provider_fields.read_credentials)]
WeekdayAndHour = Annotated[tuple[str, int], ReadBy(fields.read_weekday_and_hour)]
ProviderId = Annotated[str, ReadBy(provider_fields.read_provider_id)]


class RouteRecord(Record):
    """Of those that match, the most specific applies. Its choice yields to a model that the request names."""

    model: Name | None = None
    prefer: Preference | None = None
    fallbacks: Fallbacks | None = None
    split: Annotated[tuple[Arm, ...], ReadBy(fields.read_split)] | None = None
    sticky: Annotated[str, ReadBy(fields.read_sticky)] | None = None
    override: Flag = False
    affinity: Annotated[str, ReadBy(one_of("session", "none"))] | None = None
    defaults: Parameters | None = None
    cap: Annotated[Mapping[str, Any], ReadBy(fields.read_cap)] | None = None
    allow_fields: Texts | None = None
    timeouts: Annotated[Mapping[str, float], ReadBy(fields.read_timeouts)] | None = None
    retries: Annotated[int, ReadBy(whole_number(0, 3))] | None = None
    hedge_after: Seconds | None = None
    retry_after_max: Annotated[float, ReadBy(any_number(0, 20))] | None = None
    recovery: Annotated[str, ReadBy(one_of("error", "resume", "buffer"))] | None = None
    set: Parameters | None = None

    @model_validator(mode="after")
    def _check_choice(self) -> RouteRecord:
        if self.model and self.split:
            raise InvalidRecord("split", "cannot be combined with `model`")
        if self.override and not (self.model or self.split):
            raise InvalidRecord("override", "needs `model` or `split`")
        return self

    @model_validator(mode="after")
    def _refuse_empty(self) -> RouteRecord:
        # A half-written record, saved too early, would take precedence over the routes after it.
        own = type(self).model_fields.keys() - Record.model_fields.keys() - {"override", "sticky"}
        if all(getattr(self, name) in (None, (), {}) for name in own):
            raise InvalidRecord("record", "has no effect: add `model`, `prefer`, `split`, `fallbacks`, ...")
        return self


class AccessRecord(EnforcedRecord):
    """Every record that applies must admit the model. `deny` takes precedence over `models`."""

    models: Patterns | None = None
    deny: Patterns | None = None


class LimitRecord(EnforcedRecord):
    """Every record that applies is counted separately."""

    requests: Whole | None = None
    tokens: Whole | None = None
    per: Annotated[str, ReadBy(one_of("minute", "hour", "day"))]
    each: Each | None = None
    on_store_failure: OnFailure = "allow"
    notify: Notify | None = None

    @model_validator(mode="after")
    def _check_count(self) -> LimitRecord:
        if (self.requests is None) == (self.tokens is None):
            raise InvalidRecord("requests", "a limit needs either `requests` or `tokens`")
        return self

    @property
    def unit(self) -> str:
        return "requests" if self.requests else "tokens"

    @property
    def amount(self) -> int:
        """The most requests or tokens of one window."""
        return self.requests or self.tokens or 0


class BudgetRecord(EnforcedRecord):
    """Every record that applies is counted separately."""

    usd: Annotated[Decimal, ReadBy(fields.read_dollars)]
    per: Annotated[str, ReadBy(one_of("day", "month"))]
    each: Each | None = None
    then: Annotated[Mapping[str, Any], ReadBy(fields.read_then)] | None = None
    on_store_failure: OnFailure = "refuse"
    notify: Notify | None = None

    @property
    def unit(self) -> str:
        return "usd"

    @property
    def amount(self) -> int:
        """The most nano-dollars of one window."""
        return int(self.usd * fields.NANO)


class AliasRecord(Record):
    """Looked up by `id`, a name for these models, which are tried in order."""

    scoped = False

    models: Annotated[tuple[str, ...], ReadBy(fields.read_alias_models)]

    @model_validator(mode="after")
    def _check_id(self) -> AliasRecord:
        read_at("id", fields.read_own_name, self.id)
        return self


class ProviderRecord(Record):
    """Looked up by id. It replaces the fields of a built-in provider of that id that are not None."""

    scoped = False

    dialect: Annotated[str, ReadBy(one_of(*DIALECTS))] | None = None
    base_url: Address | None = None
    credential: Credentials | None = None  # several are accounts, of which each has its cache and its limits
    auth: Annotated[str, ReadBy(one_of(*provider_fields.AUTH))] | None = None
    unlisted: Annotated[str, ReadBy(one_of("pass", "refuse"))] | None = None
    headers: Annotated[Mapping[str, str], ReadBy(provider_fields.read_headers)] | None = None
    quirks: Annotated[Mapping[str, Any], ReadBy(provider_fields.read_quirks)] | None = None

    @model_validator(mode="after")
    def _check_id(self) -> ProviderRecord:
        read_at("id", provider_fields.read_provider_id, self.id)
        return self


class ModelRecord(Record):
    """Looked up by id, `provider/name`; replaces a catalogue row. Prices: nano-dollars per million tokens.

    `like`: the catalogue's model of which this is another name; it supplies the fields that are None here.
    """

    scoped = False

    provider: ProviderId
    name: Annotated[str, ReadBy(fields.read_own_name)]
    like: Annotated[str, ReadBy(fields.read_catalog_id)] | None = None
    pool: Annotated[str, ReadBy(fields.read_pool)] | None = None
    context: Whole | None = None
    max_output: Whole | None = None
    price: Annotated[Mapping[str, Any], ReadBy(fields.read_price)] | None = None
    can: Annotated[tuple[str, ...], ReadBy(unordered_list(one_of(*fields.FEATURES)))] | None = None
    quality: Annotated[int, ReadBy(whole_number(1, 5))] | None = None
    auto: Flag = True

    @model_validator(mode="after")
    def _check_id(self) -> ModelRecord:
        if self.id != f"{self.provider}/{self.name}":
            raise InvalidRecord(
                "id", f"must be provider/name, `{self.provider}/{self.name}`, got {self.id!r}"
            )
        return self


class TestRecord(Record):
    """A test that the rule set carries. Each runs separately."""

    __test__: ClassVar[bool] = False  # pytest does not collect it
    scoped = False

    request: Annotated[Mapping[str, Any], ReadBy(fields.read_object)]
    as_: Annotated[Mapping[str, str], ReadBy(fields.read_caller)] | None = Field(default=None, alias="as")
    at: WeekdayAndHour = ("mon", 12)  # UTC
    expect: Annotated[Mapping[str, str], ReadBy(fields.read_expectations)]


class LogRecord(Record):
    """Of those that match, the most specific applies. `redact`: names of detectors, and patterns of words."""

    sample: Annotated[float, ReadBy(any_number(0, 1))]
    days: Annotated[int, ReadBy(log_fields.read_days)]
    redact: Annotated[tuple[str, ...], ReadBy(log_fields.read_redactions)] = ()


class CacheRecord(Record):
    """Of those that match, the most specific applies. What it has cached belongs to its `id`."""

    ttl: Annotated[float, ReadBy(any_number(1, YEAR))]


class McpRecord(Record):
    """A server of tools, looked up by id or url, and available within its scope. `tools`: patterns."""

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
