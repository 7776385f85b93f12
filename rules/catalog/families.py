"""Finds the family rules of a model that the catalogue does not list, by its bare name.

The rules are words such as `no_forced_tool`. scripts/catalog_overlay.toml documents them and is the source
of the table, `families` of catalog.json.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

# By dialect, the built-in provider with the same names of models.
_VENDORS = {"anthropic": "anthropic", "google": "gemini", "bedrock": "bedrock"}


_SPECIAL = re.compile(r"[*?[]")

Table = tuple[tuple[str, str], ...]


class Families(NamedTuple):
    """`table`: rows of patterns of bare names and of rules, separated by blanks. The first match wins."""

    table: Table = ()
    dialects: Mapping[str, str] = {}  # by provider

    def rules_of(
        self, provider: str, name: str, find: Callable[[str], Any], pool: str | None = None
    ) -> tuple[str, ...]:
        """Return the rules of a model of this name. `find`: looks up an id in the catalogue."""
        vendor = _VENDORS.get(self.dialects.get(provider, ""))
        if vendor and (listed := find(f"{vendor}/{name}")) is not None:
            return tuple(listed.rules)
        return _first_match(
            self.table, tuple(full.rsplit("/", 1)[-1].lower() for full in (name, pool) if full)
        )


@lru_cache(maxsize=256)  # a request asks for each of its unlisted models
def _first_match(table: Table, bare_names: tuple[str, ...]) -> tuple[str, ...]:
    from fnmatch import fnmatchcase  # few requests need it: not at a cold start

    for patterns, rules in table:
        for pattern in patterns.split():
            start = _SPECIAL.split(pattern, 1)[0]  # compared first: few patterns have to be compiled then
            if any(bare.startswith(start) and fnmatchcase(bare, pattern) for bare in bare_names):
                return tuple(rules.split())
    return ()
