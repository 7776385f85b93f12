"""The kinds of records in the Rules table, one class each (contract, section 5).

Each class states how several records of its kind combine. An absent optional field is None: `models=None`
means all models, `models=()` none. `rules.reading.records` makes the records.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from rules.catalog.price import NANO
from rules.errors import InvalidRecord
from rules.frozen import Frozen
from rules.records.base import EnforcedRecord, Record

if TYPE_CHECKING:
    from decimal import Decimal
    from typing import Annotated

    from rules.reading import fields, log_fields, provider_fields
    from rules.reading.coercion import any_number, one_of, unordered_list, whole_number
    from rules.reading.field_types import (
        Address,
        Credential,
        Credentials,
        Each,
        Fallbacks,
        Flag,
        Name,
        Notify,
        OnFailure,
        Parameters,
        Patterns,
        Preference,
        ProviderId,
        ReadBy,
        Seconds,
        Texts,
        WeekdayAndHour,
        Whole,
    )

DIALECTS = ("openai", "anthropic", "google", "bedrock", "responses")  # the wire formats of providers

# How a provider is authenticated: `Authorization: Bearer`, a header that holds the credential alone, AWS's
# signature, or not at all.
AUTH = ("bearer", "x-api-key", "x-goog-api-key", "api-key", "sigv4", "none")

YEAR = 31_536_000  # seconds


class Arm(Frozen, kw_only=False):
    """One arm of a split. Weights are relative to each other."""

    model: str
    weight: float


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

    def check(self) -> None:
        if self.model and self.split:
            raise InvalidRecord("split", "cannot be combined with `model`")
        if self.override and not (self.model or self.split):
            raise InvalidRecord("override", "needs `model` or `split`")
        # A half-written record, saved too early, would take precedence over the routes after it.
        own = {*self.field_names} - {*Record.field_names, "override", "sticky"}
        if all(getattr(self, name) in (None, (), {}) for name in own):
            raise InvalidRecord("record", "has no effect: add `model`, `prefer`, `split`, `fallbacks`, ...")


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

    def check(self) -> None:
        super().check()
        if (self.requests is None) == (self.tokens is None):
            raise InvalidRecord("requests", "a limit needs either `requests` or `tokens`")

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
        return int(self.usd * NANO)


class AliasRecord(Record):
    """Looked up by `id`, a name for these models, which are tried in order."""

    scoped = False

    models: Annotated[tuple[str, ...], ReadBy(fields.read_alias_models)]


class ProviderRecord(Record):
    """Looked up by id. It replaces the fields of a built-in provider of that id that are not None."""

    scoped = False

    dialect: Annotated[str, ReadBy(one_of(*DIALECTS))] | None = None
    base_url: Address | None = None
    credential: Credentials | None = None  # several are accounts, of which each has its cache and its limits
    auth: Annotated[str, ReadBy(one_of(*AUTH))] | None = None
    unlisted: Annotated[str, ReadBy(one_of("pass", "refuse"))] | None = None
    headers: Annotated[Mapping[str, str], ReadBy(provider_fields.read_headers)] | None = None
    quirks: Annotated[Mapping[str, Any], ReadBy(provider_fields.read_quirks)] | None = None


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

    def check(self) -> None:
        if self.id != f"{self.provider}/{self.name}":
            raise InvalidRecord(
                "id", f"must be provider/name, `{self.provider}/{self.name}`, got {self.id!r}"
            )


class TestRecord(Record):
    """A test that the rule set carries. Each runs separately."""

    __test__: ClassVar[bool] = False  # pytest does not collect it
    scoped = False

    request: Annotated[Mapping[str, Any], ReadBy(fields.read_object)]
    as_: Annotated[Mapping[str, str], ReadBy(fields.read_caller)] | None = None  # the field `as`
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
