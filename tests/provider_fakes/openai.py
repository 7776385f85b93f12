"""OpenAI's Chat Completions, as it checks what it is sent and answers.

https://platform.openai.com/docs/api-reference/chat, .../docs/guides/error-codes
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from openai.types.chat import completion_create_params  # type: ignore[import-not-found]

from tests.provider_fakes import openai_validation as openai_rules
from tests.provider_fakes import script
from tests.provider_fakes.call import KEY, Call, Json, Refused, Reply, streamed, whole
from tests.provider_fakes.sealed import seal
from tests.provider_fakes.typed import adapter, misfit

_REQUEST = adapter(completion_create_params.CompletionCreateParams)
# What OpenAI's own client puts to an answer: its users send the message back as they got it, nulls included.
# https://platform.openai.com/docs/guides/function-calling
_CLIENTS = frozenset({"annotations", "parsed"})
_NULLS = frozenset({"tool_calls", "function_call", "audio", "refusal", "content"})

# class -> status, type, code. https://platform.openai.com/docs/guides/error-codes/api-errors
_ERRORS: Mapping[str, tuple[int, str, str | None]] = {
    "invalid_request": (400, "invalid_request_error", None),
    "unknown": (400, "invalid_request_error", "unknown_parameter"),
    "context_length": (400, "invalid_request_error", "context_length_exceeded"),
    "content_policy": (400, "invalid_request_error", "content_policy_violation"),
    "auth": (401, "invalid_request_error", "invalid_api_key"),
    "permission": (403, "invalid_request_error", "insufficient_permissions"),
    "not_found": (404, "invalid_request_error", "model_not_found"),
    "rate_limit": (429, "requests", "rate_limit_exceeded"),
    "quota": (429, "insufficient_quota", "insufficient_quota"),
    "server": (500, "server_error", None),
    "overloaded": (503, "service_unavailable_error", "server_is_overloaded"),
}


def serve(call: Call) -> Reply:
    try:
        if call.headers.get("authorization") != f"Bearer {KEY}":
            raise Refused("Incorrect API key provided.", failure_class="auth")
        if call.path != "v1/chat/completions":
            raise Refused(f"Invalid URL (POST /{call.path})", failure_class="not_found")
        _check(call.body)
        return _answered(call.body, script.answer(_asked(call.body)))
    except Refused as refused:
        status, kind, code = _ERRORS[refused.failure_class]
        error = {"message": refused.message, "type": kind, "param": refused.where or None, "code": code}
        headers = {"retry-after": "25"} if refused.failure_class == "rate_limit" else {}
        return whole({"error": error}, status, headers)


def _check(body: Json) -> None:
    typed = {**body, "messages": [_plain(message) for message in body.get("messages", ())]}
    if found := misfit(_REQUEST, typed):
        where, problem = found
        raise Refused(
            f"Unknown or invalid parameter: '{where}': {problem}", where=where, failure_class="unknown"
        )
    openai_rules.check(typed)


def _plain(message: Json) -> Json:
    """A message without what the client put to it."""
    kept = {
        name: value
        for name, value in message.items()
        if name not in _CLIENTS and not (value is None and name in _NULLS)
    }
    if calls := kept.get("tool_calls"):
        kept["tool_calls"] = [{name: call[name] for name in call if name != "index"} for call in calls]
        for call in kept["tool_calls"]:
            call["function"] = {**call["function"]}
            call["function"].pop("parsed_arguments", None)
    return kept


def _asked(body: Json) -> script.Asked:
    choice = body.get("tool_choice") or "auto"
    tools = {
        tool["function"]["name"]: tool["function"].get("parameters", {}) for tool in body.get("tools", ())
    }
    if isinstance(choice, dict):
        tools = {name: schema for name, schema in tools.items() if name == choice["function"]["name"]}
    wanted = body.get("response_format") or {"type": "text"}
    stop = body.get("stop") or ()
    return script.Asked(
        service="openai",
        items=tuple(_items(body["messages"])),
        tools=tools,
        choice={"required": "any"}.get(choice, choice) if isinstance(choice, str) else "any",
        parallel=body.get("parallel_tool_calls") is not False,
        schema=wanted.get("json_schema", {}).get("schema"),
        json=wanted["type"] == "json_object",
        stops=(stop,) if isinstance(stop, str) else tuple(stop),
        most=body.get("max_completion_tokens") or body.get("max_tokens"),
    )


def _items(messages: list[Json]) -> Iterator[script.Item]:
    names: dict[str, str] = {}
    for message in messages:
        parts = openai_rules.parts(message)
        if message["role"] == "tool":
            told = "".join(part["text"] for part in parts)
            yield script.result(names[message["tool_call_id"]], told)
            continue
        role = "system" if message["role"] == "developer" else str(message["role"])
        yield from (_item(part, role) for part in parts)
        if message.get("refusal"):
            yield script.Item(role, message["refusal"])
        for call in message.get("tool_calls") or ():
            names[call["id"]] = call["function"]["name"]
            yield script.call(call["function"]["name"], json.loads(call["function"]["arguments"]))


def _item(part: Json, role: str) -> script.Item:
    url = part.get("image_url", {}).get("url") or part.get("file", {}).get("file_data")
    if url and (found := openai_rules.data_of(url, "")):
        return script.media(*found)
    return script.Item(role, part["text"])


def _answered(body: Json, said: script.Said) -> Reply:
    """A model that reasons keeps its thoughts for itself: they are only counted."""
    if said.calls and isinstance(body.get("tool_choice"), dict):
        said = replace(said, finish="stop")  # https://platform.openai.com/docs/guides/function-calling
    family = openai_rules.family_of(body["model"])
    thought = 8 if openai_rules.reasons(body, family) else 0
    n, read = body.get("n") or 1, len(script.words(str(body["messages"])))
    usage = {
        "prompt_tokens": read,
        "completion_tokens": (said.tokens + thought) * n,
        "total_tokens": read + (said.tokens + thought) * n,
        "completion_tokens_details": {"reasoning_tokens": thought * n},
    }
    head = {"id": f"chatcmpl-{seal(body)[:20]}", "created": 1_790_000_000, "model": body["model"]}
    calls = list(_calls(body, said))
    if not body.get("stream"):
        choices = [_choice(index, said, calls) for index in range(n)]
        return whole({**head, "object": "chat.completion", "choices": choices, "usage": usage})
    return streamed(_stream({**head, "object": "chat.completion.chunk"}, body, said, calls, usage))


def _calls(body: Json, said: script.Said) -> Iterator[Json]:
    for place, (name, arguments) in enumerate(said.calls):
        id = "call_" + seal(body, place).translate({43: "A", 47: "B", 61: "C"})[:24]
        function = {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}
        yield {"id": id, "type": "function", "function": function}


def _choice(index: int, said: script.Said, calls: list[Json]) -> Json:
    content = None if calls or said.refusal else said.text
    message: Json = {"role": "assistant", "content": content, "refusal": said.refusal, "annotations": []}
    if calls:
        message["tool_calls"] = calls
    return {"index": index, "message": message, "logprobs": None, "finish_reason": said.finish}


def _stream(head: Json, body: Json, said: script.Said, calls: list[Json], usage: Json) -> Iterator[str]:
    counted = (body.get("stream_options") or {}).get("include_usage") is True
    more: dict[str, Any] = {"usage": None} if counted else {}
    for delta in (*_deltas(said, calls), None):
        for index in range(body.get("n") or 1):
            finish = said.finish if delta is None else None
            choice = {"index": index, "delta": delta or {}, "logprobs": None, "finish_reason": finish}
            yield _event({**head, **more, "choices": [choice], "obfuscation": "xyz"})
    if counted:
        yield _event({**head, "choices": [], "usage": usage})
    yield "data: [DONE]\n\n"


def _deltas(said: script.Said, calls: list[Json]) -> Iterator[Json]:
    yield {"role": "assistant", "content": None if calls else "", "refusal": None}
    yield from ({"content": word} for word in script.words(said.text))
    yield from ({"refusal": word} for word in script.words(said.refusal or ""))
    for index, call in enumerate(calls):
        function = call["function"]
        yield {"tool_calls": [{"index": index, **call, "function": {**function, "arguments": ""}}]}
        for piece in script.words(function["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _event(chunk: Json) -> str:
    return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"
