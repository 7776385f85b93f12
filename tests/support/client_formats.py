"""The formats of clients, as a test sees them: where a request goes, and what an answer says.

The folds of streams are those of each format's own tests, which also check the order of events.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from handler.content.completion import completion_of
from handler.wire import sse
from tests.handler.formats.anthropic import builders
from tests.handler.formats.converse import bodies
from tests.handler.formats.gemini import completions
from tests.handler.formats.responses import events

Json = dict[str, Any]


class Said(NamedTuple):
    """The content of an answer, whatever its format. `calls`: (name, arguments)."""

    text: str
    reasoning: str
    calls: tuple[tuple[str, Any], ...]
    end: str  # stop, length, calls or refused
    tokens: tuple[int, int]  # of input, of output


class ClientFormat(NamedTuple):
    """A format of clients. `dialect`: of the providers that have it too."""

    dialect: str
    path: Callable[[str, bool], str]  # for a model, streamed or not
    fold: Callable[[bytes], Json]  # a complete stream to a whole answer
    read: Callable[[Json], Said]
    ends: Callable[[bytes], bool]  # True for a stream that ends as complete ones do
    failure: Callable[[bytes], Json | None]  # the error with which a stream ends
    go_on: Callable[[Json, Json], Json]  # the next request of a client, after a request and its answer


def data_of(stream: bytes) -> list[str]:
    """Return the data of a stream's events."""
    decoder = sse.Decoder()
    return [event.data for event in (*decoder.feed(stream), *decoder.close())]


def _last(stream: bytes) -> Json:
    """Return the last event of a stream; {} for `[DONE]` and without one. Google has events in a list."""
    found = data_of(stream)
    value = json.loads(found[-1]) if found and found[-1] != "[DONE]" else {}
    return dict(value[0] if isinstance(value, list) else value)


def _chat_fold(stream: bytes) -> Json:
    assert data_of(stream)[-1] == "[DONE]"
    return completion_of(stream) or {}


def _read_chat(whole: Json) -> Said:
    choice, usage = whole["choices"][0], whole.get("usage") or {}
    message = choice["message"]
    calls = tuple(
        (call["function"]["name"], _arguments(call["function"]["arguments"]))
        for call in message.get("tool_calls") or ()
    )
    refusal = message.get("refusal") or ""
    reasoning = message.get("reasoning_content") or message.get("reasoning") or ""
    ends = {"tool_calls": "calls", "content_filter": "refused"}
    end = "refused" if refusal else ends.get(choice["finish_reason"], choice["finish_reason"])
    tokens = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
    return Said((message.get("content") or "") + refusal, reasoning, calls, end, tokens)


def _arguments(text: str) -> Any:
    try:
        return json.loads(text or "{}")
    except ValueError:
        return {"_raw": text}


def _message_fold(stream: bytes) -> Json:
    """Fold a stream in which a `ping` may come at any time, and one comes behind the start."""
    begin, *others = (event for event in builders.events_of(stream) if event["type"] != "ping")
    return builders.fold([begin, {"type": "ping"}, *others])


def _read_message(whole: Json) -> Said:
    blocks, usage = whole["content"], whole["usage"]
    calls = tuple((one["name"], one["input"]) for one in blocks if one["type"] == "tool_use")
    text = "".join(one["text"] for one in blocks if one["type"] == "text")
    thinking = "".join(one["thinking"] for one in blocks if one["type"] == "thinking")
    ends = {"max_tokens": "length", "tool_use": "calls", "refusal": "refused"}
    read = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    tokens = sum(usage.get(name) or 0 for name in read), usage["output_tokens"]
    return Said(text, thinking, calls, ends.get(whole["stop_reason"], "stop"), tokens)


def _read_response(whole: Json) -> Said:
    items, usage = whole["output"], whole["usage"] or {}
    parts = [part for item in items if item["type"] == "message" for part in item["content"]]
    summaries = [part for item in items if item["type"] == "reasoning" for part in item["summary"]]
    calls = tuple(
        (item["name"], _arguments(item["arguments"])) for item in items if item["type"] == "function_call"
    )
    reason = (whole.get("incomplete_details") or {}).get("reason")
    refused = reason == "content_filter" or any(part["type"] == "refusal" for part in parts)
    end = "refused" if refused else "length" if reason else "calls" if calls else "stop"
    text = "".join(part.get("text") or part.get("refusal") or "" for part in parts)
    tokens = usage.get("input_tokens", 0), usage.get("output_tokens", 0)
    return Said(text, "".join(part["text"] for part in summaries), calls, end, tokens)


def _read_gemini(whole: Json) -> Said:
    candidate, usage = whole["candidates"][0], whole.get("usageMetadata") or {}
    parts = candidate["content"]["parts"]
    called = [part["functionCall"] for part in parts if "functionCall" in part]
    text = "".join(part.get("text", "") for part in parts if not part.get("thought"))
    text += candidate.get("finishMessage", "")
    thoughts = "".join(part["text"] for part in parts if part.get("thought"))
    ends = {"MAX_TOKENS": "length", "SAFETY": "refused"}
    end = ends.get(candidate["finishReason"], "calls" if called else "stop")
    out = usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0)
    calls = tuple((call["name"], call.get("args", {})) for call in called)
    return Said(text, thoughts, calls, end, (usage.get("promptTokenCount", 0), out))


def _read_converse(whole: Json) -> Said:
    blocks, usage = whole["output"]["message"]["content"], whole["usage"]
    calls = tuple((one["toolUse"]["name"], one["toolUse"]["input"]) for one in blocks if "toolUse" in one)
    reasoning = [one["reasoningContent"] for one in blocks if "reasoningContent" in one]
    texts = [one for block in blocks for one in block.get("citationsContent", {}).get("content", [block])]
    ends = {"max_tokens": "length", "tool_use": "calls", "content_filtered": "refused"}
    read = ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens")
    tokens = sum(usage.get(name) or 0 for name in read), usage["outputTokens"]
    return Said(
        "".join(one.get("text", "") for one in texts),
        "".join(one.get("reasoningText", {}).get("text", "") for one in reasoning),
        calls,
        ends.get(whole["stopReason"], "stop"),
        tokens,
    )


# The next request has the whole answer as it came. Each call has a result; without a call the user goes on.
GO_ON, DONE = "Go on.", "Done."


def _next_chat(body: Json, whole: Json) -> Json:
    message = whole["choices"][0]["message"]
    calls = message.get("tool_calls") or ()
    results = [{"role": "tool", "tool_call_id": call["id"], "content": DONE} for call in calls]
    return {
        **body,
        "messages": [*body["messages"], message, *(results or [{"role": "user", "content": GO_ON}])],
    }


def _next_messages(body: Json, whole: Json) -> Json:
    answer: Json = {"role": "assistant", "content": whole["content"]}
    used: list[str] = [block["id"] for block in whole["content"] if block["type"] == "tool_use"]
    results: list[Json] = [{"type": "tool_result", "tool_use_id": id, "content": DONE} for id in used]
    more: Json = {"role": "user", "content": results or GO_ON}
    return {**body, "messages": [*body["messages"], answer, more]}


def _next_responses(body: Json, whole: Json) -> Json:
    called = [item["call_id"] for item in whole["output"] if item["type"] == "function_call"]
    results = [{"type": "function_call_output", "call_id": id, "output": DONE} for id in called]
    more = results or [{"type": "message", "role": "user", "content": GO_ON}]
    return {**body, "input": [*body["input"], *whole["output"], *more]}


def _next_gemini(body: Json, whole: Json) -> Json:
    content = whole["candidates"][0]["content"]
    called = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
    parts: list[Json] = [
        {"functionResponse": {**_named(call), "response": {"output": DONE}}} for call in called
    ]
    more = {"role": "user", "parts": parts or [{"text": GO_ON}]}
    return {**body, "contents": [*body["contents"], content, more]}


def _named(call: Json) -> Json:
    return {name: call[name] for name in ("id", "name") if name in call}


def _next_converse(body: Json, whole: Json) -> Json:
    message = whole["output"]["message"]
    called = [one["toolUse"]["toolUseId"] for one in message["content"] if "toolUse" in one]
    results: list[Json] = [{"toolResult": {"toolUseId": id, "content": [{"text": DONE}]}} for id in called]
    more: Json = {"role": "user", "content": results or [{"text": GO_ON}]}
    return {**body, "messages": [*body["messages"], message, more]}


def _gemini_path(model: str, stream: bool) -> str:
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    return f"/v1beta/models/{model}:{method}"


def _message_failure(stream: bytes) -> Json | None:
    last = _last(stream)
    return last.get("error") if last.get("type") == "error" else None


def _response_failure(stream: bytes) -> Json | None:
    last = _last(stream)
    if last.get("type") == "error":
        return last
    return last["response"]["error"] if last.get("type") == "response.failed" else None


def _converse_events(stream: bytes) -> list[tuple[str, Json]]:
    return [event for event in bodies.events_of(stream) if event[0] != "keepAlive"]


def _converse_failure(stream: bytes) -> Json | None:
    name, content = (_converse_events(stream) or [("", {})])[-1]
    return content if name.endswith("Exception") else None


FORMATS: Mapping[str, ClientFormat] = {
    "chat": ClientFormat(
        "openai",
        lambda model, stream: "/v1/chat/completions",
        _chat_fold,
        _read_chat,
        lambda stream: data_of(stream)[-1:] == ["[DONE]"],
        lambda stream: _last(stream).get("error"),
        _next_chat,
    ),
    "messages": ClientFormat(
        "anthropic",
        lambda model, stream: "/v1/messages",
        _message_fold,
        _read_message,
        lambda stream: _last(stream).get("type") == "message_stop",
        _message_failure,
        _next_messages,
    ),
    "responses": ClientFormat(
        "responses",
        lambda model, stream: "/v1/responses",
        lambda stream: events.fold(events.read(stream)),
        _read_response,
        lambda stream: _last(stream).get("type") in ("response.completed", "response.incomplete"),
        _response_failure,
        _next_responses,
    ),
    "gemini": ClientFormat(
        "google",
        _gemini_path,
        lambda stream: completions.fold(completions.events_of(stream)),
        _read_gemini,
        lambda stream: any("finishReason" in one for one in _last(stream).get("candidates", ())),
        lambda stream: _last(stream).get("error"),
        _next_gemini,
    ),
    "converse": ClientFormat(
        "bedrock",
        lambda model, stream: f"/model/{model}/converse{'-stream' * stream}",
        lambda stream: bodies.fold(_converse_events(stream)),
        _read_converse,
        lambda stream: [name for name, _ in _converse_events(stream)[-1:]] == ["metadata"],
        _converse_failure,
        _next_converse,
    ),
}


def error_of(name: str, status: int, body: Json) -> Json:
    """Return the error of a response, whose members the format's own clients read."""
    error: Json = body["error"]
    assert isinstance(error["message"], str)
    assert error["message"]
    if name == "messages":
        assert body["type"] == "error"
        assert error["type"].endswith(("_error", "request_too_large"))
    elif name == "gemini":
        assert error["code"] == status
        assert error["status"].isupper()
    else:
        assert error.keys() >= {"type", "param", "code"}
        assert name != "converse" or body["message"].endswith(error["message"])
    return error
