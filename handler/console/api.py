"""The API of the console, below /console/api: its calls, and who may make each (docs/api.md).

Every call needs an API key in a header, so there is no cookie that another site could use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from handler.access.keys import PREFIX
from handler.aws.errors import StoreError
from handler.console.call import Conflict, ConsoleCall, require_console
from handler.console.compression import compress_response
from handler.endpoints.exchange.http import HttpRequest
from handler.endpoints.exchange.response import Response, json_response
from handler.errors import Forbidden, GatewayError, InvalidRequest, MethodNotAllowed, NotFound, Unavailable
from handler.gateway.admission import authenticate
from handler.gateway.lifecycle import Gateway
from handler.log import RequestLog
from handler.manage.history import NoSuchEntry
from handler.manage.keys import NoSuchKey
from rules import InvalidRecord, RuleSetTooLarge
from rules.review.command_line import InvalidInput

if TYPE_CHECKING:
    from starlette.types import ASGIApp

READ, WRITE = "manage", "admin"  # the scopes

# Path below /console/api -> by method, the scope that it needs and the function below `handler.console` that
# answers it: with JSON, or with a Response. The first path that fits counts.
CALLS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "session": {"GET": (READ, "state.session")},
    "status": {"GET": (READ, "state.status")},
    "providers/check": {"GET": (WRITE, "providers.check")},
    "activity": {"GET": (READ, "activity.activity")},
    "requests": {"GET": (READ, "activity.requests")},
    "requests/{id}": {"GET": (READ, "activity.request")},
    "rules": {"GET": (READ, "rules.read"), "PUT": (WRITE, "rules.save")},
    "rules/check": {"POST": (READ, "rules.check")},
    "rules/try": {"POST": (READ, "rules.try_request")},
    "rules/replay": {"POST": (READ, "rules.replay")},
    "schema": {"GET": (READ, "rules.schema")},
    "history": {"GET": (READ, "history.list_entries")},
    "history/{which}": {"GET": (READ, "history.read")},
    "keys": {"GET": (READ, "keys.list_all"), "POST": (WRITE, "keys.create")},
    "keys/{id}/limits": {"GET": (READ, "keys.limits")},
    "keys/{id}/rotate": {"POST": (WRITE, "keys.rotate")},
    "keys/{id}": {"GET": (READ, "keys.show"), "PATCH": (WRITE, "keys.change")},
}


async def serve(gateway: Gateway, request: HttpRequest) -> ASGIApp:
    """Answer one call. Raises GatewayError."""
    entry: RequestLog = request.scope["sluice.entry"]
    hidden = _hide_key(entry)
    require_console(gateway)
    key = await authenticate(gateway, entry)
    key.require(READ)
    if hidden:
        message = "A path is logged, so it names a key by its id, or by `sha256:` and the hash of the key."
        raise InvalidRequest(message, param="id")
    method = "GET" if request.scope["method"] == "HEAD" else request.scope["method"]
    (scope, name), params = _find(method, request.path_params["call"])
    entry.routine = scope == READ  # the page asks often; what changes something is always logged
    key.require(scope)
    if scope == WRITE and method != "GET" and gateway.settings.console == "read":
        raise Forbidden(
            "This console only reads (SLUICE_CONSOLE=read). Deploy with Console=on to change rules and keys.",
            code="console_read_only",
        )
    try:
        if scope == WRITE:  # a key that was disabled a moment ago is still known here
            entry.key = key = await gateway.auth.authenticate_again(entry.headers)
            key.require(scope)
        found = await _function(name)(ConsoleCall(gateway, request, key, params))
    except (StoreError, InvalidInput, InvalidRecord, RuleSetTooLarge) as error:
        raise _gateway_error(error) from error
    return await compress_response(request, found if isinstance(found, Response) else json_response(found))


def _hide_key(entry: RequestLog) -> bool:
    """Cut the path that is logged before a key in it. Returns True if there is one."""
    before, prefix, _ = entry.path.partition(PREFIX)
    entry.path = f"{before}{prefix}..." if prefix else entry.path
    return bool(prefix)


# Codes of writes whose condition did not hold.
_CHANGED = ("ConditionalCheckFailedException", "TransactionCanceledException")


def _gateway_error(error: Exception) -> GatewayError:
    """Return the caller's error for one of the functions in `handler.manage`."""
    match error:
        case StoreError(code=code) if code in _CHANGED:
            return Conflict("The key was changed at the same time; nothing was written. Read it again.")
        case StoreError():
            message = f"The tables cannot be used at the moment: {error}."
            return Unavailable(message, code="store_unavailable", retry_after=1)
        case NoSuchKey():
            return NotFound(str(error), code="key_not_found")
        case NoSuchEntry():
            return NotFound(str(error), code="entry_not_found")
        case InvalidRecord():
            return InvalidRequest(f"{error.field}: {error.problem}", param=error.field)
        case _:
            return InvalidRequest(str(error))


@cache
def _patterns() -> list[tuple[re.Pattern[str], Mapping[str, tuple[str, str]]]]:
    """Return CALLS with patterns of the paths. A part in braces may hold slashes, as the ids of keys may."""
    return [
        (re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>.+)", path)), methods) for path, methods in CALLS.items()
    ]


def _find(method: str, path: str) -> tuple[tuple[str, str], Mapping[str, str]]:
    """Return the scope and the function of a call, and the parts of its path. Raises GatewayError."""
    for pattern, methods in _patterns():
        if found := pattern.fullmatch(path):
            if served := methods.get(method):
                return served, found.groupdict()
            allowed = ", ".join(methods)
            message = f"Method {method} is not allowed here; allowed: {allowed}."
            raise MethodNotAllowed(message, headers={"allow": allowed})
    raise NotFound(f"The console's API has no {method} for this path.", code="unknown_url")


@cache
def _function(name: str) -> Any:
    module, _, function = name.rpartition(".")
    return getattr(import_module(f"handler.console.{module}"), function)
