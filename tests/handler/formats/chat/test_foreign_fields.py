"""Fields that only Opper, OpenPipe or OpenTools know are removed or refused, and never relayed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handler.errors import InvalidRequest
from handler.formats.chat.effects import prepare_body
from handler.formats.chat.foreign_fields import BODY, HEADERS
from handler.formats.chat.request import parse
from handler.settings import Settings
from rules import Effects
from tests.support.canned_answers import completion, whole
from tests.support.gateways import provider, start_gateway
from tests.support.upstream import Upstream

MESSAGES = [{"role": "user", "content": "hi"}]
SEARCH = {"type": "opper:web_search", "max_results": 3}


def parse_chat(headers: dict[str, str] | None = None, **fields: Any) -> Any:
    body = json.dumps({"messages": MESSAGES, **fields}).encode()
    return parse(body, headers or {}, Settings())


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"span_uuid": "5f0c3a52-8f7e-4e2a-9a1b-1c2d3e4f5a6b"}, id="a span"),
        pytest.param({"evaluate": False}, id="no scoring"),
        pytest.param({"evaluate": True, "span_uuid": 7}, id="both, with any value"),
        pytest.param(dict.fromkeys(BODY), id="nulls"),
    ],
)
def test_a_field_that_does_not_change_the_answer_is_removed(fields: dict[str, Any]) -> None:
    assert prepare_body(parse_chat(**fields), Effects()) == {"messages": MESSAGES}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        pytest.param(
            {"openpipe": {"tags": {}}}, "openpipe", id="a field that OpenPipe's client removes itself"
        ),
        pytest.param({"reqPayload": {"messages": MESSAGES}}, "reqPayload", id="OpenPipe's wrapper"),
        pytest.param({"tools": [SEARCH]}, "tools[0].type", id="a tool that Opper runs"),
    ],
)
def test_a_field_that_would_change_the_answer_is_refused_with_a_reason(
    fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(InvalidRequest) as raised:
        parse_chat(**fields)
    assert (raised.value.code, raised.value.param) == ("unsupported_parameter", param)
    assert len(raised.value.message) > 40


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        pytest.param("op-criteria", '["tone@v1"]', False, id="criteria"),
        pytest.param("op-criteria", "[]", True, id="no criteria"),
        pytest.param("x-opper-guard-action", "block", False, id="a guard that blocks"),
        pytest.param("x-opper-guard-action", "redact", False, id="a guard that redacts"),
        pytest.param("x-opper-guard-action", "flag", True, id="a guard that only flags"),
        pytest.param("x-opper-guard-input", "pii", True, id="a guard without an action"),
        pytest.param("x-opper-parent-span-id", "5f0c", True, id="a parent span"),
        pytest.param("op-cache", "readWrite", True, id="OpenPipe's cache"),
    ],
)
def test_a_header_that_would_change_the_answer_is_refused(name: str, value: str, accepted: bool) -> None:
    if accepted:
        parse_chat({name: value})
        return
    assert name in HEADERS
    with pytest.raises(InvalidRequest) as raised:
        parse_chat({name: value})
    assert (raised.value.code, raised.value.param) == ("unsupported_parameter", name)


def test_a_providers_own_tool_is_accepted() -> None:
    tools = [{"type": "web_search"}, {"type": "mcp", "server_label": "x"}, {"type": "operate"}]
    assert prepare_body(parse_chat(tools=tools), Effects())["tools"] == tools


async def test_no_foreign_field_reaches_a_provider() -> None:
    async with Upstream() as upstream:
        upstream.script("m", whole(completion()))
        gateway = start_gateway([provider(upstream.url)])
        response = await gateway.chat(model="up/m", span_uuid="5f0c", evaluate=False)
        await gateway.gateway.aclose()
        (sent,) = upstream.requests_for("m")
    assert response.status == 200
    assert sent.json == {"messages": MESSAGES, "model": "m"}


@pytest.mark.parametrize("name", ["openpipe:support-bot", "OpenPipe:a", "dynamic/triage"])
async def test_a_name_of_another_service_is_a_404_with_an_alternative(name: str) -> None:
    gateway = start_gateway([])
    error = (await gateway.chat(model=name)).error
    assert error["code"] == "model_not_found"
    assert "alias record" in error["message"]


async def test_an_alias_serves_a_name_of_another_service() -> None:
    async with Upstream() as upstream:
        upstream.script("m", whole(completion()))
        alias = {"kind": "alias", "id": "openpipe:support-bot", "models": ["up/m"]}
        gateway = start_gateway([provider(upstream.url), alias])
        response = await gateway.chat(model="openpipe:support-bot")
        await gateway.gateway.aclose()
    assert (response.status, response.headers["x-sluice-model"]) == (200, "up/m")
