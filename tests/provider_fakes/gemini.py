"""A fake of Gemini's generateContent and streamGenerateContent.

https://ai.google.dev/api/generate-content, https://ai.google.dev/gemini-api/docs/troubleshooting
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from google.genai import types  # type: ignore[import-not-found,unused-ignore]
from pydantic import ValidationError

from tests.provider_fakes import gemini_validation as validation
from tests.provider_fakes import script
from tests.provider_fakes.call import KEY, Call, Json, Refusal, Reply, json_reply, stream_reply
from tests.provider_fakes.gemini_validation import STAND_INS, calling_config, declarations
from tests.provider_fakes.thought_signatures import sign

# The fields of a request and their types in the library. https://ai.google.dev/api/generate-content#request-body
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
            raise Refusal("API key not valid. Please pass a valid API key.", failure_class="auth")
        if found is None:
            raise Refusal("Not found", failure_class="not_found")
        model, stream = found[1], found[2].startswith("stream")
        _check_types(call.body)
        validation.check(model, call.body, stream=stream)
        events = list(_events(model, call.body, script.answer(_read_request(call.body))))
        if stream:
            return stream_reply(f"data: {json.dumps(event, ensure_ascii=False)}\r\n\r\n" for event in events)
        return json_reply(_join(events))
    except Refusal as refusal:
        status, name = _ERRORS[refusal.failure_class]
        message = _LONG if refusal.failure_class == "context_length" else str(refusal)
        details = [_DETAILS[refusal.failure_class]] if refusal.failure_class in _DETAILS else []
        return json_reply(
            {"error": {"code": status, "message": message, "status": name, "details": details}}, status
        )


def _check_types(body: Json) -> None:
    """Checks the types. The library's types refuse unknown fields."""
    for name, value in body.items():
        if name not in _FIELDS:
            raise Refusal(f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.')
        try:
            for one in value if isinstance(value, list) else [value]:
                if (kind := _FIELDS[name]) is not None:
                    kind.model_validate(one)
        except ValidationError as error:
            raise Refusal(f"Invalid JSON payload received at '{name}': {error.errors()[0]}") from None


def _read_request(body: Json) -> script.ChatRequest:
    config, choice = body.get("generationConfig", {}), calling_config(body)
    tools = {one["name"]: one.get("parametersJsonSchema", {}) for one in declarations(body)}
    allowed = choice.get("allowedFunctionNames") or tools
    thinking = config.get("thinkingConfig", {})
    return script.ChatRequest(
        service="gemini",
        items=tuple(_items(body)),
        tools={name: schema for name, schema in tools.items() if name in allowed},
        choice={"ANY": "any", "NONE": "none"}.get(choice["mode"], "auto"),
        schema=config.get("responseJsonSchema"),
        json=config.get("responseMimeType") == "application/json",
        thinks=bool(thinking.get("includeThoughts")),
        stops=tuple(config.get("stopSequences", ())),
        max_tokens=config.get("maxOutputTokens"),
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
                case {"functionResponse": {"name": name, "response": response} as result}:
                    yield script.result(name, _text_of(response))
                    blobs = (one["inlineData"] for one in result.get("parts", ()))
                    yield from (script.media(blob["mimeType"], blob["data"]) for blob in blobs)
                case {"inlineData": {"mimeType": kind, "data": data}}:
                    yield script.media(kind, data)


def _text_of(response: Json) -> str:
    output = response.get("output", response)
    return output if isinstance(output, str) else json.dumps(output, sort_keys=True)


def _events(model: str, body: Json, answer: script.Answer) -> Iterator[Json]:
    """The events of the answer. Usage grows, and the last event holds the finish reason."""
    head = {"responseId": sign(model, body)[:20].replace("/", "_"), "modelVersion": model}
    prompt_tokens = len(script.split_words(str(body["contents"])))
    usage = {"promptTokenCount": prompt_tokens, "totalTokenCount": prompt_tokens}
    if answer.refusal:
        feedback = {"blockReason": "SAFETY", "blockReasonMessage": answer.refusal}
        yield {**head, "promptFeedback": feedback, "usageMetadata": usage}
        return
    several = range(body.get("generationConfig", {}).get("candidateCount", 1))
    *parts, last = list(_parts(answer)) or [{"text": ""}]
    for part in parts:
        candidates = [{"index": index, "content": {"role": "model", "parts": [part]}} for index in several]
        yield {**head, "candidates": candidates, "usageMetadata": usage}
    thought = len(script.split_words(answer.reasoning))
    usage |= {
        "candidatesTokenCount": (answer.tokens - thought) * len(several),
        "thoughtsTokenCount": thought,
        "totalTokenCount": prompt_tokens + answer.tokens * len(several),
    }
    end = {"content": {"role": "model", "parts": [last]}, "finishReason": _FINISH[answer.finish]}
    ends = [{"index": index, **end} for index in several]
    yield {**head, "candidates": ends, "usageMetadata": usage}


def _parts(answer: script.Answer) -> Iterator[Json]:
    """Calls are sent whole, and the first one is signed. So is the end of a text after thoughts."""
    yield from ({"text": word, "thought": True} for word in script.split_words(answer.reasoning))
    yield from ({"text": word} for word in script.split_words(answer.text))
    if answer.reasoning and answer.text:
        yield {"text": "", "thoughtSignature": sign("gemini", "a text")}
    for place, (name, args) in enumerate(answer.calls):
        signed = {"thoughtSignature": sign("gemini", name)} if place == 0 else {}
        yield {"functionCall": {"name": name, "args": args}, **signed}


def _join(events: list[Json]) -> Json:
    """The whole answer: the parts of all events, with neighbouring texts of one kind joined."""
    last = events[-1]
    for candidate in last.get("candidates", ()):
        parts: list[Json] = []
        for event in events:
            (part,) = event["candidates"][candidate["index"]]["content"]["parts"]
            if parts and "text" in part and parts[-1].keys() == part.keys():
                parts[-1]["text"] += part["text"]
            else:
                parts.append(dict(part))
        candidate["content"] = {"role": "model", "parts": parts}
    return last
