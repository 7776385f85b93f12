"""A fake of Anthropic's Messages.

https://platform.claude.com/docs/en/api/messages, .../api/errors, .../build-with-claude/streaming
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from anthropic.types import beta, message_create_params  # type: ignore[import-not-found]
from pydantic import TypeAdapter

from tests.provider_fakes import anthropic_validation as validation
from tests.provider_fakes import script
from tests.provider_fakes.anthropic_validation import SAMPLING, all_blocks, blocks_of, covered_blocks
from tests.provider_fakes.call import KEY, Call, Json, Refusal, Reply, json_reply, stream_reply
from tests.provider_fakes.request_types import mismatch, strict_reader
from tests.provider_fakes.thought_signatures import sign

# Sluice's own, and that of the newest libraries.
_VERSIONS = ("2023-06-01", "2026-10-21")
# The types of requests, without and with the header `anthropic-beta`.
_TYPES = {
    False: strict_reader(message_create_params.MessageCreateParams),
    True: strict_reader(beta.message_create_params.MessageCreateParams),
}

# class -> status, type. https://platform.claude.com/docs/en/api/errors
_ERRORS: Mapping[str, tuple[int, str]] = {
    "invalid_request": (400, "invalid_request_error"),
    "context_length": (400, "invalid_request_error"),
    "auth": (401, "authentication_error"),
    "quota": (402, "billing_error"),
    "permission": (403, "permission_error"),
    "not_found": (404, "not_found_error"),
    "rate_limit": (429, "rate_limit_error"),
    "server": (500, "api_error"),
    "overloaded": (529, "overloaded_error"),
}
_LONG = "prompt is too long: 1000001 tokens > 1000000 maximum"
_STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}


def serve(call: Call) -> Reply:
    try:
        if call.headers.get("x-api-key") != KEY and call.headers.get("authorization") != f"Bearer {KEY}":
            raise Refusal("invalid x-api-key", failure_class="auth")
        if call.path != "v1/messages":
            raise Refusal("Not found", failure_class="not_found")
        if call.headers.get("anthropic-version") not in _VERSIONS:
            raise Refusal("anthropic-version: header is required")
        _check(call.body, _TYPES["anthropic-beta" in call.headers])
        return _reply(call.body, script.answer(_read_request(call.body)))
    except Refusal as refusal:
        status, kind = _ERRORS[refusal.failure_class]
        error = {
            "type": kind,
            "message": _LONG if refusal.failure_class == "context_length" else str(refusal),
        }
        headers = {"retry-after": "25"} if refusal.failure_class == "rate_limit" else {}
        return json_reply({"type": "error", "error": error, "request_id": "req_1"}, status, headers)


def _check(body: Json, reader: TypeAdapter[Any]) -> None:
    """Checks the body. This version of the API takes sampling fields, which its types leave out."""
    typed = {name: value for name, value in body.items() if name not in SAMPLING}
    if found := mismatch(reader, typed):
        raise Refusal(found[1], where=found[0])
    validation.check(body)


def _read_request(body: Json) -> script.ChatRequest:
    choice = body.get("tool_choice", {"type": "auto"})
    tools = {tool["name"]: tool["input_schema"] for tool in body.get("tools", ())}
    if choice["type"] == "tool":
        tools = {choice["name"]: tools[choice["name"]]}
    return script.ChatRequest(
        service="claude",
        items=tuple(_items(body)),
        tools=tools,
        choice={"tool": "any"}.get(choice["type"], choice["type"]),
        parallel=not choice.get("disable_parallel_tool_use"),
        schema=body.get("output_config", {}).get("format", {}).get("schema"),
        json="JSON" in json.dumps(body.get("system", "")),  # it follows its instructions
        thinks=validation.thinks(body),
        stops=tuple(body.get("stop_sequences", ())),
        max_tokens=body["max_tokens"],
    )


def _items(body: Json) -> Iterator[script.Item]:
    names: dict[str, str] = {}
    system = [{"role": "system", "content": body["system"]}] if body.get("system") else []
    for message in (*system, *body["messages"]):
        for block in blocks_of(message):
            match block:
                case {"type": "text", "text": text}:
                    yield script.Item(message["role"], text)
                case {"type": "thinking", "thinking": text} if text:
                    yield script.Item("thought", text)
                case {"type": "tool_use", "id": id, "name": name, "input": input}:
                    names[id] = name
                    yield script.call(name, input)
                case {"type": "tool_result", "tool_use_id": id}:
                    yield script.result(names[id], _text_of(block.get("content", "")))
                    yield from _media(block.get("content", ""))
                case {"source": dict()}:
                    yield from _media([block])


def _text_of(content: str | list[Json]) -> str:
    return content if isinstance(content, str) else "".join(block.get("text", "") for block in content)


def _media(content: str | list[Json]) -> Iterator[script.Item]:
    for block in content:
        match block:
            case {"source": {"type": "base64", "media_type": kind, "data": data}}:
                yield script.media(kind, data)


def _reply(body: Json, answer: script.Answer) -> Reply:
    details = {"type": "refusal", "category": "cyber", "explanation": answer.refusal}
    end = {
        "stop_reason": "stop_sequence" if answer.stopped else _STOPS[answer.finish],
        "stop_sequence": answer.stopped,
        "stop_details": details if answer.refusal else None,
    }
    usage = {
        "input_tokens": len(script.split_words(str(body["messages"]))),
        "output_tokens": answer.tokens + 1,
    }
    head = {"id": f"msg_{sign(body)[:12]}", "type": "message", "role": "assistant", "model": body["model"]}
    message = {**head, "content": list(_blocks(body, answer)), **end, "usage": usage}
    return stream_reply(_stream(message, end, usage)) if body.get("stream") else json_reply(message)


def _blocks(body: Json, answer: script.Answer) -> Iterator[Json]:
    if answer.reasoning:
        shown = body.get("thinking", {}).get("display") == "summarized" or "budget_tokens" in str(body)
        text = answer.reasoning if shown else ""
        covered = covered_blocks(all_blocks(body))
        yield {
            "type": "thinking",
            "thinking": text,
            "signature": sign("claude", body["model"], text, covered),
        }
    if answer.text:
        yield {"type": "text", "text": answer.text}
    for place, (name, arguments) in enumerate(answer.calls):
        id = "toolu_" + sign(body, place).translate({43: "A", 47: "B", 61: "C"})[:24]
        yield {"type": "tool_use", "id": id, "name": name, "input": arguments}


def _stream(message: Json, end: Json, usage: Json) -> Iterator[str]:
    nothing: Json = {"content": [], "stop_reason": None, "stop_sequence": None, "stop_details": None}
    first_usage = {"input_tokens": usage["input_tokens"], "output_tokens": 1}
    yield _event("message_start", message={**message, **nothing, "usage": first_usage})
    yield _event("ping")
    for index, block in enumerate(message["content"]):
        empty, deltas = _PIECES[block["type"]](block)
        yield _event("content_block_start", index=index, content_block=empty)
        yield from (_event("content_block_delta", index=index, delta=delta) for delta in deltas)
        yield _event("content_block_stop", index=index)
    yield _event("message_delta", delta=end, usage=usage)
    yield _event("message_stop")


def _text(block: Json) -> tuple[Json, list[Json]]:
    pieces = script.split_words(block["text"])
    return {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces]


def _thought(block: Json) -> tuple[Json, list[Json]]:
    pieces = script.split_words(block["thinking"])
    deltas: list[Json] = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
    signed = {"type": "signature_delta", "signature": block["signature"]}
    return {"type": "thinking", "thinking": "", "signature": ""}, [*deltas, signed]


def _use(block: Json) -> tuple[Json, list[Json]]:
    """The first piece is empty, and the only one if there is no input."""
    text = json.dumps(block["input"], ensure_ascii=False) if block["input"] else ""
    pieces = ["", *script.split_words(text)]
    return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]


_PIECES = {"text": _text, "thinking": _thought, "tool_use": _use}


def _event(kind: str, **fields: object) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields}, ensure_ascii=False)}\n\n"
