"""What the demo model answers to a chat request, and how it says it: one answer, whole or as a stream.

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
    """What every choice says."""

    text: str | None = None
    reasoning: str | None = None
    calls: tuple[tuple[str, str], ...] = ()  # (function, arguments as JSON)
    finish: str = "stop"
    legacy: bool = False  # the call goes out as function_call


def reply(body: Json) -> Reply:
    """The answer to a chat request, which need not be a valid one."""
    legacy = "functions" in body and "tools" not in body
    if calls := tuple(_calls(body, legacy=legacy)):
        return Reply(calls=calls, finish="function_call" if legacy else "tool_calls", legacy=legacy)
    reasoning = "Let me think about that." if body.get("reasoning_effort") not in (None, "none") else None
    text, finish = _limited(_text(body), body)
    return Reply(text=text, reasoning=reasoning, finish=finish)


def _text(body: Json) -> str:
    """What it heard, in the form that was asked for."""
    last = (_messages(body) or [{}])[-1]
    teller = {"tool": "local/echo was told", "function": "local/echo was told"}.get(str(last.get("role")))
    heard = f"{teller or 'local/echo heard'}: {_said(last) or '(nothing)'}"
    match body.get("response_format"):
        case {"type": "json_schema", "json_schema": {"schema": schema}}:
            return json.dumps(sample(schema), ensure_ascii=False)
        case {"type": "json_object"}:
            return json.dumps({"heard": heard}, ensure_ascii=False)
    return heard


def _said(message: Json) -> str:
    """The text of a message; parts that are no text are named."""
    match message.get("content"):
        case str(text):
            return text
        case list(parts):
            named = (part if isinstance(part, dict) else {} for part in parts)
            return " ".join(str(part.get("text", f"[{part.get('type')}]")) for part in named)
    return ""


def _messages(body: Json) -> list[Json]:
    messages = body.get("messages")
    return [one for one in messages if isinstance(one, dict)] if isinstance(messages, list) else []


def _limited(text: str, body: Json) -> tuple[str, str]:
    """The text up to the first `stop` or to the most tokens, and its finish reason."""
    stop = body.get("stop")
    stops = [one for one in (stop if isinstance(stop, list) else [stop]) if isinstance(one, str) and one]
    text = text[: min((at for one in stops if (at := text.find(one)) >= 0), default=len(text))]
    most = body.get("max_completion_tokens") or body.get("max_tokens")
    words = _words(text)
    if isinstance(most, int) and most < len(words):
        return "".join(words[:most]), "length"
    return text, "stop"


def _calls(body: Json, *, legacy: bool) -> Iterator[tuple[str, str]]:
    """One call for each tool that may be called; once a tool has answered, only what is forced."""
    choice = body.get("function_call" if legacy else "tool_choice")
    forced, wanted = _forced(choice)
    answered = (_messages(body) or [{}])[-1].get("role") in ("tool", "function")
    if choice == "none" or (answered and not forced):
        return
    able = [one for one in _functions(body, legacy=legacy) if wanted is None or one.get("name") in wanted]
    one_only = legacy or body.get("parallel_tool_calls") is False
    for function in able[:1] if one_only else able:
        yield str(function.get("name")), json.dumps(sample(function.get("parameters") or {"type": "object"}))


def _functions(body: Json, *, legacy: bool) -> list[Json]:
    tools = body.get("functions" if legacy else "tools")
    tools = tools if isinstance(tools, list) else []
    named = tools if legacy else [tool.get("function") for tool in tools if isinstance(tool, dict)]
    return [one for one in named if isinstance(one, dict)]


def _forced(choice: Any) -> tuple[bool, frozenset[Any] | None]:
    """Whether a call is forced, and the names of the only tools that may be called."""
    match choice:
        case "required":
            return True, None
        case {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": list(tools)}}:
            return mode == "required", frozenset(name for tool in tools for name in _forced(tool)[1] or ())
        case {"function": {"name": name}} | {"name": name}:
            return True, frozenset([name])
    return False, None


def completion(body: Json, said: Reply, *, head: Json) -> Json:
    """The whole answer. https://platform.openai.com/docs/api-reference/chat/object"""
    message: Json = {"role": "assistant", "content": said.text, "refusal": None}
    if said.reasoning:
        message["reasoning_content"] = said.reasoning
    if said.legacy:
        name, arguments = said.calls[0]
        message["function_call"] = {"name": name, "arguments": arguments}
    elif said.calls:
        message["tool_calls"] = [_tool_call(name, arguments) for name, arguments in said.calls]
    ending = {"logprobs": None, "finish_reason": said.finish}
    choices = [{"index": index, "message": message, **ending} for index in range(_n(body))]
    return {**head, "object": "chat.completion", "choices": choices, "usage": usage(body, said)}


def chunks(body: Json, said: Reply, *, head: Json) -> Iterator[Json]:
    """The same answer word by word. https://platform.openai.com/docs/api-reference/chat-streaming"""
    options = body.get("stream_options")
    counted = isinstance(options, dict) and options.get("include_usage") is True
    head = {**head, "object": "chat.completion.chunk", **({"usage": None} if counted else {})}
    for delta in (*_deltas(said), None):
        for index in range(_n(body)):
            ending = {"logprobs": None, "finish_reason": said.finish if delta is None else None}
            yield {**head, "choices": [{"index": index, "delta": delta or {}, **ending}]}
    if counted:
        yield {**head, "choices": [], "usage": usage(body, said)}


def _deltas(said: Reply) -> Iterator[Json]:
    """Role once; id and name of a call once, its arguments in pieces."""
    yield {"role": "assistant", "content": None if said.calls else "", "refusal": None}
    yield from ({"reasoning_content": word} for word in _words(said.reasoning))
    yield from ({"content": word} for word in _words(said.text))
    for index, (name, arguments) in enumerate(said.calls):
        opening = _tool_call(name, "")
        yield (
            {"function_call": opening["function"]}
            if said.legacy
            else {"tool_calls": [{"index": index, **opening}]}
        )
        for piece in _words(arguments):
            more = {"arguments": piece}
            yield (
                {"function_call": more}
                if said.legacy
                else {"tool_calls": [{"index": index, "function": more}]}
            )


def _tool_call(name: str, arguments: str) -> Json:
    call = {"name": name, "arguments": arguments}
    return {"id": f"call_{secrets.token_hex(12)}", "type": "function", "function": call}


def usage(body: Json, said: Reply) -> Json:
    """Tokens are words here; a call's arguments count too."""
    asked = sum(len(_words(_said(message))) for message in _messages(body))
    thought = len(_words(said.reasoning)) * _n(body)
    written = sum(len(_words(text)) for text in (said.text, *(part for call in said.calls for part in call)))
    answered = thought + written * _n(body)
    return {
        "prompt_tokens": asked,
        "completion_tokens": answered,
        "total_tokens": asked + answered,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": thought},
    }


def _words(text: str | None) -> list[str]:
    """The text in pieces of a word and the space before it; joined they are the text."""
    return re.findall(r"\s*\S+|\s+$", text or "")


def _n(body: Json) -> int:
    n = body.get("n")
    return n if isinstance(n, int) and 1 <= n <= 128 else 1
