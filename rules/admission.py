"""Whether a model may answer a request, and why not: access, what it is able to do, its provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from rules.catalog.catalog import Catalog, Model
from rules.catalog.model_names import ModelNames, names_of
from rules.facts.facts import Facts
from rules.records.kinds import AccessRecord, BudgetRecord, LimitRecord

ACCESS, ABLE, AVAILABLE = "access", "able", "available"  # what a model was refused for


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveState:
    """What changes by the minute and what was measured: the only thing a decision knows of the world."""

    available: frozenset[str] = frozenset()  # providers that can be called
    unavailable: Mapping[str, str] = field(default_factory=dict)  # provider -> why not
    first_token: Mapping[str, float] = field(default_factory=dict)  # measured seconds, by candidate id
    cooling: Mapping[str, float] = field(
        default_factory=dict
    )  # candidate id -> seconds until it has its own place again
    stale: bool = False
    default_access: str = "allow"  # allow | deny: where no access record applies
    # Features a wire cannot represent, by provider, or by `provider surface:name` where models have a surface
    # of their own; with `n`, several choices are several calls.
    unsupported: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def unsupported_by(self, model: Model) -> frozenset[str]:
        """What the wire to this model cannot represent."""
        surface = next((rule for rule in model.rules if rule.startswith("surface:")), None)
        if surface and (own := self.unsupported.get(f"{model.provider} {surface}")) is not None:
            return own
        return self.unsupported.get(model.provider, frozenset())


class Need(NamedTuple):
    """Something a request asks of a model."""

    param: str  # the field of the request that asks for it
    words: str
    made_up: bool = False  # for a model without it the gateway finds another way
    place: Callable[[Facts], str | None] = lambda facts: None  # where in that field


NEEDS: Mapping[str, Need] = {
    "tools": Need("tools", "tools"),
    "images": Need("messages", "images"),
    "audio": Need("messages", "audio"),
    "files": Need("messages", "files"),
    "json_object": Need("response_format", "JSON output", made_up=True),
    "json_schema": Need("response_format", "JSON schemas", made_up=True),
    "reasoning": Need("reasoning_effort", "reasoning"),
    "urls": Need("messages", "content by its address", place=lambda facts: facts.url),
    "custom_tools": Need("tools", "custom tools"),
}
# No catalogue says these of a model: only a provider's row rules them out.
WIRE_ONLY = frozenset({"urls", "custom_tools"})


class Obstacle(NamedTuple):
    """What stands in a model's way. `code` and `param`: of the error, when the model was named."""

    stage: str  # ACCESS | ABLE | AVAILABLE
    why: str
    code: str = ""
    param: str | None = None


class Admission(NamedTuple):
    """Admits models to one request."""

    facts: Facts
    access: tuple[AccessRecord, ...]
    limits: tuple[LimitRecord, ...]
    budgets: tuple[BudgetRecord, ...]
    live: LiveState
    needs: tuple[str, ...]
    catalog: Catalog

    def obstacle(self, model: Model, asked: tuple[str, ...] = ()) -> Obstacle | None:
        """`asked`: the names that led to the model."""
        return next((found for check in CHECKS if (found := check(self, model, asked))), None)

    def allow_patterns(self) -> Iterator[str]:
        """The patterns of the key and of every access record in whose scope the request is."""
        yield from self.facts.key_models or ()
        yield from (pattern for record in self.access for pattern in record.models or ())

    def admits_by_name(self, id: str) -> bool:
        """True when a pattern without `*` is this id."""
        return any(pattern.lower() == id.lower() for pattern in self.allow_patterns())

    def second_best(self, model: Model) -> str | None:
        """Why a model that may answer is not one to choose unasked: nothing holds it to the answer's form."""
        for feature in self.needs:
            forced = feature == "json_schema" and _forced(self, model)
            if NEEDS[feature].made_up and not (forced or _has(self, model, feature)):
                return _lacking(self.facts, feature).why
        return None


def needs_of(facts: Facts) -> tuple[str, ...]:
    """Those of NEEDS that the request has."""
    asked = {
        "tools": facts.tools > 0,
        "images": facts.images > 0,
        "audio": facts.audio > 0,
        "files": facts.files > 0,
        "json_object": facts.json == "object",
        "json_schema": facts.json == "schema",
        "reasoning": facts.reasoning not in (None, "none"),
        "urls": facts.url is not None,
        "custom_tools": facts.custom_tools > 0,
    }
    return tuple(feature for feature in NEEDS if asked[feature])


def _admitted(admission: Admission, model: Model, asked: tuple[str, ...]) -> Obstacle | None:
    why = not_admitted(admission, model, asked)
    return Obstacle(ACCESS, why, "model_not_allowed", "model") if why else None


def not_admitted(admission: Admission, model: Model, asked: tuple[str, ...] = ()) -> str | None:
    """Why the access records, the key's own list or the default do not let the key use this model."""
    key_models = admission.facts.key_models
    if not admission.access and key_models is None and model.listed:
        return "no access record admits it" if admission.live.default_access == "deny" else None
    names = names_of(model, admission.catalog, asked)
    applying = [record for record in admission.access if record.holds_for(admission.facts, names.every)]
    for record in applying:
        if record.deny and names.denied_by(record.deny):
            return f"denied by access {record.id}"
        if record.models is not None and not names.admitted_by(record.models):
            return f"not admitted by access {record.id}"
    if key_models is not None and not names.admitted_by(key_models):
        return "not among the models of this key"
    if admission.live.default_access == "deny" and not applying and key_models is None:
        return "no access record admits it"
    return None if model.listed else _not_admitted_unlisted(admission, names)


def _not_admitted_unlisted(admission: Admission, names: ModelNames) -> str | None:
    """Refuses an unlisted model where a record may mean it or its cost counts, unless a pattern is its id."""
    if names.named_by(admission.allow_patterns()):
        return None
    barring = (
        *(record for record in admission.access if record.deny or record.asks_model),
        *(record for record in admission.limits if record.asks_model),
        *admission.budgets,
    )
    why = "only a pattern without `*` that names it admits it"
    return f"not in the catalogue, and {barring[0].kind} {barring[0].id} applies: {why}" if barring else None


def _able(admission: Admission, model: Model, _asked: tuple[str, ...]) -> Obstacle | None:
    tokens = admission.facts.input_tokens - admission.facts.pages  # a provider says itself what is too long
    if model.context is not None and tokens > model.context:
        why = f"context is {model.context} tokens"
        return Obstacle(ABLE, why, "context_length_exceeded", "messages")
    for feature in admission.needs:
        if not (NEEDS[feature].made_up or _has(admission, model, feature)):
            return _lacking(admission.facts, feature)
    return None


def _lacking(facts: Facts, feature: str) -> Obstacle:
    need = NEEDS[feature]
    param = need.place(facts) or need.param
    return Obstacle(ABLE, f"does not support {need.words}", "unsupported_parameter", param)


def _has(admission: Admission, model: Model, feature: str) -> bool:
    if feature in admission.live.unsupported_by(model):
        return False
    return feature in model.can or feature in WIRE_ONLY or _implied(feature, model)


def _implied(feature: str, model: Model) -> bool:
    return feature == "json_object" and "json_schema" in model.can


def _forced(admission: Admission, model: Model) -> bool:
    """Whether it can be forced to call a tool of ours."""
    wire = admission.live.unsupported_by(model)
    rules = {rule.partition(":")[0] for rule in model.rules}
    able = (
        "tools" in model.can and wire.isdisjoint({"tools", "forced_tool"}) and "no_forced_tool" not in rules
    )
    return able and admission.facts.tools == 0


def _available(admission: Admission, model: Model, _asked: tuple[str, ...]) -> Obstacle | None:
    live = admission.live
    if model.provider in live.available:
        return None
    return Obstacle(
        AVAILABLE, live.unavailable.get(model.provider, f"provider {model.provider} is not set up")
    )


CHECKS: tuple[Callable[[Admission, Model, tuple[str, ...]], Obstacle | None], ...] = (
    _admitted,
    _able,
    _available,
)
