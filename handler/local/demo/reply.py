"""Makes the demo model's answer to a chat request, whole or as a stream.

https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from handler.local.demo.schema_sample import sample

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The content of every choice."""

    text: str | None = None
    reasoning: str | None = None
    calls: tuple[tuple[str, str], ...] = ()  # (function, arguments as JSON)
    finish: str = "stop"
    legacy: bool = False  # the call is sent as function_call


def make_reply(body: Json) -> Reply:
    """Return the answer to a chat request, which may be an invalid one."""
    legacy = "functions" in body and "tools" not in body
    if calls := tuple(_calls(body, legacy=legacy)):
        return Reply(calls=calls, finish="function_call" if legacy else "tool_calls", legacy=legacy)
    reasoning = "Let me think about that." if body.get("reasoning_effort") not in (None, "none") else None
    text, finish = _limit(_text(body), body)
    return Reply(text=text, reasoning=reasoning, finish=finish)


def _text(body: Json) -> str:
    """Return the last message's text, in the requested format."""
    last = (_messages(body) or [{}])[-1]
    prefix = "local/echo was told" if last.get("role") in ("tool", "function") else "local/echo heard"
    echo = f"{prefix}: {_text_of(last) or '(nothing)'}"
    match body.get("response_format"):
        case {"type": "json_schema", "json_schema": {"schema": schema}}:
            return json.dumps(sample(schema), ensure_ascii=False)
        case {"type": "json_object"}:
            return json.dumps({"heard": echo}, ensure_ascii=False)
    return echo


def _text_of(message: Json) -> str:
    """Return the text of a message, with the type of each part that is not text."""
    match message.get("content"):
        case str(text):
            return text
        case list(parts):
            objects = (part if isinstance(part, dict) else {} for part in parts)
            return " ".join(str(part.get("text", f"[{part.get('type')}]")) for part in objects)
    return ""


def _messages(body: Json) -> list[Json]:
    messages = body.get("messages")
    return [one for one in messages if isinstance(one, dict)] if isinstance(messages, list) else []


def _limit(text: str, body: Json) -> tuple[str, str]:
    """Return the text up to the first `stop` or the largest number of tokens, and the finish reason."""
    stop = body.get("stop")
    stops = [one for one in (stop if isinstance(stop, list) else [stop]) if isinstance(one, str) and one]
    text = text[: min((at for one in stops if (at := text.find(one)) >= 0), default=len(text))]
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    words = _words(text)
    if isinstance(limit, int) and limit < len(words):
        return "".join(words[:limit]), "length"
    return text, "stop"


def _calls(body: Json, *, legacy: bool) -> Iterator[tuple[str, str]]:
    """Yield one call for each allowed tool; after a tool's result, only if a call is forced."""
    choice = body.get("function_call" if legacy else "tool_choice")
    forced, allowed = _parse_choice(choice)
    answered = (_messages(body) or [{}])[-1].get("role") in ("tool", "function")
    if choice == "none" or (answered and not forced):
        return
    functions = _functions(body, legacy=legacy)
    functions = [one for one in functions if allowed is None or one.get("name") in allowed]
    only_one = legacy or body.get("parallel_tool_calls") is False
    for function in functions[:1] if only_one else functions:
        yield str(function.get("name")), json.dumps(sample(function.get("parameters") or {"type": "object"}))


def _functions(body: Json, *, legacy: bool) -> list[Json]:
    tools = body.get("functions" if legacy else "tools")
    tools = tools if isinstance(tools, list) else []
    functions = tools if legacy else [tool.get("function") for tool in tools if isinstance(tool, dict)]
    return [function for function in functions if isinstance(function, dict)]


def _parse_choice(choice: Any) -> tuple[bool, frozenset[Any] | None]:
    """Return True if a call is forced, and the names of the allowed tools (None: all)."""
    match choice:
        case "required":
            return True, None
        case {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": list(tools)}}:
            return mode == "required", frozenset(
                name for tool in tools for name in _parse_choice(tool)[1] or ()
            )
        case {"function": {"name": name}} | {"name": name}:
            return True, frozenset([name])
    return False, None


def completion(body: Json, reply: Reply, *, head: Json) -> Json:
    """Return the whole answer. https://platform.openai.com/docs/api-reference/chat/object"""
    message: Json = {"role": "assistant", "content": reply.text, "refusal": None}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    if reply.legacy:
        name, arguments = reply.calls[0]
        message["function_call"] = {"name": name, "arguments": arguments}
    elif reply.calls:
        message["tool_calls"] = [_tool_call(name, arguments) for name, arguments in reply.calls]
    ending = {"logprobs": None, "finish_reason": reply.finish}
    choices = [{"index": index, "message": message, **ending} for index in range(_n(body))]
    return {**head, "object": "chat.completion", "choices": choices, "usage": usage(body, reply)}


def chunks(body: Json, reply: Reply, *, head: Json) -> Iterator[Json]:
    """Yield the same answer word by word. https://platform.openai.com/docs/api-reference/chat-streaming"""
    options = body.get("stream_options")
    counted = isinstance(options, dict) and options.get("include_usage") is True
    head = {**head, "object": "chat.completion.chunk", **({"usage": None} if counted else {})}
    for delta in (*_deltas(reply), None):
        for index in range(_n(body)):
            ending = {"logprobs": None, "finish_reason": reply.finish if delta is None else None}
            yield {**head, "choices": [{"index": index, "delta": delta or {}, **ending}]}
    if counted:
        yield {**head, "choices": [], "usage": usage(body, reply)}


def _deltas(reply: Reply) -> Iterator[Json]:
    """Yield the role once, the id and name of each call once, and everything else in words."""
    yield {"role": "assistant", "content": None if reply.calls else "", "refusal": None}
    yield from ({"reasoning_content": word} for word in _words(reply.reasoning))
    yield from ({"content": word} for word in _words(reply.text))
    for index, (name, arguments) in enumerate(reply.calls):
        opening = _tool_call(name, "")
        yield (
            {"function_call": opening["function"]}
            if reply.legacy
            else {"tool_calls": [{"index": index, **opening}]}
        )
        for piece in _words(arguments):
            more = {"arguments": piece}
            yield (
                {"function_call": more}
                if reply.legacy
                else {"tool_calls": [{"index": index, "function": more}]}
            )


def _tool_call(name: str, arguments: str) -> Json:
    call = {"name": name, "arguments": arguments}
    return {"id": f"call_{secrets.token_hex(12)}", "type": "function", "function": call}


def usage(body: Json, reply: Reply) -> Json:
    """Count tokens, which are words here. The arguments of calls count too."""
    prompt = sum(len(_words(_text_of(message))) for message in _messages(body))
    reasoning = len(_words(reply.reasoning)) * _n(body)
    written = sum(
        len(_words(text)) for text in (reply.text, *(part for call in reply.calls for part in call))
    )
    completion = reasoning + written * _n(body)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def _words(text: str | None) -> list[str]:
    """Split the text into words, each with the space before it."""
    return re.findall(r"\s*\S+|\s+$", text or "")


def _n(body: Json) -> int:
    n = body.get("n")
    return n if isinstance(n, int) and 1 <= n <= 128 else 1
