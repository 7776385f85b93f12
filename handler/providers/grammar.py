"""The schemas that a request of blocks has compiled: of its answer and of strict tools, within their limits.

A tool over the limits, or whose schema cannot be compiled, is a plain one.
https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
"""

from __future__ import annotations

from typing import Any

from handler.providers.base import Json
from handler.providers.blocks import unsupported
from handler.providers.compiled import STRICT_TOOLS, Compiled, Size, compiled
from handler.providers.tuning import format_of

FREE = {"type": "object"}  # where a response format names no schema


def compiles(schema: Json | None) -> bool:
    return schema is not None and compiled(schema) is not None


def answer_schema(response_format: Any) -> Compiled | None:
    """What the answer is held to. Raises UpstreamError for a schema that cannot be compiled."""
    if format_of(response_format) != "json_schema":
        return None
    found = compiled(response_format["json_schema"].get("schema") or FREE)
    if found is None:
        raise unsupported("response_format", "this model's provider cannot compile the schema")
    return found


def hold_tools(tools: list[Json], answer: Compiled | None, dropped: list[str], *, able: bool) -> None:
    """Compiles the schemas of strict tools, in place. `able`: the model is held to schemas at all."""
    used = answer.size if answer else Size()
    strict = [tool for tool in tools if tool.pop("strict", False)]
    for number, tool in enumerate(strict):
        found = compiled(tool["input_schema"]) if able and number < STRICT_TOOLS else None
        if found is not None and (size := used.plus(found.size)).fits:
            tool |= {"input_schema": found.schema, "strict": True}
            used = size
        else:
            dropped.append("tools.function.strict")
