"""Completes an admitted request: makes its call, gets the answer, and does the work after it."""

from __future__ import annotations

from copy import copy
from functools import partial

from handler.answers.answer import Answer
from handler.errors import Json, NotFound, UpstreamError
from handler.formats.chat.effects import prepare_body
from handler.formats.native_body import native_body
from handler.formats.options import wants_explanation
from handler.gateway.admission import AdmittedRequest
from handler.gateway.lifecycle import Gateway
from handler.gateway.usage_rows import usage_of_request
from handler.log import RequestLog, exception_line, request_line
from handler.relay.call import Call
from handler.relay.native import is_native
from handler.store.usage_totals import UsageRow
from handler.upstream.headers import forwarded_headers
from rules import Effects, LogRecord

OTHER_EFFECTS = Effects()  # on the body of an operation whose parameters are not those of a chat


COUNTING = 10.0  # seconds that a provider may take to count tokens


def call_of(gateway: Gateway, admitted: AdmittedRequest, deadline: float) -> Call:
    """Return the call for the relay, right after the decision. deadline: on the gateway's clock.

    Raises InvalidRequest for a schema that no answer can be checked against.
    """
    chat, decision = admitted.chat, admitted.decision
    operation = admitted.operation
    is_chat = operation is None or operation.operation.has_chat_parameters
    body = prepare_body(chat, decision.effects if is_chat else OTHER_EFFECTS)
    contract = None
    if admitted.edit is not None:
        body = admitted.edit(body)
    if operation is None and body.get("response_format") is not None:
        from handler.structured.modes import output_contract  # few requests need it: not at a cold start

        contract = output_contract(body, ours=chat.body.get("output_schema") is not None)
    own = None
    if admitted.format and chat.native and not admitted.servers:
        own = native_body(admitted.format, chat, body, decision.effects)
    if decision.candidates:
        gateway.cooldown.probe(decision.candidates[0].key, decision)
    return Call(
        chat=chat,
        decision=decision,
        body=body,
        native_body=own,
        native_effects=admitted.format.effects if own and admitted.format else {},
        operation=operation,
        output_contract=contract,
        rows=admitted.policy.rows,
        deadline=deadline,
        headers=forwarded_headers(admitted.headers, admitted.key.id),
        explanation=admitted.explanation() if wants_explanation(admitted.headers) else None,
    )


async def complete(gateway: Gateway, admitted: AdmittedRequest, call: Call, entry: RequestLog) -> Answer:
    """Return the answer: whole, or a stream at its first content. Raises GatewayError."""
    ask = partial(_ask, gateway, admitted, call, entry)
    if call.decision.cache is None or is_native(call):
        return await ask()
    return await gateway.response_cache.answer(call, entry, ask)


def only_native(call: Call, suffix: str) -> Call:
    """Return the call of another endpoint, which only providers of the client's format have.

    Raises NotFound if the first candidate's provider is not one of them.
    """
    if not is_native(call):
        name = call.decision.candidates[0].id
        raise NotFound(
            f"The provider of {name} does not have this endpoint.", code="unknown_url", param="model"
        )
    return call.replaced(native_suffix=suffix)


async def count_natively(gateway: Gateway, call: Call, suffix: str) -> bytes | None:
    """Return a provider's own answer about the tokens of a call; None if it has none. Nothing is charged."""
    if not is_native(call):
        return None
    deadline = min(call.deadline, gateway.clock() + COUNTING)
    first = call.decision.replaced(candidates=call.decision.candidates[:1])
    chat = call.chat.replaced(stream=False)
    relay = copy(gateway.relay)
    # A provider limits counts by themselves, or has none: its failures say nothing about its models.
    relay.observe = lambda *_: None
    try:
        answer = await relay.complete(
            call.replaced(chat=chat, decision=first, native_suffix=suffix, deadline=deadline)
        )
    except UpstreamError:
        return None
    finally:
        gateway.cooldown.release(call.decision)
    return answer.body


async def _ask(gateway: Gateway, admitted: AdmittedRequest, call: Call, entry: RequestLog) -> Answer:
    """Count the request, and return the answer of a provider.

    The log gets the time that was spent waiting on providers, which is not the gateway's overhead.
    """
    if call.decision.limits:
        from handler.gateway.limits import reserve  # not at a cold start

        decide_again = partial(call_of, gateway, deadline=call.deadline)
        call = await reserve(gateway, admitted, call, entry, decide_again)
    if gateway.settings.otlp_endpoint is not None or "traceparent" in entry.trace:
        from handler.gateway.tracing.tracer import start_trace  # few gateways need it: not at a cold start

        call = call.replaced(trace=start_trace(gateway, entry))
    entry.waiting_since = gateway.clock()
    try:
        entry.answer = answer = await gateway.relay.complete(call, entry.wasted, entry.attempts)
    finally:
        if any(attempt.failure_class == "auth" for attempt in entry.attempts):
            gateway.policies.credentials.note_refusal()  # the credential may have been changed
        entry.waited, entry.waiting_since = gateway.clock() - entry.waiting_since, None
        gateway.cooldown.release(call.decision)
    entry.waited = answer.waited
    return answer


def settle_step(gateway: Gateway, entry: RequestLog) -> None:
    """Count what one of several model calls of a request used, so that the next one is counted by itself."""
    _settle(gateway, entry)
    entry.wasted += entry.spent[len(entry.wasted) :]
    entry.settled, entry.answer, entry.reservation = len(entry.wasted), None, None


def start_recording(gateway: Gateway, admitted: AdmittedRequest, entry: RequestLog) -> None:
    """Record the content of a request if a `log` record applies and the client has not forbidden it."""
    ruleset, chat = admitted.policy.ruleset, admitted.chat
    if not ruleset.enabled("log") or chat.no_content_log or admitted.operation is not None:
        return
    from handler.content.recording import Recording, is_sampled  # few gateways need it: not at a cold start

    record = ruleset.most_specific("log", admitted.decision.facts)
    if isinstance(record, LogRecord) and is_sampled(record, entry.request_id):
        body = chat.native.body if chat.native else chat.body
        entry.recording = Recording(record, body, len(chat.text), of_chat=admitted.format is None)


def finish(gateway: Gateway, entry: RequestLog) -> None:
    """Do the work that remains once the client has its answer."""
    answer = entry.answer
    gateway.cooldown.release(entry.decision)
    if answer is not None:
        if answer.cache_entry is not None:
            gateway.response_cache.store(answer)
        entry.waited = answer.waited
        if answer.first_token is not None:
            gateway.policies.observe_first_token(answer.candidate.id, answer.first_token)
    if counted := usage_of_request(entry):
        gateway.usage.add(*counted)
    line = request_line(entry, gateway.clock())
    gateway.log(_with_metrics(gateway, line, counted[0] if counted else None))
    if entry.recording is not None:
        gateway.content_log.start_write(entry.recording, line, entry.tags)
    _settle(gateway, entry)
    try:
        _observe(gateway, entry, line, counted)
    except Exception as error:  # what only looks on must not end a request that has its answer
        gateway.log(exception_line(error, **entry.ids))


def _observe(
    gateway: Gateway, entry: RequestLog, line: Json, counted: tuple[UsageRow, dict[str, int]] | None
) -> None:
    if gateway.settings.console != "off":
        gateway.activity.add(line, counted)
    if gateway.settings.samples and gateway.now().timestamp() >= gateway.next_sample:
        from handler.gateway.sampling import take_sample  # not before the first answer

        take_sample(gateway, entry)
    if gateway.settings.otlp_endpoint is not None:
        gateway.tracer.add(gateway, entry, line)


def _settle(gateway: Gateway, entry: RequestLog) -> None:
    if entry.reservation is not None:
        from handler.gateway.limits import uses_of

        gateway.ledger.close(entry.reservation, uses_of(entry.spent[entry.settled :]))


def _with_metrics(gateway: Gateway, line: Json, row: UsageRow | None) -> Json:
    if gateway.settings.metrics == "0":
        return line
    from handler.gateway.metrics import metrics_of  # off by default: not at a cold start

    cold, degraded = gateway.cold, gateway.is_degraded()
    metrics = metrics_of(line, row, gateway.settings, gateway.now(), cold=cold, degraded=degraded)
    gateway.cold = cold and not metrics
    return line | metrics
