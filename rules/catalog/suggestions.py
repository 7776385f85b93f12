"""Suggests names of models for one that is unknown or misspelt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rules.catalog.catalog import Model

# How names begin that only another service knows, and what to use here instead.
FOREIGN: Mapping[str, str] = {
    "openpipe:": "Only OpenPipe serves its fine-tunes; an alias record of this name can stand for one",
    "dynamic/": "Opper's dynamic routes are not served; a route rule or an alias record does the same",
}
MAX_SUGGESTIONS = 3
MAX_LENGTH = 100  # characters that are compared: comparing takes time


def similar_names(name: str, models: Iterable[Model], aliases: Iterable[str]) -> list[str]:
    """Return the names most like this one: ids if it has a `/`, else bare names and aliases."""
    from difflib import get_close_matches  # only for an error: not part of a cold start

    low = name.lower()[:MAX_LENGTH]
    known = {model.id if "/" in name else model.pool: None for model in models}
    names = {each.lower(): each for each in (*aliases, *known) if each}
    return [names[close] for close in get_close_matches(low, names, n=MAX_SUGGESTIONS, cutoff=0.6)]


def intended_id(unlisted: Model, models: Iterable[Model]) -> str:
    """Return the id of the listed model that an unlisted pin probably misspells, or "".

    A name with other digits is a different model, maybe newer than the catalogue: `gpt-5.6` when `gpt-5.5` is
    listed.
    """
    from difflib import get_close_matches  # no request needs it

    name = unlisted.name.lower()[:MAX_LENGTH]
    ids = {
        model.name.lower(): model.id
        for model in models
        if model.provider == unlisted.provider and _digits(model.name) == _digits(name)
    }
    return next((ids[close] for close in get_close_matches(name, ids, n=1, cutoff=0.85)), "")


def _digits(name: str) -> list[str]:
    return [letter for letter in name if letter.isdigit()]
