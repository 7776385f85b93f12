"""The console's calls that read the history of the rules."""

from __future__ import annotations

from handler.console.bodies import Page, parameters_of
from handler.console.call import ConsoleCall, exact_json
from handler.endpoints.exchange.response import Response
from handler.errors import Json
from handler.manage.changes import sort_records
from handler.manage.history import list_history, read_entry

SETTLING = 3.0  # seconds that the entry of a set that was just saved may take
SHOWN = 20  # names of each kind of change, in the list


async def list_entries(call: ConsoleCall) -> Json:
    """Return the sets of rules that were in force, the newest first."""
    page = parameters_of(call, Page)
    await call.gateway.policies.snapshot.settle(SETTLING)
    entries = await list_history(*call.tables, limit=page.limit, before=page.before)
    return {"data": [_shorten(entry.as_json()) for entry in entries]}


def _shorten(entry: Json) -> Json:
    """Cut the names of what changed, of which an entry may have 100 KB. `more`: how many are left out."""
    changes = {change: names[:SHOWN] for change, names in entry["changes"].items()}
    left_out = sum(len(names) - len(changes[change]) for change, names in entry["changes"].items())
    return {**entry, "changes": changes, "more": entry["more"] + left_out}


async def read(call: ConsoleCall) -> Response:
    """Return one of these sets with its records, by its number or its revision."""
    entry, items = await read_entry(*call.tables, call.params["which"])
    return exact_json({**entry.as_json(), "records": sort_records(items)})
