"""A distribution before the function's URL: scripts/edge.yaml, and the secret that the gateway asks for."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from typing import Any

import httpx
import pytest

from handler.endpoints.exchange.edge import CLIENT_IP, SECRET
from handler.local.create_tables import read_template
from handler.settings import InvalidSetting, Settings, read_settings
from tests.stories.test_runbook import unknown_options
from tests.support.asgi import Response
from tests.support.gateways import KEY, Json, start_gateway
from tests.support.serving import ROOT
from tests.test_template import loaded

OLD, NEW = "old-secret-0123456789", "new-secret-0123456789"
TEMPLATE = read_template(ROOT / "scripts" / "edge.yaml")
CONFIG: Json = TEMPLATE["Resources"]["Distribution"]["Properties"]["DistributionConfig"]
PAGE = (ROOT / "docs" / "deploying.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("\n## At the edge\n")[2].partition("\n## ")[0]
BODY = {"messages": [{"role": "user", "content": "hi"}], "model": "openai/gpt-4o-mini"}


async def explain(secrets: str, headers: dict[str, Any]) -> tuple[Response, Json]:
    made = start_gateway([], SLUICE_EDGE_SECRET=secrets)
    response = await made.post("/v1/explain", BODY, **headers)
    await made.gateway.aclose()
    return response, made.lines[-1]


GIVEN = [
    pytest.param("", {}, 200, id="no edge, no secret"),
    pytest.param("", {SECRET: NEW}, 200, id="no edge, any secret"),
    pytest.param(NEW, {SECRET: NEW}, 200, id="the secret"),
    pytest.param(f"{NEW},{OLD}", {SECRET: OLD}, 200, id="the old secret, during a change"),
    pytest.param(f"{NEW},{OLD}", {SECRET: NEW}, 200, id="the new secret, during a change"),
    pytest.param(NEW, {}, 403, id="no secret"),
    pytest.param(NEW, {SECRET: ""}, 403, id="an empty secret"),
    pytest.param(NEW, {SECRET: OLD}, 403, id="another secret"),
    pytest.param(NEW, {SECRET: NEW[:-1]}, 403, id="a part of the secret"),
    pytest.param(f"{NEW},{OLD}", {SECRET: f"{NEW},{OLD}"}, 403, id="the whole setting"),
    pytest.param(NEW, {SECRET: "sécret-0123456789"}, 403, id="text outside ASCII"),
]


@pytest.mark.parametrize(("secrets", "headers", "status"), GIVEN)
async def test_only_requests_with_the_secret_are_served(
    secrets: str, headers: dict[str, str], status: int
) -> None:
    response, line = await explain(secrets, headers)
    assert response.status == status
    if status == 403:
        assert response.error["code"] == "edge_required"
        assert line["key"] is None, "no key was looked up"
    assert not any(secret in json.dumps(line) for secret in (OLD, NEW))


@pytest.mark.parametrize("path", ["/health", "/", "/v1/models", "/console", "/nowhere"])
async def test_no_url_is_open_without_the_secret(path: str) -> None:
    made = start_gateway([], SLUICE_EDGE_SECRET=NEW)
    assert (await made.get(path)).error["code"] == "edge_required"
    await made.gateway.aclose()


ADDRESSES = [
    pytest.param(NEW, {SECRET: NEW, CLIENT_IP: "203.0.113.7"}, "203.0.113.7", id="that of the distribution"),
    pytest.param(NEW, {SECRET: NEW}, "192.0.2.1", id="none given"),
    pytest.param(NEW, {CLIENT_IP: "203.0.113.7"}, "192.0.2.1", id="of a caller without the secret"),
    pytest.param("", {CLIENT_IP: "203.0.113.7"}, "192.0.2.1", id="of a caller, where there is no edge"),
    pytest.param(NEW, {SECRET: NEW, CLIENT_IP: "x" * 999}, "x" * 45, id="a long text"),
]


@pytest.mark.parametrize(("secrets", "headers", "logged"), ADDRESSES)
async def test_the_log_has_the_clients_address(secrets: str, headers: dict[str, str], logged: str) -> None:
    _, line = await explain(secrets, headers)
    assert line["source_ip"] == logged


async def test_no_rule_and_no_explanation_sees_the_secret() -> None:
    made = start_gateway(
        [{"kind": "route", "id": "r", "when": {f"header.{SECRET}": {"exists": True}}}], SLUICE_EDGE_SECRET=NEW
    )
    headers: dict[str, Any] = {SECRET: NEW}
    response = await made.post("/v1/explain", BODY, **headers)
    assert NEW not in response.body.decode()
    assert [line["field"] for line in made.lines if line["message"] == "rule not readable"] == [
        f"when.header.{SECRET}"
    ]
    await made.gateway.aclose()


@pytest.mark.parametrize("text", ["short", f"{NEW},short"])
def test_a_short_secret_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(InvalidSetting, match=r"^SLUICE_EDGE_SECRET: a secret has at least 16 characters$"):
        read_settings({"SLUICE_EDGE_SECRET": text})


def test_the_secret_is_in_no_text_of_the_settings() -> None:
    assert NEW not in repr(Settings(edge_secret=(NEW,)))


def test_cloudfront_adds_the_header_that_the_gateway_reads_and_keeps_streams_whole() -> None:
    (origin,) = CONFIG["Origins"]
    condition, (header,), _ = origin["OriginCustomHeaders"]["!If"]
    assert (condition, header["HeaderName"]) == ("HasSecret", SECRET)
    behavior = CONFIG["DefaultCacheBehavior"]
    assert behavior["Compress"] is False
    assert {"GET", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"} <= set(behavior["AllowedMethods"])


@pytest.mark.parametrize("name", ["EdgeSecret"])
def test_both_stacks_take_the_same_secret(name: str) -> None:
    for template, text, valid in (
        (TEMPLATE, NEW, True),
        (TEMPLATE, f"{NEW},{OLD}", False),
        (loaded(), f"{NEW},{OLD}", True),
        (loaded(), "", True),
        (loaded(), "short", False),
    ):
        parameter = template["Parameters"][name]
        assert parameter["NoEcho"] is True
        assert bool(re.fullmatch(parameter["AllowedPattern"], text)) is valid


@pytest.mark.parametrize("name", TEMPLATE["Parameters"])
def test_a_parameter_of_the_edge_is_documented(name: str) -> None:
    row = re.search(rf"^\| `{name}` \|([^|]*)\|([^|]*)\|", SECTION, re.MULTILINE)
    assert row
    default = str(TEMPLATE["Parameters"][name].get("Default", "needed"))
    assert row[1].strip().strip("`") == (default or "none")


def test_what_the_waf_answers_is_an_error_in_the_format_of_openai() -> None:
    waf = TEMPLATE["Resources"]["Waf"]["Properties"]
    error = json.loads(waf["CustomResponseBodies"]["TooMany"]["Content"])["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")


VIEWERS = [
    pytest.param({}, {CLIENT_IP: "203.0.113.7"}, id="an address"),
    pytest.param({CLIENT_IP: "10.0.0.1"}, {CLIENT_IP: "203.0.113.7"}, id="a forged address"),
    pytest.param({"authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}, id="a key in authorization"),
    pytest.param({"authorization": "Bearer a", "x-api-key": "b"}, {"x-api-key": "b"}, id="two keys"),
    pytest.param({"authorization": "Basic a"}, {"x-api-key": None}, id="another scheme"),
    pytest.param({"authorization": "Bearer "}, {"x-api-key": None}, id="no key"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("given", "expected"), VIEWERS)
def test_the_viewer_function_sets_the_address_and_moves_the_key(
    given: dict[str, str], expected: dict[str, str | None]
) -> None:
    node = shutil.which("node")
    assert node is not None
    code = TEMPLATE["Resources"]["Viewer"]["Properties"]["FunctionCode"]
    headers = {name: {"value": value} for name, value in given.items()}
    event = {"request": {"method": "POST", "headers": headers}, "viewer": {"ip": "203.0.113.7"}}
    script = f"{code}\nconsole.log(JSON.stringify(handler({json.dumps(event)}).headers))"
    ran = subprocess.run([node, "-e", script], capture_output=True, text=True, check=True)
    found = {name: header["value"] for name, header in json.loads(ran.stdout).items()}
    assert {name: found.get(name) for name in expected} == expected
    assert found.get("authorization") == given.get("authorization")


async def test_a_request_that_is_signed_as_the_page_says_brings_its_key_in_another_header(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    names: dict[str, Any] = {}
    exec(re.findall(r"```python\n(.*?)```", SECTION, re.DOTALL)[0], names)
    url = "https://abc.lambda-url.eu-west-1.on.aws/v1/explain"
    # What OpenAI's client makes of an `api_key` and `default_headers`.
    given = {"authorization": "Bearer unused", "x-api-key": KEY, "content-type": "application/json"}
    request = httpx.Request("POST", url, json=BODY, headers=given)
    signed = next(names["Signed"]("eu-west-1").auth_flow(request))
    assert signed.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "x-api-key" in signed.headers["authorization"], "the key is signed"
    made = start_gateway()
    response = await made.post("/v1/explain", signed.content, key=None, **dict(signed.headers))
    assert response.status == 200
    await made.gateway.aclose()


COMMANDS = re.findall(r"^    aws (.*?)(?<!\\)$", SECTION, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_page_has_options_that_exist(command: str) -> None:
    words = shlex.split(command.replace("\\\n", " "))
    if words[:2] != ["cloudformation", "deploy"]:
        assert unknown_options(*words) == set()
        return
    overrides = words[words.index("--parameter-overrides") + 1 :]
    assert {word.partition("=")[0] for word in overrides} <= TEMPLATE["Parameters"].keys()
    assert words[words.index("--region") + 1] == "us-east-1", "where CloudFront takes certificates from"
