"""Compares the names and patterns in a rule set with the models that exist."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, partial

from rules.catalog.catalog import SYNONYMS, Model
from rules.catalog.model_names import ModelNames, names_of
from rules.catalog.name_resolution import NameResolver, ResolvedName, is_valid_name
from rules.catalog.suggestions import intended_id, similar_names
from rules.records.patterns import compile_pattern

MAX_HINTS = 20  # of a set: each takes two milliseconds
MAX_COMPARED = 2_000  # different names and patterns of a set: each takes up to two milliseconds


class KnownNames:
    """The names that patterns are compared with, collected when needed. `providers`: those with a record."""

    def __init__(self, names: NameResolver, providers: frozenset[str] = frozenset()) -> None:
        self.names, self.providers = names, providers
        self._hints_left = MAX_HINTS
        self._found: dict[tuple[str, str], tuple[str, ...]] = {}

    def pattern_problems(self, pattern: str, *, admits: bool) -> tuple[str, ...]:
        """`admits`: the pattern is of `models`, and is compared with fewer names."""
        find = self._admitting_problems if admits else self._pattern_problems
        return self._once("admits" if admits else "pattern", pattern, find)

    def model_problems(self, name: str, *, member: bool) -> tuple[str, ...]:
        """`member`: the name is of an alias, which may not name another alias."""
        resolve = self.names.resolve_member if member else self.names.resolve
        return self._once(resolve.__name__, name, partial(self._name_problems, resolve))

    @property
    def is_full(self) -> bool:
        """True if a set has too many names and patterns for all of them to be compared."""
        return len(self._found) >= MAX_COMPARED

    def _once(self, kind: str, text: str, find: Callable[[str], Iterable[str]]) -> tuple[str, ...]:
        """Return what is wrong with a text, which is found once; nothing where there are too many texts."""
        if (found := self._found.get((kind, text))) is None and not self.is_full:
            self._found[kind, text] = found = tuple(find(text))
        return found or ()

    def _admitting_problems(self, pattern: str) -> Iterator[str]:
        if _matches(pattern.lower(), self._admittable) or self._lists_no_model(pattern.lower()):
            return
        resolved = self.names.resolve(pattern) if "*" not in pattern else None
        if resolved is None:
            yield self._unmatched(pattern)
        elif resolved.kind == "alias":
            yield f"{pattern!r} is an alias: use patterns of its members"
        elif all(model.listed for model in resolved.models):
            yield f"{pattern!r} is retired: use a pattern of its successor {resolved.models[0].id}"
        elif close := self._intended_id(resolved.models):
            yield f"the catalogue does not list {pattern!r}, did you mean {close}?"

    def _pattern_problems(self, pattern: str) -> Iterator[str]:
        if _matches(pattern.lower(), self._all) or self._lists_no_model(pattern.lower()):
            return
        resolved = self.names.resolve(pattern) if "*" not in pattern else None
        if not (resolved and all(model.listed for model in resolved.models)):  # it matches a retired name
            yield self._unmatched(pattern)

    def _unmatched(self, pattern: str) -> str:
        return f"no model in the catalogue matches {pattern!r}{self._suggest(pattern)}"

    def _name_problems(self, resolve: Callable[[str], ResolvedName | None], name: str) -> Iterator[str]:
        resolved = resolve(name) if (valid := is_valid_name(name)) else None
        if resolved and (close := self._intended_id(resolved.models)):
            yield f"the catalogue does not list {name!r}, did you mean {close}?"
        elif resolved is None and valid:
            nested = ", and an alias may not name another" if name.lower() in self.names.aliases else ""
            yield f"there is no model {name!r}{nested or self._suggest(name)}"

    def _suggest(self, name: str) -> str:
        self._hints_left -= 1
        if self._hints_left < 0:
            return ""
        close = similar_names(name, self.names.catalog.all(), self.names.aliases)
        return f", did you mean {' or '.join(close)}?" if close else ""

    def _intended_id(self, models: Iterable[Model]) -> str:
        """Return the listed id that an unlisted one of these models probably misspells, or ""."""
        unlisted = [model for model in models if not model.listed]
        self._hints_left -= len(unlisted)
        catalog = self.names.catalog.all() if self._hints_left >= 0 else ()
        return next((close for model in unlisted if (close := intended_id(model, catalog))), "")

    @cached_property
    def _admittable(self) -> frozenset[str]:
        return frozenset().union(*(names.version_ids | names.listed_pools for names in self._model_names))

    @cached_property
    def _all(self) -> frozenset[str]:
        return frozenset().union(*(names.all for names in self._model_names), self.names.aliases)

    @cached_property
    def _model_names(self) -> list[ModelNames]:
        return [names_of(model, self.names.catalog) for model in self.names.catalog.all()]

    def _lists_no_model(self, pattern: str) -> bool:
        """Return True for a provider without models in the catalogue, such as a local server."""
        provider, slash, _ = pattern.partition("/")
        known = SYNONYMS.get(provider, provider)
        return bool(slash) and known in self.names.catalog.providers and not _matches(f"{known}/*", self._all)


def _matches(pattern: str, names: frozenset[str]) -> bool:
    if "*" not in pattern:
        return pattern in names
    test, is_id = compile_pattern(pattern), "/" in pattern
    return any(test(name) for name in names if ("/" in name) is is_id)
