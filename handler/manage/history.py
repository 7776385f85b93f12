"""Reads the history of the rules, for the command line and the console.

The functions raise StoreError. `handler.store.history` says what is stored.
"""

from __future__ import annotations

from typing import NamedTuple

from handler.aws.client import AwsClient
from handler.settings import Settings
from handler.store.attributes import Item
from handler.store.history import Entry, find_entry, list_entries, load_records
from handler.store.items import Items
from rules.review.command_line import InvalidInput


class NoSuchEntry(InvalidInput):
    """The history has no such number or revision."""


class PastRules(NamedTuple):
    """An entry of the history with its records."""

    entry: Entry
    items: list[Item]


async def list_history(
    client: AwsClient, settings: Settings, *, limit: int = 20, before: int | None = None
) -> list[Entry]:
    """Return the newest entries, or those older than the number `before`, the newest first."""
    return await list_entries(_state(client, settings), limit=limit, before=before)


async def read_entry(client: AwsClient, settings: Settings, which: str) -> PastRules:
    """Return the entry of a number, or the newest one of a revision. Raises NoSuchEntry."""
    state = _state(client, settings)
    entry = await find_entry(state, which)
    if entry is None:
        raise NoSuchEntry(f"the history has no entry {which[:40]!r}: `rules history` lists them")
    return PastRules(entry, await load_records(state, entry))


def _state(client: AwsClient, settings: Settings) -> Items:
    return Items(client, settings.state_table)
