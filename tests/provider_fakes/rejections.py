"""Checks in the environment of `make sdks` that the fakes refuse what the real services refuse.

Each case changes a valid request in one way, and says what the refusal must contain.
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any

from tests.provider_fakes import anthropic as claude
from tests.provider_fakes import bedrock, gemini
from tests.provider_fakes import openai as openai_chat
from tests.provider_fakes.call import KEY, Call, Json, Reply
from tests.provider_fakes.thought_signatures import sign

SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
PICTURE = "iVBORw0KGgo="

FUNCTION = {"type": "function", "function": {"name": "f", "parameters": SCHEMA}}
CALLED = {
    "role": "assistant",
    "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
}
OPENAI: Json = {
    "model": "gpt-6-luna",
    "messages": [
        {"role": "user", "content": "Hi"},
        CALLED,
        {"role": "tool", "tool_call_id": "1", "content": "x"},
    ],
    "tools": [FUNCTION],
}
RESPONSES: Json = {
    "model": "gpt-5.3-codex",
    "store": False,
    "input": [
        {"type": "message", "role": "user", "content": "Hi"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": sign("reasoning", "rs_1")},
        {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "x"},
    ],
    "tools": [{"type": "function", "name": "f", "parameters": SCHEMA, "strict": True}],
}
HAIKU = "claude-haiku-4-5"
HI = [{"type": "text", "text": "Hi"}]
USED = {"type": "tool_use", "id": "1", "name": "f", "input": {}}
CLAUDE: Json = {
    "model": HAIKU,
    "max_tokens": 2000,
    "messages": [
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "a", "signature": sign("claude", HAIKU, "a", HI)},
                USED,
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "1", "content": "x"}]},
    ],
    "thinking": {"type": "enabled", "budget_tokens": 1024},
    "tools": [{"name": "f", "input_schema": SCHEMA}],
}
GEMINI: Json = {
    "contents": [
        {"role": "user", "parts": [{"text": "Hi"}]},
        {
            "role": "model",
            "parts": [{"functionCall": {"name": "f", "args": {}}, "thoughtSignature": sign("gemini", "f")}],
        },
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"output": "x"}}}]},
    ],
    "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": SCHEMA}]}],
}

BEDROCK: Json = {
    "messages": [
        {"role": "user", "content": [{"text": "Hi"}]},
        {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "a", "signature": sign("bedrock", "a")}}},
                {"toolUse": {"toolUseId": "1", "name": "f", "input": {}}},
            ],
        },
        {"role": "user", "content": [{"toolResult": {"toolUseId": "1", "content": [{"text": "x"}]}}]},
    ],
    "inferenceConfig": {"maxTokens": 2000},
    "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": SCHEMA}}}]},
    "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
}

CLAUDE_HEADERS = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
VALID: dict[str, tuple[Callable[[Call], Reply], str, Json, Json]] = {
    "openai": (openai_chat.serve, "v1/chat/completions", {"authorization": f"Bearer {KEY}"}, OPENAI),
    "responses": (openai_chat.serve, "v1/responses", {"authorization": f"Bearer {KEY}"}, RESPONSES),
    "claude": (claude.serve, "v1/messages", CLAUDE_HEADERS, CLAUDE),
    "gemini": (
        gemini.serve,
        "v1beta/models/gemini-3.8-flash:generateContent",
        {"x-goog-api-key": KEY},
        GEMINI,
    ),
}

CONVERSE = "model/us.anthropic.claude-haiku-4-5-v1%3A0/converse"
VALID["bedrock"] = (bedrock.serve, CONVERSE, {"authorization": f"Bearer {KEY}"}, BEDROCK)

GONE = object()
OPEN = {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {"a": {}}}}
SAID: Json = {"role": "assistant", "content": [{"type": "output_text", "text": "a"}]}
# service, changes (path to new value)
ACCEPTED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("responses", {"tools.0": OPEN}),
    ("responses", {"tools.0": {**OPEN, "strict": None}}),
    ("responses", {"tools.0": {**OPEN, "strict": False}}),
    ("responses", {"input.1": SAID}),
    ("responses", {"input.1": {**SAID, "type": "message", "id": "msg_1"}}),
    ("responses", {"tools": [{"type": "namespace", "name": "n", "description": "d", "tools": [OPEN]}]}),
    (
        "responses",
        {
            "tools": GONE,
            "input.0": {"type": "additional_tools", "role": "developer", "tools": [OPEN]},
        },
    ),
)
# the same, and part of the refusal
CASES: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("openai", {"unknown": 1}, "unknown"),
    ("openai", {"messages.1.reasoning_content": "a"}, "reasoning_content"),
    ("openai", {"messages.1.tool_calls.0.extra_content": {}}, "extra_content"),
    ("openai", {"messages.2": GONE}, "must be followed by tool messages"),
    ("openai", {"messages.2.tool_call_id": "2"}, "preceding message with 'tool_calls'"),
    (
        "openai",
        {"messages.1.tool_calls.0.id": "x" * 41, "messages.2.tool_call_id": "x" * 41},
        "maximum length 40",
    ),
    ("openai", {"messages.1.tool_calls.0.function.name": "a.b"}, "pattern"),
    ("openai", {"messages": []}, "empty array"),
    (
        "openai",
        {"messages.0.content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,?"}}]},
        "image",
    ),
    ("openai", {"tools": []}, "empty array"),
    ("openai", {"tools": GONE, "tool_choice": "auto"}, "only allowed when 'tools'"),
    ("openai", {"tools.0.function.name": "a b"}, "pattern"),
    ("openai", {"tools": [FUNCTION, FUNCTION]}, "Duplicate"),
    (
        "openai",
        {"tools.0.function": {"name": "f", "strict": True, "parameters": {"type": "object"}}},
        "additionalProperties",
    ),
    ("openai", {"tool_choice": {"type": "function", "function": {"name": "g"}}}, "not among"),
    ("openai", {"max_tokens": 5}, "max_completion_tokens"),
    ("openai", {"max_completion_tokens": 200_000}, "128000"),
    ("openai", {"temperature": 0.5, "reasoning_effort": "low"}, "temperature"),
    ("openai", {"frequency_penalty": 1}, "frequency_penalty"),
    ("openai", {"reasoning_effort": "minimal"}, "minimal"),
    ("openai", {"model": "gpt-5.6-luna", "reasoning_effort": "low"}, "Function tools with reasoning_effort"),
    ("openai", {"model": "o3", "stop": "a"}, "'stop' is not supported"),
    ("openai", {"model": "gpt-2"}, "does not exist"),
    ("openai", {"stream_options": {"include_usage": True}}, "'stream' is enabled"),
    ("openai", {"stop": ["a", "b", "c", "d", "e"]}, "1 to 4"),
    ("openai", {"response_format": {"type": "json_object"}}, "'json'"),
    ("responses", {"unknown": 1}, "unknown"),
    ("responses", {"store": GONE}, "would be stored"),
    ("responses", {"input.0.name": "a"}, "Unknown parameter"),
    ("responses", {"input.1": {**SAID, "name": "a"}}, "Unknown parameter"),
    ("responses", {"input.1": {**SAID, "content": [{"type": "input_text"}]}}, "Unknown parameter"),
    ("responses", {"input.1.encrypted_content": "a"}, "could not be verified"),
    (
        "responses",
        {"input.2": {"type": "message", "role": "user", "content": "a"}, "input.3": GONE},
        "required",
    ),
    ("responses", {"input.3": GONE}, "No tool output"),
    ("responses", {"input.3.call_id": "2"}, "No tool call"),
    ("responses", {"input.2.call_id": "x" * 65, "input.3.call_id": "x" * 65}, "maximum length 64"),
    ("responses", {"input.2.name": "a.b"}, "pattern"),
    ("responses", {"tools.0.parameters": {"type": "object"}}, "additionalProperties"),
    ("responses", {"tools.0": {"type": "function", "name": "f"}}, "parameters"),
    ("responses", {"tools": GONE, "tool_choice": "auto"}, "only allowed when 'tools'"),
    ("responses", {"max_output_tokens": 15}, ">= 16"),
    ("responses", {"temperature": 0.5, "reasoning": {"effort": "low"}}, "temperature"),
    ("responses", {"reasoning": {"effort": "max"}}, "max"),
    ("responses", {"text": {"format": {"type": "json_object"}}}, "'json'"),
    ("claude", {"unknown": 1}, "Extra inputs"),
    ("claude", {"messages.0.content": [{"type": "text", "text": "a", "unknown": 1}]}, ""),
    ("claude", {"max_tokens": GONE}, "max_tokens"),
    ("claude", {"max_tokens": 100_000}, "64000"),
    ("claude", {"messages.0": GONE}, "first message must use"),
    ("claude", {"messages.0.content": " "}, "non-whitespace"),
    ("claude", {"messages.0.content": []}, "non-empty content"),
    ("claude", {"messages.2.content": "x"}, "without `tool_result`"),
    ("claude", {"messages.2.content.0.tool_use_id": "2"}, "without `tool_result`"),
    ("claude", {"messages.2": GONE}, "immediately after"),
    ("claude", {"messages.1.content.1.id": "a.b", "messages.2.content.0.tool_use_id": "a.b"}, "pattern"),
    ("claude", {"messages.1.content.0.thinking": "b"}, "Invalid `signature`"),
    ("claude", {"messages.0.content": "Ho"}, "Invalid `signature`"),
    ("claude", {"messages.1.content.0": GONE}, "Expected `thinking`"),
    ("claude", {"thinking": GONE}, "When thinking is disabled"),
    ("claude", {"thinking.budget_tokens": 2000}, "less than `max_tokens`"),
    ("claude", {"thinking": {"type": "adaptive"}}, "thinking.type.adaptive"),
    ("claude", {"temperature": 1}, "when thinking is enabled"),
    ("claude", {"tool_choice": {"type": "any"}}, "forces tool use"),
    ("claude", {"tool_choice": {"type": "tool", "name": "g"}}, "not found"),
    ("claude", {"tools": GONE}, "must define tools"),
    ("claude", {"tools": [{"name": "f", "input_schema": SCHEMA}] * 2}, "unique"),
    ("claude", {"tools.0.name": "a.b"}, "pattern"),
    ("claude", {"tools.0.input_schema": {"type": "object", "anyOf": [SCHEMA]}}, "without oneOf"),
    ("claude", {"stop_sequences": [" "]}, "non-whitespace"),
    ("claude", {"output_config": {"effort": "low"}}, "effort"),
    (
        "claude",
        {"output_config": {"format": {"type": "json_schema", "schema": {"type": "string", "minLength": 1}}}},
        "minLength",
    ),
    ("claude", {"model": "claude-2"}, "claude-2"),
    (
        "claude",
        {"thinking": GONE, "messages": [{"role": "user", "content": "a"}], "temperature": 1, "top_p": 1},
        "both",
    ),
    (
        "claude",
        {
            "thinking": GONE,
            "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b "}],
        },
        "whitespace",
    ),
    (
        "claude",
        {
            "model": "claude-opus-5-5",
            "messages.1.content.0": GONE,
            "thinking": GONE,
            "tool_choice": {"type": "any"},
        },
        "forced",
    ),
    (
        "claude",
        {"model": "claude-opus-5-5", "messages.1.content.0": GONE, "thinking": {"type": "disabled"}},
        "disabled",
    ),
    (
        "claude",
        {"model": "claude-opus-5-5", "messages.1.content.0": GONE, "thinking": GONE, "top_k": 1},
        "top_k",
    ),
    ("claude", {"model": "claude-opus-5-5"}, "thinking.type.enabled"),
    (
        "claude",
        {
            "messages.0.content": [
                {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": PICTURE}}
            ]
        },
        "media type",
    ),
    ("gemini", {"unknown": 1}, "Unknown name"),
    ("gemini", {"contents.0.parts.0.unknown": 1}, "contents"),
    ("gemini", {"generationConfig": {"unknown": 1}}, "generationConfig"),
    ("gemini", {"contents": []}, "not specified"),
    ("gemini", {"contents.0.role": "assistant"}, "valid role"),
    ("gemini", {"contents.0.parts": []}, "parts"),
    ("gemini", {"contents.0.parts.0.text": ""}, "empty text"),
    ("gemini", {"contents.0": GONE}, "first content"),
    ("gemini", {"contents.0.parts.0": {"inlineData": {"mimeType": "image/png", "data": "?"}}}, "base64"),
    ("gemini", {"contents.2": GONE}, "must be followed"),
    ("gemini", {"contents.2.parts.0": {"text": "x"}}, "equal to the number"),
    ("gemini", {"contents.2.parts.0.functionResponse.name": "g"}, "another call"),
    ("gemini", {"contents.1.parts.0.thoughtSignature": GONE}, "missing a thought_signature"),
    ("gemini", {"contents.1.parts.0.thoughtSignature": "eA=="}, "not valid"),
    ("gemini", {"tools.0.functionDeclarations": [{"name": "f"}, {"name": "f"}]}, "Duplicate"),
    ("gemini", {"tools.0.functionDeclarations.0.name": "1f"}, "Invalid function name"),
    (
        "gemini",
        {"tools.0.functionDeclarations.0.parametersJsonSchema": {"type": "object", "not": {}}},
        "keywords",
    ),
    (
        "gemini",
        {"toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["g"]}}},
        "subset",
    ),
    (
        "gemini",
        {"toolConfig": {"functionCallingConfig": {"mode": "AUTO", "allowedFunctionNames": ["f"]}}},
        "only with mode ANY",
    ),
    ("gemini", {"generationConfig": {"temperature": 1}}, "not supported"),
    ("gemini", {"generationConfig": {"maxOutputTokens": 70_000}}, "65537"),
    ("gemini", {"generationConfig": {"thinkingConfig": {"thinkingLevel": "MINIMAL"}}}, "Thinking level"),
    (
        "gemini",
        {"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW", "thinkingBudget": 1}}},
        "together",
    ),
    ("bedrock", {"unknown": 1}, "Unknown parameter"),
    ("bedrock", {"messages.0.content.0.unknown": 1}, "unknown"),
    ("bedrock", {"messages.0.role": "developer"}, "is not in"),
    ("bedrock", {"messages.0": GONE}, "start with a user message"),
    ("bedrock", {"messages.2.role": "assistant"}, "must alternate"),
    ("bedrock", {"messages.0.content": []}, "is empty"),
    ("bedrock", {"messages.0.content.0.text": " "}, "is blank"),
    ("bedrock", {"messages.2.content.0.toolResult.content.0.text": ""}, "is blank"),
    ("bedrock", {"messages.1.content.1.toolUse.toolUseId": "a b"}, "pattern"),
    ("bedrock", {"messages.2.content.0.toolResult.toolUseId": "2"}, "Expected toolResult"),
    ("bedrock", {"messages.2": GONE}, "Expected toolResult"),
    ("bedrock", {"messages.1.content.0.reasoningContent.reasoningText.text": "b"}, "Invalid `signature`"),
    ("bedrock", {"messages.1.content.0": GONE}, "Expected `thinking`"),
    ("bedrock", {"additionalModelRequestFields": {}}, "When thinking is disabled"),
    ("bedrock", {"toolConfig": GONE}, "must be defined"),
    ("bedrock", {"toolConfig.toolChoice": {"any": {}}}, "forces tool use"),
    ("bedrock", {"toolConfig.tools.0.toolSpec.name": "a.b"}, "pattern"),
    ("bedrock", {"toolConfig.tools.0.toolSpec.description": ""}, "description"),
    ("bedrock", {"toolConfig.tools.0.toolSpec.inputSchema.json": {}}, "one of the following: object"),
    ("bedrock", {"inferenceConfig.maxTokens": 70_000}, "64000"),
    ("bedrock", {"inferenceConfig.temperature": 1}, "when thinking is enabled"),
    (
        "bedrock",
        {
            "messages.0.content": [
                {"document": {"format": "pdf", "name": "a.pdf", "source": {"bytes": "JVBERg=="}}},
                {"text": "b"},
            ]
        },
        "invalid characters",
    ),
    (
        "gemini",
        {
            "generationConfig": {"responseMimeType": "application/json"},
            "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        },
        "unsupported",
    ),
)


def change(body: Json, changes: dict[str, Any]) -> Json:
    """A copy of the body with these values. GONE removes one."""
    body = copy.deepcopy(body)
    for path, value in changes.items():
        *steps, last = (int(step) if step.isdigit() else step for step in path.split("."))
        holder: Any = body
        for step in steps:
            holder = holder[step]
        if value is GONE:
            del holder[last]
        else:
            holder[last] = value
    return body


def problems() -> Iterator[str]:
    for service, (serve, path, headers, body) in VALID.items():
        message = _refusal_of(serve(Call(path, headers, body)))
        if message:
            yield f"{service} refused a valid request: {message}"
        if not _refusal_of(serve(Call(path, {**headers, **dict.fromkeys(list(headers)[:1], "wrong")}, body))):
            yield f"{service} accepted a wrong credential"
    for service, changes in ACCEPTED:
        serve, path, headers, body = VALID[service]
        if message := _refusal_of(serve(Call(path, headers, change(body, changes)))):
            yield f"{service} with {changes} must be accepted: {message}"
    for service, changes, why in CASES:
        serve, path, headers, body = VALID[service]
        message = _refusal_of(serve(Call(path, headers, change(body, changes))))
        if message is None or why not in message:
            yield f"{service} with {changes} must be refused with {why!r}: {message}"


def _refusal_of(reply: Reply) -> str | None:
    """The text of the refusal, or None for an answer."""
    if reply.status == 200:
        return None
    body = json.loads(b"".join(reply.pieces))
    return str(body.get("error") or body["message"])


def main() -> int:
    found = list(problems())
    print(*found, f"{len(CASES)} refusals, {len(found)} problems", sep="\n")  # noqa: T201
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
