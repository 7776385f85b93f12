"""Chats with a schema, models and rows, for the tests of handler/structured."""

from __future__ import annotations

from typing import Any

from handler.errors import Json, SchemaMismatch
from handler.providers.provider import Provider, Quirks
from handler.providers.registry import TRANSLATORS
from handler.structured.modes import OutputContract, output_contract
from handler.structured.schema_attempt import SchemaAttempt, schema_attempt
from rules import Model

CITY: Json = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
NODE: Json = {
    "$ref": "#/$defs/n",
    "$defs": {"n": {"type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}}},
}
LIST: Json = {"type": "array", "items": {"type": "integer"}}
USER: Json = {"role": "user", "content": "Where is the Eiffel Tower?"}
ALL = ("tools", "json_object", "json_schema")


def chat(schema: Json | None = CITY, **fields: Any) -> Json:
    """Returns a chat that asks for an answer to the schema; for any JSON object if it is None."""
    output: Json = {"type": "json_object"}
    if schema is not None:
        output = {"type": "json_schema", "json_schema": {"name": "place", "schema": schema}}
    return {"messages": [USER], "response_format": output, **fields}


def model(*can: str, rules: tuple[str, ...] = ()) -> Model:
    return Model(provider="up", name="m", can=frozenset(can), rules=rules)


def row(dialect: str = "openai", **quirks: Any) -> Provider:
    return Provider(name="up", dialect=dialect, quirks=Quirks(**quirks))


def contract(body: Json) -> OutputContract:
    found = output_contract(body)
    assert found is not None
    return found


def attempt(body: Json, *can: str, repair_of: SchemaMismatch | None = None) -> SchemaAttempt:
    """Returns the attempt at this chat by a model with these features, at an OpenAI-compatible provider."""
    found = schema_attempt(contract(body), body, model(*can), row(), TRANSLATORS["openai"], repair_of)
    assert found is not None
    return found
