"""Runs a DynamoDB in this process, the demo model and the gateway, until a signal ends them.

seeding.py fills the tables, banner.py writes what is printed at the start.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import Any

import uvicorn

from handler.aws.endpoint import is_loopback
from handler.aws.errors import StoreError
from handler.aws.sdk import call_aws, create_client, scan
from handler.local.banner import EMBEDDED_BUCKET, Run, banner, base_url
from handler.local.create_tables import create_bucket, create_tables
from handler.local.database import LOOPBACK, serve_database
from handler.local.demo.server import create_demo
from handler.local.rule_watch import watch_rules
from handler.local.seeding import SeedResult, Seeds, read_seeds, store_seeds
from handler.local.terminal_log import terminal_log
from handler.main import build
from handler.providers.provider import Provider
from handler.settings import InvalidSetting, Settings, read_settings
from handler.store.attributes import deserialize_item
from rules.review import lint
from rules.review.command_line import InvalidInput

GRACE = 10  # seconds that running requests have after a signal
START_TIMEOUT = 30  # seconds for an answer of DynamoDB: the embedded one starts slowly on a busy machine
KEEP_ALIVE = 75  # seconds; longer than clients keep idle connections, so that none closes under a request


def serve(*, host: str, port: int, rules: str | None, keys: str | None) -> int:
    """Serve until SIGINT or SIGTERM. Returns the exit status: 0, or 2 when it could not start."""
    try:
        settings, seeds = read_settings(), read_seeds(rules=rules, keys=keys)
        with _listener(host, port) as listener:
            asyncio.run(_serve(settings, seeds, listener))
    except (InvalidSetting, StoreError, InvalidInput) as error:
        _print_error(str(error))
        return 2
    except KeyboardInterrupt:  # a second Ctrl-C
        return 130
    return 0


async def _serve(settings: Settings, seeds: Seeds, listener: socket.socket) -> None:
    # The gateway logs its own failures, and echo-cut drops its connections on purpose.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    stopped = _stop_on_signals()
    configured = settings.dynamodb_endpoint
    embedded = not configured
    with nullcontext(configured) if configured else serve_database() as endpoint:
        local = {"AWS_ENDPOINT_URL_DYNAMODB": endpoint, "SLUICE_PRIVATE_UPSTREAMS": "1"}
        if embedded and settings.bucket is None:  # the embedded server has an S3, too
            local |= {"AWS_ENDPOINT_URL_S3": endpoint, "SLUICE_BUCKET": EMBEDDED_BUCKET}
        settings = read_settings({**settings.environment, **local})
        seeded, region = await asyncio.to_thread(_prepare_tables, settings, seeds, embedded=embedded)
        async with _demo_provider() as row:
            colour = sys.stdout.isatty() and not settings.environment.get("NO_COLOR")
            log = terminal_log(sys.stdout, colour=colour, level=settings.log_level)
            app, gateway = build(settings, extra_rows={row.name: row}, log=log)
            await gateway.start()
            run = Run(
                settings=settings,
                base_url=base_url(listener),
                embedded=embedded,
                region=region,
                seeded=seeded,
                available=gateway.policies.available,
            )
            async with _serving(app, listener, grace=GRACE):
                sys.stdout.write(banner(run))
                sys.stdout.flush()
                examples = embedded and seeds.rules is None
                watching = asyncio.ensure_future(watch_rules(gateway, keys_reader(settings), known=examples))
                await stopped.wait()
                watching.cancel()


def keys_reader(settings: Settings) -> Callable[[], Awaitable[lint.KnownKeys]]:
    """Return a function that reads the ids and projects of all keys. It raises StoreError."""
    dynamodb = create_client(settings)

    def read() -> lint.KnownKeys:
        return lint.KnownKeys.of(deserialize_item(item) for item in scan(dynamodb, settings.keys_table))

    return lambda: asyncio.to_thread(read)


def _prepare_tables(settings: Settings, seeds: Seeds, *, embedded: bool) -> tuple[SeedResult, str]:
    """Create and fill the tables (contract, section 10), and create the embedded bucket.

    Returns the region of the tables as well.
    """
    dynamodb = create_client(settings, read_timeout=START_TIMEOUT)
    call_aws(dynamodb, "list_tables", {"Limit": 1})  # raises StoreError where there is no DynamoDB
    if is_loopback(settings.dynamodb_endpoint):
        create_tables(dynamodb, settings)
    if embedded and settings.bucket == EMBEDDED_BUCKET:
        create_bucket(create_client(settings, service="s3", read_timeout=START_TIMEOUT), EMBEDDED_BUCKET)
    seeded = store_seeds(dynamodb, settings, seeds, examples=embedded, report=_print_error)
    return seeded, str(dynamodb.meta.region_name)


@asynccontextmanager
async def _demo_provider() -> AsyncIterator[Provider]:
    """Serve the demo provider on its own port, so that the gateway calls it over HTTP like any other."""
    with _listener(LOOPBACK, 0) as listener:
        async with _serving(create_demo(), listener, grace=1):
            yield Provider(name="local", base_url=base_url(listener), auth="none")


class _Server(uvicorn.Server):
    """A server that sets an event when it listens, and that leaves the signals to `serve`."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


@asynccontextmanager
async def _serving(app: Any, listener: socket.socket, *, grace: int) -> AsyncIterator[None]:
    """Serve `app` on `listener`. At the end its running requests have `grace` seconds."""
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=grace,
    )
    server = _Server(config)
    serving = asyncio.ensure_future(server.serve([listener]))
    listening = asyncio.ensure_future(server.listening.wait())
    try:
        await asyncio.wait({serving, listening}, return_when=asyncio.FIRST_COMPLETED)
        yield
    finally:
        listening.cancel()
        server.should_exit = True
        await serving


@contextmanager
def _listener(host: str, port: int) -> Iterator[socket.socket]:
    """Yield a socket that listens already, so that early connections wait and are not refused."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # create_server does not name the protocol, without which asyncio delays small writes.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise InvalidInput(f"port {port} of {host} is in use: choose another with --port") from error
            raise InvalidInput(f"cannot listen on {host}:{port}: {error.strerror}") from error
        yield listener


def _stop_on_signals() -> asyncio.Event:
    """Return an event that the first SIGINT or SIGTERM sets. A second one ends the process at once."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()

    def stop() -> None:
        stopped.set()
        for number in signals:
            loop.remove_signal_handler(number)

    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, stop)
    return stopped


def _print_error(text: str) -> None:
    sys.stderr.write(f"sluice: {text}\n")
