"""Checks the credentials of providers by one free call each: the list of the provider's models.

The addresses are those of the providers' rows, so a caller chooses none. The results are kept for a minute,
and of several calls at once only one checks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

from handler.console.call import ConsoleCall
from handler.errors import Json, UpstreamError
from handler.gateway.lifecycle import Gateway
from handler.gateway.policy import Policy
from handler.providers.provider import Provider
from handler.upstream.client import Limits, Stopwatch
from handler.upstream.request import build_get

KEPT = 60.0  # seconds
CONNECT, TOTAL = 5.0, 10.0  # seconds for one call
AT_ONCE = 8  # calls
MOST = 100  # calls of one check; others are not made
PATHS: Mapping[str, str] = {"openrouter": "/key"}  # instead of /models, which is public there
PUBLIC = frozenset({"huggingface", "nvidia"})  # anyone may list their models
REFUSED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
SIGNED = "its calls are signed with the function's role, and none of those that the role may make is free"


async def check(call: ConsoleCall) -> Json:
    """Return what each available provider answers, by credential: {"data": [{name, ok, ...}]}.

    `ok` is true, false, or null where no free call shows if the credential is good; `problem` says why.
    """
    gateway = call.gateway
    policy = await gateway.policies.current()
    began, checking = gateway.provider_checks or (0.0, None)
    if checking is None or (checking.done() and gateway.clock() - began >= KEPT):
        checking = asyncio.create_task(_check_all(gateway, policy))
        gateway.provider_checks = gateway.clock(), checking
    return {"data": await asyncio.shield(checking)}


async def _check_all(gateway: Gateway, policy: Policy) -> list[Json]:
    rows = [row for name in sorted(policy.live.available) for row in policy.rows[name].by_account()]
    slots = asyncio.Semaphore(AT_ONCE)
    return await asyncio.gather(*(_check(gateway, row, slots) for row in rows[:MOST]))


async def _check(gateway: Gateway, row: Provider, slots: asyncio.Semaphore) -> Json:
    credential = gateway.relay.services.credential(row)
    result: Json = {"name": row.name, "credential": row.credential}
    if row.auth == "sigv4" and credential is None:
        return result | {"ok": None, "status": None, "ms": None, "problem": SIGNED}
    stopwatch = Stopwatch(gateway.clock)
    async with slots:
        began = gateway.clock()
        try:
            status = await _status(gateway, row, credential, stopwatch)
            ok, problem = _verdict(row, status)
        except UpstreamError as error:
            status, ok, problem = None, False, f"it cannot be reached: {error.message}"
    return result | {"ok": ok, "status": status, "ms": stopwatch.ms_since(began), "problem": problem}


async def _status(gateway: Gateway, row: Provider, credential: str | None, stopwatch: Stopwatch) -> int:
    client = gateway.relay.services.client
    path = PATHS.get(row.name, "/models")
    request = build_get(row, path, credential=credential, private_ok=client.private_ok)
    end = (stopwatch.clock() + TOTAL, "timeout_total")
    limits = Limits(began=stopwatch.clock(), connect=CONNECT, first=end, idle=TOTAL, total=end)
    response = await client.send(request, limits, stopwatch)
    await response.aclose()
    return response.status


def _verdict(row: Provider, status: int) -> tuple[bool | None, str | None]:
    """Return if the provider took the credential, and the problem."""
    if status in REFUSED:
        return False, f"it refused the credential {row.credential}" if row.credential else "it refused"
    if status < 300 and row.name in PUBLIC:
        return None, "it answers, but lists its models to anyone, so the credential is not checked"
    if status < 300 or status == HTTPStatus.TOO_MANY_REQUESTS:  # who is over a limit is known
        return True, None
    if status < 500:
        return None, f"it has no list of models to ask for (status {status})"
    return False, f"it answered {status}"
