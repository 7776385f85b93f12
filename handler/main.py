"""Build the gateway and its app from the settings.

`build` is called once per process: by one of Lambda's entries (handler/runtime) or by a local run.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from handler.access.auth import Auth
from handler.app import create_app
from handler.aws.client import create_json_client
from handler.aws.credentials import AwsCredentials
from handler.gateway.lifecycle import Gateway
from handler.gateway.policy import Policies
from handler.log import Log, json_lines, problem_line
from handler.providers.credential_hosts import credential_allowed
from handler.providers.provider import Provider
from handler.relay.attempts import Relay
from handler.relay.cooldown import Cooldown
from handler.relay.shared_cooldown import SharedCooldown
from handler.settings import Settings, read_settings
from handler.store.snapshot import Snapshot
from handler.store.tables import Store
from handler.store.usage_totals import TOGETHER, UsageTotals
from handler.upstream.client import Client
from handler.upstream.credentials import Credentials
from handler.upstream.pool import create_pool
from handler.upstream.signing import Signer
from handler.upstream.trust import OF_AWS
from handler.wire.http import Transport

if TYPE_CHECKING:
    from handler.access.ledger import Ledger
    from handler.content.content_log import ContentLog
    from handler.gateway.response_cache import ResponseCache
    from handler.gateway.tracing.tracer import Tracer
    from handler.store.activity.recorder import Activity
    from handler.store.bucket import Bucket
    from handler.store.samples import Samples

Report = Callable[[str, Mapping[str, Any]], None]


def build(
    settings: Settings | None = None,
    *,
    extra_rows: Mapping[str, Provider] | None = None,
    log: Log | None = None,
    store: Store | None = None,
    upstream: Any = None,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], float] = time.time,
) -> tuple[Any, Gateway]:
    """Return the ASGI app and its gateway. `extra_rows`: providers that only this process serves.

    `upstream`: a transport in the place of the pools of connections, Sluice's own or one of httpx.

    `clock`: monotonic seconds; `now`: epoch seconds.
    """
    settings = settings or read_settings()
    log = log or json_lines(level=settings.log_level)
    transports = Transports.create(settings) if upstream is None else Transports.both(_adapted(upstream))
    store = store or Store(create_json_client(settings, "dynamodb", transports.aws), settings)
    gateway = _gateway(settings, store, transports, log, clock, now, extra_rows or {})
    return create_app(gateway), gateway


class Transports(NamedTuple):
    """What carries requests to providers, and to AWS: their certificates may have other roots."""

    providers: Transport
    aws: Transport

    @classmethod
    def create(cls, settings: Settings) -> Transports:
        return cls(create_pool(settings), create_pool(settings, trust=OF_AWS))

    @classmethod
    def both(cls, transport: Transport) -> Transports:
        return cls(transport, transport)


def _adapted(transport: Any) -> Transport:
    if hasattr(transport, "send"):
        return transport  # type: ignore[no-any-return]
    from handler.upstream.httpx_transport import HttpxTransport  # nobody needs it on Lambda

    return HttpxTransport(transport)


def _gateway(
    settings: Settings,
    store: Store,
    transports: Transports,
    log: Log,
    clock: Callable[[], float],
    now: Callable[[], float],
    extra_rows: Mapping[str, Provider],
) -> Gateway:
    report = partial(_report, log)
    aws = AwsCredentials(settings.environment)
    credentials = _credentials(settings, aws, transports.aws, report, clock)
    bucket = _open_bucket(settings)
    pause = 0.0 if settings.function_name else TOGETHER  # Lambda freezes an instance between requests
    cooldown = Cooldown(now)
    shared_cooldown = SharedCooldown(cooldown, store, report=report, now=now)
    snapshot = Snapshot(store, settings, report=report, clock=clock, on_refresh=shared_cooldown.refresh)
    client = Client(transports.providers, private_ok=settings.private_upstreams, sign=Signer(aws).sign)
    policies = Policies(settings=settings, snapshot=snapshot, credentials=credentials, extra_rows=extra_rows)
    return Gateway(
        settings=settings,
        store=store,
        auth=Auth(store, settings, clock=clock, now=now, on_read=snapshot.start_refresh, report=report),
        policies=policies,
        cooldown=cooldown,
        shared_cooldown=shared_cooldown,
        usage=UsageTotals(store.state, pause=pause, now=now, report=report),
        relay=_relay(client, credentials, cooldown, clock),
        log=log,
        now=lambda: datetime.fromtimestamp(now(), UTC),
        clock=clock,
        random=random.random,
        aws=transports.aws,
        open_content_log=lambda: _open_content_log(bucket, report, now),
        open_response_cache=lambda: _open_response_cache(bucket, store, report, clock, now),
        open_activity=lambda: _open_activity(store, report, now),
        open_ledger=lambda: _open_ledger(settings, store, client, log, report, clock, now),
        open_tracer=lambda: _open_tracer(settings, transports.providers, report, clock),
        open_samples=lambda: _open_samples(settings, store, report, now),
    )


def _report(log: Log, message: str, fields: Mapping[str, Any]) -> None:
    log(problem_line(message, fields))


def _credentials(
    settings: Settings, aws: AwsCredentials, transport: Transport, report: Report, clock: Callable[[], float]
) -> Credentials:
    return Credentials(
        settings,
        lambda: create_json_client(settings, "ssm", transport),
        can_sign=aws.are_there,
        clock=clock,
        report=report,
    )


def _open_ledger(
    settings: Settings,
    store: Store,
    client: Client,
    log: Log,
    report: Report,
    clock: Callable[[], float],
    now: Callable[[], float],
) -> Ledger:
    from handler.access.ledger import Ledger  # only `limit` and `budget` records need it
    from handler.gateway.alerts import Alerts
    from handler.upstream.notifications import Notifier

    notifier = Notifier(client, partial(_sns_client, settings), clock=clock)
    return Ledger(
        store.state, now=now, watcher=Alerts(store.state, log=log, send=notifier.send), report=report
    )


def _open_tracer(
    settings: Settings, transport: Transport, report: Report, clock: Callable[[], float]
) -> Tracer:
    from handler.gateway.tracing.tracer import Tracer  # only where SLUICE_OTLP_ENDPOINT is set

    # The operator chose the address, so it may be private, as that of a collector often is.
    return Tracer(settings, Client(transport, private_ok=True), report=report, clock=clock)


def _open_samples(settings: Settings, store: Store, report: Report, now: Callable[[], float]) -> Samples:
    from handler.store.samples import Samples  # not before the first answer

    return Samples(store.state, settings.samples, now=now, random=random.random, report=report)


def _sns_client(settings: Settings) -> Any:
    from handler.aws import sdk

    return sdk.create_client(settings, service="sns")


def _open_bucket(settings: Settings) -> Bucket | None:
    if settings.bucket is None:
        return None
    from handler.store.bucket import open_bucket  # few gateways have one: not at a cold start

    return open_bucket(settings)


def _open_content_log(bucket: Bucket | None, report: Report, now: Callable[[], float]) -> ContentLog:
    from handler.content.content_log import ContentLog  # only `log` records need it

    return ContentLog(bucket, report=report, now=now)


def _open_response_cache(
    bucket: Bucket | None, store: Store, report: Report, clock: Callable[[], float], now: Callable[[], float]
) -> ResponseCache:
    from handler.gateway.response_cache import ResponseCache  # only `cache` records need it
    from handler.store.answer_cache import AnswerCache

    return ResponseCache(AnswerCache(store.state, bucket), report=report, now=now, clock=clock)


def _open_activity(store: Store, report: Report, now: Callable[[], float]) -> Activity:
    from handler.store.activity.recorder import Activity  # after the first answer: not at a cold start

    return Activity(store.state, now=now, report=report)


def _relay(client: Client, credentials: Credentials, cooldown: Cooldown, clock: Callable[[], float]) -> Relay:
    def credential(row: Provider) -> str | None:
        """Return the provider's credential, never for a host that it does not belong to."""
        return credentials.get(row.credential) if row.credential and credential_allowed(row) else None

    return Relay(
        client,
        credential=credential,
        observe=cooldown.observe,
        clock=clock,
    )
