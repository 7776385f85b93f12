"""One request compiles the answer's schema and its strict tools, within the limits of both together."""

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


def strict(
    dialect: str, tools: list[Json], schema: Json | None = None, **model: Any
) -> tuple[list[bool], tuple[str, ...]]:
    """Lists the tools that are sent as strict, and the fields named as dropped."""
    body: Json = {"messages": [{"role": "user", "content": "Hi"}], "tools": tools}
    if schema is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    able = Model(provider="up", name="m", can=frozenset({"tools", "json_schema"}), **model)
    sent, dropped = TRANSLATORS[dialect].request(body, able, Quirks())
    told = (
        sent["tools"] if dialect == "anthropic" else [one["toolSpec"] for one in sent["toolConfig"]["tools"]]
    )
    return ["strict" in one for one in told], dropped


FREE = {"additionalProperties": True}
HELD = [
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
@pytest.mark.parametrize(("tools", "schema", "expected"), HELD)
def test_tools_over_the_limits_are_plain_ones(
    dialect: str, tools: list[Json], schema: Json | None, expected: list[bool]
) -> None:
    found, dropped = strict(dialect, tools, schema)
    assert found == expected
    assert ("tools.function.strict" in dropped) is not all(expected)


@pytest.mark.parametrize("dialect", ["anthropic", "bedrock"])
def test_a_schema_that_cannot_be_compiled_is_not_sent(dialect: str) -> None:
    with pytest.raises(UpstreamError) as refused:
        strict(dialect, [tool("a")], {"type": "object"})
    assert refused.value.param == "response_format"


def test_the_limits_are_those_that_are_documented() -> None:
    assert (MAX_STRICT_TOOLS, LIMITS.optional, LIMITS.unions) == (20, 24, 16)
