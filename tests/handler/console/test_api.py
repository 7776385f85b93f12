"""Who may make which call of the console's API, and what becomes of every other one."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from handler.app import PREFIXES
from handler.console.api import CALLS, WRITE, _function
from handler.console.state import NOT_SHOWN
from handler.settings import Settings
from tests.support.asgi import Response, call
from tests.support.gateways import KEY, KEYS, MANAGE, RunningGateway, Tables, key_item, start_gateway
from tests.support.serving import ROOT

ADMIN, DISABLED, UNKNOWN = (f"sk-sluice-{letter * 43}" for letter in "adu")
EVERY_CALL = [(method, path, scope) for path, calls in CALLS.items() for method, (scope, _) in calls.items()]


def start(console: str = "on") -> RunningGateway:
    keys = [
        *KEYS,
        key_item(ADMIN, id="a1", project="ops", scopes=["admin"]),
        key_item(DISABLED, id="d1", enabled=False, scopes=["admin"]),
    ]
    return start_gateway(store=Tables((), keys), SLUICE_CONSOLE=console)


@pytest.fixture
async def gateway() -> AsyncIterator[RunningGateway]:
    made = start()
    yield made
    await made.gateway.aclose()


async def ask(
    gateway: RunningGateway, method: str, path: str, key: str | None = ADMIN, body: bytes = b"{}"
) -> Response:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    path = path.replace("{id}", "k1").replace("{which}", "1")
    return await call(gateway.app, method, f"/console/api/{path}", headers=headers, body=body)


@pytest.mark.parametrize(
    ("key", "refusal"),
    [
        pytest.param(None, (401, "missing_api_key"), id="no key"),
        pytest.param("sk-sluice-short", (401, "invalid_api_key"), id="a malformed key"),
        pytest.param(UNKNOWN, (401, "invalid_api_key"), id="an unknown key"),
        pytest.param(DISABLED, (401, "invalid_api_key"), id="a disabled key of scope admin"),
        pytest.param(KEY, (403, "scope_required"), id="a chat key"),
    ],
)
async def test_no_call_is_open_to(gateway: RunningGateway, key: str | None, refusal: tuple[int, str]) -> None:
    for method, path, _ in EVERY_CALL:
        response = await ask(gateway, method, path, key)
        assert (response.status, response.error["code"]) == refusal, (method, path)
    unknown = await ask(gateway, "GET", "nothing", key)
    assert (unknown.status, unknown.error["code"]) == refusal, "what exists is not told either"


async def test_a_manage_key_may_read_and_not_write(gateway: RunningGateway) -> None:
    for method, path, scope in EVERY_CALL:
        response = await ask(gateway, method, path, MANAGE)
        refused = response.status == 403 and "`admin`" in response.error["message"]
        assert refused == (scope == WRITE), (method, path)


@pytest.mark.parametrize("prefix", PREFIXES)
async def test_no_prefix_makes_a_manage_key_write(gateway: RunningGateway, prefix: str) -> None:
    calls = [(method, path) for method, path, scope in EVERY_CALL if scope == WRITE]
    calls += [("HEAD", path) for method, path in calls if method == "GET"]
    for method, path in calls:
        for end in ("", "/"):
            url = f"{prefix}/console/api/{path.replace('{id}', 'k1')}{end}"
            headers = {"authorization": f"Bearer {MANAGE}", "x-http-method-override": "GET"}
            assert (await call(gateway.app, method, url, headers=headers, body=b"{}")).status == 403, url


def test_no_setting_that_may_be_secret_is_shown() -> None:
    secret = re.compile("secret|header|token|password|environment")
    assert {name for name in Settings.field_names if secret.search(name)} <= NOT_SHOWN


@pytest.mark.parametrize(
    ("scopes", "reads", "writes"),
    [
        (["chat"], False, False),
        (["manage"], True, False),
        (["chat", "manage"], True, False),
        (["manage", "admin"], True, True),
        ("admin", True, True),
        ([], False, False),
        (["Admin"], False, False),
        (["admin", "root"], False, False),
    ],
)
async def test_a_key_may_do_what_its_scopes_say(scopes: Any, reads: bool, writes: bool) -> None:
    key = "sk-sluice-" + "t" * 43
    gateway = start_gateway(store=Tables((), [key_item(key, id="t1", scopes=scopes)]))
    assert ((await ask(gateway, "GET", "session", key)).status == 200) == reads
    for path in ("keys", "rules"):
        method = "POST" if path == "keys" else "PUT"
        refused = (await ask(gateway, method, path, key, body=b"[]")).status in (401, 403)
        assert refused != writes
    await gateway.gateway.aclose()


async def test_a_console_that_only_reads_says_so() -> None:
    gateway = start("read")
    for method, path, scope in EVERY_CALL:
        response = await ask(gateway, method, path)
        refused = response.status == 403 and response.error["code"] == "console_read_only"
        assert refused == (scope == WRITE and method != "GET"), (method, path)
    assert (await ask(gateway, "HEAD", "providers/check")).status == 200
    assert (await call(gateway.app, "GET", "/console")).status == 200
    await gateway.gateway.aclose()


async def test_a_console_that_is_off_is_not_there() -> None:
    gateway = start("off")
    for method, path, _ in EVERY_CALL:
        response = await ask(gateway, method, path)
        assert (response.status, response.error["code"]) == (404, "unknown_url")
    for path in ("/console", "/console/", "/v1/console", "/console/app.js"):
        assert (await call(gateway.app, "GET", path)).status == 404
    assert not [one for one in (await gateway.get("/")).json["endpoints"] if "console" in one]
    await gateway.gateway.aclose()


@pytest.mark.parametrize("path", CALLS)
def test_a_call_is_documented_and_has_its_function(path: str) -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    for method, (scope, name) in CALLS[path].items():
        assert f"| {method} `/{path}` | `{scope}` |" in page
        assert callable(_function(name))


async def test_the_root_lists_the_console_once(gateway: RunningGateway) -> None:
    listed = (await gateway.get("/")).json["endpoints"]
    assert [one for one in listed if "console" in one] == ["GET /console"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/v1/console/api/session", 200, id="a prefix, as everywhere"),
        pytest.param("GET", "/console/api/session/", 200, id="one trailing slash"),
        pytest.param("HEAD", "/console/api/session", 200, id="HEAD"),
        pytest.param("GET", "/console/api", 404, id="no call"),
        pytest.param("GET", "/console/api/", 404, id="no call, with a slash"),
        pytest.param("GET", "/console/api/../session", 404, id="a path that climbs"),
        pytest.param("GET", "/console/api/%2e%2e/%2e%2e/health", 404, id="a path that climbs, encoded"),
        pytest.param("GET", "/console/../console/api/session", 404, id="a path that climbs before it"),
        pytest.param("GET", "/console/api//session", 404, id="an empty part"),
        pytest.param("GET", "/console/api/session%0A", 404, id="a line end"),
        pytest.param("GET", "/console/api/session%00", 404, id="a null"),
        pytest.param("GET", "/console/api/SESSION", 404, id="another case"),
        pytest.param("GET", "/console/api/{call:path}", 404, id="the path as the table has it"),
        pytest.param("DELETE", "/console/api/session", 405, id="a method that this call does not have"),
        pytest.param("POST", "/console", 405, id="POST to the page"),
        pytest.param("TRACE", "/console/api/session", 405, id="a method that no call has"),
    ],
)
async def test_a_path_is_one_of_the_calls_or_unknown(
    gateway: RunningGateway, method: str, path: str, status: int
) -> None:
    response = await call(gateway.app, method, path, headers={"authorization": f"Bearer {ADMIN}"})
    assert response.status == status
    assert status != 405 or response.headers["allow"]


async def test_a_session_tells_who_asks_and_no_secret(gateway: RunningGateway) -> None:
    response = await ask(gateway, "GET", "session", MANAGE)
    assert response.json["key"] == {"id": "m1", "name": "", "project": "ops", "scopes": ["chat", "manage"]}
    assert response.json["settings"]["SLUICE_CONSOLE"] == "on"
    assert b"up-secret" not in response.body
    assert response.headers["cache-control"] == "no-store"


async def test_the_status_says_in_words_what_is_wrong() -> None:
    gateway = start_gateway([{"kind": "route", "id": "broken", "mdoel": "x"}])
    found = (await ask(gateway, "GET", "status", MANAGE)).json
    assert found["status"] == "degraded"
    assert [note for note in found["notes"] if "route/broken" in note and "`mdoel`" in note]
    assert {one["name"]: one["available"] for one in found["providers"]}["openai"] is False
    assert all(one["available"] or one["why"] for one in found["providers"])
    await gateway.gateway.aclose()


@pytest.mark.parametrize(
    ("path", "accepted", "coding"),
    [
        pytest.param("schema", "gzip, br", "gzip", id="a large answer is compressed"),
        pytest.param("schema", "br, gzip;q=0", None, id="not for a client that refuses it"),
        pytest.param("schema", "", None, id="nor for one that does not say"),
        pytest.param("activity?hours=1", "gzip", None, id="a small one is sent as it is"),
    ],
)
async def test_answers_are_compressed(
    gateway: RunningGateway, path: str, accepted: str, coding: str | None
) -> None:
    headers = {"authorization": f"Bearer {ADMIN}", "accept-encoding": accepted}
    response = await call(gateway.app, "GET", f"/console/api/{path}", headers=headers)
    assert (response.status, response.headers.get("content-encoding")) == (200, coding)
    assert response.headers["content-length"] == str(len(response.body))
    assert response.headers["cache-control"] == "no-store"
    assert json.loads(gzip.decompress(response.body) if coding else response.body)
