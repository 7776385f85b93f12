"""Compiles the schemas of one request, of its answer and of strict tools, within the provider's limits.

A tool over the limits, or whose schema cannot be compiled, is a plain one.
https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
"""

from __future__ import annotations

from typing import Any

from handler.providers.content_blocks.schema import STRICT_TOOLS, Compiled, Size, compiled
from handler.providers.quirks.parameters import format_of
from handler.providers.translator import Json
from handler.providers.unsupported import unsupported

FREE = {"type": "object"}  # where a response format names no schema


def compiles(schema: Json | None) -> bool:
    return schema is not None and compiled(schema) is not None


def hold(response_format: Any, tools: list[Json], dropped: list[str], *, able: bool) -> Json | None:
    """The compiled schema of the answer, None for text; those of strict tools are compiled in place.

    `able`: the model is held to schemas at all. Raises UpstreamError for an answer's that cannot be compiled.
    """
    answer = _of_answer(response_format)
    used = answer.size if answer else Size()
    for number, tool in enumerate(tools):
        del tool["strict"]
        found = compiled(tool["input_schema"]) if able and number < STRICT_TOOLS else None
        if found is not None and (size := used.plus(found.size)).fits:
            tool |= {"input_schema": found.schema, "strict": True}
            used = size
        else:
            dropped.append("tools.function.strict")
    return answer.schema if answer else None


def _of_answer(response_format: Any) -> Compiled | None:
    if format_of(response_format) != "json_schema":
        return None
    found = compiled(response_format["json_schema"].get("schema") or FREE)
    if found is None:
        raise unsupported("response_format", "this model's provider cannot compile the schema")
    return found
