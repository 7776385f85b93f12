"""Requests to providers of any id: every dialect with every authentication, whole and streamed.

The provider is in this process. It refuses a wrong authentication, as the real ones do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from rules.records.kinds import AUTH
from tests.handler.providers.wire_cases import WIRE, read_file, stream_bytes
from tests.support.gateways import MANAGE, RunningGateway, model, provider, start_gateway
from tests.support.signatures import signature_of

HOST, SECRET, CREDENTIAL = "bedrock-runtime.eu-central-1.amazonaws.com", "secret-canary", "second-secret"
BASE = f"https://{HOST}/v1"  # a host of signatures, for every dialect
AWS = {"AWS_ACCESS_KEY_ID": "AKIDCANARY", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": "token"}
SECRETS = ("authorization", "x-api-key", "x-goog-api-key", "api-key")
OWN = dict.fromkeys(("openai", "bedrock", "responses"), "bearer")
OWN |= {"anthropic": "x-api-key", "google": "x-goog-api-key"}
PATHS = {
    "openai": ("/v1/chat/completions", "/v1/chat/completions"),
    "anthropic": ("/v1/messages", "/v1/messages"),
    "google": ("/v1/models/m:generateContent", "/v1/models/m:streamGenerateContent?alt=sse"),
    "bedrock": ("/v1/model/m/converse", "/v1/model/m/converse-stream"),
    "responses": ("/v1/responses", "/v1/responses"),
}

CASES = {"openai": "openai-text"}


class Service(httpx.AsyncBaseTransport):
    """A provider that takes a credential in one header, a signature, or no authentication."""

    def __init__(self, case: Path, auth: str) -> None:
        self.case, self.auth = case, auth
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        request.read()
        given = {name: request.headers[name] for name in SECRETS if name in request.headers}
        if not self._authentic(request, given):
            return httpx.Response(401, json={"error": {"message": f"{sorted(given)} are not its credential"}})
        if request.headers["accept"] == "application/json":
            return httpx.Response(200, json=read_file(self.case, "whole.json"))
        return httpx.Response(200, content=stream_bytes(self.case))

    def _authentic(self, request: httpx.Request, given: Mapping[str, str]) -> bool:
        if self.auth != "sigv4":
            return given == expected(self.auth)
        found = re.search(r"Signature=([0-9a-f]{64})$", given.get("authorization", ""))
        url = f"https://{HOST}{request.url.raw_path.decode()}"
        return bool(found) and found[1] == signature_of(url, request.headers, request.content, SECRET)  # type: ignore[index]


def expected(auth: str) -> dict[str, str]:
    if auth == "none":
        return {}
    return {"authorization": f"Bearer {CREDENTIAL}"} if auth == "bearer" else {auth: CREDENTIAL}


def served(service: Service, *records: Any) -> RunningGateway:
    credentials = {"SECOND_API_KEY": CREDENTIAL, "THIRD_API_KEY": "third-secret"}
    settings: Any = {"SLUICE_PRIVATE_UPSTREAMS": "0", **credentials}
    return start_gateway(records, upstream=service, **settings)


def second(**fields: Any) -> Any:
    return {**provider(BASE, "second"), "credential": "SECOND_API_KEY", **fields}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("auth", [None, *AUTH])
@pytest.mark.parametrize("dialect", PATHS)
async def test_a_provider_of_any_id_follows_its_dialect_and_its_record(
    dialect: str, auth: str | None, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    service = Service(WIRE / dialect / CASES.get(dialect, "text"), auth or OWN[dialect])
    fields: dict[str, Any] = {} if auth is None else {"auth": auth}
    if auth == "sigv4":
        fields["credential"] = "ABSENT_API_KEY"  # else it would be sent
    gateway = served(service, second(dialect=dialect, **fields), model("second/m", can=["tools"]))
    response = await gateway.chat(model="second/m", stream=stream)
    assert response.status == 200, gateway.lines
    assert b'"second/m"' in response.body
    assert not stream or response.body.endswith(b"data: [DONE]\n\n")
    (request,) = service.requests
    assert request.url.raw_path.decode() == PATHS[dialect][stream]
    assert (request.headers.get("anthropic-version") == "2023-06-01") is (dialect == "anthropic")
    assert CREDENTIAL not in json.dumps(gateway.lines)
    listed = (await gateway.get("/v1/models", key=MANAGE)).json["data"]
    assert "second/m" in {one["id"] for one in listed}
    assert (await gateway.get("/health", key=MANAGE)).json["unavailable"] == {}


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        pytest.param({"credential": "GONE_API_KEY"}, "no credential GONE_API_KEY", id="no credential"),
        pytest.param(
            {"dialect": "bedrock", "auth": "sigv4", "credential": None},
            "no AWS credentials",
            id="no AWS credentials",
        ),
        pytest.param(
            {"auth": "sigv4", "base_url": "https://x.example"},
            "credential SECOND_API_KEY may only be sent to bedrock-runtime.*.amazonaws.com, "
            "bedrock-runtime-fips.*.amazonaws.com, *.bedrock-runtime.*.vpce.amazonaws.com",
            id="a host that takes no signatures",
        ),
    ],
)
async def test_an_unavailable_provider_is_in_health_and_its_models_are_not_listed(
    fields: dict[str, Any], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("handler.aws.credentials.AwsCredentials.are_there", lambda _: False)
    record = {
        name: value
        for name, value in second(**{"dialect": "anthropic", **fields}).items()
        if value is not None
    }
    gateway = served(Service(WIRE / "anthropic" / "text", "x-api-key"), record, model("second/m"))
    response = await gateway.chat(model="second/m")
    assert (response.status, response.json["error"]["code"]) == (503, "no_candidate")
    assert why in response.json["error"]["message"]
    listed = (await gateway.get("/v1/models", key=MANAGE)).json["data"]
    assert "second/m" not in {one["id"] for one in listed}
    assert (await gateway.get("/health", key=MANAGE)).json["unavailable"] == {"second": why}
    assert "unavailable" not in (await gateway.get("/health")).json


async def test_two_accounts_of_one_vendor_are_two_providers() -> None:
    service = Service(WIRE / "anthropic" / "text", "x-api-key")
    other = provider(BASE, "third", dialect="anthropic", credential="THIRD_API_KEY")
    gateway = served(service, second(dialect="anthropic"), other)
    response = await gateway.chat(model="third/m", fallback_models=["second/m"])
    assert (response.status, response.headers["x-sluice-model"]) == (200, "second/m"), response.body
    assert [one.headers["x-api-key"] for one in service.requests] == ["third-secret", CREDENTIAL]
