"""Checks the arguments of strict tools against the tools' schemas, if the provider guarantees no match.

Providers of OpenAI's format guarantee it for the client's schema. Other formats get a translated schema,
which may accept more. If a schema cannot be translated, or the provider refuses strict tools, the tool is
sent without `strict`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from functools import cached_property
from typing import Any

from handler.errors import Json, SchemaMismatch
from handler.structured.refused_modes import STRICT, is_strict

_DROPPED = "tools.function.strict"
_PROMISING = frozenset({"openai", "responses"})  # the dialects that get the client's own schema
_UNFINISHED = frozenset({"length", "content_filter"})  # an answer that was cut off promises nothing


class StrictTools:
    """The strict tools of one request."""

    def __init__(self, tools: Collection[Json]) -> None:
        self._tools = tools

    def check(self, message: Json, finish: str | None) -> None:
        """Raise SchemaMismatch for a call whose arguments do not fit its tool's schema."""
        if finish in _UNFINISHED:
            return
        for call in message.get("tool_calls") or ():
            function = call.get("function") or {}
            schema = self._schemas.get(str(function.get("name")))
            if schema is not None and (problem := _problem(schema, function.get("arguments"))):
                raise SchemaMismatch(f"the arguments of {function['name']}: {problem}", answer_text="")

    @cached_property
    def _schemas(self) -> dict[str, Any]:
        """The schemas by name, made when the first call comes. One that cannot be checked is left out."""
        from handler.providers.schemas.drafts import to_2020_12
        from handler.structured.schema import BadSchema, Schema

        found = {}
        for tool in self._tools:
            try:
                schema = Schema(to_2020_12(tool["function"].get("parameters") or {}))
            except BadSchema:
                continue
            found[tool["function"]["name"]] = schema
        return found


def strict_tools(
    tools: Iterable[Json], dialect: str, refused_modes: Collection[str], dropped: Collection[str]
) -> StrictTools | None:
    """Return the strict tools whose arguments Sluice has to check; None if there are none.

    refused_modes: those that the candidate refused. dropped: the fields that were left out of the request.
    """
    strict = [tool for tool in tools if is_strict(tool)]
    promised = dialect in _PROMISING and STRICT not in refused_modes and _DROPPED not in dropped
    return StrictTools(strict) if strict and not promised else None


def _problem(schema: Any, arguments: object) -> str | None:
    try:
        value = json.loads(arguments) if isinstance(arguments, str) and arguments.strip() else {}
    except (ValueError, RecursionError):
        return "they are not JSON"
    found: str | None = schema.find_mismatch(value)
    return found
