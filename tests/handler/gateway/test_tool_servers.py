"""The tool servers that a request names in each format, and which of them Sluice runs."""

from __future__ import annotations

import json
import random
from functools import partial
from typing import Any

import pytest

from handler.errors import InvalidRequest
from handler.formats.anthropic.format import MESSAGES
from handler.formats.chat.request import parse
from handler.formats.client_format import ClientFormat
from handler.formats.responses.format import RESPONSES
from handler.formats.tool_servers import named_servers, without_servers
from handler.gateway.tool_servers import ToolServer, tool_servers
from handler.settings import read_settings
from rules import Facts, RuleSet

URL = "https://search.example/mcp"
RECORDS = (
    {"kind": "mcp", "id": "search", "url": URL, "tools": ["f*"]},
    {"kind": "mcp", "id": "files", "url": "https://files.example/mcp", "scope": {"project": "a"}},
    {"kind": "mcp", "id": "search-of-a", "url": URL, "scope": {"project": "a"}},
)
RULES = RuleSet.read(RECORDS)


def resolved(
    format: ClientFormat | None, body: Any, project: str = "b"
) -> tuple[Any, tuple[ToolServer, ...]]:
    read = partial(format.parse if format else parse, headers={}, settings=read_settings({}))
    chat = read(json.dumps(body).encode())
    return tool_servers(chat, Facts(project=project), RULES, read)


def ids(servers: tuple[ToolServer, ...]) -> list[str]:
    return [server.record.id for server in servers]


FUNCTION = {"type": "function", "name": "own", "parameters": {"type": "object"}, "strict": False}
HOSTED = {"type": "mcp", "server_label": "x", "server_url": URL, "require_approval": "never"}


def of_responses(*tools: Any) -> Any:
    return {"model": "m", "input": "hi", "tools": list(tools)}


@pytest.mark.parametrize(
    ("tools", "project", "expected"),
    [
        pytest.param([HOSTED], "b", ["search"], id="the address of a record"),
        pytest.param([{**HOSTED, "server_url": URL + "/"}], "b", ["search"], id="with a slash at its end"),
        pytest.param([HOSTED, FUNCTION], "a", ["search-of-a"], id="of two records the more specific"),
        pytest.param(
            [{**HOSTED, "server_label": "search"}], "a", ["search"], id="of two records the one of the label"
        ),
        pytest.param(
            [{**HOSTED, "server_url": None, "server_label": "search"}], "b", ["search"], id="a label alone"
        ),
        pytest.param(
            [{**HOSTED, "server_url": None, "server_label": "files"}], "b", [], id="a label out of scope"
        ),
        pytest.param([{**HOSTED, "server_url": "https://x.example"}], "b", [], id="another address"),
        pytest.param([{**HOSTED, "require_approval": "always"}], "b", [], id="to be approved"),
        pytest.param(
            [{"type": "mcp", "server_label": "x", "server_url": URL}], "b", [], id="to be approved by default"
        ),
        pytest.param(
            [{**HOSTED, "allowed_tools": {"read_only": True}}],
            "b",
            [],
            id="a filter that Sluice does not know",
        ),
    ],
)
def test_servers_of_responses(tools: list[Any], project: str, expected: list[str]) -> None:
    chat, servers = resolved(RESPONSES, of_responses(*tools), project)
    assert ids(servers) == expected
    if expected:
        assert chat.native.only is None
        types = [(each["type"], each.get("ref")) for each in chat.body["tools"]]
        assert types == [*[("function", None)] * (len(tools) - 1), ("mcp", expected[0])]
        assert all(each["type"] != "mcp" for each in chat.native.body.get("tools", ()))
    else:
        assert chat.native.only is not None, "only a provider of the format may run it"


def of_messages(**fields: Any) -> Any:
    messages = [{"role": "user", "content": "hi"}]
    servers = [{"type": "url", "url": URL, "name": "s", "authorization_token": "secret"}]
    return {"model": "m", "max_tokens": 9, "messages": messages, "mcp_servers": servers, **fields}


def toolset(**fields: Any) -> Any:
    return {"type": "mcp_toolset", "mcp_server_name": "s", **fields}


@pytest.mark.parametrize(
    ("tools", "allowed"),
    [
        pytest.param([], ["f1", "f2"], id="without a toolset"),
        pytest.param([toolset()], ["f1", "f2"], id="a toolset"),
        pytest.param([toolset(configs={"f1": {"enabled": False}})], ["f2"], id="but one"),
        pytest.param(
            [toolset(default_config={"enabled": False}, configs={"f1": {"enabled": True}})],
            ["f1"],
            id="only one",
        ),
    ],
)
def test_servers_of_messages(tools: list[Any], allowed: list[str]) -> None:
    chat, servers = resolved(MESSAGES, of_messages(tools=tools))
    assert ids(servers) == ["search"]
    assert [name for name in ("f1", "f2", "g") if servers[0].allows(name)] == allowed
    assert chat.native.only is None
    assert "secret" not in json.dumps([chat.body, chat.native.body])


def test_another_server_of_messages_is_left_to_anthropic() -> None:
    chat, servers = resolved(
        MESSAGES, of_messages(mcp_servers=[{"type": "url", "url": "https://x", "name": "s"}])
    )
    assert servers == ()
    assert chat.native.only is not None


@pytest.mark.parametrize("format", [RESPONSES, None], ids=["responses", "chat"])
def test_servers_of_both_kinds_cannot_be_combined(format: ClientFormat | None) -> None:
    tools = [HOSTED, {**HOSTED, "server_url": "https://x.example"}]
    body = (
        of_responses(*tools) if format else {"messages": [{"role": "user", "content": "hi"}], "tools": tools}
    )
    with pytest.raises(InvalidRequest, match="no `mcp` record"):
        resolved(format, body)


def test_a_chat_names_another_server_for_its_provider() -> None:
    tools = [{**HOSTED, "server_url": "https://x.example"}]
    chat, servers = resolved(None, {"messages": [{"role": "user", "content": "hi"}], "tools": tools})
    assert servers == ()
    assert chat.body["tools"] == tools


def test_random_bodies_never_fail() -> None:
    chance = random.Random(3)
    names = (
        *("type", "ref", "server_url", "server_label", "allowed_tools", "tool_names", "name", "url"),
        *("configs", "enabled", "default_config", "tool_configuration", "mcp_server_name"),
    )
    values: list[Any] = [None, True, 7, "mcp", "mcp_toolset", "never", "x", [], {}, ["x", 7]]

    def value(depth: int) -> Any:
        if depth == 0 or chance.random() < 0.3:
            return chance.choice(values)
        if chance.random() < 0.4:
            return [value(depth - 1) for _ in range(chance.randrange(3))]
        return {chance.choice(names): value(depth - 1) for _ in range(chance.randrange(5))}

    for _ in range(2000):
        body = {"tools": value(4), "mcp_servers": value(4)}
        for dialect in ("openai", "responses", "anthropic", "google"):
            named_servers(dialect, body)
        if isinstance(body["tools"], list):
            without_servers(body)
