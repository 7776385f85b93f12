"""The whole app: endpoints, keys, errors, CORS, response headers and log lines."""

from __future__ import annotations

import gzip
import json
import re
from typing import Any

import pytest

from handler import __version__
from handler.app import ErrorMiddleware, RequestMiddleware, Routes
from handler.aws.errors import StoreError
from handler.endpoints.table import ENDPOINTS
from tests.support.asgi import call
from tests.support.gateways import KEY, MANAGE, NARROW, RunningGateway, model, provider, start_gateway
from tests.support.hostile_requests import HOSTILE, Hostile

NOWHERE = "http://127.0.0.1:9"  # the discard port: nothing listens
PRICE = {"input": 1, "output": 2}
RECORDS = [
    provider(NOWHERE),
    model("up/small", context=1000, price=PRICE, quality=2),
    model("up/large", price={"input": 10, "output": 20}, quality=5),
    {"kind": "alias", "id": "best", "models": ["up/large"]},
    {
        "kind": "route",
        "id": "ours",
        "scope": {"project": "support"},
        "when": {"tags.team": "a"},
        "model": "up/large",
    },
    {"kind": "route", "id": "theirs", "scope": {"project": "ops"}, "model": "up/large"},
]
CHAT = {"messages": [{"role": "user", "content": "hi"}]}


@pytest.fixture
def gateway() -> RunningGateway:
    return start_gateway(RECORDS)


@pytest.mark.parametrize("prefix", ["", "/v1", "/api/v1", "/v3/compat", "/v3/compat/v1"])
@pytest.mark.parametrize("slash", ["", "/"])
async def test_every_prefix_serves_every_endpoint(gateway: RunningGateway, prefix: str, slash: str) -> None:
    assert (await gateway.get(f"{prefix}/health{slash}", key=None)).status == 200
    assert (await gateway.get(f"{prefix}/models{slash}")).status == 200
    assert (await gateway.post(f"{prefix}/explain{slash}", CHAT)).status == 200
    assert (await gateway.post(f"{prefix}/chat/completions{slash}", CHAT)).status == 502


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        pytest.param("GET", "/v1/nothing", 404, "unknown_url", id="an unknown path"),
        pytest.param("POST", "/", 405, "method_not_allowed", id="POST to the root"),
        pytest.param("POST", "/v2/chat/completions", 404, "unknown_url", id="an unknown prefix"),
        pytest.param("POST", "/v1/v1/chat/completions", 404, "unknown_url", id="a doubled prefix"),
        pytest.param("POST", "/v1/chat/completions//", 404, "unknown_url", id="two trailing slashes"),
        pytest.param("POST", "/v1/embeddings\n", 404, "unknown_url", id="a line end after a path"),
        pytest.param("GET", "/v1/chat/completions", 405, "method_not_allowed", id="the wrong method"),
        pytest.param("DELETE", "/v1/models", 405, "method_not_allowed", id="a method that no endpoint has"),
        pytest.param("POST", "/v1/health", 405, "method_not_allowed", id="POST to health"),
    ],
)
async def test_a_wrong_path_or_method_has_the_common_error_body(
    gateway: RunningGateway, method: str, path: str, status: int, code: str
) -> None:
    response = await call(gateway.app, method, path, headers={"authorization": f"Bearer {KEY}"})
    assert (response.status, response.error["code"]) == (status, code)
    assert status != 405 or response.headers["allow"]


@pytest.mark.parametrize(("method", "path", "_"), [one for one in ENDPOINTS if "{" in one[1]])
async def test_a_path_sent_as_it_is_documented_names_an_unknown_model(
    gateway: RunningGateway, method: str, path: str, _: str
) -> None:
    response = await call(gateway.app, method, path, headers={"authorization": f"Bearer {KEY}"})
    assert 400 <= response.status < 500, "such as /v1/models/{id:path}"


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "DELETE", "get"])
async def test_the_table_answers_as_the_router_alone_does(gateway: RunningGateway, method: str) -> None:
    def app(*, table: bool) -> Any:
        routes = Routes(gateway.gateway)
        routes._fixed = routes._fixed if table else {}
        return RequestMiddleware(ErrorMiddleware(routes, gateway.gateway), gateway.gateway)

    apps = [app(table=True), app(table=False)]
    for _, path, _ in ENDPOINTS:
        for sent in (path, f"{path}/", f"/v1{path}//", f"/{path}", f"{path}\n", path.replace("/", "%2F")):
            headers = {"authorization": f"Bearer {KEY}", "origin": "https://a.example", "x-request-id": "1"}
            found = [await call(each, method, sent, headers=headers) for each in apps]
            seen = [
                (
                    one.status,
                    one.body,
                    one.headers.get("allow"),
                    one.headers.get("access-control-allow-origin"),
                )
                for one in found
            ]
            assert seen[0] == seen[1], sent
            assert seen[0][0] < 500, sent
            assert seen[0][3] == "*"


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/api/v1", "/v3/compat/"])
async def test_the_root_lists_the_endpoints(gateway: RunningGateway, path: str) -> None:
    response = await gateway.get(path, key=None)
    assert response.status == 200
    assert response.json["name"] == "sluice"
    assert response.json["version"] == __version__
    assert response.json["documentation"]
    for method, path in (one.split() for one in response.json["endpoints"]):
        path = path.replace("{id}", "x").replace("{model}:{method}", "x:generateContent")
        found = await call(gateway.app, method, path)
        assert found.status in (200, 401), path


@pytest.mark.parametrize(
    ("method", "path", "advice"),
    [
        pytest.param("POST", "/v3/call", "output_schema", id="the path of Opper's tasks"),
        pytest.param("POST", "/v1/v1/chat/completions", "a base URL ends in /v1", id="a doubled prefix"),
        pytest.param("GET", "/v1/threads", "GET /v1/models", id="any other path"),
        pytest.param("GET", "/" + "x" * 5_000, "GET /v1/models", id="a long path"),
    ],
)
async def test_the_error_of_an_unknown_path_names_an_alternative(
    gateway: RunningGateway, method: str, path: str, advice: str
) -> None:
    error = (await call(gateway.app, method, path)).error
    assert error["code"] == "unknown_url"
    assert advice in error["message"]
    assert len(error["message"]) < 1000


@pytest.mark.parametrize("path", ["/api/v1/report", "/v1/report-anthropic"])
async def test_reports_of_calls_made_elsewhere_are_accepted(gateway: RunningGateway, path: str) -> None:
    report = {"requestedAt": 1, "reqPayload": CHAT, "respPayload": {}, "statusCode": 200, "tags": {"a": "b"}}
    response = await gateway.post(path, report)
    assert (response.status, response.json) == (200, {"status": "ok"})
    assert (await gateway.post(path, report, key=None)).status == 401
    assert (await gateway.post(path, b"[]")).error["code"] == "invalid_value"
    assert (await gateway.post(path, b"{")).error["code"] == "invalid_json"


async def test_a_compressed_request_is_served(gateway: RunningGateway) -> None:
    packed = gzip.compress(json.dumps(CHAT).encode())
    assert (await gateway.post("/v1/explain", packed, content_encoding="gzip")).status == 200
    response = await gateway.post("/v1/explain", packed, content_encoding="br")
    assert (response.status, response.headers["accept-encoding"]) == (415, "gzip, deflate, identity")


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        pytest.param({}, "missing_api_key", id="no key"),
        pytest.param({"authorization": "Basic abc"}, "missing_api_key", id="another scheme"),
        pytest.param({"authorization": "Bearer sk-openai"}, "invalid_api_key", id="a key of another form"),
        pytest.param({"x-api-key": "sk-sluice-" + "u" * 43}, "invalid_api_key", id="an unknown key"),
    ],
)
async def test_without_a_valid_key_the_body_is_not_parsed(
    gateway: RunningGateway, headers: dict[str, str], code: str
) -> None:
    for method, path in [("POST", "/v1/chat/completions"), ("GET", "/v1/models"), ("POST", "/v1/explain")]:
        response = await call(gateway.app, method, path, headers=headers, body=b"{")
        assert (response.status, response.error["code"]) == (401, code)


async def test_either_header_may_have_the_key(gateway: RunningGateway) -> None:
    for headers in ({"authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}):
        assert (await call(gateway.app, "GET", "/v1/models", headers=headers)).status == 200


async def test_a_store_failure_is_never_a_401(gateway: RunningGateway) -> None:
    assert (await gateway.get("/v1/models")).status == 200
    gateway.tables.down = StoreError("throttled")
    assert (await gateway.get("/v1/models")).status == 200
    response = await gateway.get("/v1/models", key=MANAGE)
    assert (response.status, response.error["code"]) == (503, "store_unavailable")
    assert float(response.headers["retry-after"]) > 0


async def test_health_is_503_if_the_rules_were_never_read() -> None:
    gateway = start_gateway(RECORDS)
    gateway.tables.down = StoreError("refused")
    assert (await gateway.get("/health", key=None)).status == 200, "nothing was read yet"
    await gateway.gateway.start()
    assert (await gateway.get("/health", key=None)).status == 503
    assert (await gateway.chat()).error["code"] == "store_unavailable"


async def test_models_are_those_that_the_key_may_use(gateway: RunningGateway) -> None:
    every = {item["id"] for item in (await gateway.get("/v1/models")).json["data"]}
    assert {"auto", "best", "up/small", "up/large"} <= every
    assert not {id for id in every if id.startswith("openai/")}, "no credential, no model"
    narrow = {item["id"] for item in (await gateway.get("/v1/models", key=NARROW)).json["data"]}
    assert "up/small" in narrow
    assert not narrow & {"up/large", "best"}


@pytest.mark.parametrize("path", ["/v1/models/up/small", "/v1/models/up%2Fsmall", "/v1/models/UP/Small/"])
async def test_one_model_by_its_id(gateway: RunningGateway, path: str) -> None:
    item = (await gateway.get(path)).json
    assert (item["id"], item["object"], item["context_length"]) == ("up/small", "model", 1000)
    assert (await gateway.get("/v1/models/up/none")).error["code"] == "model_not_found"


async def test_models_in_anthropics_format_for_its_clients(gateway: RunningGateway) -> None:
    listed = (await gateway.get("/v1/models", anthropic_version="2023-06-01")).json
    assert {item["lifecycle"] for item in listed["data"]} == {"active"}  # the official library requires it
    assert listed["has_more"] is False
    assert {item["type"] for item in listed["data"]} == {"model"}
    assert listed["first_id"] == listed["data"][0]["id"]


ANTHROPIC, GOOGLE = {"anthropic_version": "2023-06-01"}, {"x_goog_api_key": KEY}


@pytest.mark.parametrize(
    ("path", "headers", "listed", "named", "refused"),
    [
        pytest.param("/v1/models", {}, "data", "id", {"param", "code"}, id="OpenAI's"),
        pytest.param("/v1/models", ANTHROPIC, "data", "id", {"type"}, id="Anthropic's by its header"),
        pytest.param(
            "/v1/models", GOOGLE, "models", "name", {"status", "details"}, id="Google's by its header"
        ),
        pytest.param(
            "/models", GOOGLE, "models", "name", {"status", "details"}, id="Google's without a prefix"
        ),
        pytest.param(
            "/v1beta/models", {}, "models", "name", {"status", "details"}, id="Google's by its path"
        ),
    ],
)
async def test_models_are_listed_and_missed_in_the_clients_format(
    gateway: RunningGateway, path: str, headers: dict[str, str], listed: str, named: str, refused: set[str]
) -> None:
    start = "models/" if named == "name" else ""
    key = None if "x_goog_api_key" in headers else KEY
    every = {item[named] for item in (await gateway.get(path, key=key, **headers)).json[listed]}
    assert f"{start}up/small" in every
    one = (await gateway.get(f"{path}/up/small", key=key, **headers)).json
    assert one[named] == f"{start}up/small"
    missing = await gateway.get(f"{path}/up/none", key=key, **headers)
    assert missing.status == 404
    assert refused <= missing.json["error"].keys()


@pytest.mark.parametrize(
    ("query", "count", "more"),
    [
        pytest.param("", "all", False, id="all of them"),
        pytest.param("?pageSize=2", 2, True, id="a first page"),
        pytest.param("?pageSize=2&pageToken=2", 2, True, id="the page after it"),
        pytest.param("?pageSize=1000", "all", False, id="a page that holds all"),
        pytest.param("?pageToken=999999999", 0, False, id="a page after the end"),
        pytest.param("?pageSize=0", "all", False, id="a page of nothing"),
        pytest.param("?pageSize=-1&pageToken=%C2%B2", "all", False, id="no numbers"),
        pytest.param(f"?pageSize={'9' * 5000}", "all", False, id="a huge number"),
    ],
)
async def test_models_in_googles_format_come_in_pages(
    gateway: RunningGateway, query: str, count: int | str, more: bool
) -> None:
    every = (await gateway.get("/v1beta/models")).json["models"]
    page = (await gateway.get(f"/v1beta/models{query}")).json
    assert len(page["models"]) == (len(every) if count == "all" else count)
    assert ("nextPageToken" in page) is more


async def test_the_pages_of_googles_list_are_the_whole_list(gateway: RunningGateway) -> None:
    listed: list[Any] = []
    every, token = (await gateway.get("/v1beta/models")).json["models"], "0"
    while token:
        page = (await gateway.get(f"/v1beta/models?pageSize=3&pageToken={token}")).json
        listed, token = [*listed, *page["models"]], page.get("nextPageToken")
    assert listed == every


async def test_an_explanation_shows_a_key_only_the_records_that_cover_it(gateway: RunningGateway) -> None:
    body = {**CHAT, "tags": {"team": "a"}}
    ours = (await gateway.post("/v1/explain", body)).json
    assert (ours["reason"], ours["rule"], ours["candidates"][0]["model"]) == ("rule", "ours", "up/large")
    assert [step["id"] for step in ours["steps"]] == ["ours"]
    every = (await gateway.post("/v1/explain", body, key=MANAGE)).json
    assert {step["id"] for step in every["steps"]} == {"ours", "theirs"}


async def test_an_explanation_names_the_records_that_cannot_be_read() -> None:
    theirs = {"kind": "budget", "id": "theirs", "usd": "lots", "scope": {"project": "theirs"}}
    gateway = start_gateway([*RECORDS, {"kind": "route", "id": "badone", "modle": "x"}, theirs])
    for key, named in [(KEY, {"badone"}), (MANAGE, {"badone", "theirs"})]:
        problems = (await gateway.post("/v1/explain", CHAT, key=key)).json["problems"]
        assert {problem["id"] for problem in problems} == named
    whole = start_gateway(RECORDS)
    assert "problems" not in (await whole.post("/v1/explain", CHAT)).json


async def test_no_models_are_listed_if_an_unreadable_record_refuses_the_key() -> None:
    gateway = start_gateway(
        [*RECORDS, {"kind": "access", "id": "bad", "modls": [], "scope": {"project": "support"}}]
    )
    for response in (await gateway.get("/v1/models"), await gateway.get("/v1/models/auto")):
        assert (response.status, response.error["code"]) == (503, "rule_unreadable")
        assert "access record bad" in response.error["message"]


@pytest.mark.parametrize(
    "bad",
    [
        {"kind": "budget", "id": "typo", "usd": "$200", "per": "month"},
        {"kind": "access", "id": "typo", "modles": ["local/*"]},
        {"kind": "access", "id": "typo", "models": [], "scope": {"projct": "support"}},
    ],
    ids=["a budget for everyone", "an access record for everyone", "an unreadable scope"],
)
async def test_a_typo_stops_no_request_and_is_reported(bad: dict[str, Any]) -> None:
    gateway = start_gateway([*RECORDS, bad])
    assert (await gateway.get("/v1/models")).status == 200
    explained = (await gateway.post("/v1/explain", CHAT, key=MANAGE)).json
    assert [problem["id"] for problem in explained["problems"]] == ["typo"]
    assert explained["candidates"]
    assert (await gateway.get("/health")).json["status"] == "degraded"
    assert [one["id"] for one in gateway.lines if one["level"] == "ERROR"] == ["typo"]


async def test_a_refusal_is_explained_not_raised(gateway: RunningGateway) -> None:
    explained = await gateway.post("/v1/explain", {**CHAT, "model": "up/large"}, key=NARROW)
    assert (explained.status, explained.json["error"]["code"]) == (200, "model_not_allowed")
    refused = await gateway.chat(model="up/large", key=NARROW)
    assert (refused.status, refused.error["code"], refused.error["type"]) == (
        403,
        "model_not_allowed",
        "permission_error",
    )


async def test_every_response_has_its_id_and_the_overhead(gateway: RunningGateway) -> None:
    for response in [
        await gateway.chat(),
        await gateway.get("/nothing"),
        await gateway.get("/health", key=None),
    ]:
        assert re.fullmatch(r"[0-9a-f]{32}", response.headers["x-request-id"])
        assert float(response.headers["x-sluice-overhead-ms"]) >= 0
        assert "sluice;dur=" in response.headers["server-timing"]
    assert (await gateway.get("/v1/models")).headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("given", "echoed"),
    [
        pytest.param("my.request-1", True, id="a valid id"),
        pytest.param("a" * 128, True, id="an id of 128 characters"),
        pytest.param("a" * 129, False, id="an id of 129 characters"),
        pytest.param("a b", False, id="an id with a space"),
        pytest.param("x\r\nset-cookie: a=b", False, id="an id with a header in it"),
    ],
)
async def test_a_request_id_is_echoed_if_it_is_valid(
    gateway: RunningGateway, given: str, echoed: bool
) -> None:
    response = await gateway.get("/health", key=None, x_request_id=given)
    assert (response.headers["x-request-id"] == given) is echoed


async def test_trace_headers_are_echoed(gateway: RunningGateway) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    response = await gateway.get("/health", key=None, traceparent=trace, x_opper_trace_id="t-1")
    assert (response.headers["traceparent"], response.headers["x-opper-trace-id"]) == (trace, "t-1")


@pytest.mark.parametrize("target", ["*", "health", "http://sluice.test/v1/health"])
async def test_a_target_that_is_not_a_path_is_an_unknown_url(gateway: RunningGateway, target: str) -> None:
    response = await call(gateway.app, "GET", target)
    assert (response.status, response.error["code"]) == (404, "unknown_url")
    assert response.headers["x-request-id"]
    assert gateway.lines[-1]["path"] == target


async def test_an_error_names_the_requested_path(gateway: RunningGateway) -> None:
    assert "/v1/nothing" in (await gateway.get("/v1/nothing")).error["message"]
    assert "/api/v1/models" in (await gateway.post("/api/v1/models", CHAT)).error["message"]


async def test_health_never_reads_the_store(gateway: RunningGateway) -> None:
    for key in (None, KEY, MANAGE, "sk-sluice-" + "u" * 43):
        assert (await gateway.get("/health", key=key)).status == 200
    assert gateway.tables.calls == []


async def test_a_preflight_response_has_the_common_headers(gateway: RunningGateway) -> None:
    preflight = {"origin": "https://app.test", "access-control-request-method": "PUT"}
    response = await call(gateway.app, "OPTIONS", "/v1/models", headers=preflight)
    assert response.status == 200
    assert response.headers["x-request-id"]


async def test_a_browsers_preflight_needs_no_key(gateway: RunningGateway) -> None:
    preflight = {
        "origin": "https://app.test",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,x-anything",
    }
    response = await call(gateway.app, "OPTIONS", "/v1/chat/completions", headers=preflight)
    assert response.status == 200
    assert response.headers["access-control-allow-headers"] == "authorization,x-anything"
    answer = await gateway.get("/v1/models", origin="https://app.test")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "x-sluice-model" in answer.headers["access-control-expose-headers"]
    refused = await gateway.get("/v1/models", key=None, origin="https://app.test")
    assert refused.headers["access-control-allow-origin"] == "*", "errors can be read as well"


async def test_only_the_configured_origins_are_allowed() -> None:
    gateway = start_gateway(RECORDS, SLUICE_CORS_ORIGINS="https://app.test")
    assert (
        "access-control-allow-origin"
        in (await gateway.get("/health", key=None, origin="https://app.test")).headers
    )
    assert (
        "access-control-allow-origin"
        not in (await gateway.get("/health", key=None, origin="https://no.test")).headers
    )


async def test_health_names_bad_records_only_to_a_manage_key() -> None:
    gateway = start_gateway([*RECORDS, {"kind": "route", "id": "typo", "prefers": "cheap"}])
    await gateway.get("/v1/models", key=MANAGE)
    await gateway.get("/v1/models")
    anyone, manager = await gateway.get("/health"), await gateway.get("/health", key=MANAGE)
    assert anyone.json["status"] == manager.json["status"] == "degraded"
    assert anyone.json["rules"]["skipped"] == 1
    assert "problems" not in anyone.json
    assert [(one["id"], one["field"]) for one in manager.json["problems"]] == [("typo", "prefers")]
    errors = [one for one in gateway.lines if one["level"] == "ERROR"]
    assert [(one["id"], one["field"]) for one in errors] == [("typo", "prefers")]


async def test_health_warns_a_manage_key_of_records_that_never_apply() -> None:
    gateway = start_gateway([*RECORDS, {"kind": "access", "id": "typo", "deny": ["opneai/*"]}])
    await gateway.get("/v1/models", key=MANAGE)
    anyone, manager = await gateway.get("/health", key=None), await gateway.get("/health", key=MANAGE)
    assert manager.json["status"] == "ok", "nothing is broken"
    assert [(one["id"], one["field"]) for one in manager.json["warnings"]] == [("typo", "deny")]
    assert "warnings" not in anyone.json


async def test_the_log_line_of_a_request_has_the_decision_and_no_secret(gateway: RunningGateway) -> None:
    await gateway.chat(model="up/small")
    line = gateway.lines[-1]
    assert (line["message"], line["status"], line["key"], line["reason"]) == (
        "request",
        502,
        "k1",
        "requested",
    )
    assert KEY not in str(gateway.lines)
    assert "up-secret" not in str(gateway.lines)


async def test_an_unexpected_exception_is_a_500_with_an_id_and_is_logged(gateway: RunningGateway) -> None:
    gateway.gateway.now = lambda: 1 / 0  # type: ignore[assignment,return-value]
    response = await gateway.chat()
    assert (response.status, response.error["code"]) == (500, "internal_error")
    assert response.headers["x-request-id"] in response.error["message"]
    logged = next(line for line in gateway.lines if line["message"] == "internal error")
    assert logged["exception"] == "ZeroDivisionError"
    assert "ZeroDivisionError" not in response.body.decode()


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in HOSTILE])
async def test_a_hostile_request_gets_its_documented_error(gateway: RunningGateway, case: Hostile) -> None:
    headers = {"authorization": f"Bearer {KEY}", **case.headers}
    response = await call(gateway.app, case.method, case.path, headers=headers, body=case.body)
    assert response.status == case.status
    error: Any = response.error
    assert (error["code"], error["param"]) == (case.code, case.param)
