"""Anthropic's Messages, as it checks what it is sent and answers.

https://platform.claude.com/docs/en/api/messages, .../api/errors, .../build-with-claude/streaming
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from anthropic.types import message_create_params  # type: ignore[import-not-found]

from tests.provider_fakes import anthropic_validation as claude_rules
from tests.provider_fakes import script
from tests.provider_fakes.anthropic_validation import SAMPLING, before, blocks_of, spoken
from tests.provider_fakes.call import KEY, Call, Json, Refused, Reply, streamed, whole
from tests.provider_fakes.sealed import seal
from tests.provider_fakes.typed import adapter, misfit

_REQUEST = adapter(message_create_params.MessageCreateParams)

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
            raise Refused("invalid x-api-key", failure_class="auth")
        if call.path != "v1/messages":
            raise Refused("Not found", failure_class="not_found")
        if call.headers.get("anthropic-version") != "2023-06-01":
            raise Refused("anthropic-version: header is required")
        _check(call.body)
        return _answered(call.body, script.answer(_asked(call.body)))
    except Refused as refused:
        status, kind = _ERRORS[refused.failure_class]
        said = f"{refused.where}: {refused.message}" if refused.where else refused.message
        error = {"type": kind, "message": _LONG if refused.failure_class == "context_length" else said}
        headers = {"retry-after": "25"} if refused.failure_class == "rate_limit" else {}
        return whole({"type": "error", "error": error, "request_id": "req_1"}, status, headers)


def _check(body: Json) -> None:
    """Sampling is taken by this version of the API, and left out of the types."""
    typed = {name: value for name, value in body.items() if name not in SAMPLING}
    if found := misfit(_REQUEST, typed):
        raise Refused(found[1], where=found[0])
    claude_rules.check(body)


def _asked(body: Json) -> script.Asked:
    choice = body.get("tool_choice", {"type": "auto"})
    tools = {tool["name"]: tool["input_schema"] for tool in body.get("tools", ())}
    if choice["type"] == "tool":
        tools = {choice["name"]: tools[choice["name"]]}
    return script.Asked(
        service="claude",
        items=tuple(_items(body)),
        tools=tools,
        choice={"tool": "any"}.get(choice["type"], choice["type"]),
        parallel=not choice.get("disable_parallel_tool_use"),
        schema=body.get("output_config", {}).get("format", {}).get("schema"),
        json="JSON" in json.dumps(body.get("system", "")),  # it does as it is told
        thinks=claude_rules.thinks(body),
        stops=tuple(body.get("stop_sequences", ())),
        most=body["max_tokens"],
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
                    yield script.result(names[id], _told(block.get("content", "")))
                    yield from _shown(block.get("content", ""))
                case {"source": dict()}:
                    yield from _shown([block])


def _told(content: str | list[Json]) -> str:
    return content if isinstance(content, str) else "".join(block.get("text", "") for block in content)


def _shown(content: str | list[Json]) -> Iterator[script.Item]:
    for block in content:
        match block:
            case {"source": {"type": "base64", "media_type": kind, "data": data}}:
                yield script.media(kind, data)


def _answered(body: Json, said: script.Said) -> Reply:
    refused = {"type": "refusal", "category": "cyber", "explanation": said.refusal}
    ended = {
        "stop_reason": "stop_sequence" if said.stopped else _STOPS[said.finish],
        "stop_sequence": said.stopped,
        "stop_details": refused if said.refusal else None,
    }
    usage = {"input_tokens": len(script.words(str(body["messages"]))), "output_tokens": said.tokens + 1}
    head = {"id": f"msg_{seal(body)[:12]}", "type": "message", "role": "assistant", "model": body["model"]}
    message = {**head, "content": list(_blocks(body, said)), **ended, "usage": usage}
    return streamed(_stream(message, ended, usage)) if body.get("stream") else whole(message)


def _blocks(body: Json, said: script.Said) -> Iterator[Json]:
    if said.reasoning:
        shown = body.get("thinking", {}).get("display") == "summarized" or "budget_tokens" in str(body)
        text = said.reasoning if shown else ""
        bound = before(spoken(body))
        yield {"type": "thinking", "thinking": text, "signature": seal("claude", body["model"], text, bound)}
    if said.text:
        yield {"type": "text", "text": said.text}
    for place, (name, arguments) in enumerate(said.calls):
        id = "toolu_" + seal(body, place).translate({43: "A", 47: "B", 61: "C"})[:24]
        yield {"type": "tool_use", "id": id, "name": name, "input": arguments}


def _stream(message: Json, ended: Json, usage: Json) -> Iterator[str]:
    nothing: Json = {"content": [], "stop_reason": None, "stop_sequence": None, "stop_details": None}
    begun = {"input_tokens": usage["input_tokens"], "output_tokens": 1}
    yield _event("message_start", message={**message, **nothing, "usage": begun})
    yield _event("ping")
    for index, block in enumerate(message["content"]):
        empty, deltas = _PIECES[block["type"]](block)
        yield _event("content_block_start", index=index, content_block=empty)
        yield from (_event("content_block_delta", index=index, delta=delta) for delta in deltas)
        yield _event("content_block_stop", index=index)
    yield _event("message_delta", delta=ended, usage=usage)
    yield _event("message_stop")


def _text(block: Json) -> tuple[Json, list[Json]]:
    pieces = script.words(block["text"])
    return {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces]


def _thought(block: Json) -> tuple[Json, list[Json]]:
    pieces = script.words(block["thinking"])
    deltas: list[Json] = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
    signed = {"type": "signature_delta", "signature": block["signature"]}
    return {"type": "thinking", "thinking": "", "signature": ""}, [*deltas, signed]


def _use(block: Json) -> tuple[Json, list[Json]]:
    """The first piece is empty; of no input there is no other."""
    text = json.dumps(block["input"], ensure_ascii=False) if block["input"] else ""
    pieces = ["", *script.words(text)]
    return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]


_PIECES = {"text": _text, "thinking": _thought, "tool_use": _use}


def _event(kind: str, **fields: object) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields}, ensure_ascii=False)}\n\n"
