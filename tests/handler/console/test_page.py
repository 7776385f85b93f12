"""The console's page and its files as HTTP serves them: addresses, caching, compression, what it may load."""

from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest

from handler.console.page import POLICY, STATIC, files
from tests.support.asgi import Response, call
from tests.support.gateways import RunningGateway, start_gateway
from tests.test_package import script

MOST_COMPRESSED = 150_000  # bytes of all files
ADDRESS = re.compile(r'(?:src|href)="([^"]+)"')
IMPORT = re.compile(r'(?:^(?:import|export|\})[^"\n]*from|^import|\bimport\()\s*"([^"]+)"', re.M)
ONLY_NAMES = (
    "http://www.w3.org/2000/svg",
    "http://www.w3.org/1999/xhtml",
    "http://www.w3.org/1998/Math/MathML",
)


@pytest.fixture
async def gateway() -> AsyncIterator[RunningGateway]:
    running = start_gateway()
    yield running
    await running.gateway.aclose()


async def get(gateway: RunningGateway, path: str, method: str = "GET", **headers: str) -> Response:
    sent = {name.replace("_", "-"): text for name, text in headers.items()}
    return await call(gateway.app, method, path, headers=sent)


def in_static(*suffixes: str) -> Iterator[tuple[str, str]]:
    for name in files().compressed:
        if name.endswith(suffixes):
            yield name, files().plain(name).decode()


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/console", id="as it is"),
        pytest.param("/console/", id="with a slash"),
        pytest.param("/v1/console", id="below a prefix"),
        pytest.param("/v3/compat/v1/console/", id="below a long prefix, with a slash"),
    ],
)
async def test_the_addresses_of_the_page_lead_to_its_files(gateway: RunningGateway, path: str) -> None:
    page = await get(gateway, path)
    found = ADDRESS.findall(page.body.decode())
    assert page.status == 200
    assert {address.rpartition("/")[2] for address in found} >= {"app.js", "app.css", "icon.svg"}
    for address in found:
        answer = await get(gateway, urljoin(path, address))
        assert (answer.status, answer.headers["x-content-type-options"]) == (200, "nosniff"), address


async def test_the_page_is_asked_for_again_and_may_load_nothing_else(gateway: RunningGateway) -> None:
    page = await get(gateway, "/console")
    assert page.headers["cache-control"] == "no-cache"
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"] == POLICY
    assert "unsafe" not in POLICY
    assert "*" not in POLICY
    assert page.headers["referrer-policy"] == "no-referrer"
    assert page.headers["cross-origin-opener-policy"] == "same-origin"
    assert "set-cookie" not in page.headers


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [
        pytest.param("gzip, deflate, br", True, id="what browsers send"),
        pytest.param("*", True, id="anything"),
        pytest.param("br, gzip;q=0.5", True, id="less gladly"),
        pytest.param("br, gzip; q=0", False, id="never"),
        pytest.param("*, gzip;q=0.000", False, id="anything but this"),
        pytest.param("*;q=0, gzip", True, id="nothing but this"),
        pytest.param("identity", False, id="not named"),
    ],
)
async def test_a_file_is_compressed_for_those_who_accept_it(
    gateway: RunningGateway, accepted: str, compressed: bool
) -> None:
    answer = await get(gateway, f"/console/{files().hash}/app.js", accept_encoding=accepted)
    plain = files().plain("app.js")
    assert (answer.headers.get("content-encoding") == "gzip") == compressed
    assert (gzip.decompress(answer.body) if compressed else answer.body) == plain
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["vary"] == "accept-encoding"
    assert int(answer.headers["content-length"]) == len(answer.body)


@pytest.mark.parametrize("path", ["/console", "/console/{hash}/app.js"])
async def test_head_has_the_headers_and_no_body(gateway: RunningGateway, path: str) -> None:
    path = path.replace("{hash}", files().hash)
    whole, head = await get(gateway, path), await get(gateway, path, "HEAD")
    assert (head.status, head.body) == (200, b"")
    for name in ("content-type", "content-length", "content-security-policy"):
        assert head.headers[name] == whole.headers[name]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/console/0000000000000000/app.js", id="a file of another version"),
        pytest.param("/console/app.js", id="a file without a hash"),
        pytest.param("/console/{hash}", id="the folder"),
        pytest.param("/console/{hash}/none.js", id="an unknown file"),
        pytest.param("/console/{hash}/index.html", id="the page, which must not be kept"),
        pytest.param("/console/{hash}/../page.py", id="a path that climbs"),
        pytest.param("/console/{hash}/%2e%2e/page.py", id="an encoded path that climbs"),
        pytest.param("/console/{hash}/lib/../app.js", id="a path that climbs and comes back"),
        pytest.param("/console/{hash}//etc/passwd", id="an absolute path"),
        pytest.param("/console/{hash}/app.js%00", id="a null"),
        pytest.param("/console/{hash}/APP.JS", id="another case"),
        pytest.param("/console/{hash}/lib\\api.js", id="a backslash"),
    ],
)
async def test_what_is_not_in_the_table_is_not_served(gateway: RunningGateway, path: str) -> None:
    answer = await get(gateway, path.replace("{hash}", files().hash))
    assert (answer.status, answer.error["code"]) == (404, "unknown_url")


def test_every_import_leads_to_a_file() -> None:
    for name, text in in_static(".js"):
        for target in IMPORT.findall(text):
            assert target.startswith("."), f"{name} imports {target}, which needs an import map"
            assert (STATIC / name).parent.joinpath(target).resolve().is_relative_to(STATIC), name
            assert (STATIC / name).parent.joinpath(target).is_file(), f"{name} imports {target}"


def test_every_imported_name_is_used() -> None:
    for name, text in in_static(".js"):
        for names in re.findall(r"^import \{([^}]*)\}", text, re.M):
            rest = re.sub(r"^import .*?;$", "", text, flags=re.M | re.S)
            used = {word.split()[-1] for word in names.split(",") if word.strip()}
            assert {word for word in used if not re.search(rf"(?<![\w.]){word}\b", rest)} == set(), name


def test_nothing_is_loaded_from_elsewhere() -> None:
    for name, text in in_static(".js", ".css", ".html", ".svg"):
        found = {
            address
            for address in re.findall(r"https?://[^\s\"'`)<]+", text)
            if not address.startswith(ONLY_NAMES)
        }
        assert name.startswith("vendor/") or not found, (name, found)


def test_no_text_becomes_markup() -> None:
    sinks = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|__html")
    assert [name for name, text in in_static(".js") if sinks.search(text) and "vendor/" not in name] == []


def test_the_files_are_small() -> None:
    assert sum(map(len, files().compressed.values())) < MOST_COMPRESSED


def test_the_vendored_files_and_their_licences_are_those_of_the_script() -> None:
    vendor, root = script("vendor"), Path(__file__).parents[3]
    written = {name for library in vendor.LIBRARIES.values() for name in library.files.values()}
    notice = (root / "NOTICE").read_text(encoding="utf-8")
    assert {path.name for path in (STATIC / "vendor").iterdir()} == written
    for name, library in vendor.LIBRARIES.items():
        assert f"{name} {library.version}" in notice
        assert f"{name}.LICENSE.txt" in written


def test_the_package_has_the_files_in_gzip(tmp_path: Path) -> None:
    static = tmp_path / "handler" / "console" / "static"
    script().copy("handler", tmp_path)
    script().compress_page(tmp_path)
    packed = {path.relative_to(static).as_posix(): path for path in static.rglob("*") if path.is_file()}
    assert packed.keys() == {f"{name}.gz" for name in files().compressed}
    assert all(path.read_bytes() == files().compressed[name[:-3]] for name, path in packed.items())
