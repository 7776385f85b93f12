"""The embedded DynamoDB and S3 of a local run: moto's server, which answers one request at a time.

DynamoDB checks the condition of a write and writes in one step. moto does not: of two writes in different
threads, both could find their condition true, and a limit would admit too many requests.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock, Thread
from typing import Any

LOOPBACK = "127.0.0.1"

Application = Callable[[Any, Any], Iterable[bytes]]  # WSGI


@contextmanager
def serve_database() -> Iterator[str]:
    """Yield the endpoint of an empty DynamoDB and S3 in this process."""
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it logs every request
    app = one_at_a_time(DomainDispatcherApplication(create_backend_app))
    server = make_server(LOOPBACK, 0, app, threaded=True, request_handler=MotoRequestHandler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def one_at_a_time(app: Application) -> Application:
    """Return `app` with a lock around each request."""
    lock = Lock()

    def locked(environ: Any, start_response: Any) -> Iterable[bytes]:
        with lock:
            return list(app(environ, start_response))

    return locked
