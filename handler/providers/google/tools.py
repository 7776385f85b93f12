"""Translates the tools and the tool choice of a chat request. https://ai.google.dev/api/caching#Tool"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from handler.errors import Json
from handler.providers.google.names import encode_name
from handler.providers.unsupported import unsupported

_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY", "any": "ANY"}


def tools_of(body: Json, model_rules: Collection[str]) -> Json:
    """`tools` and `toolConfig` of the request. Raises Unsupported."""
    tools = _declarations(body.get("tools") or ())
    mode, names = calling_mode(body), _allowed_names(body)
    if not tools and mode == "ANY":
        raise unsupported("tool_choice", "the request has no tool that could be called")
    declared: dict[str, Json] = {}
    for tool in tools:
        if declared.setdefault(tool["name"], tool) != tool:
            raise unsupported("tools", f"two different functions have the name {tool['name']!r}")
    if mode == "AUTO" and names:
        declared = {name: tool for name, tool in declared.items() if name in names}
    new: Json = {"tools": [{"functionDeclarations": list(declared.values())}]} if declared else {}
    if "web_search_options" in body:  # the provider's row refuses it unless a rule allows it
        if declared and "no_json_tools" in model_rules:
            raise unsupported("web_search_options", "this model cannot search when it has other tools")
        new["tools"] = [*new.get("tools", ()), {"googleSearch": {}}]
    if declared and (config := _calling_config(body, mode, names)):
        new["toolConfig"] = {"functionCallingConfig": config}
    return new


def calling_mode(body: Json) -> str | None:
    """Gemini's mode for `tool_choice`; None for the default."""
    match body.get("tool_choice"):
        case str(word):
            return _MODES.get(word)
        case {"type": "allowed_tools", "allowed_tools": {"mode": str(word)}}:
            return _MODES.get(word)
        case {"type": "function"}:
            return "ANY"
    return None


def _calling_config(body: Json, mode: str | None, names: list[str]) -> Json:
    if mode == "ANY":
        return {"mode": mode, **({"allowedFunctionNames": names} if names else {})}
    if mode != "NONE" and "response_format" not in body and any(map(_is_strict, body["tools"])):
        return {"mode": "VALIDATED"}
    return {"mode": mode} if mode else {}


def _allowed_names(body: Json) -> list[str]:
    """The names of the functions that `tool_choice` allows; empty if it allows all."""
    match body.get("tool_choice"):
        case {"type": "function", "function": {"name": str(name)}}:
            return [encode_name(name)]
        case {"type": "allowed_tools", "allowed_tools": {"tools": list(tools)}}:
            functions = (tool.get("function") for tool in tools)
            return [
                encode_name(one["name"]) for one in functions if isinstance(one, dict) and one.get("name")
            ]
    return []


def _declarations(tools: Sequence[Json]) -> list[Json]:
    if not tools:
        return []
    from handler.providers.google.schema import limit_max_items  # not part of a cold start

    declared = [_declaration(tool, f"tools[{place}]") for place, tool in enumerate(tools)]
    limit_max_items([tool["parametersJsonSchema"] for tool in declared if "parametersJsonSchema" in tool])
    return declared


def _declaration(tool: Json, where: str) -> Json:
    from handler.providers.google.schema import gemini_schema

    function = tool.get("function")
    if not isinstance(function, dict):
        raise unsupported(f"{where}.type", "this model takes only functions")
    new: Json = {"name": encode_name(function["name"])}
    if function.get("description"):
        new["description"] = function["description"]
    schema = gemini_schema(function.get("parameters"))
    if schema.keys() - {"type", "properties", "additionalProperties"} or schema.get("properties"):
        new["parametersJsonSchema"] = {"type": "object", **schema}
    return new


def _is_strict(tool: Json) -> bool:
    function = tool.get("function")
    return isinstance(function, dict) and function.get("strict") is True
