"""Finds readable records without effect: they never apply, or name an unknown model or key.

A set with warnings is valid. `rules check` and `rules push` print the warnings; /health and a local run show
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, NamedTuple

from rules.catalog.catalog import PROVIDERS, Catalog, load_catalog
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
from rules.review.known_names import MAX_COMPARED, KnownNames
from rules.review.order import hidden_records
from rules.ruleset import RuleSet, goes_first

MAX_WARNINGS = 1_000  # of a set
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
    """Return the warnings of enabled records, at most MAX_WARNINGS.

    catalog: with the set's records. keys: None if unknown.
    """
    providers = frozenset(record.id for record in ruleset.enabled("provider"))
    known = KnownNames(ruleset.resolver(catalog), providers)
    found = chain(_find_hidden(ruleset), _find_in_records(ruleset, known, keys))
    return tuple(islice(found, MAX_WARNINGS))


def _find_in_records(ruleset: RuleSet, known: KnownNames, keys: KnownKeys | None) -> Iterator[RuleWarning]:
    for record in (each for each in ruleset.records if each.enabled):
        problems = chain(
            _check_conditions(record),
            _check_models(record, known),
            _check_patterns(record, known),
            _check_price(record),
            _check_limit(record),
            _check_scope(record, keys) if keys else (),
        )
        for field, problem in problems:
            yield RuleWarning(record.kind, record.id, field, problem)
    if known.is_full:
        why = f"the set has more than {MAX_COMPARED} names and patterns of models: not all were looked up"
        yield RuleWarning(ruleset.records[-1].kind, ruleset.records[-1].id, "record", why)


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


def _check_models(record: Record, known: KnownNames) -> Iterator[FieldProblem]:
    if isinstance(record, ModelRecord) and record.like and load_catalog().find(record.like) is None:
        yield "like", f"the catalogue has no model {record.like!r}"
    if isinstance(record, ModelRecord) and record.provider not in PROVIDERS | known.providers:
        yield "provider", f"no built-in provider and no provider record is called {record.provider!r}"
    member = isinstance(record, AliasRecord)
    for field, name in models_named_in(record):
        yield from ((field, why) for why in known.model_problems(name, member=member))


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


def _check_patterns(record: Record, known: KnownNames) -> Iterator[FieldProblem]:
    if isinstance(record, AccessRecord):
        for pattern in record.models or ():
            yield from (("models", why) for why in known.pattern_problems(pattern, admits=True))
        for pattern in record.deny or ():
            yield from (("deny", why) for why in known.pattern_problems(pattern, admits=False))
    for condition in record.when:
        if condition.fact == "model" and condition.op != "contains":
            for text in _as_tuple(condition.value):
                if isinstance(text, str):
                    yield from (("when.model", why) for why in known.pattern_problems(text, admits=False))


def check_patterns(patterns: Iterable[str], ruleset: RuleSet, catalog: Catalog) -> Iterator[str]:
    """Yield a problem for each pattern of a key that matches no model. `catalog`: with the set's records."""
    known = KnownNames(ruleset.resolver(catalog))
    for pattern in patterns:
        yield from known.pattern_problems(pattern, admits=True)


def _check_scope(record: Record, keys: KnownKeys) -> Iterator[FieldProblem]:
    known = {"key": ("with the id", keys.ids), "project": ("of project", keys.projects)}
    for field, (description, existing) in known.items():
        for name in getattr(record.scope, field) or ():
            if name not in existing:
                yield f"scope.{field}", f"there is no key {description} {name!r}"
