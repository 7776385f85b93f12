"""Decides whether a model may answer a request: access, capability, availability; with the reason if not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from rules.catalog.catalog import Catalog, Model
from rules.catalog.model_names import ModelNames, names_of
from rules.facts.facts import Facts
from rules.frozen import Frozen
from rules.records.kinds import AccessRecord, BudgetRecord, LimitRecord

ACCESS, CAPABILITY, AVAILABILITY = "access", "capability", "availability"  # the checks, in this order


class LiveState(Frozen):
    """The state of the gateway at this moment, and its measurements: a decision's only view of the world."""

    available: frozenset[str] = frozenset()  # providers that can be called
    unavailable: Mapping[str, str] = {}  # by provider, the reason
    first_token: Mapping[str, float] = {}  # by candidate id, seconds as measured
    cooling: Mapping[str, float] = {}  # by candidate key, seconds until it is retried
    # By provider with several credentials, the names of those that can be used.
    accounts: Mapping[str, tuple[str, ...]] = {}
    stale: bool = False
    default_access: str = "allow"  # allow | deny: where no access record applies
    # By provider, or by `provider surface:name` for a surface of its own, the features that the wire format
    # cannot represent. `n`: several choices are several calls.
    unsupported: Mapping[str, frozenset[str]] = {}

    def unsupported_by(self, model: Model) -> frozenset[str]:
        """Return the features that the wire format of this model cannot represent."""
        surface = next((rule for rule in model.rules if rule.startswith("surface:")), None)
        if surface and (features := self.unsupported.get(f"{model.provider} {surface}")) is not None:
            return features
        return self.unsupported.get(model.provider, frozenset())


class Requirement(NamedTuple):
    """A feature that a request can require of a model."""

    param: str  # the field of the request that requires it
    description: str
    emulated: bool = False  # the gateway emulates it for models without it
    path: Callable[[Facts], str | None] = lambda facts: None  # of the exact place in the request


REQUIREMENTS: Mapping[str, Requirement] = {
    "tools": Requirement("tools", "tools"),
    "images": Requirement("messages", "images"),
    "audio": Requirement("messages", "audio"),
    "files": Requirement("messages", "files"),
    "json_object": Requirement("response_format", "JSON output", emulated=True),
    "json_schema": Requirement("response_format", "JSON schemas", emulated=True),
    "reasoning": Requirement("reasoning_effort", "reasoning"),
    "urls": Requirement("messages", "content given by URL", path=lambda facts: facts.linked_part),
    "custom_tools": Requirement("tools", "custom tools"),
}
# Features that are properties of a wire format, not of a model.
WIRE_FEATURES = frozenset({"urls", "custom_tools"})


class Obstacle(NamedTuple):
    """The reason why a model cannot answer. `code` and `param`: of the error, if the request named it."""

    check: str  # ACCESS | CAPABILITY | AVAILABILITY
    why: str
    code: str = ""
    param: str | None = None


class Admission(NamedTuple):
    """Checks models for one request."""

    facts: Facts
    access: tuple[AccessRecord, ...]
    limits: tuple[LimitRecord, ...]
    budgets: tuple[BudgetRecord, ...]
    live: LiveState
    requirements: tuple[str, ...]
    catalog: Catalog

    def obstacle(self, model: Model, names: tuple[str, ...] = ()) -> Obstacle | None:
        """Return why the model cannot answer, or None if it can. `names`: those that led to the model."""
        return next((obstacle for check in CHECKS if (obstacle := check(self, model, names))), None)

    def may_use(self, model: Model, names: tuple[str, ...] = ()) -> bool:
        """Return True if the key may use the model, in another request if not in this one."""
        return not (_check_access(self, model, names) or _check_availability(self, model, names))

    def allow_patterns(self) -> Iterator[str]:
        """Yield the patterns of the key, and of every access record that applies."""
        yield from self.facts.key_models or ()
        yield from (pattern for record in self.access for pattern in record.models or ())

    def is_admitted_by_id(self, id: str) -> bool:
        """Return True if a pattern without `*` is this id."""
        return any(pattern.lower() == id.lower() for pattern in self.allow_patterns())

    def not_auto_selectable(self, model: Model) -> str | None:
        """Return why automatic selection skips this model: its provider cannot enforce the output format."""
        for feature in self.requirements:
            enforced = _supports(self, model, feature) or (
                feature == "json_schema" and _can_force_tool(self, model)
            )
            if REQUIREMENTS[feature].emulated and not enforced:
                return _unsupported(self.facts, feature).why
        return None


def required_features(facts: Facts) -> tuple[str, ...]:
    required = {
        "tools": facts.tools > 0,
        "images": facts.images > 0,
        "audio": facts.audio > 0,
        "files": facts.files > 0,
        "json_object": facts.json == "object",
        "json_schema": facts.json == "schema",
        # The agents that use other formats ask for it in every request: there it is only a wish.
        "reasoning": facts.reasoning not in (None, "none") and facts.dialect == "openai",
        "urls": facts.linked_part is not None,
        "custom_tools": facts.custom_tools > 0,
    }
    return tuple(feature for feature in REQUIREMENTS if required[feature])


def _check_access(admission: Admission, model: Model, names: tuple[str, ...]) -> Obstacle | None:
    why = _access_denial(admission, model, names)
    return Obstacle(ACCESS, why, "model_not_allowed", "model") if why else None


def _access_denial(admission: Admission, model: Model, requested: tuple[str, ...]) -> str | None:
    """Return why the access records, the patterns of the key or the default do not admit the model."""
    key_models = admission.facts.key_models
    if not admission.access and key_models is None and model.listed:
        return "no access record admits it" if admission.live.default_access == "deny" else None
    names = names_of(model, admission.catalog, requested)
    applying = [record for record in admission.access if record.holds_for(admission.facts, names.all)]
    for record in applying:
        if record.deny and names.is_denied_by(record.deny):
            return f"denied by access {record.id}"
        if record.models is not None and not names.is_admitted_by(record.models):
            return f"not admitted by access {record.id}"
    if key_models is not None and not names.is_admitted_by(key_models):
        return "not among the models of this key"
    if admission.live.default_access == "deny" and not applying and key_models is None:
        return "no access record admits it"
    return None if model.listed else _unlisted_denial(admission, names)


def _unlisted_denial(admission: Admission, names: ModelNames) -> str | None:
    """Return why an unlisted model is denied: no pattern is its id, and a record may mean it."""
    if names.is_named_by(admission.allow_patterns()):
        return None
    records = (
        *(record for record in admission.access if record.deny or record.depends_on_model),
        *(record for record in admission.limits if record.depends_on_model),
        *admission.budgets,
    )
    if not records:
        return None
    applies = f"{records[0].kind} {records[0].id} applies"
    return f"not in the catalogue, and {applies}: only a pattern without `*` that names it admits it"


def _check_operation(admission: Admission, model: Model, _names: tuple[str, ...]) -> Obstacle | None:
    operation, operations = admission.facts.operation, model.operations
    if operation == "chat" in operations and "chat" not in admission.live.unsupported.get(model.provider, ()):
        return None  # of most requests
    missing = admission.live.unsupported_by(model)
    takes_prompts = operation == "completion" and operations == {"chat"} and "prompts" not in missing
    if operation not in operations and not takes_prompts:
        why = f"it does {' and '.join(sorted(operations))}, not {operation}"
    elif operation in missing:
        why = f"{model.provider} has no {operation} that the gateway can ask for"
    else:
        return None
    return Obstacle(CAPABILITY, why, "unsupported_operation", "model")


def _check_capability(admission: Admission, model: Model, _names: tuple[str, ...]) -> Obstacle | None:
    tokens = admission.facts.input_tokens - admission.facts.document_tokens  # the provider counts documents
    # Of a list of texts, each has the whole window for itself.
    one_text = admission.facts.operation in ("chat", "completion")
    if one_text and model.context is not None and tokens > model.context:
        why = f"context is {model.context} tokens"
        param = "messages" if admission.facts.operation == "chat" else "prompt"
        return Obstacle(CAPABILITY, why, "context_length_exceeded", param)
    for feature in admission.requirements:
        if not (REQUIREMENTS[feature].emulated or _supports(admission, model, feature)):
            return _unsupported(admission.facts, feature)
    return None


def _unsupported(facts: Facts, feature: str) -> Obstacle:
    requirement = REQUIREMENTS[feature]
    param = requirement.path(facts) or requirement.param
    why = f"does not support {requirement.description}"
    return Obstacle(CAPABILITY, why, "unsupported_parameter", param)


def _supports(admission: Admission, model: Model, feature: str) -> bool:
    if feature in admission.live.unsupported_by(model):
        return False
    implied = feature == "json_object" and "json_schema" in model.can
    return feature in model.can or feature in WIRE_FEATURES or implied


def _can_force_tool(admission: Admission, model: Model) -> bool:
    """Return True if the model can be forced to call a tool that the gateway adds."""
    unsupported = admission.live.unsupported_by(model)
    rules = {rule.partition(":")[0] for rule in model.rules}
    can_force = (
        "tools" in model.can
        and unsupported.isdisjoint({"tools", "forced_tool"})
        and "no_forced_tool" not in rules
    )
    return can_force and admission.facts.tools == 0


def _check_availability(admission: Admission, model: Model, _names: tuple[str, ...]) -> Obstacle | None:
    live = admission.live
    if model.provider in live.available:
        return None
    why = live.unavailable.get(model.provider, f"provider {model.provider} is not set up")
    return Obstacle(AVAILABILITY, why)


CHECKS: tuple[Callable[[Admission, Model, tuple[str, ...]], Obstacle | None], ...] = (
    _check_access,
    _check_operation,
    _check_capability,
    _check_availability,
)
