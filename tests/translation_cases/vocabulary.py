"""Builders of what cases hold: chats, tools, and the answers of each format."""

from __future__ import annotations

import base64
from typing import Any

Json = dict[str, Any]

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 16).decode()
JPEG = base64.b64encode(b"\xff\xd8\xff\xe0" + b"\0" * 16).decode()
PDF = base64.b64encode(b"%PDF-1.7 ").decode()


def chat(*messages: Json, **fields: Any) -> Json:
    return {"messages": list(messages) or [user("Hi")], **fields}


def system(content: Any) -> Json:
    return {"role": "system", "content": content}


def user(content: Any, **more: Any) -> Json:
    return {"role": "user", "content": content, **more}


def assistant(content: Any = None, *calls: Json, **more: Any) -> Json:
    return {"role": "assistant", "content": content, **({"tool_calls": list(calls)} if calls else {}), **more}


def call(id: str, name: str = "look", arguments: str = "{}", **more: Any) -> Json:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}, **more}


def result(id: str, content: Any = "ok") -> Json:
    return {"role": "tool", "tool_call_id": id, "content": content}


def tool(name: str = "look", **function: Any) -> Json:
    return {"type": "function", "function": {"name": name, **function}}


def custom_tool(name: str = "shell", **more: Any) -> Json:
    return {"type": "custom", "custom": {"name": name, **more}}


def text(converse_text: str, **more: Any) -> Json:
    return {"type": "text", "text": converse_text, **more}


def image(url: str, **more: Any) -> Json:
    return {"type": "image_url", "image_url": {"url": url, **more}}


# Anthropic's.


def tool_use(id: str, name: str = "look", **input: Any) -> Json:
    return {"type": "tool_use", "id": id, "name": name, "input": input}


def tool_result(id: str, content: Any = "ok", **more: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": id, "content": content, **more}


NO_RESULT = {"content": "No result provided.", "is_error": True}


def claude_message(*blocks: Json, stop: str = "end_turn", usage: Json | None = None, **more: Any) -> Json:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-haiku-4-5",
        "content": list(blocks),
        "stop_reason": stop,
        "usage": usage or {"input_tokens": 3, "output_tokens": 2},
        **more,
    }


def claude_events(*blocks: list[Json], stop: str | None = "end_turn", **ended: Any) -> list[Json]:
    """The events of a stream. A block is its start and its deltas."""
    events: list[Json] = [{"type": "message_start", "message": {**claude_message(), "stop_reason": None}}]
    for index, (start, *deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": stop, **ended.pop("delta", {})}
    events.append(
        {"type": "message_delta", "delta": delta, "usage": ended.pop("usage", {"output_tokens": 2})}
    )
    return [*events, {"type": "message_stop"}]


def claude_text(converse_text: str) -> list[Json]:
    return [text(""), {"type": "text_delta", "text": converse_text}]


def input_delta(partial: str) -> Json:
    return {"type": "input_json_delta", "partial_json": partial}


# Bedrock's: models of different families, and Converse.

NOVA = "bedrock/amazon.nova-lite-v1:0"
NOVA_2 = "bedrock/us.amazon.nova-2-lite-v1:0"
SONNET = "bedrock/us.anthropic.claude-sonnet-4-6"
MISTRAL = "bedrock/mistral.mistral-large-2407-v1:0"
LLAMA = "bedrock/meta.llama3-3-70b-instruct-v1:0"
OPUS = "bedrock/global.anthropic.claude-opus-5-5"  # served in Anthropic's format
OSS = "bedrock/openai.gpt-oss-120b-1:0"  # served in OpenAI's format
GPT_6 = "bedrock/us.openai.gpt-6-sol"  # in OpenAI's format, too
CACHE_POINT = {"cachePoint": {"type": "default"}}


def converse_text(text: str) -> Json:
    return {"text": text}


def converse_use(id: str, name: str = "look", **input: Any) -> Json:
    return {"toolUse": {"toolUseId": id, "name": name, "input": input}}


def converse_result(id: str, *content: Json, **more: Any) -> Json:
    return {"toolResult": {"toolUseId": id, "content": list(content) or [converse_text("ok")], **more}}


def tool_spec(name: str = "look", **more: Any) -> Json:
    schema = {"json": {"type": "object", "properties": {}}}
    return {"toolSpec": {"name": name, "inputSchema": schema, **more}}


def converse_answer(*blocks: Json, stop: str | None = "end_turn", **more: Any) -> Json:
    usage = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}
    answer = {"message": {"role": "assistant", "content": list(blocks)}}
    return {"output": answer, "stopReason": stop, "usage": usage, **more}


def converse_events(*blocks: list[Json], stop: str = "end_turn", usage: Json | None = None) -> list[Json]:
    """The events of a stream. A block is its deltas; that of a call begins with its start."""
    events: list[Json] = [{"messageStart": {"role": "assistant"}}]
    for index, parts in enumerate(blocks):
        at = {"contentBlockIndex": index}
        for part in parts:
            start = "toolUseId" in part.get("toolUse", {})
            name, field = ("contentBlockStart", "start") if start else ("contentBlockDelta", "delta")
            events.append({name: {field: part, **at}})
        events.append({"contentBlockStop": at})
    usage = usage or {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}
    return [*events, {"messageStop": {"stopReason": stop}}, {"metadata": {"usage": usage}}]


def converse_start(id: str, name: str = "look", **more: Any) -> Json:
    return {"toolUse": {"toolUseId": id, "name": name, **more}}


def converse_arguments(call_chunk: str) -> Json:
    return {"toolUse": {"input": call_chunk}}


# Gemini's.


def gemini_answer(*parts: Json, finish: str | None = "STOP", usage: Json | None = None, **more: Any) -> Json:
    candidate: Json = {"index": 0, "content": {"role": "model", "parts": list(parts)}}
    if finish:
        candidate["finishReason"] = finish
    usage = usage or {"promptTokenCount": 3, "candidatesTokenCount": 2}
    return {
        "responseId": "r-1",
        "modelVersion": "m",
        "candidates": [candidate],
        "usageMetadata": usage,
        **more,
    }


def function_call(name: str = "look", **args: Any) -> Json:
    return {"functionCall": {"name": name, "args": args}}


# OpenAI's.


def completion(claude_message: Json, finish: Any = "stop", **more: Any) -> Json:
    choice = {"index": 0, "message": {"role": "assistant", **claude_message}, "finish_reason": finish}
    return {"id": "c-1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], **more}


def chunk(finish: Any = None, **delta: Any) -> Json:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


def call_chunk(**call: Any) -> Json:
    """A chunk with a part of one call."""
    return chunk(tool_calls=[call])


CONTENT = "choices.0.message.content"
CALLS = "choices.0.message.tool_calls"
REFUSAL = "choices.0.message.refusal"
FINISH = "choices.0.finish_reason"
THOUGHTS = "choices.0.message.reasoning_content"
