"""Structured output: the output a chat asks for, and the mode that holds a model to it (docs/api.md).

The first mode that the model and its provider support: `native` (the provider's own response_format), `tool`
(a tool that the model has to call, whose arguments are the answer), `prompt` (an instruction in the system
message). No I/O; schema_attempt.py makes the requests.
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
# References that would point elsewhere once the root is wrapped.
_REFERENCES = re.compile(r'"\$(?:dynamicRef|recursiveRef|ref)":"(?!#/\$defs/|#/definitions/)')


class OutputContract(NamedTuple):
    """The output that an answer has to match: a schema, or any JSON object if there is no schema."""

    description: str | None = None
    schema: Json | None = None
    validator: Schema | None = None

    def problem(self, text: str) -> str | None:
        """Why an answer's text does not match, without quoting it; None if it does."""
        try:
            value = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            return "it is not JSON"
        if self.validator is not None:
            return self.validator.find_mismatch(value)
        return None if isinstance(value, dict) else "$: expected object"


def output_contract(body: Json, *, ours: bool = False) -> OutputContract | None:
    """Return the contract of a chat; None for text. ours: its schema was given as `output_schema`.

    Raises InvalidRequest for a schema that no answer can be checked against.
    """
    param = "output_schema" if ours else "response_format.json_schema.schema"
    match body.get("response_format"):
        case {"type": "json_object"}:
            return OutputContract()
        case {"type": "json_schema", "json_schema": dict(given)}:
            schema = {"type": "object"} if given.get("schema") is None else given["schema"]
            validate(bounded, schema, param=param)
            schema = to_2020_12(schema)
            try:
                validator = Schema(schema)
            except BadSchema as error:
                raise InvalidRequest(f"{param}: {error}", param=param) from None
            return OutputContract(given.get("description"), schema, validator)
    return None


# The mode.

_THINKS_OR_CALLS = frozenset({"anthropic", "bedrock"})  # a forced call and thinking exclude each other


def mode_of(
    contract: OutputContract,
    chat: Json,
    model: Model,
    row: Provider,
    translator: Translator,
    refused: Collection[str] = (),
) -> str:
    """Choose the mode for a model. `refused`: the modes that it has refused."""
    if NATIVE not in refused and supports_natively(contract, chat, model, row, translator):
        return NATIVE
    schema = contract.schema
    forced = TOOL not in refused and schema is not None and _supports_tool(schema, chat, model, row)
    return TOOL if forced else PROMPT


def supports_natively(
    contract: OutputContract, chat: Json, model: Model, row: Provider, translator: Translator
) -> bool:
    """True if the model's own `response_format` enforces the contract. Schemas include plain objects."""
    feature = "json_object" if contract.schema is None else "json_schema"
    return (
        not model.can.isdisjoint({feature, "json_schema"})
        and feature not in row.quirks.unable
        and translator.enforces_schema(contract.schema, chat, model)
    )


def _supports_tool(schema: Json, chat: Json, model: Model, row: Provider) -> bool:
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
