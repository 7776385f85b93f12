"""Admits a request of an operation besides chat: its checked body, its facts, and the decision."""

from __future__ import annotations

from handler.access.keys import Key
from handler.formats.operations.operation import Operation
from handler.formats.operations.request import file_bytes, parse_operation
from handler.gateway.admission import AdmittedRequest, facts_of
from handler.gateway.lifecycle import Gateway
from handler.log import RequestLog
from rules import decide, facts_of_operation


async def decide_on_operation(
    gateway: Gateway, key: Key, operation: Operation, body: bytes, entry: RequestLog
) -> AdmittedRequest:
    """Check a request and decide which model is to answer. Raises GatewayError."""
    chat, request = parse_operation(operation, body, entry.headers, gateway.settings.max_n)
    policy = await gateway.policies.current()
    facts = facts_of_operation(
        facts_of(chat, key=key, headers=entry.headers, now=gateway.now(), random=gateway.random()),
        operation.name,
        chat.body,
        file_bytes=file_bytes(request.form),
        default_model=operation.default_model,
    )
    live = policy.live.replaced(cooling=gateway.cooldown.cooling())
    decision = decide(facts, policy.ruleset, policy.catalog, live)
    entry.stream, entry.tags, entry.decision = chat.stream, chat.tags, decision
    return AdmittedRequest(chat, None, key, policy, decision, entry.headers, request)
