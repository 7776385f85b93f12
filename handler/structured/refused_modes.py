"""Recognises a refused mode, and makes the plainer request that comes next (contract, section 6).

A mode is one of modes.py, or `strict`: tools whose arguments the provider holds to their schemas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handler.errors import Json, SchemaMismatch, UpstreamError
from handler.providers.provider import Provider

if TYPE_CHECKING:
    from handler.structured.schema_attempt import SchemaAttempt

STRICT = "strict"

_REFUSALS = frozenset({400, 422})  # the statuses with which providers refuse a mode
_HOLDING = frozenset({"response_format", "tools", "tool_choice"})  # the fields that enforce a schema


def raise_if_mode_refused(
    error: UpstreamError,
    chat: Json,
    refused_modes: frozenset[str],
    row: Provider,
    schema: SchemaAttempt | None,
) -> None:
    """Raise SchemaMismatch when the failure is due to the mode and a plainer mode is left.

    chat: as it was sent. refused_modes: those that the candidate has refused so far. A failure that names
    another field of the request is the client's error, so nothing is raised.
    """
    if error.failure_class != "invalid_request" or error.upstream_status not in _REFUSALS:
        return
    field = (error.param or "").partition(".")[0].partition("[")[0]
    if field in chat and field not in _HOLDING:
        return
    mode = schema.refusable if schema is not None else None
    if STRICT not in row.quirks.tool_drop and any(map(is_strict, chat.get("tools") or ())):
        mode = STRICT
    if mode is None:
        return
    refusal = SchemaMismatch("the mode is refused", answer_text=None, upstream_status=error.upstream_status)
    refusal.refused_modes = refused_modes | {mode}
    refusal.add_note(error.detail)
    raise refusal from error


def with_plain_tools(chat: Json) -> Json:
    """Return the chat without `strict`. Unchanged parts are shared."""
    return {**chat, "tools": [_plain(tool) if is_strict(tool) else tool for tool in chat.get("tools") or ()]}


def is_strict(tool: Any) -> bool:
    """True if the arguments of a tool of the chat are to be held to its schema."""
    function = tool.get("function") if isinstance(tool, dict) else None
    return isinstance(function, dict) and function.get("strict") is True


def _plain(tool: Json) -> Json:
    return {**tool, "function": {name: one for name, one in tool["function"].items() if name != "strict"}}
