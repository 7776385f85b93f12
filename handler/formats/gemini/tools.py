"""Translates function declarations and the calling mode. https://ai.google.dev/api/caching#Tool"""

from __future__ import annotations

from typing import Any

from handler.errors import Json
from handler.formats.chat.fields import schema, with_properties
from handler.formats.gemini.fields import CALLING, DECLARATION, TOOL_CONFIG, items, member, unknown, written
from handler.formats.gemini.schema import json_schema
from handler.formats.gemini.untranslated import Untranslated
from handler.formats.validators import validate

_MODES = {"AUTO": "auto", "VALIDATED": "auto", "ANY": "required", "NONE": "none"}


def tools_of(body: Json, notes: Untranslated) -> Json:
    """Return `tools` and `tool_choice` of the chat. Raises InvalidRequest for a schema that is refused."""
    functions: list[Json] = []
    for where, tool in items(body.get("tools"), "tools"):
        for _, name in unknown(tool, ("functionDeclarations",)):
            notes.require(f"{where}.{name}", "this tool runs at Google")
        name = written(tool, "functionDeclarations")
        for path, declaration in items(tool.get(name), f"{where}.{name}"):
            functions.append(_function(declaration, path, notes))
    choice, strict = _tool_choice(body, notes)
    if strict:
        functions = [{**function, "strict": True} for function in functions]
    new: Json = {"tools": [{"type": "function", "function": one} for one in functions]} if functions else {}
    if choice is not None and (functions or choice not in ("auto", "none")):
        new["tool_choice"] = choice
    return new


def _function(declaration: Json, where: str, notes: Untranslated) -> Json:
    for _, name in unknown(declaration, DECLARATION):
        notes.drop(f"tools.functionDeclarations.{name}")
    function: Json = {"name": declaration["name"]}
    if declaration.get("description"):
        function["description"] = declaration["description"]
    name = written(declaration, "parametersJsonSchema")
    parameters = declaration.get(name)
    if parameters is None:
        name, parameters = "parameters", json_schema(declaration.get("parameters"))
    if parameters is not None:
        validate(schema, parameters, param=f"{where}.{name}")
        function["parameters"] = with_properties(parameters)
    return function


def _tool_choice(body: Json, notes: Untranslated) -> tuple[Any, bool]:
    """Return `tool_choice`, None for the default; and True if functions are strict."""
    config = member(body, "toolConfig") or {}
    calling = member(config, "functionCallingConfig") or {}
    where = f"{written(body, 'toolConfig')}.{written(config, 'functionCallingConfig')}"
    for _, name in unknown(config, TOOL_CONFIG):
        notes.drop(f"{written(body, 'toolConfig')}.{name}")
    for _, name in unknown(calling, CALLING):
        notes.drop(f"{where}.{name}")
    mode = (calling.get("mode") or "MODE_UNSPECIFIED").upper()
    if mode == "MODE_UNSPECIFIED":
        return None, False
    if (word := _MODES.get(mode)) is None:
        notes.require(f"{where}.mode", "only Gemini knows this mode")
        return None, False
    names = [name for _, name in items(member(calling, "allowedFunctionNames"), "")]
    return _allowed(word, names) if mode != "NONE" else word, mode == "VALIDATED"


def _allowed(word: str, names: list[str]) -> Any:
    """Return the choice among the functions with these names; without names, among all of them."""
    functions = [{"type": "function", "function": {"name": name}} for name in names]
    if word == "required" and len(functions) == 1:
        return functions[0]
    if not functions:
        return word
    return {"type": "allowed_tools", "allowed_tools": {"mode": word, "tools": functions}}
