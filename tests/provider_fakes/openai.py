"""A fake of OpenAI: Chat Completions, and Responses by responses.py.

https://platform.openai.com/docs/api-reference/chat, .../docs/guides/error-codes
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from openai.types.chat import completion_create_params  # type: ignore[import-not-found]

from tests.provider_fakes import openai_validation as validation
from tests.provider_fakes import responses, script
from tests.provider_fakes.call import KEY, Call, Json, Refusal, Reply, json_reply, stream_reply
from tests.provider_fakes.request_types import mismatch, strict_reader
from tests.provider_fakes.thought_signatures import sign

_REQUEST = strict_reader(completion_create_params.CompletionCreateParams)
# Fields that OpenAI's client adds to an answer: its users send the message back with them, nulls included.
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
            raise Refusal("Incorrect API key provided.", failure_class="auth")
        if call.path == "v1/responses":
            return responses.serve(call)
        if call.path != "v1/chat/completions":
            raise Refusal(f"Invalid URL (POST /{call.path})", failure_class="not_found")
        _check(call.body)
        return _reply(call.body, script.answer(_read_request(call.body)))
    except Refusal as refusal:
        status, kind, code = _ERRORS[refusal.failure_class]
        error = {"message": refusal.message, "type": kind, "param": refusal.where or None, "code": code}
        headers = {"retry-after": "25"} if refusal.failure_class == "rate_limit" else {}
        return json_reply({"error": error}, status, headers)


def _check(body: Json) -> None:
    body = {**body, "messages": [_without_client_fields(message) for message in body.get("messages", ())]}
    if found := mismatch(_REQUEST, body):
        where, problem = found
        raise Refusal(
            f"Unknown or invalid parameter: '{where}': {problem}", where=where, failure_class="unknown"
        )
    validation.check(body)


def _without_client_fields(message: Json) -> Json:
    """The message without the fields that the client added."""
    fields = {
        name: value
        for name, value in message.items()
        if name not in _CLIENTS and not (value is None and name in _NULLS)
    }
    if calls := fields.get("tool_calls"):
        fields["tool_calls"] = [{name: call[name] for name in call if name != "index"} for call in calls]
        for call in fields["tool_calls"]:
            called = call[call["type"]]
            call[call["type"]] = {name: called[name] for name in called if name != "parsed_arguments"}
    return fields


def _read_request(body: Json) -> script.ChatRequest:
    choice = body.get("tool_choice") or "auto"
    definitions = [tool[tool["type"]] for tool in body.get("tools", ())]
    tools = {tool["name"]: tool.get("parameters", {}) for tool in definitions}
    if isinstance(choice, dict):
        tools = {name: schema for name, schema in tools.items() if name == choice["function"]["name"]}
    output = body.get("response_format") or {"type": "text"}
    stop = body.get("stop") or ()
    return script.ChatRequest(
        service="openai",
        items=tuple(_items(body["messages"])),
        tools=tools,
        choice={"required": "any"}.get(choice, choice) if isinstance(choice, str) else "any",
        parallel=body.get("parallel_tool_calls") is not False,
        schema=output.get("json_schema", {}).get("schema"),
        json=output["type"] == "json_object",
        stops=(stop,) if isinstance(stop, str) else tuple(stop),
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
    )


def _items(messages: list[Json]) -> Iterator[script.Item]:
    names: dict[str, str] = {}
    for message in messages:
        parts = validation.parts(message)
        if message["role"] == "tool":
            text = "".join(part["text"] for part in parts)
            yield script.result(names[message["tool_call_id"]], text)
            continue
        role = "system" if message["role"] == "developer" else str(message["role"])
        yield from (_item(part, role) for part in parts)
        if message.get("refusal"):
            yield script.Item(role, message["refusal"])
        for call in message.get("tool_calls") or ():
            called = call[call["type"]]
            names[call["id"]] = called["name"]
            yield script.call(called["name"], called.get("input") or json.loads(called["arguments"]))


def _item(part: Json, role: str) -> script.Item:
    url = part.get("image_url", {}).get("url") or part.get("file", {}).get("file_data")
    if url and (found := validation.data_of(url, "")):
        return script.media(*found)
    return script.Item(role, part["text"])


def _reply(body: Json, answer: script.Answer) -> Reply:
    """The reply. Thoughts are counted but not sent."""
    if answer.calls and isinstance(body.get("tool_choice"), dict):
        answer = replace(answer, finish="stop")  # https://platform.openai.com/docs/guides/function-calling
    family = validation.family_of(body["model"])
    reasoning = 8 if validation.is_reasoning(body, family) else 0
    n, read = body.get("n") or 1, len(script.split_words(str(body["messages"])))
    usage = {
        "prompt_tokens": read,
        "completion_tokens": (answer.tokens + reasoning) * n,
        "total_tokens": read + (answer.tokens + reasoning) * n,
        "completion_tokens_details": {"reasoning_tokens": reasoning * n},
    }
    head = {"id": f"chatcmpl-{sign(body)[:20]}", "created": 1_790_000_000, "model": body["model"]}
    calls = list(_calls(body, answer))
    if not body.get("stream"):
        choices = [_choice(index, answer, calls) for index in range(n)]
        return json_reply({**head, "object": "chat.completion", "choices": choices, "usage": usage})
    return stream_reply(_stream({**head, "object": "chat.completion.chunk"}, body, answer, calls, usage))


def _calls(body: Json, answer: script.Answer) -> Iterator[Json]:
    custom = [tool["custom"]["name"] for tool in body.get("tools", ()) if tool["type"] == "custom"]
    for place, (name, arguments) in enumerate(answer.calls):
        id = "call_" + sign(body, place).translate({43: "A", 47: "B", 61: "C"})[:24]
        if name in custom:
            yield {"id": id, "type": "custom", "custom": {"name": name, "input": arguments["input"]}}
        else:
            function = {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}
            yield {"id": id, "type": "function", "function": function}


def _choice(index: int, answer: script.Answer, calls: list[Json]) -> Json:
    content = None if answer.refusal else answer.text or (None if calls else "")
    message: Json = {"role": "assistant", "content": content, "refusal": answer.refusal, "annotations": []}
    if calls:
        message["tool_calls"] = calls
    return {"index": index, "message": message, "logprobs": None, "finish_reason": answer.finish}


def _stream(head: Json, body: Json, answer: script.Answer, calls: list[Json], usage: Json) -> Iterator[str]:
    counted = (body.get("stream_options") or {}).get("include_usage") is True
    more: dict[str, Any] = {"usage": None} if counted else {}
    for delta in (*_deltas(answer, calls), None):
        for index in range(body.get("n") or 1):
            finish = answer.finish if delta is None else None
            choice = {"index": index, "delta": delta or {}, "logprobs": None, "finish_reason": finish}
            yield _event({**head, **more, "choices": [choice], "obfuscation": "xyz"})
    if counted:
        yield _event({**head, "choices": [], "usage": usage})
    yield "data: [DONE]\n\n"


def _deltas(answer: script.Answer, calls: list[Json]) -> Iterator[Json]:
    yield {"role": "assistant", "content": None if calls and not answer.text else "", "refusal": None}
    yield from ({"content": word} for word in script.split_words(answer.text))
    yield from ({"refusal": word} for word in script.split_words(answer.refusal or ""))
    for index, call in enumerate(calls):
        kind, field = ("custom", "input") if "custom" in call else ("function", "arguments")
        yield {"tool_calls": [{"index": index, **call, kind: {**call[kind], field: ""}}]}
        for piece in script.split_words(call[kind][field]):
            yield {"tool_calls": [{"index": index, kind: {field: piece}}]}


def _event(chunk: Json) -> str:
    return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"
