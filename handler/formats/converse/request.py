"""Parses a Converse request, and translates it to a chat (docs/api.md, "Bedrock's Converse").

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from handler.errors import InvalidRequest, Json
from handler.formats.anthropic.effort import effort_of_budget
from handler.formats.chat.effects import OWN
from handler.formats.chat.fields import MAX_TAGS, check_combinations, schema, with_properties
from handler.formats.chat.foreign_fields import check_headers
from handler.formats.chat.request import Chat, NativeRequest, chat_of
from handler.formats.converse.content import cache_mark, member, require_bedrock
from handler.formats.converse.fields import check_request, members
from handler.formats.converse.messages import chat_messages
from handler.formats.losses import Losses
from handler.formats.options import Headers
from handler.formats.validators import validate
from handler.settings import Settings
from handler.wire.strict_json import decode, loads
from rules import EFFORTS

MOST_STOPS = 4  # of a chat
_ADAPTIVE = "medium"  # the effort of adaptive thinking without one
_REASONING = ("thinking", "reasoning_config", "reasoningConfig", "output_config", "reasoning_effort")
_SCHEMA = "outputConfig.textFormat.structure.jsonSchema.schema"
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_-]")


def parse_request(body: bytes, headers: Headers, settings: Settings, *, model: str, stream: bool) -> Chat:
    """Return the chat of a request. Raises InvalidRequest, which names the client's own field."""
    check_headers(headers)
    text, value = loads(body)
    validate(check_request, value)
    losses = Losses()
    chat = {"model": model, **_translate(value, losses)}
    if stream:
        chat |= {"stream": True, "stream_options": {"include_usage": True}}
    validate(lambda chat: check_combinations(chat, settings.max_n), chat)
    dropped = tuple(losses.dropped)
    native = NativeRequest(dialect="bedrock", text=text, body=value, only=losses.only, dropped=dropped)
    return chat_of(text, chat, headers, native)


def _translate(body: Json, losses: Losses) -> Json:
    chat: Json = {"messages": chat_messages(body, losses)}
    for name, value in members(body):
        if name in OWN:
            chat[name] = value
        elif name in _ONLY:
            require_bedrock(losses, name, f"`{name}`")
        elif name in _FIELDS:
            chat |= _FIELDS[name](value, losses)
        elif name not in ("messages", "system"):
            losses.drop(name)
    return {**chat, **_tags(body, losses)}


def _inference(config: Json, losses: Losses) -> Json:
    chat: Json = {}
    for name, value in members(config):
        if name in _INFERENCE:
            chat[_INFERENCE[name]] = int(value) if name == "maxTokens" else value
        elif name != "stopSequences":
            losses.drop(f"inferenceConfig.{name}")
    stops = [stop for stop in config.get("stopSequences") or () if stop]
    if len(stops) > MOST_STOPS:
        losses.drop("inferenceConfig.stopSequences")
    return {**chat, **({"stop": stops[:MOST_STOPS]} if stops else {})}


def _tools(config: Json, losses: Losses) -> Json:
    tools: list[Json] = []
    for index, tool in enumerate(config.get("tools") or ()):
        match member(tool):
            case "toolSpec", dict(spec):
                tools.append(_function(spec))
            case "cachePoint", dict(point):
                if tools:
                    tools[-1]["cache_control"] = cache_mark(point)
            case name, _:
                require_bedrock(losses, f"toolConfig.tools[{index}].{name}", "this tool, which runs there")
    return {"tools": tools, **_tool_choice(config.get("toolChoice"), losses)} if tools else {}


def _tool_choice(choice: Any, losses: Losses) -> Json:
    match choice:
        case {"any": dict()}:
            return {"tool_choice": "required"}
        case {"tool": {"name": str(name)}}:
            return {"tool_choice": {"type": "function", "function": {"name": name}}}
        case {"auto": dict()}:
            return {"tool_choice": "auto"}
        case None:
            return {}
    require_bedrock(losses, "toolConfig.toolChoice", "this choice")
    return {}


def _function(spec: Json) -> Json:
    given = {name: spec[name] for name in ("name", "description", "strict") if spec.get(name) is not None}
    schema = spec["inputSchema"].get("json")
    return {
        "type": "function",
        "function": {**given, **({} if schema is None else {"parameters": with_properties(schema)})},
    }


def _output(config: Json, losses: Losses) -> Json:
    chat: Json = _effort(config.get("effort"), "outputConfig.effort", losses)
    if (given := config.get("textFormat")) is None:
        return chat
    labels = given["structure"].get("jsonSchema") or {}
    try:
        value = decode(labels.get("schema") or "")
    except (ValueError, RecursionError):
        raise InvalidRequest(f"{_SCHEMA}: expected a JSON Schema as text", param=_SCHEMA) from None
    validate(schema, value, param=_SCHEMA)
    name = _NOT_IN_A_NAME.sub("_", labels.get("name") or "")[:64] or "output"
    description = {"description": labels["description"]} if labels.get("description") else {}
    json_schema = {"name": name, **description, "schema": value}
    return {**chat, "response_format": {"type": "json_schema", "json_schema": json_schema}}


def _additional(fields: Json, losses: Losses) -> Json:
    """Read fields of the model's own, which are known for a few families of models."""
    chat = _reasoning(fields)
    for name, value in members(fields):
        path = f"additionalModelRequestFields.{name}"
        match name, value:
            case "tools", _:
                require_bedrock(losses, path, "tools of the model's own")
            case (("top_k" | "topK"), int(top_k)) | ("inferenceConfig", {"topK": int(top_k)}):
                chat["top_k"] = int(top_k)
            case _ if name not in _REASONING or not chat.get("reasoning_effort"):
                losses.drop(path)
    return chat


def _reasoning(fields: Json) -> Json:
    """Return the effort of Claude's fields, in any of their spellings, of Nova's or of OpenAI's."""
    effort = None
    match fields.get("thinking") or fields.get("reasoning_config") or fields.get("reasoningConfig"):
        case {"type": "disabled"}:
            return {"reasoning_effort": "none"}
        case {"type": "adaptive"}:
            effort = _ADAPTIVE
        case {"budget_tokens": int(tokens)}:
            effort = effort_of_budget(tokens)
        case {"maxReasoningEffort": str(given)}:
            effort = given
    match fields:
        case {"output_config": {"effort": str(given)}} | {"reasoning_effort": str(given)}:
            effort = given
    return {"reasoning_effort": effort} if effort in EFFORTS else {}


def _effort(effort: Any, path: str, losses: Losses) -> Json:
    if effort in EFFORTS:
        return {"reasoning_effort": effort}
    if effort is not None:
        losses.drop(path)
    return {}


def _tier(tier: Json, _: Losses) -> Json:
    return {"service_tier": tier["type"]}


def _performance(config: Json, losses: Losses) -> Json:
    if config.get("latency") not in (None, "standard"):
        losses.drop("performanceConfig")
    return {}


def _tags(body: Json, losses: Losses) -> Json:
    """Return the tags. Metadata of the request are tags if they fit their limits."""
    metadata = dict(members(body.get("requestMetadata") or {}))
    both = metadata | (body.get("tags") or {})
    fits = all(0 < len(name) <= 64 and len(value) <= 512 for name, value in metadata.items())
    if metadata and (not fits or len(both) > MAX_TAGS):
        losses.drop("requestMetadata")
        return {}
    return {"tags": both} if metadata else {}


_INFERENCE: Mapping[str, str] = {"maxTokens": "max_tokens", "temperature": "temperature", "topP": "top_p"}
_FIELDS: Mapping[str, Callable[[Json, Losses], Json]] = {
    "inferenceConfig": _inference,
    "toolConfig": _tools,
    "outputConfig": _output,
    "additionalModelRequestFields": _additional,
    "serviceTier": _tier,
    "performanceConfig": _performance,
    "requestMetadata": lambda _, __: {},  # read with the tags
}
# They change the answer, and a chat cannot say them.
_ONLY = ("guardrailConfig", "promptVariables")
