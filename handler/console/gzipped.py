"""Compresses answers for clients that accept it: a rule set or a list of requests becomes a tenth."""

from __future__ import annotations

import asyncio
import gzip

from handler.endpoints.exchange.http import HttpRequest
from handler.endpoints.exchange.response import Response
from handler.log import RequestLog

LEAST = 1_400  # bytes; less fits into one packet as it is
LEVEL = 6


def accepts_gzip(request: HttpRequest) -> bool:
    entry: RequestLog = request.scope["sluice.entry"]
    for coding in entry.headers.get("accept-encoding", "").lower().split(","):
        name, _, weight = coding.partition(";")
        if name.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


async def gzipped(request: HttpRequest, response: Response) -> Response:
    """Return the response compressed, if that is accepted and worth it."""
    if len(response.body) < LEAST or not accepts_gzip(request):
        return response
    body = await asyncio.to_thread(gzip.compress, response.body, LEVEL)
    headers = {"content-encoding": "gzip", "vary": "accept-encoding"}
    return Response(body, response.status, headers=headers)
