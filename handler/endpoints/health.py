"""GET /: what this is. GET /health: the state of rules, keys and credentials. They read no table."""

from __future__ import annotations

from handler import __version__
from handler.endpoints.exchange.http import HttpRequest
from handler.endpoints.exchange.response import Response, json_response
from handler.endpoints.table import CONSOLE, listed
from handler.errors import GatewayError, Json
from handler.gateway.lifecycle import Gateway
from handler.log import RequestLog

DOCUMENTATION = "docs/api.md, which comes with the gateway's source"


async def root(gateway: Gateway, request: HttpRequest) -> Response:
    """Return name, version, endpoints and documentation. It needs no key and reveals no rules."""
    return json_response(
        {
            "name": "sluice",
            "version": __version__,
            "documentation": DOCUMENTATION,
            "endpoints": [one for one in listed() if gateway.settings.console != "off" or CONSOLE not in one],
        }
    )


async def health(gateway: Gateway, request: HttpRequest) -> Response:
    """Return the state of the gateway, with details for a `manage` key; 503 if no request can be served."""
    entry: RequestLog = request.scope["sluice.entry"]
    entry.routine = True
    state = state_of(gateway, details=_manages(gateway, request))
    ready = gateway.policies.snapshot.ready and gateway.auth.ready
    return json_response(state, 200 if ready else 503, headers={"cache-control": "no-store"})


def state_of(gateway: Gateway, *, details: bool) -> Json:
    """Return the state of the gateway. `details`: those that a `manage` key sees."""
    policies = gateway.policies
    state = policies.snapshot.status()
    problems = gateway.problems()
    if problems:
        state["status"] = "degraded"
    if details:
        state["problems"] = [*problems, *policies.snapshot.problems()]
        state |= _details(gateway)
    return state


def _details(gateway: Gateway) -> Json:
    policies, cooling = gateway.policies, gateway.cooldown.cooling()
    return {
        "unavailable": policies.latest.unavailable(gateway.settings) if policies.latest else {},
        "warnings": policies.warnings(),
        **({"cooling": {id: round(left, 1) for id, left in cooling.items()}} if cooling else {}),
    }


def _manages(gateway: Gateway, request: HttpRequest) -> bool:
    try:
        return "manage" in gateway.auth.cached_key(request.headers).scopes
    except GatewayError:
        return False
