"""Finds the family rules of a model that the catalogue does not list, by its bare name.

scripts/catalog_overlay.toml explains the words, and makes the table, `families` of catalog.json.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

# Which built-in provider a provider of the dialect names its models as.
_VENDORS = {"anthropic": "anthropic", "google": "gemini", "bedrock": "bedrock"}


class Families(NamedTuple):
    """`table`: patterns of bare names, and words, each a text with blanks between; the first match counts."""

    table: Sequence[Sequence[str]] = ()
    dialects: Mapping[str, str] = {}  # by provider

    def rules_of(
        self, provider: str, name: str, find: Callable[[str], Any], pool: str | None = None
    ) -> tuple[str, ...]:
        """The words for a model of this name. `find`: the catalogue's model of an id, None for none."""
        vendor = _VENDORS.get(self.dialects.get(provider, ""))
        if vendor and (listed := find(f"{vendor}/{name}")) is not None:
            return tuple(listed.rules)
        bare = [one.rsplit("/", 1)[-1].lower() for one in (name, pool) if one]
        for patterns, words in self.table:
            if any(fnmatchcase(one, pattern) for pattern in patterns.split() for one in bare):
                return tuple(words.split())
        return ()
