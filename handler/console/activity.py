"""What the gateway did in the last hours, and its newest requests: the calls `activity` and `requests`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from handler.console.call import ConsoleCall
from handler.errors import InvalidRequest, Json, NotFound
from handler.store.activity.lines import Filter
from handler.store.activity.reading import MAX_HOURS, MAX_LINES, read_activity, read_requests

HOURS, LINES = 24, 50  # unless the call says otherwise
_STATUS = re.compile(r"[1-5]([0-9]{2}|xx)|error")


async def activity(call: ConsoleCall) -> Json:
    """Return the counters of the last hours, in total and by project, key and model."""
    given = _parameters(call, {"hours"})
    return await read_activity(call.gateway.activity, _number(given, "hours", HOURS, MAX_HOURS))


async def requests(call: ConsoleCall) -> Json:
    """Return the newest requests that fit the parameters, the newest first."""
    given = _parameters(call, {"limit", *Filter._fields})
    limit = _number(given, "limit", LINES, MAX_LINES)
    asked_for = Filter(**{name: given.get(name) or None for name in Filter._fields})
    if asked_for.status is not None and not _STATUS.fullmatch(asked_for.status):
        raise InvalidRequest("status: expected one like 429, 4xx or error", param="status")
    return {"data": await read_requests(call.gateway.activity, asked_for, limit)}


async def request(call: ConsoleCall) -> Json:
    """Return the newest request with an id. Raises NotFound."""
    _parameters(call, ())
    found = await read_requests(call.gateway.activity, Filter(id=call.params["id"]), 1)
    if not found:
        raise NotFound(
            "No request with this id is here: only the newest of the last day are kept. The log has all.",
            code="request_not_found",
        )
    return found[0]


def _parameters(call: ConsoleCall, known: Iterable[str]) -> dict[str, str]:
    given = dict(call.request.query_params)
    for name in given:
        if name not in known:
            there_are = f"there are only {', '.join(sorted(known))}" if known else "there are none here"
            raise InvalidRequest(f"{name[:99]}: {there_are}", param=name[:99])
    return given


def _number(given: dict[str, str], name: str, default: int, most: int) -> int:
    text = given.get(name) or str(default)
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and 1 <= int(text) <= most):
        raise InvalidRequest(f"{name}: expected a number from 1 to {most}", param=name)
    return int(text)
