"""Translates a generateContent request into a chat. https://ai.google.dev/api/generate-content

docs/api.md lists what becomes of each field.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from handler.errors import InvalidRequest, Json
from handler.formats.chat.fields import MAX_TAGS, OWN_FIELDS, check_combinations, schema
from handler.formats.chat.foreign_fields import check_headers
from handler.formats.chat.request import Chat, NativeRequest, chat_of
from handler.formats.gemini.fields import CONFIG, REQUEST, check_request, items, member, unknown, written
from handler.formats.gemini.messages import messages_of
from handler.formats.gemini.schema import json_schema
from handler.formats.gemini.tools import tools_of
from handler.formats.gemini.untranslated import Untranslated
from handler.formats.options import Headers
from handler.formats.validators import validate
from handler.settings import Settings
from handler.wire.strict_json import loads

MOST_STOPS = 4  # of a chat
# Members of the config that a chat has under another name.
_CONFIG: Mapping[str, str] = {
    "temperature": "temperature",
    "topP": "top_p",
    "topK": "top_k",
    "candidateCount": "n",
    "maxOutputTokens": "max_tokens",
    "presencePenalty": "presence_penalty",
    "frequencyPenalty": "frequency_penalty",
    "seed": "seed",
    "responseLogprobs": "logprobs",
    "logprobs": "top_logprobs",
}
# Members that change the answer, and that only Gemini knows.
_ONLY_CONFIG: Mapping[str, str] = {
    "speechConfig": "only Gemini answers in speech",
    "responseFormat": "only Gemini knows such formats",
    "translationConfig": "only Gemini translates",
    "audioTranscriptionConfig": "only Gemini transcribes",
}
_ONLY: Mapping[str, str] = {
    "cachedContent": "the content is stored at Google",
    "continuationToken": "the answer that it continues is stored at Google",
}
_WRAPPER = "generateContentRequest"  # of a request for a count of tokens
_BUDGETS = ((0, "none"), (512, "minimal"), (4096, "low"), (16_384, "medium"))  # tokens; more is high
_SERVICE_TIERS = {"standard": "default", "unspecified": None}


def parse_request(body: bytes, headers: Headers, settings: Settings, *, model: str, stream: bool) -> Chat:
    """Return the chat of a request. Raises InvalidRequest, which names the client's own field."""
    check_headers(headers)
    text, value = loads(body)
    request, name = value, ""
    if isinstance(value, dict) and member(value, _WRAPPER) is not None:
        name = written(value, _WRAPPER)
        if others := [one for one, given in value.items() if one != name and given is not None]:
            raise InvalidRequest(f"{others[0][:100]}: not allowed beside {name}", param=others[0][:100])
        request = value[name]
    validate(check_request, request, param=name)
    notes = Untranslated()
    chat = _translate(request, notes, settings.max_n) | {"model": model.removeprefix("models/")}
    if stream:
        chat |= {"stream": True, "stream_options": {"include_usage": True}}
    dropped = tuple(notes.dropped)
    native = NativeRequest(dialect="google", text=text, body=value, only=notes.only, dropped=dropped)
    return chat_of(text, chat, headers, native)


def _translate(body: Json, notes: Untranslated, max_n: int) -> Json:
    chat: Json = {"messages": messages_of(body, notes), **tools_of(body, notes)}
    name = written(body, "generationConfig")
    chat |= _config(body.get(name) or {}, name, notes, max_n)
    if tier := (member(body, "serviceTier") or "").lower().removeprefix("service_tier_"):
        chat["service_tier"] = _SERVICE_TIERS.get(tier, tier)
    chat["store"] = body.get("store")
    chat |= {name: body[name] for name in OWN_FIELDS if name in body}
    chat["tags"] = _tags(body, notes)
    for name, own_name in unknown(body, (*REQUEST, *OWN_FIELDS, "model")):
        if name in _ONLY:
            notes.require(own_name, _ONLY[name])
        elif body[own_name]:
            notes.drop(own_name)
    chat = {name: value for name, value in chat.items() if value is not None}
    validate(lambda value: check_combinations(value, max_n), chat)
    return chat


def _tags(body: Json, notes: Untranslated) -> Json | None:
    """Return the tags. Labels, by which Vertex AI adds up costs, are tags if they are few."""
    tags: Json | None = body.get("tags")
    labels: Json = {name: value for name, value in (body.get("labels") or {}).items() if value is not None}
    if not labels:
        return tags
    both = labels | (tags or {})
    if len(both) > MAX_TAGS or any(len(name) > 64 or not name or len(labels[name]) > 512 for name in labels):
        notes.drop("labels")
        return tags
    return both


def _config(config: Json, where: str, notes: Untranslated, max_n: int) -> Json:
    """Return the fields of the chat for `generationConfig`."""
    chat = {
        field: _integral(value)
        for name, field in _CONFIG.items()
        if (value := member(config, name)) is not None
    }
    if chat.get("n", 1) > max_n:
        path = f"{where}.{written(config, 'candidateCount')}"
        raise InvalidRequest(f"{path}: expected an integer from 1 to {max_n}, got {chat['n']}", param=path)
    if not chat.get("logprobs"):
        chat.pop("top_logprobs", None)
    for translate in (_stop, _response_format, _modalities):
        chat |= translate(config, where, notes)
    chat |= _reasoning(member(config, "thinkingConfig") or {})
    for name, own_name in unknown(config, CONFIG):
        if name in _ONLY_CONFIG:
            notes.require(f"{where}.{own_name}", _ONLY_CONFIG[name])
        else:
            notes.drop(f"{where}.{own_name}")
    return chat


def _integral(value: Any) -> Any:
    """Return a float without a fraction as an integer, and any other value as it is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _stop(config: Json, where: str, notes: Untranslated) -> Json:
    name = written(config, "stopSequences")
    stops = [one for _, one in items(config.get(name), "") if one]
    if len(stops) > MOST_STOPS:
        notes.require(f"{where}.{name}", f"other models take at most {MOST_STOPS}")
    return {"stop": stops[:MOST_STOPS]} if stops else {}


def _response_format(config: Json, where: str, notes: Untranslated) -> Json:
    name = written(config, "responseMimeType")
    kind = (config.get(name) or "").lower()
    if kind not in ("", "application/json"):
        if kind != "text/plain":
            notes.require(f"{where}.{name}", "other models answer only in text or JSON")
        return {}
    found, translate = _schema_field(config)
    if (given := config.get(found)) is None:
        return {"response_format": {"type": "json_object"}} if kind else {}
    json_schema_ = translate(given)
    validate(schema, json_schema_, param=f"{where}.{found}")
    return {
        "response_format": {"type": "json_schema", "json_schema": {"name": "output", "schema": json_schema_}}
    }


def _schema_field(config: Json) -> tuple[str, Callable[[Any], Any]]:
    """Return the name of the field with the schema of the answer, and its translation."""
    name = written(config, "responseJsonSchema")
    if config.get(name) is not None:
        return name, lambda value: value
    return written(config, "responseSchema"), json_schema


def _modalities(config: Json, where: str, notes: Untranslated) -> Json:
    name = written(config, "responseModalities")
    kinds = {kind.lower() for _, kind in items(config.get(name), "")} - {"text", "modality_unspecified"}
    if kinds:
        notes.require(f"{where}.{name}", "other models answer only in text")
    return {"modalities": ["text", "image"]} if kinds == {"image"} else {}


def _reasoning(thinking: Json) -> Json:
    """Return `reasoning_effort`: the level, else the one whose budget is nearest.

    A chat has no other way to ask for thoughts than an effort: `medium`, where the client gives no amount.
    """
    level = (member(thinking, "thinkingLevel") or "").lower()
    if level and level != "thinking_level_unspecified":
        return {"reasoning_effort": level}
    budget = _integral(member(thinking, "thinkingBudget"))
    if budget is not None and budget >= 0:
        return {"reasoning_effort": next((effort for most, effort in _BUDGETS if budget <= most), "high")}
    return {"reasoning_effort": "medium"} if member(thinking, "includeThoughts") else {}


def wants_thoughts(chat: Chat) -> bool:
    """Return True if the answer has parts with the model's thoughts."""
    config = member(chat.native.body if chat.native else {}, "generationConfig") or {}
    return member(member(config, "thinkingConfig") or {}, "includeThoughts") is True
