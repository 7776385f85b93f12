"""Structured output: what a chat asks for, and the way in which a model can be held to it (docs/api.md).

The first way that the model and its wire have: `native` (the provider's own response_format), `tool` (a tool
that it has to call, whose arguments are the answer), `prompt` (asked for in words).
schema_attempt.py does it.
No I/O.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any, NamedTuple

from handler.errors import InvalidRequest, Json
from handler.formats.chat.fields import schema as bounded
from handler.formats.validators import validate
from handler.providers.provider import Provider
from handler.providers.schemas.drafts import to_2020_12
from handler.providers.translator import Translator
from handler.structured.schema import BadSchema, Schema
from handler.wire.splice import dump
from rules import Model

NATIVE, TOOL, PROMPT = "native", "tool", "prompt"
JSON = "json"  # the provider's JSON mode, which goes with PROMPT and may be refused too
# What would point elsewhere once the root is wrapped.
_REFERENCES = re.compile(r'"\$(?:dynamicRef|recursiveRef|ref)":"(?!#/\$defs/|#/definitions/)')


class OutputContract(NamedTuple):
    """What an answer has to be: what fits the schema, or any JSON object where there is none."""

    description: str | None = None
    schema: Json | None = None
    fits: Schema | None = None

    def problem(self, text: str) -> str | None:
        """Why an answer's text is not that, without a word of it."""
        try:
            value = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            return "it is not JSON"
        if self.fits is not None:
            return self.fits.mismatch(value)
        return None if isinstance(value, dict) else "$: expected object"


def wanted(body: Json, *, ours: bool = False) -> OutputContract | None:
    """What a chat with a `response_format` asks for; None for text. `ours`: it was given as `output_schema`.

    Raises InvalidRequest for a schema that no answer can be held to.
    """
    param = "output_schema" if ours else "response_format.json_schema.schema"
    match body.get("response_format"):
        case {"type": "json_object"}:
            return OutputContract()
        case {"type": "json_schema", "json_schema": dict(said)}:
            schema = {"type": "object"} if said.get("schema") is None else said["schema"]
            validate(bounded, schema, param=param)
            schema = to_2020_12(schema)
            try:
                fits = Schema(schema)
            except BadSchema as error:
                raise InvalidRequest(f"{param}: {error}", param=param) from None
            return OutputContract(said.get("description"), schema, fits)
    return None


# Which way.

_THINKS_OR_CALLS = frozenset({"anthropic", "bedrock"})  # where a forced call and thinking exclude each other


def way_of(
    asked: OutputContract,
    chat: Json,
    model: Model,
    row: Provider,
    wire: Translator,
    refused: Collection[str] = (),
) -> str:
    """Chooses the mode for a model. `refused`: the modes that it has refused."""
    if NATIVE not in refused and natively(asked, chat, model, row, wire):
        return NATIVE
    forced = TOOL not in refused and asked.schema is not None and _by_tool(asked.schema, chat, model, row)
    return TOOL if forced else PROMPT


def natively(asked: OutputContract, chat: Json, model: Model, row: Provider, wire: Translator) -> bool:
    """Whether its own `response_format` does it. Who can do schemas can do objects."""
    feature = "json_object" if asked.schema is None else "json_schema"
    return (
        not model.can.isdisjoint({feature, "json_schema"})
        and feature not in row.quirks.unable
        and wire.enforces_schema(asked.schema, chat, model)
    )


def _by_tool(schema: Json, chat: Json, model: Model, row: Provider) -> bool:
    words = {rule.partition(":")[0] for rule in model.rules}
    thinks = chat.get("reasoning_effort") not in (None, "none") or "thinking_on" in words
    return (
        "tools" in model.can
        and "no_forced_tool" not in words
        and row.quirks.can_force_tool
        and not (chat.get("tools") or chat.get("functions"))
        and not (thinks and row.dialect in _THINKS_OR_CALLS)
        and (is_object(schema) or not _REFERENCES.search(dump(schema)))
    )


def is_object(schema: Json) -> bool:
    return schema.get("type") == "object"


def _no_constant(name: str) -> Any:
    raise ValueError(name)
