"""The gateway of a process: its parts, and how it starts, resumes from a snapshot and ends."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from handler.access.auth import Auth
from handler.errors import GatewayError, Json
from handler.gateway.policy import Policies
from handler.log import Log
from handler.relay.attempts import Relay
from handler.relay.cooldown import Cooldown
from handler.relay.shared_cooldown import SharedCooldown
from handler.settings import Settings
from handler.store.tables import Store
from handler.store.usage_totals import UsageTotals
from handler.wire.http import Transport
from rules import Fields

if TYPE_CHECKING:
    from handler.access.ledger import Ledger
    from handler.content.content_log import ContentLog
    from handler.gateway.response_cache import ResponseCache
    from handler.gateway.tracing.tracer import Tracer
    from handler.store.activity.recorder import Activity
    from handler.store.samples import Samples

RECORDING = 10.0  # seconds that writing down what a request used may take
SETTLING = 1.0  # seconds that background work may take before the instance is frozen


class Gateway(Fields):
    """The parts that every endpoint uses. There is one gateway per process; only its parts have state."""

    settings: Settings
    store: Store
    auth: Auth
    policies: Policies
    cooldown: Cooldown
    shared_cooldown: SharedCooldown
    usage: UsageTotals
    relay: Relay
    log: Log
    now: Callable[[], datetime]  # UTC
    clock: Callable[[], float]  # monotonic seconds
    random: Callable[[], float]  # 0 <= random < 1
    aws: Transport  # to DynamoDB and Parameter Store
    open_content_log: Callable[[], ContentLog]
    open_response_cache: Callable[[], ResponseCache]
    open_ledger: Callable[[], Ledger]
    open_tracer: Callable[[], Tracer]
    open_activity: Callable[[], Activity]
    open_samples: Callable[[], Samples]
    next_sample: float = 0.0  # epoch seconds; no sample of a request is taken before
    provider_checks: tuple[float, asyncio.Task[list[Json]]] | None = None  # when it began: monotonic seconds
    cold: bool = True  # until the first metrics of the instance are written
    _content_log: ContentLog | None = None
    _response_cache: ResponseCache | None = None
    _ledger: Ledger | None = None
    _tracer: Tracer | None = None
    _activity: Activity | None = None
    _samples: Samples | None = None

    @property
    def ledger(self) -> Ledger:
        """The ledger, made when a `limit` or `budget` record applies for the first time."""
        if self._ledger is None:
            self._ledger = self.open_ledger()
        return self._ledger

    @property
    def activity(self) -> Activity:
        """The newest requests and the counters of the hour, made after the first answer."""
        if self._activity is None:
            self._activity = self.open_activity()
        return self._activity

    @property
    def content_log(self) -> ContentLog:
        """The content log, made when a `log` record applies for the first time."""
        if self._content_log is None:
            self._content_log = self.open_content_log()
        return self._content_log

    @property
    def response_cache(self) -> ResponseCache:
        """The cache of answers, made when a `cache` record applies for the first time."""
        if self._response_cache is None:
            self._response_cache = self.open_response_cache()
        return self._response_cache

    @property
    def tracer(self) -> Tracer:
        """The sender of spans, made after the first request if there is a collector."""
        if self._tracer is None:
            self._tracer = self.open_tracer()
        return self._tracer

    @property
    def samples(self) -> Samples:
        """The samples of requests, made when the first one is taken."""
        if self._samples is None:
            self._samples = self.open_samples()
        return self._samples

    async def start(self) -> None:
        """Read what the first request needs, since init has a full processor. `health` reports failures."""
        with suppress(GatewayError):
            (await self.policies.current()).import_translators()

    async def after_restore(self) -> None:
        """Start again from a snapshot, which may be weeks old and gives all instances one random state.

        Its connections are dead, and may not look so: nothing came on them, and the clock of their age stood.
        """
        random.seed()
        await self._close_connections()
        self.policies.snapshot.invalidate()
        self.auth.invalidate()
        self.shared_cooldown.invalidate()
        if self._ledger is not None:
            self._ledger.invalidate()
        self.policies.latest, self.cold = None, True
        await self.start()

    def problems(self) -> list[dict[str, Any]]:
        """List for /health what is wrong besides the rules: with keys, credentials and the content log."""
        log = self._content_log.problems() if self._content_log else []
        return [*self.auth.problems(), *self.policies.credentials.problems(), *log]

    def is_degraded(self) -> bool:
        """Return True if something is wrong that /health names, although requests are served."""
        return bool(self.problems()) or self.policies.snapshot.status()["status"] != "ok"

    async def aclose(self) -> None:
        """End background work and close every connection."""
        if self._activity is not None:
            self._activity.start_flush()
        await self.settle()
        await self._close_connections()

    async def _close_connections(self) -> None:
        await self.relay.aclose()
        await self.aws.aclose()

    async def settle(self) -> None:
        """Wait a limited time for background work, because Lambda freezes the instance between requests."""
        policies = (self.policies.snapshot, self.policies.credentials)
        optional = (self._response_cache, self._tracer, self._activity, self._samples)
        background = (self.auth, *policies, self.shared_cooldown, *optional)
        records = (self.usage, self._content_log, self._ledger)  # of requests: they must not be lost
        began = (clock := asyncio.get_running_loop().time)()
        # In turn, since most have nothing to wait for; all work goes on meanwhile.
        for limit, group in ((SETTLING, background), (RECORDING, records)):
            for each in group:
                if each is not None:
                    await each.settle(max(0.0, began + limit - clock()))
