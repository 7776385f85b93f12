"""Builds the URL of a request, and picks the surface of the provider that a model is served on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from handler.providers.operations.format import missing_operations
from handler.providers.provider import Provider, Surface
from rules import Model

_SURFACE = "surface:"  # the prefix of a surface's name in a model's rules


def apply_surface(row: Provider, model: Model, chat: Mapping[str, Any] = {}) -> Provider:
    """Return the row with the path, dialect, headers and quirks of the model's surface, if it has one.

    chat: the request, as far as it decides on the surface.
    """
    surface = row.surfaces.get(_surface_name(model, chat)) if row.surfaces else None
    return row if surface is None else _with_surface(row, surface)


def in_dialect(row: Provider, model: Model, dialect: str) -> Provider | None:
    """Return the row, or a surface for every model, that serves the model in this dialect; None if none does.

    A surface for some models has less than the dialect's own vendor: Bedrock refuses fields of Messages.
    """
    if row.dialect == dialect and apply_surface(row, model) is row:
        return row
    surfaces = (each for each in row.surfaces.values() if each.dialect == dialect and each.every_model)
    surface = next(surfaces, None)
    return None if surface is None else _with_surface(row, surface)


def _with_surface(row: Provider, surface: Surface) -> Provider:
    return row.replaced(
        base_url=f"{row.base_url}{surface.path}",
        versioned_path=row.versioned_path if surface.versioned_path is None else surface.versioned_path,
        dialect=surface.dialect,
        headers={**row.headers, **surface.headers},
        quirks=surface.quirks,
    )


def _surface_name(model: Model, chat: Mapping[str, Any]) -> str:
    """Return the surface that the model's rules name. Some models need it for tools beside an effort."""
    names = (rule.removeprefix(_SURFACE) for rule in model.rules if rule.startswith(_SURFACE))
    if (name := next(names, "")) or "effort_tools" not in model.rules:
        return name
    tools = chat.get("tools") or chat.get("functions")
    return "responses" if tools and chat.get("reasoning_effort") not in (None, "none") else ""


def unsupported_features(rows: Collection[Provider]) -> Mapping[str, frozenset[str]]:
    """The features that each row and each of its surfaces does not have.

    The keys are the names of `LiveState.unsupported` in the rules: `bedrock`, `bedrock surface:openai`.
    """
    features = {row.name: row.quirks.unsupported_features | missing_operations(row) for row in rows}
    for row in rows:
        for name, surface in row.surfaces.items():
            missing = missing_operations(row)
            features[f"{row.name} {_SURFACE}{name}"] = surface.quirks.unsupported_features | missing
    return features


def request_url(row: Provider, model: Model, path: str) -> str:
    """The URL of a request. `path`: the translator's own part, appended to the row's base_url."""
    base, _, query = (row.base_url or "").partition("?")
    base = base.rstrip("/")
    if "/" not in base.partition("://")[2]:
        base_path = row.versioned_path if query else row.default_path
        base += base_path.replace("{model}", quote(model.name, safe=""))
    url = f"{base}{path}"
    return f"{url}{'&' if '?' in path else '?'}{query}" if query else url


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of a URL; all empty if it is invalid. The port is None if the URL has none."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        return "", "", None
