"""Finds readable records without effect: they never apply, or name an unknown model or key.

A set with warnings is valid. `rules check` and `rules push` print the warnings; /health and a local run show
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from rules.catalog.catalog import PROVIDERS, SYNONYMS, Catalog, Model, load_catalog
from rules.catalog.model_names import ModelNames, names_of
from rules.catalog.name_resolution import NameResolver, is_valid_name
from rules.catalog.suggestions import intended_id, similar_names
from rules.facts.facts import fact_type
from rules.preference import RESERVED_OUTPUT
from rules.records.base import EnforcedRecord, Record
from rules.records.conditions import Condition
from rules.records.kinds import (
    AccessRecord,
    AliasRecord,
    BudgetRecord,
    LimitRecord,
    McpRecord,
    ModelRecord,
    RouteRecord,
)
from rules.records.patterns import compile_pattern
from rules.review.order import hidden_records
from rules.ruleset import RuleSet, goes_first

MAX_HINTS = 20  # of a set: each takes two milliseconds
# Nano-dollars per million tokens, of a plausible price that is not 0: $0.001 and $5000.
LOWEST_PRICE, HIGHEST_PRICE = 10**6, 5000 * 10**9


class RuleWarning(NamedTuple):
    """`str(warning)`: "access/eu: `deny`: no model matches 'opneai/*'"."""

    kind: str
    id: str
    field: str  # "record": the record as a whole
    problem: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.id}: `{self.field}`: {self.problem}"


class KnownKeys(NamedTuple):
    """The ids of keys and the projects that exist."""

    ids: frozenset[str]
    projects: frozenset[str]

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]]) -> KnownKeys:
        items = list(records)
        return cls(
            ids=frozenset(str(item.get("id")) for item in items),
            projects=frozenset(str(item.get("project", "default")) for item in items),
        )


def find_warnings(
    ruleset: RuleSet, catalog: Catalog, keys: KnownKeys | None = None
) -> tuple[RuleWarning, ...]:
    """Return the warnings of enabled records. `catalog`: with the set's records. `keys`: None if unknown."""
    providers = frozenset(record.id for record in ruleset.enabled("provider"))
    known = _KnownNames(ruleset.resolver(catalog), providers)
    warnings = [*_find_hidden(ruleset)]
    for record in (each for each in ruleset.records if each.enabled):
        problems = [
            *_check_conditions(record),
            *_check_models(record, known),
            *_check_patterns(record, known),
            *_check_price(record),
            *_check_limit(record),
        ]
        problems += _check_scope(record, keys) if keys else ()
        warnings += [RuleWarning(record.kind, record.id, field, problem) for field, problem in problems]
    return tuple(warnings)


FieldProblem = tuple[str, str]


def _find_hidden(ruleset: RuleSet) -> Iterator[RuleWarning]:
    for record, first in hidden_records(ruleset):
        why = f"never applies: {goes_first(first, record)} and applies wherever this one does"
        yield RuleWarning(record.kind, record.id, "record", why)


def _check_conditions(record: Record) -> Iterator[FieldProblem]:
    if isinstance(record, AccessRecord) and record.models is None and record.deny is None:
        yield "record", "has no effect: add `models` or `deny`"
    by_fact: dict[str, list[Condition]] = {}
    for condition in record.when:
        by_fact.setdefault(condition.fact, []).append(condition)
    for fact, conditions in by_fact.items():
        values = _possible_values(fact, conditions, record)
        if values is not None and not any(_all_hold(conditions, value) for value in values):
            where = " in this scope" if getattr(record.scope, fact, None) else ""
            yield f"when.{fact}", f"never holds: {' and '.join(map(str, conditions))}{where}"


def _all_hold(conditions: Iterable[Condition], value: Any) -> bool:
    return all(condition.holds_for(value) for condition in conditions)


def _possible_values(fact: str, conditions: list[Condition], record: Record) -> Iterable[Any] | None:
    """Return values of the fact that meet the conditions if any value does; None: they cannot be listed."""
    if names := getattr(record.scope, fact, None):
        return tuple(names)
    type_ = fact_type(fact)
    if type_ is None or (
        fact == "model" and isinstance(record, EnforcedRecord)
    ):  # it has several names at once
        return None
    absent = (None,) if any(each.op == "exists" for each in conditions) and _may_be_absent(fact) else ()
    if type_.kind == "flag":
        return True, False
    if type_.choices:
        return *type_.choices, *absent
    operands = [value for each in conditions for value in _as_tuple(each.value)]
    if type_.kind in ("count", "number"):
        bounds = (value for value in (0, type_.maximum, *operands) if value is not None)
        edges = {edge for bound in bounds for edge in (bound - 1, bound, bound + 1)}
        return *(edge for edge in edges if 0 <= edge <= (type_.maximum or edge)), *absent
    exact = [each for each in conditions if each.op in ("is", "in")]
    texts = [value for each in exact for value in _as_tuple(each.value)]
    without_patterns = texts and all(isinstance(text, str) and "*" not in text for text in texts)
    return (*texts, *absent) if without_patterns else None


def _may_be_absent(fact: str) -> bool:
    return "." in fact or fact in ("model", "function", "user", "json", "reasoning", "max_tokens")


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def models_named_in(record: Record) -> Iterator[tuple[str, str]]:
    """Yield the names of models in a record, each after its field."""
    if isinstance(record, RouteRecord):
        yield from (("model", name) for name in (record.model,) if name)
        yield from (("fallbacks", name) for name in record.fallbacks or ())
        yield from (("split", arm.model) for arm in record.split or ())
    elif isinstance(record, AliasRecord):
        yield from (("models", name) for name in record.models)
    elif isinstance(record, BudgetRecord) and record.then and "model" in record.then:
        yield "then.model", record.then["model"]


def _check_models(record: Record, known: _KnownNames) -> Iterator[FieldProblem]:
    names = known.names
    if isinstance(record, ModelRecord) and record.like and load_catalog().find(record.like) is None:
        yield "like", f"the catalogue has no model {record.like!r}"
    if isinstance(record, ModelRecord) and record.provider not in PROVIDERS | known.providers:
        yield "provider", f"no built-in provider and no provider record is called {record.provider!r}"
    resolve = names.resolve_member if isinstance(record, AliasRecord) else names.resolve
    for field, name in models_named_in(record):
        resolved = resolve(name) if is_valid_name(name) else None
        if resolved and (close := known.intended_id(resolved.models)):
            yield field, f"the catalogue does not list {name!r}, did you mean {close}?"
        elif resolved is None and is_valid_name(name):
            nested = ", and an alias may not name another" if name.lower() in names.aliases else ""
            yield field, f"there is no model {name!r}{nested or known.suggest(name)}"


def _check_price(record: Record) -> Iterator[FieldProblem]:
    """Find prices that are probably of a token, or of another number of tokens than a million."""
    price = record.price if isinstance(record, ModelRecord) and record.price else {}
    tiers = ((f"price.tiers[{at}].", tier) for at, tier in enumerate(price.get("tiers", ())))
    for path, prices in (("price.", price), *tiers):
        for part, nano in prices.items():
            if part in ("tiers", "service", "above"):
                continue
            if 0 < nano < LOWEST_PRICE:
                yield path + part, "is below $0.001 per million tokens: is it the price of one token?"
            elif nano > HIGHEST_PRICE:
                yield path + part, "is above $5000 per million tokens: prices are dollars per million tokens"


def _check_limit(record: Record) -> Iterator[FieldProblem]:
    """Find limits that refuse most requests, and addresses that nothing is sent to."""
    if isinstance(record, LimitRecord) and record.tokens and record.tokens <= RESERVED_OUTPUT:
        yield (
            "tokens",
            f"refuses requests that do not limit their output: each reserves {RESERVED_OUTPUT} and its input",
        )
    if isinstance(record, LimitRecord | BudgetRecord) and (record.notify or "").startswith("http:"):
        yield "notify", "is not https, so alerts are sent only where SLUICE_PRIVATE_UPSTREAMS is set"
    if isinstance(record, McpRecord) and record.url.startswith("http:"):
        yield "url", "is not https, so its tools are run only where SLUICE_PRIVATE_UPSTREAMS is set"


class _KnownNames:
    """The names that patterns are compared with, collected when needed. `providers`: those with a record."""

    def __init__(self, names: NameResolver, providers: frozenset[str] = frozenset()) -> None:
        self.names, self.providers = names, providers
        self._hints_left = MAX_HINTS

    def suggest(self, name: str) -> str:
        self._hints_left -= 1
        if self._hints_left < 0:
            return ""
        close = similar_names(name, self.names.catalog.all(), self.names.aliases)
        return f", did you mean {' or '.join(close)}?" if close else ""

    def intended_id(self, models: Iterable[Model]) -> str:
        """Return the listed id that an unlisted one of these models probably misspells, or ""."""
        unlisted = [model for model in models if not model.listed]
        self._hints_left -= len(unlisted)
        catalog = self.names.catalog.all() if self._hints_left >= 0 else ()
        return next((close for model in unlisted if (close := intended_id(model, catalog))), "")

    @cached_property
    def admittable(self) -> frozenset[str]:
        return frozenset().union(*(names.version_ids | names.listed_pools for names in self._model_names))

    @cached_property
    def all(self) -> frozenset[str]:
        return frozenset().union(*(names.all for names in self._model_names), self.names.aliases)

    @cached_property
    def _model_names(self) -> list[ModelNames]:
        return [names_of(model, self.names.catalog) for model in self.names.catalog.all()]

    def lists_no_model(self, pattern: str) -> bool:
        """Return True for a provider without models in the catalogue, such as a local server."""
        provider, slash, _ = pattern.partition("/")
        known = SYNONYMS.get(provider, provider)
        return bool(slash) and known in self.names.catalog.providers and not _matches(f"{known}/*", self.all)


def _check_patterns(record: Record, known: _KnownNames) -> Iterator[FieldProblem]:
    if isinstance(record, AccessRecord):
        for pattern in record.models or ():
            yield from (("models", why) for why in _check_pattern(pattern, known, admits=True))
        for pattern in record.deny or ():
            yield from (("deny", why) for why in _check_pattern(pattern, known, admits=False))
    for condition in record.when:
        if condition.fact == "model" and condition.op != "contains":
            for text in _as_tuple(condition.value):
                if isinstance(text, str):
                    yield from (("when.model", why) for why in _check_pattern(text, known, admits=False))


def _check_pattern(pattern: str, known: _KnownNames, *, admits: bool) -> Iterator[str]:
    """`admits`: the pattern is of `models`, and is compared with fewer names."""
    low = pattern.lower()
    if _matches(low, known.admittable if admits else known.all) or known.lists_no_model(low):
        return
    resolved = known.names.resolve(pattern) if "*" not in pattern else None
    if resolved and resolved.kind == "alias" and admits:
        yield f"{pattern!r} is an alias: use patterns of its members"
    elif resolved and all(model.listed for model in resolved.models):  # `deny` matches a retired name
        if admits:
            yield f"{pattern!r} is retired: use a pattern of its successor {resolved.models[0].id}"
    elif resolved and admits and (close := known.intended_id(resolved.models)):
        yield f"the catalogue does not list {pattern!r}, did you mean {close}?"
    elif resolved is None or not admits:
        yield f"no model in the catalogue matches {pattern!r}{known.suggest(pattern)}"


def check_patterns(patterns: Iterable[str], ruleset: RuleSet, catalog: Catalog) -> Iterator[str]:
    """Yield a problem for each pattern of a key that matches no model. `catalog`: with the set's records."""
    known = _KnownNames(ruleset.resolver(catalog))
    for pattern in patterns:
        yield from _check_pattern(pattern, known, admits=True)


def _matches(pattern: str, names: frozenset[str]) -> bool:
    if "*" not in pattern:
        return pattern in names
    test, is_id = compile_pattern(pattern), "/" in pattern
    return any(test(name) for name in names if ("/" in name) is is_id)


def _check_scope(record: Record, keys: KnownKeys) -> Iterator[FieldProblem]:
    known = {"key": ("with the id", keys.ids), "project": ("of project", keys.projects)}
    for field, (description, existing) in known.items():
        for name in getattr(record.scope, field) or ():
            if name not in existing:
                yield f"scope.{field}", f"there is no key {description} {name!r}"
