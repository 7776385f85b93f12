"""Answers of a model in Gemini's format, which follow from the request alone."""

from __future__ import annotations

import json
from typing import Any

from handler.formats.gemini.fields import member
from handler.formats.gemini.schema import json_schema
from handler.local.demo.schema_sample import sample

Json = dict[str, Any]

_HEAD = {"modelVersion": "gemini-3.8-flash", "responseId": "1"}
_USAGE = {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}


def whole(body: Json) -> Json:
    return {**_HEAD, "candidates": _candidates(body, _parts(body), "STOP"), "usageMetadata": _USAGE}


def stream(body: Json) -> list[Json]:
    """The whole answer, with its last part in an event of its own."""
    *begun, last = _parts(body)
    first = [{**_HEAD, "candidates": _candidates(body, begun, None)}] if begun else []
    return [*first, {**_HEAD, "candidates": _candidates(body, [last], "STOP"), "usageMetadata": _USAGE}]


def _candidates(body: Json, parts: list[Json], reason: str | None) -> list[Json]:
    count = member(_config(body), "candidateCount") or 1
    finish = {"finishReason": reason} if reason else {}
    return [{"index": at, "content": {"role": "model", "parts": parts}, **finish} for at in range(count)]


def _parts(body: Json) -> list[Json]:
    """A call of each function, else a value of the schema, else the texts and results of the conversation."""
    contents = body["contents"]
    declared = [one for tool in body.get("tools") or () for one in member(tool, "functionDeclarations") or ()]
    if declared and not any(member(part, "functionResponse") for part in contents[-1]["parts"]):
        return [{"functionCall": {"name": one["name"], "args": _arguments(one)}} for one in declared]
    config = _config(body)
    if schema := _schema(config, "responseJsonSchema", "responseSchema"):
        value, enum = sample(schema), member(config, "responseMimeType") == "text/x.enum"
        return [{"text": value if enum and isinstance(value, str) else json.dumps(value)}]
    thinks = member(member(config, "thinkingConfig") or {}, "includeThoughts")
    thought = [{"text": "I think.", "thought": True}] if thinks else []
    parts = [part for content in contents for part in content["parts"]]
    heard = [part.get("text") or json.dumps(member(part, "functionResponse") or "") for part in parts]
    return [*thought, {"text": "Hello."}, {"text": f" I heard: {' '.join(heard)}"}]


def _config(body: Json) -> Json:
    return member(body, "generationConfig") or {}


def _arguments(function: Json) -> Any:
    return sample(_schema(function, "parametersJsonSchema", "parameters") or {"type": "object"})


def _schema(holder: Json, own: str, gemini: str) -> Any:
    """The JSON Schema in one of two fields: as it is, or translated from Gemini's."""
    return member(holder, own) or json_schema(member(holder, gemini))
