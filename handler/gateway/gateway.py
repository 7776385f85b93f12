"""What every endpoint works with: who calls, which rules are in force, what they make of a request."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from handler.access.auth import Auth
from handler.access.keys import Key
from handler.endpoints.streaming import HEAD_AFTER, Receive, read_body
from handler.errors import GatewayError, Json
from handler.formats.chat.effects import prepare_body
from handler.formats.chat.request import Chat, parse
from handler.formats.options import wants_explanation
from handler.gateway.admission import facts_of, refusal_error, refused_field_error
from handler.gateway.rule_warnings import RuleWarnings
from handler.log import Log, RequestLog, request_line
from handler.providers.addressing import unsupported_features
from handler.providers.provider import Provider
from handler.providers.registry import available_providers, provider_rows
from handler.relay.call import wanted_of
from handler.relay.cooldown import Cooldown
from handler.relay.relay import Answer, Call, Relay
from handler.relay.shared_cooldown import Sharing
from handler.settings import Settings
from handler.store.snapshot import Snapshot
from handler.upstream.credentials import Credentials
from handler.upstream.headers import forwarded_headers
from rules import (
    Catalog,
    Decision,
    Facts,
    LiveState,
    ModelRecord,
    Refusal,
    RuleSet,
    decide,
    list_models,
    load_catalog,
)

SMOOTHING = 0.3  # weight of the newest measurement of a model's time to first token
SETTLING = 1.0  # seconds that work beside requests may take before the instance is frozen


class Policy(NamedTuple):
    """The adopted rules, and what their records make of the catalogue and of the providers."""

    ruleset: RuleSet
    catalog: Catalog
    rows: Mapping[str, Provider]
    live: LiveState
    held: object  # the credentials that `live` was made with
    retry_after: float | None  # seconds until there may be more of them; None: these are all

    def unavailable(self, settings: Settings) -> Mapping[str, str]:
        """The reason why each provider that a record or a setting turned on cannot be used, by its name."""
        on = {record.id for record in self.ruleset.enabled("provider")} | settings.providers
        return {name: why for name, why in self.live.unavailable.items() if name in on}


class AdmittedRequest(NamedTuple):
    """One chat request, and what was decided about it."""

    chat: Chat
    key: Key
    policy: Policy
    decision: Decision
    headers: Mapping[str, str]

    def explanation(self) -> Json:
        """The decision as this key may see it: without `manage`, only records whose scope covers it."""
        if "manage" in self.key.scopes:
            return self.decision.explain()
        covering = (
            record for record in self.policy.ruleset.records if record.scope.covers(self.decision.facts)
        )
        return self.decision.explain(visible=frozenset((record.kind, record.id) for record in covering))

    def raise_if_refused(self) -> None:
        """Raises what the caller of a refused request is told."""
        if self.decision.refusal is not None:
            raise refusal_error(self.decision.refusal, retry_after=self.policy.retry_after)
        for candidate in self.decision.candidates:
            model, allow = candidate.model, self.decision.effects.allow_fields
            refuse = self.policy.rows[model.provider].quirks.refuse
            if error := refused_field_error(self.chat, refuse, allow, model=model.name):
                raise error


@dataclass(slots=True)
class Gateway:
    """One per process; what changes over its life is in the objects it holds."""

    settings: Settings
    auth: Auth
    snapshot: Snapshot
    credentials: Credentials
    cooldown: Cooldown
    sharing: Sharing
    relay: Relay
    log: Log
    now: Callable[[], datetime]  # UTC
    clock: Callable[[], float]  # monotonic seconds
    roll: Callable[[], float]  # 0 <= roll < 1
    extra_rows: Mapping[str, Provider] = field(default_factory=dict)
    warnings: RuleWarnings = field(default_factory=RuleWarnings)
    first_token: dict[str, float] = field(default_factory=dict)  # seconds, smoothed, by candidate
    head_after: float = HEAD_AFTER  # seconds
    _policy: Policy | None = None

    async def admitted(self, entry: RequestLog) -> Key:
        """The caller's key, with the scope that every endpoint asks for."""
        entry.key = key = await self.auth.authenticate(entry.headers)
        key.require("chat")
        return key

    async def policy(self) -> Policy:
        """The rules in force, what they make of the catalogue, and the providers that can be used."""
        view, last = await self.snapshot.current(), self._policy
        if last is None or last.ruleset is not view.ruleset:
            table = provider_rows(
                view.ruleset.enabled("provider"), self.extra_rows, region=self.settings.region
            )
            models = (record for record in view.ruleset.enabled("model") if isinstance(record, ModelRecord))
            catalog = load_catalog().with_records(models, {name: row.dialect for name, row in table.items()})
        else:
            table, catalog = last.rows, last.catalog
        await self.credentials.refresh(table, self.settings)
        held = self.credentials.version
        if last is None or (last.catalog, last.held, last.live.stale) != (catalog, held, view.stale):
            live, retry_after = self._live(table, stale=view.stale), self.credentials.retry_after
            self._policy = last = Policy(view.ruleset, catalog, table, live, held, retry_after)
        return last

    @property
    def rows(self) -> Mapping[str, Provider]:
        return self._policy.rows if self._policy else {}

    @property
    def available(self) -> frozenset[str]:
        """The providers that can be called, those of the rules too; none before the rules were read."""
        return self._policy.live.available if self._policy else frozenset()

    async def asked(self, receive: Receive, entry: RequestLog) -> AdmittedRequest:
        """Who asks, what, and which model is to answer. Raises GatewayError."""
        key, headers = await self.admitted(entry), entry.headers
        chat = parse(await read_body(receive, headers, self.settings.max_body), headers, self.settings)
        policy = await self.policy()
        facts = facts_of(chat, key=key, headers=headers, now=self.now(), roll=self.roll())
        cooling = self.cooldown.cooling()
        live = replace(policy.live, cooling=cooling) if cooling else policy.live
        decision = decide(facts, policy.ruleset, policy.catalog, live)
        entry.stream, entry.tags, entry.decision = chat.stream, chat.tags, decision
        return AdmittedRequest(chat, key, policy, decision, headers)

    def call(self, asked: AdmittedRequest, deadline: float) -> Call:
        """What the relay is asked to do, right after it was decided. `deadline`: on the gateway's clock.

        Raises InvalidRequest for a schema that no answer can be held to.
        """
        body = prepare_body(asked.chat, asked.decision.effects)
        asks = wanted_of(body, asked.chat)
        if asked.decision.candidates:
            self.cooldown.probe(asked.decision.candidates[0].id, asked.decision)
        return Call(
            chat=asked.chat,
            decision=asked.decision,
            body=body,
            wanted=asks,
            rows=asked.policy.rows,
            deadline=deadline,
            headers=forwarded_headers(asked.headers, asked.key.id),
            explanation=asked.explanation() if wants_explanation(asked.headers) else None,
        )

    async def relayed(self, call: Call, entry: RequestLog) -> Answer:
        """The answer, with the time it took on the entry: waiting on providers is not our overhead."""
        entry.waiting_since = self.clock()
        try:
            entry.answer = answer = await self.relay(call, entry.spent, entry.attempts)
        finally:
            if any(attempt.failure_class == "auth" for attempt in entry.attempts):
                self.credentials.note_refusal()  # the provider may have been given a new one
            entry.waited, entry.waiting_since = self.clock() - entry.waiting_since, None
            self.cooldown.release(call.decision)
        entry.waited = answer.waited
        return answer

    async def models(self, key: Key) -> list[Json]:
        """What `key` may use, in OpenAI's shape."""
        policy = await self.policy()
        facts = Facts(key=key.id, project=key.project, key_models=key.models)
        found = list_models(policy.ruleset, policy.catalog, policy.live, facts)
        if isinstance(found, Refusal):
            raise refusal_error(found, retry_after=policy.retry_after)
        return found

    def _live(self, table: Mapping[str, Provider], *, stale: bool) -> LiveState:
        names, why = available_providers(table, self.credentials, self.settings, self.credentials.can_sign)
        return LiveState(
            available=names,
            unavailable=why,
            first_token=self.first_token,
            stale=stale,
            default_access=self.settings.default_access,
            unsupported=unsupported_features(table.values()),
        )

    def health(self, *, detailed: bool) -> tuple[int, Json]:
        """The status and body of GET /health, from memory alone."""
        status, problems = self.snapshot.status(), [*self.auth.problems(), *self.credentials.problems()]
        if problems:
            status["status"] = "degraded"
        if detailed:
            status["problems"] = [*problems, *self.snapshot.problems()]
            status["unavailable"] = self._policy.unavailable(self.settings) if self._policy else {}
            status["warnings"] = self.warnings(*self._policy[:2]) if self._policy else ()
            if cooling := self.cooldown.cooling():
                status["cooling"] = {id: round(left, 1) for id, left in cooling.items()}
        return (200 if self.snapshot.ready and self.auth.ready else 503), status

    async def after(self, entry: RequestLog) -> None:
        """What remains to be done once the client has its answer."""
        answer = entry.answer
        self.cooldown.release(entry.decision)
        if answer is not None:
            entry.waited = answer.waited
        if answer is not None and answer.first_token is not None:
            last = self.first_token.get(answer.candidate.id, answer.first_token)
            self.first_token[answer.candidate.id] = last + SMOOTHING * (answer.first_token - last)
        self.log(request_line(entry, self.clock()))

    async def start(self) -> None:
        """Reads what the first request needs; init has a full processor. `health` tells of trouble."""
        with suppress(GatewayError):
            await self.policy()

    async def after_restore(self) -> None:
        """After a snapshot's restore, weeks may have passed, and other instances woke with the same dice.

        Connections need nothing: those that died are noticed when they are taken from their pools.
        """
        random.seed()
        self.snapshot.invalidate()
        self.auth.invalidate()
        self.sharing.invalidate()
        self._policy = None
        await self.start()

    async def aclose(self) -> None:
        """Ends what runs beside requests and lets go of every connection."""
        await self.settle()
        await self.relay.aclose()

    async def settle(self) -> None:
        """Waits, bounded, for what runs beside requests: a Lambda instance is frozen between two of them."""
        beside = (self.auth, self.snapshot, self.credentials, self.sharing)
        await asyncio.gather(*(each.settle(SETTLING) for each in beside))
