"""Gemini's generateContent and streamGenerateContent, as they check what they are sent and answer.

https://ai.google.dev/api/generate-content, https://ai.google.dev/gemini-api/docs/troubleshooting
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from google.genai import types  # type: ignore[import-not-found,unused-ignore]
from pydantic import ValidationError

from tests.provider_fakes import gemini_validation as gemini_rules
from tests.provider_fakes import script
from tests.provider_fakes.call import KEY, Call, Json, Refused, Reply, streamed, whole
from tests.provider_fakes.gemini_validation import STAND_INS, calling, declared
from tests.provider_fakes.sealed import seal

# The fields of a request and what the library reads them as. https://ai.google.dev/api/generate-content#request-body
_FIELDS: Mapping[str, Any] = {
    "contents": types.Content,
    "systemInstruction": types.Content,
    "tools": types.Tool,
    "toolConfig": types.ToolConfig,
    "generationConfig": types.GenerationConfig,
    "safetySettings": types.SafetySetting,
    "serviceTier": None,
    "cachedContent": None,
    "store": None,
}
_PATH = re.compile(r"v1beta/models/([^:]+):(generateContent|streamGenerateContent\?alt=sse)")
# class -> status, google.rpc.Status. https://ai.google.dev/gemini-api/docs/troubleshooting#error-codes
_ERRORS: Mapping[str, tuple[int, str]] = {
    "invalid_request": (400, "INVALID_ARGUMENT"),
    "context_length": (400, "INVALID_ARGUMENT"),
    "auth": (400, "INVALID_ARGUMENT"),
    "permission": (403, "PERMISSION_DENIED"),
    "not_found": (404, "NOT_FOUND"),
    "rate_limit": (429, "RESOURCE_EXHAUSTED"),
    "quota": (429, "RESOURCE_EXHAUSTED"),
    "server": (500, "INTERNAL"),
    "overloaded": (503, "UNAVAILABLE"),
}
_RPC = "type.googleapis.com/google.rpc."
_DETAILS: Mapping[str, Json] = {
    "auth": {"@type": f"{_RPC}ErrorInfo", "reason": "API_KEY_INVALID", "domain": "googleapis.com"},
    "rate_limit": {"@type": f"{_RPC}RetryInfo", "retryDelay": "25s"},
    "quota": {"@type": f"{_RPC}QuotaFailure", "violations": [{"quotaId": "GenerateRequestsPerDay"}]},
}
_LONG = "The input token count (1048577) exceeds the maximum number of tokens allowed (1048576)."
_FINISH = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP", "content_filter": "SAFETY"}


def serve(call: Call) -> Reply:
    try:
        found = _PATH.fullmatch(call.path)
        if call.headers.get("x-goog-api-key") != KEY:
            raise Refused("API key not valid. Please pass a valid API key.", failure_class="auth")
        if found is None:
            raise Refused("Not found", failure_class="not_found")
        model, stream = found[1], found[2].startswith("stream")
        _typed(call.body)
        gemini_rules.check(model, call.body, stream=stream)
        events = list(_events(model, call.body, script.answer(_asked(call.body))))
        if stream:
            return streamed(f"data: {json.dumps(event, ensure_ascii=False)}\r\n\r\n" for event in events)
        return whole(_folded(events))
    except Refused as refused:
        status, word = _ERRORS[refused.failure_class]
        said = f"{refused.where}: {refused.message}" if refused.where else refused.message
        message = _LONG if refused.failure_class == "context_length" else said
        details = [_DETAILS[refused.failure_class]] if refused.failure_class in _DETAILS else []
        return whole(
            {"error": {"code": status, "message": message, "status": word, "details": details}}, status
        )


def _typed(body: Json) -> None:
    """None of the library's types takes an unknown field."""
    for name, value in body.items():
        if name not in _FIELDS:
            raise Refused(f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.')
        try:
            for one in value if isinstance(value, list) else [value]:
                if (kind := _FIELDS[name]) is not None:
                    kind.model_validate(one)
        except ValidationError as error:
            raise Refused(f"Invalid JSON payload received at '{name}': {error.errors()[0]}") from None


def _asked(body: Json) -> script.Asked:
    config, choice = body.get("generationConfig", {}), calling(body)
    tools = {one["name"]: one.get("parametersJsonSchema", {}) for one in declared(body)}
    allowed = choice.get("allowedFunctionNames") or tools
    thinking = config.get("thinkingConfig", {})
    return script.Asked(
        service="gemini",
        items=tuple(_items(body)),
        tools={name: schema for name, schema in tools.items() if name in allowed},
        choice={"ANY": "any", "NONE": "none"}.get(choice["mode"], "auto"),
        schema=config.get("responseJsonSchema"),
        json=config.get("responseMimeType") == "application/json",
        thinks=bool(thinking.get("includeThoughts")),
        stops=tuple(config.get("stopSequences", ())),
        most=config.get("maxOutputTokens"),
    )


def _items(body: Json) -> Iterator[script.Item]:
    system = [{"role": "system", **body["systemInstruction"]}] if "systemInstruction" in body else []
    for content in (*system, *body["contents"]):
        for part in content["parts"]:
            match part:
                case {"text": text}:
                    yield script.Item({"model": "assistant"}.get(content["role"], content["role"]), text)
                case {"functionCall": {"name": name, "args": args}}:
                    signature = part.get("thoughtSignature", STAND_INS[0])
                    yield script.call(name, args, signed=signature not in STAND_INS)
                case {"functionResponse": {"name": name, "response": response} as told}:
                    yield script.result(name, _told(response))
                    blobs = (one["inlineData"] for one in told.get("parts", ()))
                    yield from (script.media(blob["mimeType"], blob["data"]) for blob in blobs)
                case {"inlineData": {"mimeType": kind, "data": data}}:
                    yield script.media(kind, data)


def _told(response: Json) -> str:
    told = response.get("output", response)
    return told if isinstance(told, str) else json.dumps(told, sort_keys=True)


def _events(model: str, body: Json, said: script.Said) -> Iterator[Json]:
    """The answer piece by piece; usage grows, and the reason for the end comes last."""
    head = {"responseId": seal(model, body)[:20].replace("/", "_"), "modelVersion": model}
    asked = len(script.words(str(body["contents"])))
    usage = {"promptTokenCount": asked, "totalTokenCount": asked}
    if said.refusal:
        feedback = {"blockReason": "SAFETY", "blockReasonMessage": said.refusal}
        yield {**head, "promptFeedback": feedback, "usageMetadata": usage}
        return
    several = range(body.get("generationConfig", {}).get("candidateCount", 1))
    for part in _parts(said):
        candidates = [{"index": index, "content": {"role": "model", "parts": [part]}} for index in several]
        yield {**head, "candidates": candidates, "usageMetadata": usage}
    thought = len(script.words(said.reasoning))
    usage |= {
        "candidatesTokenCount": (said.tokens - thought) * len(several),
        "thoughtsTokenCount": thought,
        "totalTokenCount": asked + said.tokens * len(several),
    }
    ended = [{"index": index, "finishReason": _FINISH[said.finish]} for index in several]
    yield {**head, "candidates": ended, "usageMetadata": usage}


def _parts(said: script.Said) -> Iterator[Json]:
    """Every call is whole, and the first one signed; so is the end of a text that was thought about."""
    yield from ({"text": word, "thought": True} for word in script.words(said.reasoning))
    yield from ({"text": word} for word in script.words(said.text))
    if said.reasoning and said.text:
        yield {"text": "", "thoughtSignature": seal("gemini", "a text")}
    for place, (name, args) in enumerate(said.calls):
        signed = {"thoughtSignature": seal("gemini", name, args)} if place == 0 else {}
        yield {"functionCall": {"name": name, "args": args}, **signed}


def _folded(events: list[Json]) -> Json:
    """The whole answer: the parts of all events, each sort of text as one."""
    last = events[-1]
    for candidate in last.get("candidates", ()):
        parts: list[Json] = []
        for event in events[:-1]:
            (part,) = event["candidates"][candidate["index"]]["content"]["parts"]
            if parts and "text" in part and parts[-1].keys() == part.keys():
                parts[-1]["text"] += part["text"]
            else:
                parts.append(dict(part))
        candidate["content"] = {"role": "model", "parts": parts}
    return last
