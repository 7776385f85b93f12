"""Lists every name that a model answers to, and compares patterns with them (contract, section 5).

`deny` and `when: {model}` are compared with all of them, so that no spelling evades a record. A pattern that
admits is compared with fewer: a suffix after `:` or `@` may be another product at another price (OpenRouter's
`:online` searches the web), and an unlisted model is in no pool.
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
ALL_ENDINGS = (VERSION, VARIANT, REVISION)

MAX_CACHED = 4096  # models; the number of unlisted names has no limit


class ModelNames(NamedTuple):
    """The names of one model, in lower case. Names with a `/` are ids, those without are bare names."""

    exact_ids: frozenset[str]  # the id that is sent upstream, with each name of the provider
    version_ids: frozenset[str]  # the exact ids, and those without a date, `-latest` or `-001`
    listed_pools: frozenset[str]  # the pool that the catalogue lists it in, also without its version
    ids: frozenset[str]
    pools: frozenset[str]

    @property
    def all(self) -> frozenset[str]:
        return self.ids | self.pools

    def is_named_by(self, patterns: Iterable[str]) -> bool:
        """Return True if one of `patterns` is exactly this id, without `*`."""
        return any(pattern.lower() in self.exact_ids for pattern in patterns)

    def is_admitted_by(self, patterns: tuple[str, ...]) -> bool:
        return _any_matches(patterns, self.version_ids, self.listed_pools)

    def is_denied_by(self, patterns: tuple[str, ...]) -> bool:
        return _any_matches(patterns, self.ids, self.pools)


def names_of(model: Model, catalog: Catalog, requested: tuple[str, ...] = ()) -> ModelNames:
    """Return all names of a model. `requested`: names that led to it, such as an alias or a retired name."""
    names = catalog.model_names.get(model.id)
    if names is None:
        if len(catalog.model_names) >= MAX_CACHED:
            catalog.model_names.clear()
        names = catalog.model_names[model.id] = _names_of(model, catalog)
    new = [low for name in requested if (low := name.lower()) not in names.ids and low not in names.pools]
    if not new:
        return names
    more = {shorter for name in new for shorter in strip_endings(name, ALL_ENDINGS)}
    ids = {name for name in more if "/" in name}
    retired = {bare(name) for name in ids if name.startswith(f"{model.provider}/")}
    return names._replace(ids=names.ids | ids, pools=names.pools | (more - ids) | retired)


def _names_of(model: Model, catalog: Catalog) -> ModelNames:
    name, pool = model.name.lower(), model.pool or bare(model.name)
    providers = (model.provider, *(other for other, known in SYNONYMS.items() if known == model.provider))
    shorter = list(strip_endings(name, ALL_ENDINGS))
    pools = {*strip_endings(pool, ALL_ENDINGS), *_pools_of(shorter, model, catalog)}
    if not model.listed:  # a provider may still serve a model that has a successor elsewhere
        successors = {successor for each in shorter if (successor := catalog.successor(bare(each)))}
        shorter, pools = [*shorter, *successors], pools | successors

    def ids(names: Iterable[str]) -> frozenset[str]:
        return frozenset(f"{provider}/{each}" for provider in providers for each in names)

    return ModelNames(
        exact_ids=ids([name]),
        version_ids=ids(strip_endings(name, (VERSION,))),
        listed_pools=frozenset(strip_endings(pool, (VERSION,)) if model.listed else ()),
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


def strip_endings(name: str, endings: Iterable[re.Pattern[str]]) -> dict[str, None]:
    """Return `name` and every shorter name that removing endings leaves, in order, each once."""
    names, queue = {name: None}, [name]
    for longer in queue:  # the list grows in the loop
        for ending in endings:
            shorter = ending.sub("", longer)
            if shorter and shorter not in names:
                names[shorter] = None
                queue.append(shorter)
    return names


@lru_cache(maxsize=8192)
def _any_matches(patterns: tuple[str, ...], ids: frozenset[str], pools: frozenset[str]) -> bool:
    """Compare patterns with a `/` with ids, those without with bare names."""
    return any(_compile(pattern)(name) for pattern in patterns for name in (ids if "/" in pattern else pools))


@lru_cache(maxsize=2048)
def _compile(pattern: str) -> Callable[[str], bool]:
    return compile_pattern(pattern.lower())
