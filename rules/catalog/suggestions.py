"""Names that may have been meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rules.catalog.catalog import Model

# Names that only another service knows, by how they begin, and what there is here instead.
FOREIGN: Mapping[str, str] = {
    "openpipe:": "Only OpenPipe serves its fine-tunes; an alias record of this name can stand for one",
    "dynamic/": "Opper's dynamic routes are not served; a route rule or an alias record does the same",
}
MOST = 3
LONGEST = 100  # characters looked at: comparing takes time


def near(name: str, models: Iterable[Model], aliases: Iterable[str]) -> list[str]:
    """Up to three names like this one: ids for one with a `/`, else bare names and aliases."""
    from difflib import get_close_matches  # only on the way to an error: not part of a cold start

    low = name.lower()[:LONGEST]
    known = {model.id if "/" in name else model.pool: None for model in models}
    names = {each.lower(): each for each in (*aliases, *known) if each}
    return [names[close] for close in get_close_matches(low, names, n=MOST, cutoff=0.6)]


def misspelt(unlisted: Model, models: Iterable[Model]) -> str:
    """The id of the listed model that was probably meant, or "".

    Other digits make another model, which may be newer than the catalogue: `gpt-5.6` beside `gpt-5.5`.
    """
    from difflib import get_close_matches  # no request needs it

    name = unlisted.name.lower()[:LONGEST]
    ids = {
        model.name.lower(): model.id
        for model in models
        if model.provider == unlisted.provider and _digits(model.name) == _digits(name)
    }
    return next((ids[close] for close in get_close_matches(name, ids, n=1, cutoff=0.85)), "")


def _digits(name: str) -> list[str]:
    return [letter for letter in name if letter.isdigit()]
