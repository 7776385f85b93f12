"""Resolves the name of a model: auto, an alias, a catalogue id, a pin, a pool (contract, section 4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from rules.catalog.catalog import SYNONYMS, Catalog, Model
from rules.facts.facts import PREFERENCES
from rules.records.names import is_model_name

# Suffixes of the name of a pool, with the preference that each stands for.
SUFFIXES = {":floor": "cheap", ":nitro": "fast"}


class Group(NamedTuple):
    """Models of one pool or pin, which preference orders. `names`: the names that led to them."""

    models: tuple[Model, ...]
    names: tuple[str, ...]


class ResolvedName(NamedTuple):
    """The models that a name means, in groups that are tried in this order."""

    kind: str  # auto | alias | pin | pool
    groups: tuple[Group, ...] = ()
    prefer: str | None = None  # the preference in the name itself
    pins: frozenset[str] = frozenset()  # ids that are named exactly
    unknown: tuple[str, ...] = ()  # members of an alias without a model

    @property
    def models(self) -> tuple[Model, ...]:
        return tuple(model for group in self.groups for model in group.models)


class NameResolver(NamedTuple):
    """Resolves names with the catalogue, the aliases, and the unlisted pins that are allowed."""

    catalog: Catalog
    aliases: Mapping[str, tuple[str, ...]]  # lower-case name -> members
    listed_only: frozenset[str] = frozenset()  # providers whose record has `"unlisted": "refuse"`
    is_admitted: Callable[[str], bool] = lambda id: False  # True if a pattern without `*` admits this id

    def resolve(self, name: str) -> ResolvedName | None:
        """Return the models of a name, or None if it has none or is not valid."""
        return (
            (_auto(name) or _alias(self, name) or self.resolve_member(name)) if is_valid_name(name) else None
        )

    def resolve_member(self, name: str) -> ResolvedName | None:
        """Return the models of a member of an alias, which is neither `auto` nor another alias."""
        return next((resolved for step in STEPS if (resolved := step(self, name))), None)


def is_valid_name(name: str) -> bool:
    """Return True if the name is well formed. `auto:best` is not: there is no such preference."""
    word, _, prefer = name.lower().partition(":")
    return is_model_name(name) and (word != "auto" or prefer in ("", *PREFERENCES))


def _auto(name: str) -> ResolvedName | None:
    word, _, prefer = name.lower().partition(":")
    return ResolvedName("auto", prefer=prefer or None) if word == "auto" else None


def _alias(names: NameResolver, name: str) -> ResolvedName | None:
    members = names.aliases.get(name.lower())
    if members is None:
        return None
    by_member = {member: names.resolve_member(member) for member in members}
    known = [resolved for resolved in by_member.values() if resolved]
    return ResolvedName(
        "alias",
        groups=tuple(
            Group(group.models, (name, *group.names)) for resolved in known for group in resolved.groups
        ),
        pins=frozenset().union(*(resolved.pins for resolved in known)),
        unknown=tuple(member for member, resolved in by_member.items() if resolved is None),
    )


def _listed_id(names: NameResolver, name: str) -> ResolvedName | None:
    model = names.catalog.find(name)
    return _single(model, name) if model else None


def _pin(names: NameResolver, name: str) -> ResolvedName | None:
    return _at_provider(names, *name.partition("/"))


def _pool(names: NameResolver, name: str) -> ResolvedName | None:
    models = names.catalog.named(name)
    return ResolvedName("pool", (Group(models, (name,)),)) if models else None


def _pin_with_colon(names: NameResolver, name: str) -> ResolvedName | None:
    """Resolve `provider:rest`, but only to a listed or admitted model: `mistral:7b` is a tag of Ollama's."""
    resolved = _at_provider(names, *name.partition(":"))
    allowed = resolved and all(model.listed or names.is_admitted(model.id) for model in resolved.models)
    return resolved if allowed else None


def _with_suffix(names: NameResolver, name: str) -> ResolvedName | None:
    bare, colon, suffix = name.rpartition(":")
    prefer = SUFFIXES.get(colon + suffix.lower())
    resolved = names.resolve_member(bare) if prefer and bare else None
    return (
        ResolvedName(resolved.kind, resolved.groups, prefer=prefer, pins=resolved.pins) if resolved else None
    )


def _at_provider(names: NameResolver, provider: str, separator: str, rest: str) -> ResolvedName | None:
    known = SYNONYMS.get(provider.lower(), provider.lower())
    if not separator or not rest or known not in names.catalog.providers:
        return None
    model = names.catalog.pin(known, rest)
    if model is None and known not in names.listed_only:
        model = names.catalog.unlisted(known, rest)
    return _single(model, f"{known}/{rest}") if model else None


def _single(model: Model, name: str) -> ResolvedName:
    return ResolvedName("pin", (Group((model,), (name,)),), pins=frozenset({model.id}))


# Tried in this order, after `auto` and the aliases.
STEPS: tuple[Callable[[NameResolver, str], ResolvedName | None], ...] = (
    _listed_id,
    _pin,
    _pool,
    _pin_with_colon,
    _with_suffix,
)
