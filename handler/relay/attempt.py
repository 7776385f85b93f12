"""Makes one attempt: asks a candidate, and returns its answer or raises a classified failure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from handler.answers.answer import Answer
from handler.answers.resume import Continuation
from handler.answers.usage import WastedUsage
from handler.errors import Json, SchemaMismatch, UpstreamError
from handler.providers.addressing import apply_surface
from handler.providers.provider import Provider
from handler.providers.rows.compatible import translation_quirks
from handler.providers.translator import Translator
from handler.relay import subcalls
from handler.relay.call import Attempt, Call
from handler.relay.native import check_translatable, native_body, native_path, native_row
from handler.relay.response import replay_as_stream, send_and_read
from handler.relay.timeouts import limits_of
from handler.structured.refused_modes import STRICT, with_plain_tools
from handler.upstream.client import Client, Limits, Stopwatch
from handler.upstream.request import UpstreamRequest, answer_type, build_request
from rules import Candidate, Model

if TYPE_CHECKING:
    from handler.structured.schema_attempt import SchemaAttempt

_STREAMING = frozenset({"stream", "stream_options"})


class Services(NamedTuple):
    """The client, the credentials and the translators that all attempts of a process use."""

    client: Client
    credential: Callable[[Provider], str | None]
    translators: Mapping[str, Translator]  # by dialect


async def make_attempt(
    services: Services,
    call: Call,
    candidate: Candidate,
    *,
    continuation: Continuation | None,
    repair_of: SchemaMismatch | None,
    deadline: float,
    stopwatch: Stopwatch,
    wasted: list[WastedUsage],
    span: tuple[str, float] | None = None,  # in the call's trace
) -> Answer:
    """Ask one candidate once. Returns its answer: whole, or a stream at its first content.

    repair_of: the mismatch of this candidate's previous answer, which this attempt has to correct. wasted:
    gets the usage of an attempt without an answer. Raises UpstreamError, with everything closed.
    """
    began = stopwatch.clock()
    row, native = _row(services, call, candidate, continuation, span)
    translator, client = services.translators[row.dialect], services.client
    if call.operation is not None:
        from handler.relay.operations.attempt import attempt_operation as ask  # not at a cold start

        return await ask(services, call, candidate, row, deadline, stopwatch, wasted)
    sent, schema, parts = call, None, [call]
    if not native:
        sent, schema = prepare(call, candidate.model, row, translator, continuation, repair_of)
        parts = subcalls.split(sent, row, translator)
    limits = limits_of(sent, candidate, now=began, deadline=deadline)
    requests = [
        await _request(services, part, candidate.model, row, native, limits, stopwatch) for part in parts
    ]
    how = (continuation, schema, wasted, limits, stopwatch, native, len(parts))
    attempts = [
        Attempt(part, candidate, row, translator, request, *how)
        for part, request in zip(parts, requests, strict=True)
    ]
    asking = send_and_read(attempts[0], client) if len(parts) == 1 else subcalls.together(attempts, client)
    answer = await asking
    return answer if call.chat.stream == sent.chat.stream else replay_as_stream(attempts[0], answer)


async def _request(
    services: Services,
    call: Call,
    model: Model,
    row: Provider,
    native: bool,
    limits: Limits,
    stopwatch: Stopwatch,
) -> UpstreamRequest:
    translator, credential = services.translators[row.dialect], services.credential(row)
    client, dropped = call.chat.native, tuple[str, ...]()
    if native:
        body, dropped = native_body(call, model)
    else:
        quirks = translation_quirks(row) if client else row.quirks
        body, dropped = translator.request(call.body, model, quirks)
    same = client is None and row.dialect == call.decision.facts.dialect
    client_body = client.body if client else call.chat.body
    request = build_request(
        row,
        model,
        native_path(call, translator.path(model, stream=call.chat.stream)),
        body,
        dropped=(*(client.dropped if client and not native else ()), *dropped),
        client_text=call.chat.text,
        client_body=client_body if native or same else None,
        client_headers=call.headers if native or same else {},
        media_type=answer_type(translator, stream=call.chat.stream),
        credential=credential,
        private_ok=services.client.private_ok,
    )
    if row.auth == "sigv4" and credential is None:
        request = await services.client.signed(request, limits, stopwatch)
    return request


def _row(
    services: Services,
    call: Call,
    candidate: Candidate,
    continuation: Continuation | None,
    span: tuple[str, float] | None,
) -> tuple[Provider, bool]:
    """The row as it serves the model, and True if the request is relayed in the client's own format."""
    row = call.rows.get(candidate.model.provider)
    if row is None or row.dialect not in services.translators:
        raise UpstreamError(f"{candidate.id} has no provider that is served.", failure_class="not_found")
    span = span if row.quirks.traceparent else None  # a surface has quirks of its own
    if continuation is None and (own := native_row(call, candidate.model)) is not None:
        return _with_trace(_with_account(own, candidate), call, span), True
    check_translatable(call)
    row = _with_account(apply_surface(row, candidate.model, call.body), candidate)
    return _with_trace(row, call, span), False


def _with_account(row: Provider, candidate: Candidate) -> Provider:
    return row if candidate.account is None else row.replaced(credential=candidate.account)


def _with_trace(row: Provider, call: Call, span: tuple[str, float] | None) -> Provider:
    """Return a row whose requests continue the trace of the call, if there is one."""
    if span is None or call.trace is None:
        return row
    return row.replaced(headers={**row.headers, "traceparent": call.trace.header(span[0])})


def prepare(
    call: Call,
    model: Model,
    row: Provider,
    translator: Translator,
    continuation: Continuation | None = None,
    repair_of: SchemaMismatch | None = None,
) -> tuple[Call, SchemaAttempt | None]:
    """Return the call as one attempt sends it, and how the attempt asks for structured output, if it does.

    If nothing changes, that is `call` itself. No I/O.
    """
    body, chat, schema = call.body, call.chat, None
    if call.output_contract is not None:
        from handler.structured.schema_attempt import (
            schema_attempt,  # few requests need it: not at a cold start
        )

        schema = schema_attempt(call.output_contract, body, model, row, translator, repair_of)
    refused = repair_of.refused_modes if repair_of is not None else call.refused_modes
    whole = chat.stream and ((schema is not None and schema.whole) or not _streams(body, model))
    if continuation is None and schema is None and repair_of is None and not refused and not whole:
        return call, None
    if continuation is not None:
        body = continuation.body(body)
    if STRICT in refused:
        body = with_plain_tools(body)
    if schema is not None:
        body = schema.request(body)
    if repair_of is not None and repair_of.answer_text is not None:
        from handler.structured.correction import with_correction  # few answers need it: not at a cold start

        body = with_correction(body, repair_of)
    if whole:
        body = {name: value for name, value in body.items() if name not in _STREAMING}
        chat = chat.replaced(stream=False)
    return call.replaced(body=body, chat=chat, refused_modes=refused), schema


def _streams(body: Json, model: Model) -> bool:
    """True if the model can stream its answer. Some of Bedrock's models cannot if the chat has tools."""
    if "whole_answers" in model.rules:
        return False
    if "whole_tools" not in model.rules:
        return True
    called = any(message.get("tool_calls") for message in body["messages"])
    return not (body.get("tools") or body.get("functions") or called)
