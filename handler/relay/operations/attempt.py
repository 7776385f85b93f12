"""Makes one attempt of an operation besides chat: embeddings, rerank, images, audio, ...

A provider of OpenAI's format gets the client's bytes, and its answer is relayed as it comes. For any other
provider its format (handler/providers/operations) makes the requests and reads the answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from handler.answers.answer import Answer
from handler.answers.usage import WastedUsage
from handler.errors import UpstreamError
from handler.providers.operations.format import endpoints_of
from handler.providers.operations.formats import FORMATS
from handler.providers.provider import Provider
from handler.relay.call import Call
from handler.relay.operations.exchange import OperationAttempt
from handler.relay.operations.relayed import relay
from handler.relay.operations.translated import translate
from handler.relay.timeouts import limits_of
from handler.upstream.client import Stopwatch
from rules import Candidate

if TYPE_CHECKING:
    from handler.relay.attempt import Services


async def attempt_operation(
    services: Services,
    call: Call,
    candidate: Candidate,
    row: Provider,
    deadline: float,
    stopwatch: Stopwatch,
    wasted: list[WastedUsage],
) -> Answer:
    """Ask one candidate once. Returns its answer. Raises UpstreamError, with everything closed."""
    assert call.operation is not None
    name = call.operation.operation.name
    endpoint = endpoints_of(row).get(name)
    if endpoint is None:
        raise UpstreamError(f"{row.name} has no such operation.", failure_class="not_found")
    attempt = OperationAttempt(
        services=services,
        call=call,
        candidate=candidate,
        row=row.replaced(base_url=(row.base_url or "").removesuffix(endpoint.remove)),
        translator=services.translators[row.dialect],
        endpoint=endpoint,
        limits=limits_of(call, candidate, now=stopwatch.clock(), deadline=deadline),
        stopwatch=stopwatch,
    )
    # A format that is not listed is OpenAI's, or that of Cohere for a rerank.
    format = FORMATS.get(name, {}).get(endpoint.format)
    return await (relay(attempt, wasted) if format is None else translate(attempt, format, wasted))
