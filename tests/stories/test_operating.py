"""Tests the operator's view: log lines, headers of errors, health, and docs/operating.md."""

from __future__ import annotations

import io
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from handler.aws.errors import StoreError
from handler.local.terminal_log import terminal_log
from handler.log import RequestLog, request_line
from handler.settings import Settings
from handler.upstream.credentials import Credentials
from tests.support.asgi import Response, call
from tests.support.canned_answers import Reply, chunk, completion, finish, stream, usage, whole
from tests.support.gateways import (
    KEY,
    MANAGE,
    NARROW,
    RunningGateway,
    key_item,
    model,
    provider,
    start_gateway,
)
from tests.support.upstream import Upstream

PAGE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text(encoding="utf-8")
ROUTE = {"kind": "route", "id": "ours", "retries": 0}
FIELDS = request_line(RequestLog(request_id="id", method="GET", path="/", started=0.0), 0.0).keys()


@pytest.fixture
async def gateway(upstream: Upstream) -> AsyncIterator[RunningGateway]:
    made = start_gateway([provider(upstream.url), ROUTE, model("up/m", price={"input": 1, "output": 2})])
    yield made
    await made.gateway.aclose()


def refusal(status: int, **headers: str) -> Reply:
    return whole({"error": {"message": "The parameter is odd."}}, status=status, headers=headers)


ENDINGS: dict[str, tuple[list[Reply], int]] = {
    "a whole answer": ([whole(completion())], 200),
    "invalid": ([refusal(400)], 400),
    "unauthorized": ([refusal(401)], 502),
    "over its limit": ([refusal(429, **{"retry-after": "60"})], 429),
    "down": ([refusal(500)], 502),
    "an answer that is not JSON": ([whole("<html>")], 502),
}


def decided(response: Response) -> dict[str, str]:
    names = ("model", "reason", "rule", "attempts")
    return {name: response.headers.get(f"x-sluice-{name}", "") for name in names}


@pytest.mark.parametrize(("replies", "status"), ENDINGS.values(), ids=ENDINGS)
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
async def test_every_response_and_log_line_describes_the_decision(
    upstream: Upstream, gateway: RunningGateway, replies: list[Reply], status: int, streams: bool
) -> None:
    answer = stream(chunk("Hello"), finish(), usage())
    upstream.script("m", *([answer] if streams and status == 200 else replies))
    response = await gateway.chat(model="up/m", stream=streams, headers={"user-agent": "probe/1"})
    logged = gateway.lines[-1]
    assert response.status == logged["status"] == status
    expected = {"model": "up/m", "reason": "requested", "rule": "ours"}
    assert decided(response) == {**expected, "attempts": str(len(logged["attempts"]))}
    assert {name: logged[name] for name in expected} == expected
    assert (logged["asked_model"], logged["key"], logged["project"]) == ("up/m", "k1", "support")
    assert (logged["source_ip"], logged["user_agent"], logged["stream"]) == ("192.0.2.1", "probe/1", streams)
    assert logged["request_id"] == response.headers["x-request-id"]
    assert (logged["error"] is None) is (status == 200)
    assert logged.keys() == FIELDS


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
async def test_a_caller_sees_the_providers_message_only_about_the_request(
    upstream: Upstream, gateway: RunningGateway, streams: bool
) -> None:
    upstream.script("m", refusal(400))
    response = await gateway.chat(model="up/m", stream=streams)
    assert response.error["message"] == "up/m: The parameter is odd."
    upstream.script("m", refusal(500))
    response = await gateway.chat(model="up/m", stream=streams)
    assert "odd" not in response.error["message"], "not the caller's business"
    assert gateway.lines[-1]["attempts"][-1]["detail"] == "The parameter is odd.", "but the operator's"


REFUSED: dict[str, tuple[dict[str, Any], int, dict[str, str]]] = {
    "not admitted": (
        {"model": "up/m", "key": NARROW},
        403,
        {"model": "", "reason": "requested", "rule": "ours", "attempts": "0"},
    ),
    "a model that is not there": (
        {"model": "nothing"},
        404,
        {"model": "", "reason": "requested", "rule": "ours", "attempts": "0"},
    ),
    "no key": ({"key": None}, 401, dict.fromkeys(("model", "reason", "rule", "attempts"), "")),
    "no messages": ({"messages": []}, 400, dict.fromkeys(("model", "reason", "rule", "attempts"), "")),
}


@pytest.mark.parametrize(("fields", "status", "headers"), REFUSED.values(), ids=REFUSED)
async def test_a_refusal_has_the_headers_of_the_decision(
    gateway: RunningGateway, fields: dict[str, Any], status: int, headers: dict[str, str]
) -> None:
    response = await gateway.chat(**fields)
    assert (response.status, decided(response)) == (status, headers)
    assert gateway.lines[-1].keys() == FIELDS


@pytest.mark.parametrize("status", [200, 400, 500])
async def test_failures_and_answers_report_dropped_fields_and_the_schema_mode(
    upstream: Upstream, status: int
) -> None:
    made = start_gateway([provider(upstream.url, quirks={"drop": ["seed"]}), ROUTE, model("up/m")])
    refused = whole({"error": {"message": "Odd.", "param": "seed"}}, status=status)
    upstream.script("m", whole(completion("{}")) if status == 200 else refused)
    schema = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}
    response = await made.chat(model="up/m", seed=1, response_format=schema)
    logged = made.lines[-1]
    assert (logged["dropped"], logged["schema"]) == (["seed"], response.headers["x-sluice-schema"])
    assert response.headers["x-sluice-dropped"] == "seed"
    await made.gateway.aclose()


async def test_a_refused_mode_is_logged_with_the_providers_message(upstream: Upstream) -> None:
    made = start_gateway([provider(upstream.url), ROUTE, model("up/m")])
    upstream.script("m", refusal(400), whole(completion("{}")))
    schema = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}
    await made.chat(model="up/m", response_format=schema)
    first = made.lines[-1]["attempts"][0]
    assert (first["class"], first["detail"]) == ("schema", "The parameter is odd.")
    await made.gateway.aclose()


@pytest.mark.parametrize("fields", [{"enabled": False}, {"expires_at": 1}, {"enabled": "maybe"}])
async def test_the_id_of_a_refused_key_is_only_in_the_log(
    gateway: RunningGateway, fields: dict[str, Any]
) -> None:
    item = key_item(NARROW, id="n1", project="support", **fields)
    gateway.tables.keys[item["hash"]] = item
    known, unknown = (await gateway.chat(key=NARROW), await gateway.chat(key="sk-sluice-" + "u" * 43))
    assert [logged["key"] for logged in gateway.lines if logged["message"] == "request"] == ["n1", None]
    assert known.body == unknown.body
    assert known.headers.keys() == unknown.headers.keys()


async def test_a_key_record_that_cannot_be_read_is_in_the_log_and_in_health(gateway: RunningGateway) -> None:
    item = key_item(NARROW, id="n1", models="openai/*, local/*")
    gateway.tables.keys[item["hash"]] = item
    await gateway.chat(key=NARROW)
    await gateway.get("/v1/models", key=MANAGE)
    anyone, manager = await gateway.get("/health", key=None), await gateway.get("/health", key=MANAGE)
    (problem,) = manager.json["problems"]
    assert (problem["what"], problem["id"], problem["field"]) == ("key not readable", "n1", "models")
    assert anyone.json["status"] == manager.json["status"] == "degraded"
    assert "n1" not in anyone.body.decode()
    assert [logged["id"] for logged in gateway.lines if logged["level"] == "ERROR"] == ["n1"]


async def test_a_health_check_is_logged_at_level_debug(gateway: RunningGateway) -> None:
    await gateway.get("/v1/health/", key=None)
    assert [logged["level"] for logged in gateway.lines] == ["DEBUG"]


async def test_the_log_line_has_lambdas_request_id(gateway: RunningGateway) -> None:
    context = SimpleNamespace(aws_request_id="7f3a", get_remaining_time_in_millis=lambda: 60_000)
    headers = {"authorization": f"Bearer {KEY}"}
    await call(gateway.app, "GET", "/v1/models", headers=headers, extra={"aws.context": context})
    assert gateway.lines[-1]["aws_request_id"] == "7f3a"


async def test_a_stream_that_broke_off_is_logged_as_an_error(
    upstream: Upstream, gateway: RunningGateway
) -> None:
    upstream.script("m", stream(chunk("Hel"), done=False))
    response = await gateway.chat(model="up/m", stream=True)
    logged = gateway.lines[-1]
    assert (logged["status"], logged["level"], logged["error"]["code"]) == (200, "ERROR", "upstream_error")
    assert logged["attempts"][0]["class"] == logged["error"]["metadata"]["class"] == "network"
    shown = _shown(logged)
    assert shown.startswith("200 broke off  up/m  requested ours  1 attempt: up/m network 200")
    assert shown.endswith(response.headers["x-request-id"])


CONSOLE: dict[str, tuple[dict[str, Any], list[Reply], str]] = {
    "a provider's refusal": (
        {"model": "up/m"},
        [refusal(400)],
        "400  up/m  requested ours  1 attempt: up/m invalid_request 400  N ms"
        "  invalid_value: The parameter is odd.",
    ),
    "a provider that is down": (
        {"model": "up/m"},
        [refusal(500)],
        "502  up/m  requested ours  1 attempt: up/m server 500  N ms  upstream_error: The parameter is odd.",
    ),
    "a value of the request": (
        {"model": "up/m", "n": 0},
        [],
        "400  POST /v1/chat/completions  N ms  invalid_value: n",
    ),
    "a model that is not there": (
        {"model": "nothing"},
        [],
        "404  nothing  requested ours  N ms  model_not_found: There is no model 'nothing'.",
    ),
    "no key": ({"key": None}, [], "401  POST /v1/chat/completions  N ms  missing_api_key: No API key was"),
}


@pytest.mark.parametrize(("fields", "replies", "shown"), CONSOLE.values(), ids=CONSOLE)
async def test_the_terminal_log_names_model_provider_and_request(
    upstream: Upstream, gateway: RunningGateway, fields: dict[str, Any], replies: list[Reply], shown: str
) -> None:
    if replies:
        upstream.script("m", *replies)
    response = await gateway.chat(**fields)
    logged = re.sub(r"\b\d+ ms", "N ms", _shown(gateway.lines[-1]))
    assert logged.startswith(shown)
    assert logged.endswith(response.headers["x-request-id"])
    assert "None" not in logged


def _shown(logged: dict[str, Any]) -> str:
    out = io.StringIO()
    terminal_log(out, colour=False)(logged)
    return out.getvalue()[9:].rstrip("\n")


def use_parameter_store(gateway: RunningGateway, client: Callable[[], Any]) -> None:
    """Makes the gateway read its credentials with this client of Parameter Store."""
    settings = Settings(credentials_path="/sluice", environment=gateway.gateway.settings.environment)
    gateway.gateway.policies.credentials = Credentials(
        settings, client, report=lambda what, found: gateway.lines.append({"message": what, **found})
    )


def no_client() -> Any:
    raise StoreError("ssm: no AWS region is configured")


async def test_credentials_that_cannot_be_read_are_reported_everywhere(gateway: RunningGateway) -> None:
    use_parameter_store(gateway, no_client)
    response = await gateway.chat(model="openai/gpt-4o-mini")
    why = "openai/gpt-4o-mini: OPENAI_API_KEY: Parameter Store did not answer"
    assert (response.status, why in response.error["message"]) == (503, True)
    assert (response.headers["retry-after"], "x-should-retry" in response.headers) == ("5", False), (
        "it may answer"
    )
    await gateway.get("/v1/models", key=MANAGE)
    health = await gateway.get("/health", key=MANAGE)
    problem = {"what": "credentials not read", "problem": "ssm: no AWS region is configured"}
    assert (health.json["status"], health.json["problems"]) == ("degraded", [problem])
    errors = [logged for logged in gateway.lines if logged["message"] == "credentials not read"]
    assert len(errors) == 1


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
async def test_a_missing_credential_is_not_retried(gateway: RunningGateway, streams: bool) -> None:
    response = await gateway.chat(model="openai/gpt-4o-mini", stream=streams)
    assert (response.status, response.error["code"]) == (503, "no_candidate")
    assert (response.headers["x-should-retry"], "retry-after" in response.headers) == ("false", False)
    assert "metadata" not in response.error


def test_every_field_of_the_line_is_documented_and_no_other() -> None:
    table = PAGE[PAGE.index("| field |") :].partition("\n\n")[0]
    documented = [
        name for row in table.splitlines()[2:] for name in re.findall(r"`([^`]+)`", row.split("|")[1])
    ]
    assert sorted(documented) == sorted({"timestamp", *FIELDS})
