"""Warns of readable records that do nothing: they never apply, or name no model or no key.

A set with warnings is valid. `rules check` and `rules push` print them, /health and a local run show them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from rules.catalog.catalog import PROVIDERS, SYNONYMS, Catalog, Model, load_catalog
from rules.catalog.model_names import names_of
from rules.catalog.names import Names, is_valid_name
from rules.catalog.suggestions import misspelt, near
from rules.facts.facts import sort_of
from rules.records.base import Enforced, Record
from rules.records.conditions import Condition
from rules.records.kinds import AccessRecord, AliasRecord, BudgetRecord, ModelRecord, RouteRecord
from rules.records.patterns import compile_pattern
from rules.ruleset import RuleSet, goes_first

MOST_HINTS = 20


class RuleWarning(NamedTuple):
    """`str(finding)`: "access/eu: `deny`: no model is like 'opneai/*'"."""

    kind: str
    id: str
    field: str  # "record": the whole of it
    problem: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.id}: `{self.field}`: {self.problem}"


class KnownKeys(NamedTuple):
    """The keys and projects that exist, which a scope may name."""

    ids: frozenset[str]
    projects: frozenset[str]

    @classmethod
    def of(cls, records: Iterable[Mapping[str, Any]]) -> KnownKeys:
        """Collects them from key records."""
        items = list(records)
        return cls(
            ids=frozenset(str(item.get("id")) for item in items),
            projects=frozenset(str(item.get("project", "default")) for item in items),
        )


def find_warnings(
    ruleset: RuleSet, catalog: Catalog, keys: KnownKeys | None = None
) -> tuple[RuleWarning, ...]:
    """Warns of the enabled records. `catalog`: with the set's records; `keys`: None where nobody knows."""
    known = _Known(ruleset.names(catalog), frozenset(record.id for record in ruleset.enabled("provider")))
    found = [*_hidden(ruleset)]
    for record in (each for each in ruleset.records if each.enabled):
        lines = [*_contradictions(record), *_models(record, known), *_patterns(record, known)]
        lines += _scope(record, keys) if keys else ()
        found += [RuleWarning(record.kind, record.id, field, problem) for field, problem in lines]
    return tuple(found)


Line = tuple[str, str]  # a field and its problem


def _hidden(ruleset: RuleSet) -> Iterator[RuleWarning]:
    """Finds records of which only the most specific one applies, and that another one always precedes."""
    numbers: dict[Condition, int] = {}  # sets of numbers are compared faster
    for kind in ("route", "log", "cache"):
        records = [
            (record, frozenset(numbers.setdefault(each, len(numbers)) for each in record.when))
            for record in ruleset.enabled(kind)
        ]
        for place, (record, asked) in enumerate(records):
            for first, less in records[:place]:
                if less <= asked and first.scope.includes(record.scope):
                    why = f"never applies: {goes_first(first, record)} and applies wherever this one does"
                    yield RuleWarning(kind, record.id, "record", why)
                    break


def _contradictions(record: Record) -> Iterator[Line]:
    """Finds what is wrong with a record by itself."""
    if isinstance(record, AccessRecord) and record.models is None and record.deny is None:
        yield "record", "says nothing: give it `models` or `deny`"
    asked: dict[str, list[Condition]] = {}
    for condition in record.when:
        asked.setdefault(condition.fact, []).append(condition)
    for fact, conditions in asked.items():
        values = _values(fact, conditions, record)
        if values is not None and not any(_hold(conditions, value) for value in values):
            yield f"when.{fact}", f"never holds: {' and '.join(map(str, conditions))}{_in(record, fact)}"


def _hold(conditions: Iterable[Condition], value: Any) -> bool:
    return all(condition.holds_of(value) for condition in conditions)


def _in(record: Record, fact: str) -> str:
    return " in this scope" if getattr(record.scope, fact, None) else ""


def _values(fact: str, conditions: list[Condition], record: Record) -> Iterable[Any] | None:
    """Values of the fact, one of which would meet the conditions if any did; None: they cannot be listed."""
    if named := getattr(record.scope, fact, None):
        return tuple(named)
    sort = sort_of(fact)
    if sort is None or (fact == "model" and isinstance(record, Enforced)):  # all of its names at once
        return None
    absent = (None,) if any(each.op == "exists" for each in conditions) and _may_be_absent(fact) else ()
    if sort.type == "flag":
        return True, False
    if sort.choices:
        return *sort.choices, *absent
    asked = [value for each in conditions for value in _listed(each.value)]
    if sort.type in ("count", "number"):
        edges = {edge for value in (0, sort.high, *asked) if value is not None for edge in _around(value)}
        return *(edge for edge in edges if 0 <= edge <= (sort.high or edge)), *absent
    exact = [each for each in conditions if each.op in ("is", "in")]
    texts = [value for each in exact for value in _listed(each.value)]
    plain = texts and all(isinstance(text, str) and "*" not in text for text in texts)
    return (*texts, *absent) if plain else None


def _may_be_absent(fact: str) -> bool:
    return "." in fact or fact in ("model", "function", "user", "json", "reasoning", "max_tokens")


def _listed(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _around(value: float) -> tuple[float, ...]:
    return value - 1, value, value + 1


def models_named(record: Record) -> Iterator[Line]:
    """The names of models in a record, by field."""
    if isinstance(record, RouteRecord):
        yield from (("model", name) for name in (record.model,) if name)
        yield from (("fallbacks", name) for name in record.fallbacks or ())
        yield from (("split", arm.model) for arm in record.split or ())
    elif isinstance(record, AliasRecord):
        yield from (("models", name) for name in record.models)
    elif isinstance(record, BudgetRecord) and record.then and "model" in record.then:
        yield "then.model", record.then["model"]


def _models(record: Record, known: _Known) -> Iterator[Line]:
    names = known.names
    if isinstance(record, ModelRecord) and record.like and load_catalog().find(record.like) is None:
        yield "like", f"the catalogue has no model {record.like!r}"
    if isinstance(record, ModelRecord) and record.provider not in PROVIDERS | known.own:
        yield "provider", f"no provider is built in or has a record under the name {record.provider!r}"
    meant = names.member if isinstance(record, AliasRecord) else names.resolve
    for field, name in models_named(record):
        found = meant(name) if is_valid_name(name) else None
        if found and (close := known.misspelt(found.models)):
            yield field, f"the catalogue does not list {name!r}, did you mean {close}?"
        elif found is None and is_valid_name(name):
            deep = ", and an alias may not name another" if name.lower() in names.aliases else ""
            yield field, f"there is no model {name!r}{deep or known.hint(name)}"


class _Known:
    """The names that patterns are compared with, gathered when needed. `own`: providers with a record."""

    def __init__(self, names: Names, own: frozenset[str] = frozenset()) -> None:
        self.names, self.own = names, own
        self._gathered: tuple[frozenset[str], frozenset[str]] | None = None
        self._hints = MOST_HINTS

    def hint(self, name: str) -> str:
        """Suggests what may have been meant: for the first few names, since each takes two milliseconds."""
        self._hints -= 1
        close = near(name, self.names.catalog.all(), self.names.aliases) if self._hints >= 0 else ()
        return f", did you mean {' or '.join(close)}?" if close else ""

    def misspelt(self, models: Iterable[Model]) -> str:
        """The listed id that an unlisted one of these differs from by its letters alone, or ""."""
        unlisted = [model for model in models if not model.listed]
        self._hints -= len(unlisted)
        catalog = self.names.catalog.all() if self._hints >= 0 else ()
        return next((close for model in unlisted if (close := misspelt(model, catalog))), "")

    def admitted(self) -> frozenset[str]:
        return self._all()[0]

    def every(self) -> frozenset[str]:
        return self._all()[1]

    def _all(self) -> tuple[frozenset[str], frozenset[str]]:
        if self._gathered is None:
            catalog = self.names.catalog
            listed = [names_of(model, catalog) for model in catalog.all()]
            admitted = frozenset().union(*(each.versions | each.members for each in listed))
            every = frozenset().union(*(each.every for each in listed), self.names.aliases)
            self._gathered = admitted, every
        return self._gathered

    def lists_nothing(self, pattern: str) -> bool:
        """True for a provider without models in the catalogue, such as a local server."""
        provider, slash, _ = pattern.partition("/")
        known = SYNONYMS.get(provider, provider)
        return (
            bool(slash)
            and known in self.names.catalog.providers
            and not _matching(f"{known}/*", self.every())
        )


def _patterns(record: Record, known: _Known) -> Iterator[Line]:
    if isinstance(record, AccessRecord):
        for pattern in record.models or ():
            yield from (("models", why) for why in _without_match(pattern, known, known.admitted))
        for pattern in record.deny or ():
            yield from (("deny", why) for why in _without_match(pattern, known, known.every))
    for condition in record.when:
        for text in (
            _listed(condition.value) if condition.fact == "model" and condition.op != "contains" else ()
        ):
            if isinstance(text, str):
                yield from (("when.model", why) for why in _without_match(text, known, known.every))


def _without_match(pattern: str, known: _Known, among: Callable[[], frozenset[str]]) -> Iterator[str]:
    low, names = pattern.lower(), known.names
    if _matching(low, among()) or known.lists_nothing(low):
        return
    meant, admits = names.resolve(pattern) if "*" not in pattern else None, among == known.admitted
    if meant and meant.sort == "alias" and admits:
        yield f"{pattern!r} is an alias: patterns admit its members"
    elif meant and all(model.listed for model in meant.models):  # as asked for, a retired name counts
        if admits:
            yield f"{pattern!r} is retired: a pattern admits what answers for it, {meant.models[0].id}"
    elif meant and admits and (close := known.misspelt(meant.models)):
        yield f"the catalogue does not list {pattern!r}, did you mean {close}?"
    elif meant is None or not admits:
        yield f"no model of the catalogue is like {pattern!r}{known.hint(pattern)}"


def check_patterns(patterns: Iterable[str], ruleset: RuleSet, catalog: Catalog) -> Iterator[str]:
    """A problem for each pattern of a key that matches no model. `catalog`: with the set's records."""
    known = _Known(ruleset.names(catalog))
    for pattern in patterns:
        yield from _without_match(pattern, known, known.admitted)


def _matching(pattern: str, names: frozenset[str]) -> bool:
    if "*" not in pattern:
        return pattern in names
    test, full = compile_pattern(pattern), "/" in pattern
    return any(test(name) for name in names if ("/" in name) is full)


def _scope(record: Record, keys: KnownKeys) -> Iterator[Line]:
    for field, there in (("key", keys.ids), ("project", keys.projects)):
        for name in getattr(record.scope, field) or ():
            if name not in there:
                yield (
                    f"scope.{field}",
                    f"there is no key {'with the id' if field == 'key' else 'of project'} {name!r}",
                )
