"""The schema of the answer and those of strict tools share the limits of one request."""

from __future__ import annotations

from typing import Any

import pytest

from handler.errors import Json, UpstreamError
from handler.providers.content_blocks.schema import LIMITS, MAX_STRICT_TOOLS
from handler.providers.provider import Quirks
from handler.providers.registry import TRANSLATORS
from rules import Model

TEXT = {"type": "string"}


def tool(name: str, *optional: str, **parameters: Any) -> Json:
    schema = {"type": "object", "properties": dict.fromkeys(optional, TEXT), **parameters}
    return {"type": "function", "function": {"name": name, "parameters": schema, "strict": True}}


def strict(dialect: str, tools: list[Json], schema: Json | None = None) -> tuple[list[bool], tuple[str, ...]]:
    """Return True for each tool that is sent as strict, and the names of the dropped fields."""
    body: Json = {"messages": [{"role": "user", "content": "Hi"}], "tools": tools}
    if schema is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    model = Model(provider="up", name="m", can=frozenset({"tools", "json_schema"}))
    sent, dropped = TRANSLATORS[dialect].request(body, model, Quirks())
    if dialect == "anthropic":
        return ["strict" in tool for tool in sent["tools"]], dropped
    return ["strict" in tool["toolSpec"] for tool in sent["toolConfig"]["tools"]], dropped


FREE = {"additionalProperties": True}
CASES = [
    pytest.param(
        [tool("a", "x"), tool("b", **FREE)], None, [True, False], id="a tool that accepts any property"
    ),
    pytest.param(
        [tool(str(at)) for at in range(MAX_STRICT_TOOLS + 1)],
        None,
        [True] * MAX_STRICT_TOOLS + [False],
        id="more than 20 tools",
    ),
    pytest.param(
        [tool(str(at), "x", "y", "z") for at in range(9)],
        None,
        [True] * 8 + [False],
        id="more than 24 optional arguments",
    ),
    pytest.param(
        [tool("a", *map(str, range(10))), tool("b", "x"), tool("c", *map(str, range(10)))],
        None,
        [True, True, False],
        id="too many branches of the grammar",
    ),
    pytest.param(
        [tool("a", "x"), tool("b", "x", "y")],
        {
            "type": "object",
            "properties": {str(at): {"type": "object", "properties": {"x": TEXT}} for at in range(10)},
            "required": ["0"],
        },
        [True, True],
        id="with a small schema of the answer",
    ),
    pytest.param(
        [tool("a", "x", "y", "z"), tool("b", "x", "y", "z")],
        {
            "type": "object",
            "properties": {
                f"p{at}": {"type": "object", "properties": dict.fromkeys("abcd", TEXT)} for at in range(5)
            },
            "required": [f"p{at}" for at in range(5)],
        },
        [True, False],
        id="with a large schema of the answer",
    ),
]


@pytest.mark.parametrize("dialect", ["anthropic", "bedrock"])
@pytest.mark.parametrize(("tools", "schema", "expected"), CASES)
def test_tools_beyond_the_limits_are_not_strict(
    dialect: str, tools: list[Json], schema: Json | None, expected: list[bool]
) -> None:
    found, dropped = strict(dialect, tools, schema)
    assert found == expected
    assert ("tools.function.strict" in dropped) is not all(expected)


@pytest.mark.parametrize("dialect", ["anthropic", "bedrock"])
def test_an_unsupported_schema_is_refused(dialect: str) -> None:
    with pytest.raises(UpstreamError) as raised:
        strict(dialect, [tool("a")], {"type": "object"})
    assert raised.value.param == "response_format"


def test_the_limits_are_the_documented_ones() -> None:
    assert (MAX_STRICT_TOOLS, LIMITS.optional, LIMITS.unions) == (20, 24, 16)
