"""Compresses answers for clients that accept it: a rule set or a list of requests becomes a tenth."""

from __future__ import annotations

import asyncio
import gzip
import re

from handler.endpoints.exchange.http import HttpRequest
from handler.endpoints.exchange.response import Response
from handler.log import RequestLog

LEAST = 1_400  # bytes; less fits into one packet as it is
LEVEL = 6
_REFUSED = re.compile(r"q=0(\.0*)?")


def accepts_gzip(request: HttpRequest) -> bool:
    entry: RequestLog = request.scope["sluice.entry"]
    codings = entry.headers.get("accept-encoding", "").lower().replace(" ", "").split(",")
    weights = {name: weight for name, _, weight in (coding.partition(";") for coding in codings)}
    return not _REFUSED.fullmatch(weights.get("gzip", weights.get("*", "q=0")))


async def compress_response(request: HttpRequest, response: Response) -> Response:
    """Return the response compressed, if that is accepted and worth it."""
    if len(response.body) < LEAST or not accepts_gzip(request):
        return response
    body = await asyncio.to_thread(gzip.compress, response.body, LEVEL)
    headers = {"content-encoding": "gzip", "vary": "accept-encoding"}
    return Response(body, response.status, headers=headers)
