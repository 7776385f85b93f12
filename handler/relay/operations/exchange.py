"""One request of an operation besides chat to a provider, and its response."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from handler.answers.answer import Answer
from handler.errors import AttemptRecord
from handler.formats.operations.operation import OperationRequest
from handler.providers.provider import Endpoint, Provider
from handler.providers.translator import Translator
from handler.relay.call import Call
from handler.relay.response import check_status, protocol_error
from handler.upstream.client import Limits, Stopwatch, UpstreamResponse
from handler.upstream.request import UpstreamRequest, build_post
from rules import Candidate

if TYPE_CHECKING:
    from handler.relay.attempt import Services

MAX_ANSWER = 40_000_000  # bytes of a whole answer; 2048 vectors of 3072 numbers in base64 are 34 MB


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationAttempt:
    """One attempt: who is asked, where, and under which limits."""

    services: Services
    call: Call
    candidate: Candidate
    row: Provider
    translator: Translator  # for errors
    endpoint: Endpoint
    limits: Limits
    stopwatch: Stopwatch

    @property
    def request(self) -> OperationRequest:
        assert self.call.operation is not None
        return self.call.operation

    @property
    def input_tokens(self) -> int:
        return self.call.decision.facts.input_tokens


async def build(
    attempt: OperationAttempt, path: str, body: bytes, media_type: str, headers: Mapping[str, str]
) -> UpstreamRequest:
    services, row = attempt.services, attempt.row
    credential = services.credential(row)
    request = build_post(
        row,
        attempt.candidate.model,
        attempt.endpoint.path or path,
        body,
        media_type=media_type or "application/json",
        client_headers=headers,
        credential=credential,
        private_ok=services.client.private_ok,
    )
    if row.auth == "sigv4" and credential is None:
        request = await services.client.signed(request, attempt.limits, attempt.stopwatch)
    return request


async def check(attempt: OperationAttempt, response: UpstreamResponse) -> None:
    """Raise UpstreamError for a response that is no answer."""
    await check_status(attempt.translator, response)
    if "html" in response.headers.get("content-type", ""):
        raise protocol_error("The provider sent an HTML page.", response.status)


def answer_of(
    attempt: OperationAttempt, response: UpstreamResponse, media_type: str = "application/json"
) -> Answer:
    candidate = attempt.candidate
    return Answer(
        candidate=candidate,
        attempts=[AttemptRecord(candidate.id, "ok", response.status, response.ms, account=candidate.account)],
        waited=response.waited,
        media_type=media_type,
    )
