"""Translates the schemas of one request, of its answer and its strict tools, within the provider's limits.

A tool beyond the limits, or whose schema cannot be translated, is sent without `strict`.
https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
"""

from __future__ import annotations

from typing import Any

from handler.errors import Json
from handler.providers.content_blocks.schema import MAX_STRICT_TOOLS, Size, SupportedSchema, supported_schema
from handler.providers.quirks.parameters import response_format_type
from handler.providers.unsupported import unsupported

_ANY_OBJECT = {"type": "object"}  # for a response format without a schema


def is_supported(schema: Json | None) -> bool:
    return schema is not None and supported_schema(schema) is not None


def translate_schemas(
    response_format: Any, tools: list[Json], dropped: list[str], *, supported: bool
) -> Json | None:
    """Translate the schemas of strict tools in place. Return the schema of the answer, None for plain text.

    `supported`: the model supports strict tools. Raises Unsupported if the schema of the answer cannot be
    translated.
    """
    answer = _answer_schema(response_format)
    total = answer.size if answer else Size()
    for index, tool in enumerate(tools):
        del tool["strict"]
        found = supported_schema(tool["input_schema"]) if supported and index < MAX_STRICT_TOOLS else None
        if found is not None and (size := total.plus(found.size)).is_within_limits:
            tool |= {"input_schema": found.schema, "strict": True}
            total = size
        else:
            dropped.append("tools.function.strict")
    return answer.schema if answer else None


def _answer_schema(response_format: Any) -> SupportedSchema | None:
    if response_format_type(response_format) != "json_schema":
        return None
    found = supported_schema(response_format["json_schema"].get("schema") or _ANY_OBJECT)
    if found is None:
        raise unsupported("response_format", "the provider does not support this schema")
    return found
