"""The local run: a DynamoDB in this process, the demo model, and the gateway, until a signal ends it.

What it puts into the tables is in seeding.py, what it says of itself in banner.py.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

from handler.local.banner import Run, banner, base_url
from handler.local.create_tables import create_tables
from handler.local.demo.server import create_demo
from handler.local.rule_watch import watch_rules
from handler.local.seeding import Seeded, Seeds, read_seeds, seed
from handler.local.terminal_log import terminal_log
from handler.main import build
from handler.providers.provider import Provider
from handler.settings import InvalidSetting, Settings, read_settings
from handler.store.attributes import deserialize_item
from handler.store.dynamodb import StoreError, call_aws, create_client, is_loopback, scan
from rules.review import lint
from rules.review.command_line import InvalidInput

LOOPBACK = "127.0.0.1"
GRACE = 10  # seconds that running requests have after a signal
START_TIMEOUT = 30  # seconds for an answer of DynamoDB: on a busy machine the embedded one starts slowly
KEEP_ALIVE = 75  # seconds; longer than clients keep idle connections, so that none closes under a request


def serve(*, host: str, port: int, rules: str | None, keys: str | None) -> int:
    """Serves until SIGINT or SIGTERM. The exit status: 0, or 2 when it could not begin."""
    try:
        settings, seeds = read_settings(), read_seeds(rules=rules, keys=keys)
        with _listener(host, port) as listener:
            asyncio.run(_serve(settings, seeds, listener))
    except (InvalidSetting, StoreError, InvalidInput) as error:
        _complain(str(error))
        return 2
    except KeyboardInterrupt:  # a second Ctrl-C
        return 130
    return 0


async def _serve(given: Settings, seeds: Seeds, listener: socket.socket) -> None:
    # The gateway logs its own failures, and a connection that echo-cut drops is dropped on purpose.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    stopped = _on_signals()
    embedded = not given.dynamodb_endpoint
    with _dynamodb(given.dynamodb_endpoint) as endpoint:
        local = {"AWS_ENDPOINT_URL_DYNAMODB": endpoint, "SLUICE_PRIVATE_UPSTREAMS": "1"}
        settings = read_settings({**given.environment, **local})
        seeded, region = await asyncio.to_thread(_prepared, settings, seeds, embedded=embedded)
        async with _echo() as row:
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
            async with _running(app, listener, grace=GRACE):
                sys.stdout.write(banner(run))
                sys.stdout.flush()
                examples = embedded and seeds.rules is None
                watching = asyncio.ensure_future(watch_rules(gateway, keys_reader(settings), known=examples))
                await stopped.wait()
                watching.cancel()
            await gateway.aclose()


def keys_reader(settings: Settings) -> Callable[[], Awaitable[lint.KnownKeys]]:
    """Returns a function that reads which keys and projects there are. It raises StoreError."""
    dynamodb = create_client(settings)

    def read() -> lint.KnownKeys:
        return lint.KnownKeys.of(deserialize_item(item) for item in scan(dynamodb, settings.keys_table))

    return lambda: asyncio.to_thread(read)


def _prepared(settings: Settings, seeds: Seeds, *, embedded: bool) -> tuple[Seeded, str]:
    """The tables made and filled as the contract (section 10) has it; and the region they are in."""
    dynamodb = create_client(settings, read_timeout=START_TIMEOUT)
    call_aws(dynamodb, "list_tables", {"Limit": 1})  # says it in one line when nobody is there
    if is_loopback(settings.dynamodb_endpoint):
        create_tables(dynamodb, settings)
    seeded = seed(dynamodb, settings, seeds, examples=embedded, report=_complain)
    return seeded, str(dynamodb.meta.region_name)


@contextmanager
def _dynamodb(given: str | None) -> Iterator[str]:
    """The endpoint that is given, else that of a DynamoDB in this process, which forgets at exit."""
    if given:
        yield given
        return
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else a line for each of its requests
    server = ThreadedMotoServer(ip_address=LOOPBACK, port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@asynccontextmanager
async def _echo() -> AsyncIterator[Provider]:
    """The demo provider on a port of its own: the gateway reaches it over HTTP, as it reaches any other."""
    with _listener(LOOPBACK, 0) as listener:
        async with _running(create_demo(), listener, grace=1):
            yield Provider(name="local", base_url=base_url(listener), auth="none")


class _Server(uvicorn.Server):
    """One of the servers of this process: it says when it listens, and leaves the signals to `serve`."""

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
async def _running(app: Any, listener: socket.socket, *, grace: int) -> AsyncIterator[None]:
    """`app` served on `listener`; at the end its running requests have `grace` seconds."""
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
    """A socket that listens from now on: whoever connects early waits instead of being refused."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, which create_server leaves out, asyncio sends small writes at once.
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


def _on_signals() -> asyncio.Event:
    """Set by the first SIGINT or SIGTERM; a second one is not waited for."""
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()

    def stop() -> None:
        stopped.set()
        for number in signals:
            loop.remove_signal_handler(number)

    signals = (signal.SIGINT, signal.SIGTERM)
    for number in signals:
        loop.add_signal_handler(number, stop)
    return stopped


def _complain(text: str) -> None:
    sys.stderr.write(f"sluice: {text}\n")
