"""Serves the console's page at GET /console, and its files below the hash of their content.

A browser asks for the page each time and keeps the files for good, because files with another content have
another path. Nothing is read before the first request.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from handler.console.call import require_console
from handler.console.compression import accepts_gzip
from handler.endpoints.exchange.http import HttpRequest
from handler.endpoints.exchange.response import Response
from handler.errors import NotFound
from handler.gateway.lifecycle import Gateway
from handler.log import RequestLog

STATIC = Path(__file__).with_name("static")
PAGE = "index.html"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types 'none'"
)
SECURITY = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
GZIP = ".gz"


class Files(NamedTuple):
    """The files of the page by their path, in gzip, and the hash of all of them."""

    hash: str
    compressed: Mapping[str, bytes]

    def plain(self, name: str) -> bytes:
        return gzip.decompress(self.compressed[name])


@cache
def files() -> Files:
    """Read all files, once in a process. The package that is deployed has them in gzip already."""
    compressed = {}
    for path in sorted(STATIC.rglob("*")):
        name = path.relative_to(STATIC).as_posix()
        if path.suffix == GZIP:
            compressed[name.removesuffix(GZIP)] = path.read_bytes()
        elif path.suffix in TYPES:
            compressed[name] = gzip.compress(path.read_bytes(), mtime=0)
    digest = hashlib.sha256()
    for name, content in compressed.items():
        digest.update(b"%s\0%d\0%s" % (name.encode(), len(content), content))
    return Files(digest.hexdigest()[:16], compressed)


async def page(gateway: Gateway, request: HttpRequest) -> Response:
    """Return the page. Its addresses are relative, so that it works below any prefix and host."""
    entry = _entry(gateway, request)
    base = files().hash if entry.path.endswith("/") else f"console/{files().hash}"
    body = files().plain(PAGE).replace(b"{preloads}", _preloads()).replace(b"{base}", base.encode())
    return _response(request, body, PAGE, {"cache-control": "no-cache"})


@cache
def _preloads() -> bytes:
    """Return links to the modules that most pages share, so that the browser need not find one in another."""
    shared = (
        name for name in files().compressed if name.startswith(("lib/", "vendor/")) and name.endswith(".js")
    )
    return "\n    ".join(f'<link rel="modulepreload" href="{{base}}/{name}">' for name in shared).encode()


async def file(gateway: Gateway, request: HttpRequest) -> Response:
    """Return a file of the page, in gzip where the client accepts it."""
    entry = _entry(gateway, request)
    version, _, name = request.path_params["file"].partition("/")
    if version != files().hash or name == PAGE or name not in files().compressed:
        raise NotFound(f"The console has no file {entry.path[:200]}.", code="unknown_url")
    headers = {"cache-control": "public, max-age=31536000, immutable", "vary": "accept-encoding"}
    if accepts_gzip(request):
        return _response(request, files().compressed[name], name, {**headers, "content-encoding": "gzip"})
    return _response(request, files().plain(name), name, headers)


def _entry(gateway: Gateway, request: HttpRequest) -> RequestLog:
    """Return the entry of a request for the page. Raises NotFound where the console is turned off."""
    require_console(gateway)
    entry: RequestLog = request.scope["sluice.entry"]
    entry.routine = True
    return entry


def _response(request: HttpRequest, body: bytes, name: str, headers: Mapping[str, str]) -> Response:
    own = {"content-type": TYPES[Path(name).suffix], "content-length": str(len(body))}
    sent = b"" if request.scope["method"] == "HEAD" else body
    return Response(sent, headers={**own, **SECURITY, **headers})
