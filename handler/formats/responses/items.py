"""Translates the items of `input` to the messages of a chat.

Neighbouring items of the model (reasoning, texts, calls) become one assistant message, because the results
of calls must follow the message that has the calls.
https://platform.openai.com/docs/api-reference/responses/create#responses-create-input
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from handler.errors import Json
from handler.formats.losses import Losses
from handler.formats.opaque_state import decode_state, is_state
from handler.formats.responses.fields import item_type
from handler.formats.responses.tools import SEARCH, Tools
from handler.wire.splice import dump

# The types of a chat's parts, by the role of a message.
_PARTS_OF: Mapping[str, tuple[str, ...]] = {
    "user": ("text", "image_url", "file", "input_audio"),
    "assistant": ("text", "refusal"),
    "system": ("text",),
    "developer": ("text",),
    "tool": ("text", "image_url", "file"),
}
_OPENAI = "openai-responses-v1"  # the `format` of such details
_CALL_STATE: Mapping[str, type] = {"thought_signature": str, "extra_content": dict}


@dataclass(slots=True)
class _Turn:
    """An assistant message that is being put together."""

    content: list[Json] = field(default_factory=list)
    calls: list[Json] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    details: list[Json] = field(default_factory=list)
    extra_content: Json = field(default_factory=dict)
    phase: str | None = None  # of a message of OpenAI's: commentary or final_answer

    def message(self) -> Json:
        message: Json = {"role": "assistant", "content": _content(self.content) if self.content else None}
        if [part["type"] for part in self.content] == ["refusal"]:
            message |= {"content": None, "refusal": self.content[0]["refusal"]}
        if self.reasoning:
            message["reasoning_content"] = "\n\n".join(self.reasoning)
        optional = {
            "reasoning_details": self.details,
            "extra_content": self.extra_content,
            "tool_calls": self.calls,
            "phase": self.phase,
        }
        return message | {name: value for name, value in optional.items() if value}


class _Translation:
    """The messages are groups: one message, or one with calls and all of their results."""

    def __init__(self, tools: Tools, losses: Losses, call_states: Mapping[str, Json]) -> None:
        self.groups: list[list[Json]] = []
        self.tools = tools
        self._losses = losses
        self._call_states = call_states
        self._turn: _Turn | None = None
        self._group_of: dict[str, list[Json]] = {}  # by the id of a call

    def add(self, item: Json, where: str) -> None:
        kind = item_type(item)
        if add := _ADD.get(kind or ""):
            add(self, item, where)
        elif kind == "web_search_call":  # the texts of the answer say what it found
            self._losses.drop("input.web_search_call")
        else:
            self._losses.require_native(f"{where}.type", f"a chat has no items of type {str(kind)[:40]}")

    def flush(self) -> None:
        """End the assistant message. A message that would be only reasoning is left out."""
        turn, self._turn = self._turn, None
        if turn is not None and (turn.content or turn.calls):
            self.groups.append([turn.message()])
            self._group_of |= {call["id"]: self.groups[-1] for call in turn.calls}

    def add_message(self, role: str, content: Any) -> None:
        self.flush()
        self.groups.append([{"role": role, "content": content}])

    def _assistant(self, *, after_text: bool = True) -> _Turn:
        """Return the open message; a new one if that has a text and `after_text` is not allowed."""
        if self._turn is not None and self._turn.content and not self._turn.calls and not after_text:
            self.flush()
        self._turn = self._turn or _Turn()
        return self._turn

    def _add_message(self, item: Json, where: str) -> None:
        role = item["role"]
        parts = self._parts(item["content"], role, f"{where}.content")
        if role == "assistant":
            turn = self._assistant(after_text=False)
            turn.content += parts
            turn.phase = item.get("phase") or turn.phase
        else:
            self.add_message(role, _content(parts))

    def _add_reasoning(self, item: Json, where: str) -> None:
        encrypted = item.get("encrypted_content")
        state = (decode_state(encrypted) if encrypted else None) or {}
        foreign = _foreign_details(item) if encrypted and not is_state(encrypted) else []
        texts = [one["text"] for one in item.get("summary") or item.get("content") or () if one["text"]]
        if state.get("at_end") is not True:
            turn = self._assistant(after_text=False)
        elif self._turn is None:
            return
        else:
            turn = self._turn
        turn.reasoning += texts
        turn.details += foreign
        if isinstance(details := state.get("reasoning_details"), list):
            turn.details += [one for one in details if isinstance(one, dict)]
        if isinstance(extra := state.get("extra_content"), dict):
            turn.extra_content |= extra

    def _add_call(self, item: Json, where: str) -> None:
        name = self.tools.chat_name(item.get("namespace"), item["name"])
        if item["type"] == "function_call":
            called = {"type": "function", "function": {"name": name, "arguments": item["arguments"]}}
        else:
            called = {"type": "custom", "custom": {"name": name, "input": item["input"]}}
        state = self._call_states.get(item["call_id"], {})
        self._assistant().calls.append({"id": item["call_id"], **called, **state})

    def _add_result(self, item: Json, where: str) -> None:
        call_id = item.get("call_id")
        parts = self._parts(item["output"], "tool", f"{where}.output")
        if call_id is None:  # Codex reports so what nobody called for
            name = "__".join(str(item[part])[:64] for part in ("namespace", "name") if item.get(part))
            self.add_message("user", [{"type": "text", "text": f"[tool result {name}]"}, *parts])
        else:
            self._add_tool_message(call_id, _content(parts))

    def _add_tool_message(self, call_id: str, content: Any) -> None:
        """Add the result of a call next to the call, also if there are messages between them."""
        self.flush()
        message = {"role": "tool", "tool_call_id": call_id, "content": content}
        if (group := self._group_of.get(call_id)) is None:
            self.groups.append([message])
        else:
            group.append(message)

    def _add_search(self, item: Json, where: str) -> None:
        """Add a call of the client's own tool search. A search of OpenAI's only added tools."""
        if isinstance(call_id := item.get("call_id"), str):
            arguments = item.get("arguments")
            text = arguments if isinstance(arguments, str) else dump(arguments or {})
            function = {"name": SEARCH, "arguments": text}
            self._assistant().calls.append({"id": call_id, "type": "function", "function": function})

    def _add_found_tools(self, item: Json, where: str) -> None:
        if isinstance(call_id := item.get("call_id"), str):
            self._add_tool_message(call_id, dump([_summary_of(tool) for tool in item["tools"]]))

    def _add_image(self, item: Json, where: str) -> None:
        if item.get("result"):
            url = f"data:image/{item.get('output_format') or 'png'};base64,{item['result']}"
            part = {"type": "image_url", "image_url": {"url": url}}
            self.add_message("user", [part])

    def _parts(self, content: Any, role: str, where: str) -> list[Json]:
        if isinstance(content, str):
            return [{"type": "text", "text": content}]
        parts = []
        for index, given in enumerate(content):
            part = _chat_part(given)
            if part is not None and part["type"] in _PARTS_OF[role]:
                parts.append(part)
            else:
                problem = f"a chat has no such {str(given.get('type'))[:40]} in a message of role {role}"
                self._losses.require_native(f"{where}[{index}]", problem)
        return parts


_ADD: Mapping[str, Callable[[_Translation, Json, str], None]] = {
    "message": _Translation._add_message,
    "reasoning": _Translation._add_reasoning,
    "function_call": _Translation._add_call,
    "custom_tool_call": _Translation._add_call,
    "function_call_output": _Translation._add_result,
    "custom_tool_call_output": _Translation._add_result,
    "tool_search_call": _Translation._add_search,
    "tool_search_output": _Translation._add_found_tools,
    "image_generation_call": _Translation._add_image,
    "additional_tools": lambda *_: None,  # in read_tools()
}


def chat_messages(body: Json, tools: Tools, losses: Losses) -> list[Json]:
    """Return the messages of the chat, the instructions first."""
    given = body["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    translation = _Translation(tools, losses, _call_states(items))
    if body.get("instructions"):
        translation.add_message("system", body["instructions"])
    for index, item in enumerate(items):
        translation.add(item, f"input[{index}]")
    translation.flush()
    return [message for group in translation.groups for message in group]


def _call_states(items: list[Json]) -> dict[str, Json]:
    """Return what Sluice stored about calls in reasoning items, by the id of the call."""
    found: dict[str, Json] = {}
    for item in items:
        encrypted = item.get("encrypted_content") if item.get("type") == "reasoning" else None
        calls = (decode_state(encrypted) or {}).get("calls") if encrypted else None
        for id, state in calls.items() if isinstance(calls, dict) else ():
            if isinstance(state, dict):
                found[id] = {
                    name: state[name] for name, kind in _CALL_STATE.items() if type(state.get(name)) is kind
                }
    return found


def _foreign_details(item: Json) -> list[Json]:
    """Return the `reasoning_details` of reasoning that OpenAI encrypted, as its own chats have them."""
    summaries = [{"type": "reasoning.summary", "summary": one["text"]} for one in item.get("summary") or ()]
    details: list[Json] = [*summaries, {"type": "reasoning.encrypted", "data": item["encrypted_content"]}]
    named = {"id": item["id"]} if item.get("id") else {}
    return [{**one, **named, "format": _OPENAI, "index": index} for index, one in enumerate(details)]


def _content(parts: list[Json]) -> Any:
    """Return the content of a message: text where it is one, since more providers accept that."""
    if not parts:
        return ""
    return parts[0]["text"] if len(parts) == 1 and parts[0].keys() == {"type", "text"} else parts


def _chat_part(part: Json) -> Json | None:
    """Return the part of a chat; None if there is no such part."""
    mark = {name: part[name] for name in ("prompt_cache_breakpoint",) if part.get(name) is not None}
    match part:
        case {"type": "input_text" | "output_text" | "text", "text": str(text)}:
            return {"type": "text", "text": text, **mark}
        case {"type": "refusal", "refusal": str(refusal)}:
            return {"type": "refusal", "refusal": refusal}
        case {"type": "input_image", "image_url": str(url)}:
            detail = {} if part.get("detail") in (None, "auto") else {"detail": part["detail"]}
            return {"type": "image_url", "image_url": {"url": url, **detail}, **mark}
        case {"type": "input_file", "file_data": str()} | {"type": "input_file", "file_id": str()}:
            names = ("file_data", "file_id", "filename")
            file = {name: part[name] for name in names if part.get(name) is not None}
            return {"type": "file", "file": file, **mark}
        case {"type": "input_audio", "input_audio": {"data": str(data), "format": str(kind)}}:
            return {"type": "input_audio", "input_audio": {"data": data, "format": kind}}
    return None


def _summary_of(tool: Json) -> Json:
    """Return the names that a search found. Their definitions are among the tools of the request."""
    members = [one["name"] for one in tool.get("tools") or () if isinstance(one.get("name"), str)]
    return {"name": tool.get("name"), **({"tools": members} if members else {})}
