"""What a name means: auto, an alias, a catalogue id, a pin, a pool (contract, section 4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from rules.catalog.catalog import SYNONYMS, Catalog, Model
from rules.errors import InvalidRecord
from rules.facts.facts import PREFERENCES
from rules.records.fields import name as read_name

# What a pool's name may end in, with the preference it stands for.
SUFFIXES = {":floor": "cheap", ":nitro": "fast"}


class Group(NamedTuple):
    """Models that one name means, ordered by preference. `asked`: the names that led to them."""

    models: tuple[Model, ...]
    asked: tuple[str, ...]


class Named(NamedTuple):
    """The meaning of a name: groups of models, tried in this order."""

    sort: str  # auto | alias | pin | pool
    groups: tuple[Group, ...] = ()
    prefer: str | None = None  # that the name itself asks for
    pins: frozenset[str] = frozenset()  # the ids that were named as they are
    unknown: tuple[str, ...] = ()  # members of an alias that mean nothing

    @property
    def models(self) -> tuple[Model, ...]:
        return tuple(model for group in self.groups for model in group.models)


class Names(NamedTuple):
    """Resolves names: with the catalogue, the aliases, and the unlisted pins that pass."""

    catalog: Catalog
    aliases: Mapping[str, tuple[str, ...]]  # lower-case name -> members
    refusing: frozenset[str] = frozenset()  # providers whose record says `"unlisted": "refuse"`
    admitted: Callable[[str], bool] = lambda id: False  # whether a pattern without `*` admits this id

    def resolve(self, name: str) -> Named | None:
        """Nothing when the name is not well formed: what is sent on to a provider has been looked at."""
        return (_auto(name) or _alias(self, name) or self.member(name)) if is_valid_name(name) else None

    def member(self, name: str) -> Named | None:
        """The same, but for `auto` and aliases: an alias reaches one level."""
        return next((found for reading in READINGS if (found := reading(self, name))), None)


def is_valid_name(name: str) -> bool:
    """Whether it may be a name at all; `auto:best` may not, as there is no such preference."""
    word, _, prefer = name.lower().partition(":")
    try:
        return bool(read_name(name)) and (word != "auto" or prefer in ("", *PREFERENCES))
    except InvalidRecord:
        return False


def _auto(name: str) -> Named | None:
    word, _, prefer = name.lower().partition(":")
    return Named("auto", prefer=prefer or None) if word == "auto" else None


def _alias(names: Names, name: str) -> Named | None:
    members = names.aliases.get(name.lower())
    if members is None:
        return None
    found = {member: names.member(member) for member in members}
    meant = [named for named in found.values() if named]
    return Named(
        "alias",
        groups=tuple(Group(group.models, (name, *group.asked)) for named in meant for group in named.groups),
        pins=frozenset().union(*(named.pins for named in meant)),
        unknown=tuple(member for member, named in found.items() if named is None),
    )


def _listed(names: Names, name: str) -> Named | None:
    model = names.catalog.find(name)
    return _one(model, name) if model else None


def _pin(names: Names, name: str) -> Named | None:
    return _at(names, *name.partition("/"))


def _pool(names: Names, name: str) -> Named | None:
    models = names.catalog.named(name)
    return Named("pool", (Group(models, (name,)),)) if models else None


def _with_colon(names: Names, name: str) -> Named | None:
    """Resolves `provider:rest`, only for a listed or admitted model: `mistral:7b` is a local server's tag."""
    found = _at(names, *name.partition(":"))
    known = found and all(model.listed or names.admitted(model.id) for model in found.models)
    return found if known else None


def _with_suffix(names: Names, name: str) -> Named | None:
    bare, colon, suffix = name.rpartition(":")
    prefer = SUFFIXES.get(colon + suffix.lower())
    found = names.member(bare) if prefer and bare else None
    return Named(found.sort, found.groups, prefer=prefer, pins=found.pins) if found else None


def _at(names: Names, provider: str, mark: str, rest: str) -> Named | None:
    """The pin `rest` at this provider, if it is one."""
    known = SYNONYMS.get(provider.lower(), provider.lower())
    if not mark or not rest or known not in names.catalog.providers:
        return None
    model = names.catalog.pin(known, rest)
    if model is None and known not in names.refusing:
        model = names.catalog.unlisted(known, rest)
    return _one(model, f"{known}/{rest}") if model else None


def _one(model: Model, asked: str) -> Named:
    return Named("pin", (Group((model,), (asked,)),), pins=frozenset({model.id}))


# In this order, after `auto` and the aliases.
READINGS: tuple[Callable[[Names, str], Named | None], ...] = (_listed, _pin, _pool, _with_colon, _with_suffix)
