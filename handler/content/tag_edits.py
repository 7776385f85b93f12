"""Edits of tags: what one says, and what the edits of a project make of an entry's tags.

An edit is an object of its own, never a change to an entry. So edits cannot overwrite each other or an entry,
they may come before the entry is written, and the gateway needs no permission to read what it logged. They
apply when entries are read, in the order of their time; of two that set one tag, the later counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from handler.errors import Json

BY_ID = ("requestId", "completionId")
FIELDS = (*BY_ID, "model")  # and tags.<name>, which a filter may name


def value_of(entry: Mapping[str, Any], tags: Mapping[str, str], field: str) -> str | None:
    """Return what a filter compares with: the text of an entry's field, or None."""
    if field.startswith("tags."):
        return tags.get(field.removeprefix("tags."))
    answer = entry.get("answer")
    found = {
        "requestId": entry.get("request_id"),
        "completionId": answer.get("id") if isinstance(answer, dict) else None,
        "model": entry.get("model"),
    }[field]
    return found if isinstance(found, str) else None


class TagEdits:
    """The edits of one project, in the order of their time."""

    def __init__(self, edits: Iterable[Json]) -> None:
        self._by_id: dict[tuple[str, str], list[tuple[int, Json]]] = {}
        self._others: list[tuple[int, Json]] = []  # that may be about any entry
        for place, edit in enumerate(edits):
            ids = [(each["field"], each["equals"]) for each in edit["filters"] if each["field"] in BY_ID]
            about = self._by_id.setdefault(ids[0], []) if ids else self._others
            about.append((place, edit))

    def apply(self, entry: Json) -> Json:
        """Return the entry with its tags as they are now.

        An edit without an id in its filters is about entries that were there before it.
        """
        tags = dict(entry.get("tags") or {})
        ids = ((field, value_of(entry, tags, field) or "") for field in BY_ID)
        own = [each for id in ids for each in self._by_id.get(id, ())]
        earlier = [each for each in self._others if entry["at"] <= each[1]["at"]]
        for _, edit in sorted((*own, *earlier), key=lambda each: each[0]):
            if all(value_of(entry, tags, one["field"]) == one["equals"] for one in edit["filters"]):
                changed = {**tags, **edit["tags"]}
                tags = {name: value for name, value in changed.items() if value is not None}
        return {**entry, "tags": tags}
