"""Random answers of providers of each dialect: reasoning with its state, a text, calls of tools."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, NamedTuple

from tests.support.random_talks import arguments, words

Json = dict[str, Any]

TOOLS = ("look", "find_it")


class Content(NamedTuple):
    """`state`: of the reasoning, in base64; "" without. `calls`: id, name and arguments."""

    reasoning: str
    state: str
    text: str
    calls: tuple[tuple[str, str, Json], ...]


def random_answer(dialect: str, random: Random) -> Json:
    """Return a whole answer."""
    calls = tuple(
        (f"call_{random.getrandbits(40):x}", random.choice(TOOLS), arguments(random))
        for _ in range(random.choice((0, 0, 1, 3)))
    )
    state = b64encode(random.randbytes(24)).decode() if random.random() < 0.7 else ""
    reasoning = words(random) if state or random.random() < 0.3 else ""
    text = words(random) if not calls or random.random() < 0.5 else ""
    return _ANSWERS[dialect](Content(reasoning, state, text, calls))


def _chat(content: Content) -> Json:
    calls = [
        {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
        for id, name, given in content.calls
    ]
    message: Json = {"role": "assistant", "content": content.text or None}
    message |= {"tool_calls": calls} if calls else {}
    message |= {"reasoning_content": content.reasoning} if content.reasoning else {}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m"}
    return {**head, "choices": [choice], "usage": usage}


def _message(content: Content) -> Json:
    blocks: list[Json] = []
    if content.state:
        blocks.append({"type": "thinking", "thinking": content.reasoning, "signature": content.state})
        blocks.append({"type": "redacted_thinking", "data": content.state[::-1]})
    if content.text:
        blocks.append({"type": "text", "text": content.text})
    blocks += [
        {"type": "tool_use", "id": id, "name": name, "input": given} for id, name, given in content.calls
    ]
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": blocks,
        "stop_reason": "tool_use" if content.calls else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 7, "output_tokens": 3},
    }


def _converse(content: Content) -> Json:
    blocks: list[Json] = []
    if content.state:
        thinking = {"text": content.reasoning, "signature": content.state}
        blocks.append({"reasoningContent": {"reasoningText": thinking}})
        blocks.append({"reasoningContent": {"redactedContent": content.state}})
    if content.text:
        blocks.append({"text": content.text})
    blocks += [
        {"toolUse": {"toolUseId": id, "name": name, "input": given}} for id, name, given in content.calls
    ]
    return {
        "output": {"message": {"role": "assistant", "content": blocks}},
        "stopReason": "tool_use" if content.calls else "end_turn",
        "usage": {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10},
        "metrics": {"latencyMs": 5},
    }


def _gemini(content: Content) -> Json:
    parts: list[Json] = [{"text": content.reasoning, "thought": True}] if content.reasoning else []
    parts += [{"text": content.text}] if content.text else []
    parts += [{"functionCall": {"id": id, "name": name, "args": given}} for id, name, given in content.calls]
    if content.state and content.calls:
        parts[-len(content.calls)]["thoughtSignature"] = content.state
    usage = {"promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10}
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "m", "responseId": "r"}


def _response(content: Content) -> Json:
    output: list[Json] = []
    if content.state:
        summary = [{"type": "summary_text", "text": content.reasoning}]
        encrypted = {"encrypted_content": content.state}
        output.append({"type": "reasoning", "id": f"rs_{content.state[:6]}", "summary": summary, **encrypted})
    if content.text:
        part = {"type": "output_text", "text": content.text, "annotations": [], "logprobs": []}
        head = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed"}
        output.append({**head, "content": [part]})
    output += [
        {
            "type": "function_call",
            "id": f"fc_{id}",
            "call_id": id,
            "name": name,
            "arguments": json.dumps(given),
            "status": "completed",
        }
        for id, name, given in content.calls
    ]
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": "m",
        "error": None,
        "incomplete_details": None,
        "output": output,
        "usage": {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10},
    }


_ANSWERS: Mapping[str, Callable[[Content], Json]] = {
    "openai": _chat,
    "responses": _response,
    "anthropic": _message,
    "google": _gemini,
    "bedrock": _converse,
}
