"""Where a request goes: the row's address, its root, and the surface that a model is served on."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from urllib.parse import quote, urlsplit

from handler.providers.provider import Provider
from rules import Model

_SURFACE = "surface:"  # before a surface's name in a model's rules


def apply_surface(row: Provider, model: Model) -> Provider:
    """The row as it is for this model: with the surface's path and dialect where the model has one."""
    if not row.surfaces:
        return row
    named = (rule.removeprefix(_SURFACE) for rule in model.rules if rule.startswith(_SURFACE))
    surface = row.surfaces.get(next(named, ""))
    if surface is None:
        return row
    return replace(
        row,
        base_url=f"{row.base_url}{surface.path}",
        dialect=surface.dialect,
        headers={**row.headers, **surface.headers},
        quirks=surface.quirks,
    )


def unsupported_features(rows: Collection[Provider]) -> Mapping[str, frozenset[str]]:
    """What each wire cannot represent, by the row and by each of its surfaces; see LiveState in the rules."""
    wires = {row.name: row.quirks for row in rows}
    own = {
        f"{row.name} {_SURFACE}{name}": surface.quirks
        for row in rows
        for name, surface in row.surfaces.items()
    }
    return {name: quirks.lacking for name, quirks in (wires | own).items()}


def request_url(row: Provider, model: Model, path: str) -> str:
    """The URL of a request to the row: `path` is what the translator puts behind it."""
    base, _, query = (row.base_url or "").partition("?")
    base = base.rstrip("/")
    if "/" not in base.partition("://")[2]:
        root = row.versioned if query else row.root
        base += root.replace("{model}", quote(model.name, safe=""))
    url = f"{base}{path}"
    return f"{url}{'&' if '?' in path else '?'}{query}" if query else url


def origin(url: str) -> tuple[str, str, int | None]:
    """Scheme, host and port of a URL; empty if it is invalid. The port is None where the URL gives none."""
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        return "", "", None
