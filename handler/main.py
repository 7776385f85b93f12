"""Where everything is made: settings to clients to the app, and the buffered Lambda entry.

`build` is called once per process: by the streaming loop, by a local run, or by the first look at `handler`.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from handler.app import create_app
from handler.auth import Auth
from handler.credentials import Credentials
from handler.gateway import Gateway
from handler.log import Log, json_lines, trouble
from handler.providers.base import Provider
from handler.relay import Relay, transport
from handler.settings import Settings, settings_from
from handler.snapshot import Snapshot
from handler.store import Store, client


def build(
    settings: Settings | None = None,
    *,
    extra_rows: Mapping[str, Provider] | None = None,
    log: Log | None = None,
    store: Store | None = None,
) -> tuple[Any, Gateway]:
    """The app, and the gateway behind it. `extra_rows`: providers that only this process serves."""
    settings = settings or settings_from()
    log = log or json_lines(level=settings.log_level)
    store = store or Store(client(settings), settings)
    credentials = Credentials(settings, lambda: client(settings, service="ssm"))
    gateway = Gateway(
        settings=settings,
        auth=Auth(store, settings),
        snapshot=Snapshot(store, settings, report=lambda what, found: log(trouble(what, found))),
        credentials=credentials,
        relay=_relay(settings, credentials, lambda: gateway.rows),
        log=log,
        now=lambda: datetime.now(UTC),
        clock=time.monotonic,
        roll=random.random,
        extra_rows=extra_rows or {},
    )
    return create_app(gateway), gateway


def _relay(settings: Settings, credentials: Credentials, rows: Callable[[], Mapping[str, Provider]]) -> Relay:
    return Relay(
        transport(settings),
        rows=rows,
        credential=lambda row: credentials.get(row.credential) if row.credential else None,
        private_ok=settings.private_upstreams,
    )


def __getattr__(name: str) -> Any:
    """`handler`, the buffered entry for Lambda's own client: made when it is asked for, still in init."""
    if name != "handler":
        raise AttributeError(name)
    from mangum import Mangum

    logging.getLogger("mangum").setLevel(logging.WARNING)  # a line per request is written already
    app, _ = build()
    globals()["handler"] = entry = Mangum(app, lifespan="off")
    return entry
