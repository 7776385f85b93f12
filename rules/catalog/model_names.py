"""Lists every name that a model answers to, and compares patterns with them (contract, section 5).

`deny` and `when: {model}` see all of them, so that no spelling leads around a record. A pattern that admits
sees fewer: what stands behind a `:` or `@` may be another product at another price (OpenRouter's `:online`
searches the web), and what the catalogue does not list is in no pool.
https://openrouter.ai/docs/guides/routing/model-variants
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from rules.catalog.catalog import SYNONYMS, Catalog, Model, bare
from rules.records.patterns import compile_pattern

VERSION = re.compile(r"-(?:20\d\d-?\d\d-?\d\d|\d\d-\d\d|\d{4}|00\d|latest)$")  # -2025-01-31, -0613, -001
VARIANT = re.compile(r"(?<=[^/])[:@][^/:@]*$")  # o1-pro:nitro, claude@20240229
REVISION = re.compile(r"-v\d+:\d+$")  # Bedrock's: nova-lite-v1:0
OWNER = re.compile(r"^[a-z][a-z0-9-]*\.(?=[a-z])")  # Bedrock's: us. and anthropic. of us.anthropic.claude-...
EVERY_ENDING = (VERSION, VARIANT, REVISION)

MOST_REMEMBERED = 4096  # models; those that the catalogue does not list are without number


class ModelNames(NamedTuple):
    """The names of one model, in lower case. Those with a `/` are ids, those without are bare names."""

    sent: frozenset[str]  # the id that is asked for upstream, under each name of the provider
    versions: frozenset[str]  # that, and the same without a date, `-latest` or `-001`
    members: frozenset[str]  # the pools in which the catalogue lists it
    ids: frozenset[str]
    pools: frozenset[str]

    @property
    def every(self) -> frozenset[str]:
        return self.ids | self.pools

    def named_by(self, patterns: Iterable[str]) -> bool:
        """True when one of `patterns` is exactly this id, without `*`."""
        return any(pattern.lower() in self.sent for pattern in patterns)

    def admitted_by(self, patterns: tuple[str, ...]) -> bool:
        return _any_matches(patterns, self.versions, self.members)

    def denied_by(self, patterns: tuple[str, ...]) -> bool:
        return _any_matches(patterns, self.ids, self.pools)


def names_of(model: Model, catalog: Catalog, asked: tuple[str, ...] = ()) -> ModelNames:
    """All names of a model. `asked`: others that led to it, such as an alias or a retired model's."""
    found = catalog.model_names.get(model.id)
    if found is None:
        if len(catalog.model_names) >= MOST_REMEMBERED:
            catalog.model_names.clear()
        found = catalog.model_names[model.id] = _names_of(model, catalog)
    other = [low for name in asked if (low := name.lower()) not in found.ids and low not in found.pools]
    if not other:
        return found
    more = {shorter for name in other for shorter in without(name, EVERY_ENDING)}
    ids = {name for name in more if "/" in name}
    retired = {bare(name) for name in ids if name.startswith(f"{model.provider}/")}
    return found._replace(ids=found.ids | ids, pools=found.pools | (more - ids) | retired)


def _names_of(model: Model, catalog: Catalog) -> ModelNames:
    name, pool = model.name.lower(), model.pool or bare(model.name)
    providers = (model.provider, *(other for other, known in SYNONYMS.items() if known == model.provider))
    shorter = list(without(name, EVERY_ENDING))
    pools = {*without(pool, EVERY_ENDING), *_pools_of(shorter, model, catalog)}
    if not model.listed:  # a provider may still serve what elsewhere has a successor
        heirs = {heir for each in shorter if (heir := catalog.successor(bare(each)))}
        shorter, pools = [*shorter, *heirs], pools | heirs

    def ids(names: Iterable[str]) -> frozenset[str]:
        return frozenset(f"{provider}/{each}" for provider in providers for each in names)

    return ModelNames(
        sent=ids([name]),
        versions=ids(without(name, (VERSION,))),
        members=frozenset(without(pool, (VERSION,)) if model.listed else ()),
        ids=ids(shorter),
        pools=frozenset(pools),
    )


def _pools_of(names: Iterable[str], model: Model, catalog: Catalog) -> Iterator[str]:
    for name in names:
        listed = catalog.get(model.provider, name)
        if listed and listed.pool:
            yield listed.pool
        last = bare(name)
        yield last
        while (shorter := OWNER.sub("", last)) != last:
            yield (last := shorter)


def without(name: str, endings: Iterable[re.Pattern[str]]) -> dict[str, None]:
    """`name`, and every shorter name that is left as endings are removed."""
    found, left = {name: None}, [name]
    for each in left:  # it grows on the way
        for ending in endings:
            shorter = ending.sub("", each)
            if shorter and shorter not in found:
                found[shorter] = None
                left.append(shorter)
    return found


@lru_cache(maxsize=8192)
def _any_matches(patterns: tuple[str, ...], ids: frozenset[str], pools: frozenset[str]) -> bool:
    """A pattern with a `/` is compared with ids, one without with bare names."""
    return any(
        _compiled(pattern)(name) for pattern in patterns for name in (ids if "/" in pattern else pools)
    )


@lru_cache(maxsize=2048)
def _compiled(pattern: str) -> Callable[[str], bool]:
    return compile_pattern(pattern.lower())
