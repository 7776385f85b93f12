"""Admits a request: the caller's key, the checked body, its facts, and the decision of the rules."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from functools import partial
from typing import NamedTuple

from handler.access.keys import Key
from handler.errors import Forbidden, GatewayError, InvalidRequest, Json, NotFound, Unavailable
from handler.formats.chat.request import Chat
from handler.formats.client_format import ClientFormat
from handler.formats.foreign_shapes import parse_chat
from handler.formats.operations.operation import OperationRequest
from handler.formats.options import Headers, header_facts
from handler.formats.tool_servers import without_servers
from handler.gateway.lifecycle import Gateway
from handler.gateway.policy import Policy
from handler.gateway.tool_servers import ToolServer, tool_servers
from handler.log import RequestLog
from handler.providers.addressing import in_dialect
from handler.providers.quirks.refused_fields import refused_field
from rules import Decision, Facts, Refusal, decide, facts_of_request

# The error of each refusal code; the other codes are faults of the request itself.
REFUSAL_ERRORS: Mapping[str, type[GatewayError]] = {
    "model_not_found": NotFound,
    "model_not_allowed": Forbidden,
    "no_candidate": Unavailable,
    "rule_unreadable": Unavailable,
}


class AdmittedRequest(NamedTuple):
    """One chat request, and what was decided about it.

    `edit`: a further change of the chat's prepared body, for a request whose tools Sluice runs.
    """

    chat: Chat
    format: ClientFormat | None  # of the client; None: chat
    key: Key
    policy: Policy
    decision: Decision
    headers: Headers
    operation: OperationRequest | None = None  # of a request that is no chat
    servers: tuple[ToolServer, ...] = ()  # whose tools Sluice runs
    edit: Callable[[Json], Json] | None = None

    def explanation(self) -> Json:
        """The decision as this key may see it: without `manage`, only records whose scope covers it."""
        servers = {"servers": [server.explain() for server in self.servers]} if self.servers else {}
        return self._explained_decision() | servers

    def _explained_decision(self) -> Json:
        if "manage" in self.key.scopes:
            return self.decision.explain()
        covering = (
            record for record in self.policy.ruleset.records if record.scope.covers(self.decision.facts)
        )
        return self.decision.explain(visible=frozenset((record.kind, record.id) for record in covering))

    def raise_if_refused(self) -> None:
        """Raise the error of a request that the rules or a candidate's provider refuse."""
        if self.decision.refusal is not None:
            raise refusal_error(self.decision.refusal, retry_after=self.policy.retry_after)
        allow, body, native = self.decision.effects.allow_fields, self.chat.body, self.chat.native
        if self.servers:
            body, native = without_servers(body), None
        for candidate in self.decision.candidates:
            model, row = candidate.model, self.policy.rows[candidate.model.provider]
            bodies = [(body, row)]
            if native is not None and (own := in_dialect(row, model, native.dialect)):
                bodies.append((native.body, own))
            for sent, served_by in bodies:
                if error := refused_field_error(sent, served_by.quirks.refuse, allow, model=model.name):
                    raise error


async def authenticate(gateway: Gateway, entry: RequestLog) -> Key:
    """Return the caller's key, which has the scope that every endpoint needs. Raises GatewayError."""
    entry.key = key = await gateway.auth.authenticate(entry.headers)
    key.require("chat")
    return key


async def decide_on(
    gateway: Gateway, key: Key, body: bytes, entry: RequestLog, format: ClientFormat | None = None
) -> AdmittedRequest:
    """Check a request and decide which model is to answer. Raises GatewayError.

    format: of the client; None: chat.
    """
    read = partial(format.parse if format else parse_chat, headers=entry.headers, settings=gateway.settings)
    chat = read(body)
    policy = await gateway.policies.current()
    facts_about = partial(
        facts_of,
        key=key,
        headers=entry.headers,
        now=gateway.now(),
        random=gateway.random(),
        dialect=format.name if format else "openai",
    )
    facts = facts_about(chat)
    chat, servers = tool_servers(chat, facts, policy.ruleset, read)
    if servers:
        facts = facts_about(chat)
    cooling = gateway.cooldown.cooling()
    live = policy.live.replaced(cooling=cooling) if cooling else policy.live
    decision = decide(facts, policy.ruleset, policy.catalog, live)
    entry.stream, entry.tags, entry.decision = chat.stream, chat.tags, decision
    return AdmittedRequest(chat, format, key, policy, decision, entry.headers, servers=servers)


def redecide(gateway: Gateway, admitted: AdmittedRequest, spent: frozenset[str]) -> AdmittedRequest:
    """Decide again, with these budgets used up, whose `then` chooses the model. May be refused."""
    policy = admitted.policy
    live = policy.live.replaced(cooling=gateway.cooldown.cooling())
    decision = decide(admitted.decision.facts, policy.ruleset, policy.catalog, live, spent)
    return admitted._replace(decision=decision)


def facts_of(
    chat: Chat, *, key: Key, headers: Headers, now: datetime, random: float, dialect: str = "openai"
) -> Facts:
    """Return the facts that rules may ask about. `now`: in UTC; `random`: 0 <= random < 1."""
    return facts_of_request(
        chat.body,
        native=chat.native.body if chat.native else None,
        dialect=dialect,
        project=key.project,
        key=key.id,
        key_models=key.models,
        function=chat.function,
        session=chat.session,
        agent=chat.agent,
        header=header_facts(headers),
        tags=chat.tags,
        prefer=chat.prefer,
        at=now,
        random=random,
    )


def refusal_error(refusal: Refusal, *, retry_after: float | None = None) -> GatewayError:
    """Return the error of a refused decision. `retry_after`: seconds after which there may be a candidate."""
    kind = REFUSAL_ERRORS.get(refusal.code, InvalidRequest)
    error = kind(refusal.message, code=refusal.code, param=refusal.param)
    if refusal.code == "no_candidate":
        error.retry_after = retry_after
        if retry_after is None:  # a credential or a record is missing, so a retry by an SDK cannot succeed
            error.headers["x-should-retry"] = "false"
    return error


def refused_field_error(
    body: Json, refuse: Collection[str], allow_fields: Collection[str], *, model: str
) -> InvalidRequest | None:
    """Return the error of the first field in `body` that a provider's row refuses; None if it may be sent.

    `allow_fields`: fields that a rule allows; `model`: its name at the provider.
    """
    name = refused_field(body, refuse, allow_fields, model=model)
    if name is None:
        return None
    what = f"model {model}" if name == "model" else name
    message = f"{what}: not accepted here; a rule's `allow_fields` can allow it"
    return InvalidRequest(message, code="unsupported_parameter", param=name)
