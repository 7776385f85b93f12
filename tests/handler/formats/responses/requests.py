"""Responses requests in the shape that agents send, random ones, and how tests parse them."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from handler.errors import Json
from handler.formats.chat.fields import check_chat
from handler.formats.chat.request import Chat
from handler.formats.opaque_state import encode_state
from handler.formats.responses.format import RESPONSES
from handler.settings import Settings

USER = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}}
GRAMMAR = {"type": "grammar", "syntax": "lark", "definition": "start: /a+/"}
CUSTOM = {"type": "custom", "name": "patch", "description": "Edits files.", "format": GRAMMAR}
NAMESPACE = {"type": "namespace", "name": "crm", "description": "Customers.", "tools": [FUNCTION, CUSTOM]}
SEARCH = {
    "type": "tool_search",
    "execution": "client",
    "description": "Finds tools.",
    "parameters": {"type": "object", "properties": {"query": {"type": "string"}}},
}
TOOLS = [FUNCTION, CUSTOM, NAMESPACE, SEARCH]

# As Codex 0.171 sends it to a model that it does not know, with its texts replaced.
CODEX: Json = {
    "model": "some-model",
    "stream": True,
    "input": [
        {
            "type": "message",
            "id": "msg_1",
            "role": "developer",
            "content": [{"type": "input_text", "text": "You are an agent."}],
        },
        {
            "type": "message",
            "id": "msg_2",
            "role": "developer",
            "content": [{"type": "input_text", "text": "Skills."}, {"type": "input_text", "text": "Rights."}],
        },
        {
            "type": "message",
            "id": "msg_3",
            "role": "user",
            "content": [{"type": "input_text", "text": "say hello"}],
        },
        {
            "type": "function_call",
            "status": "completed",
            "id": "fc_1",
            "name": "close_agent",
            "namespace": "multi_agent_v1",
            "arguments": "{}",
            "call_id": "call_1",
        },
        {"type": "function_call_output", "id": "fco_1", "call_id": "call_1", "output": "no such agent"},
    ],
    "tools": [
        {"type": "function", "name": "exec_command", "strict": False, "parameters": {"type": "object"}},
        {
            "type": "namespace",
            "name": "multi_agent_v1",
            "description": "Sub-agents.",
            "tools": [{"type": "function", "name": "close_agent", "strict": False, "parameters": {}}],
        },
        {"type": "web_search", "external_web_access": False},
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"summary": "auto"},
    "store": False,
    "include": ["reasoning.encrypted_content"],
    "prompt_cache_key": "key",
    "client_metadata": {"session_id": "s", "turn_id": "t"},
}
# And to a model whose tools it sends as an item of the input.
CODEX_ITEM_TOOLS: Json = {
    "model": "gpt-5.6-sol",
    "stream": True,
    "input": [
        {
            "type": "additional_tools",
            "id": "at_1",
            "role": "developer",
            "tools": [
                {"type": "namespace", "name": "functions", "description": "", "tools": [CUSTOM, FUNCTION]}
            ],
        },
        USER,
    ],
    "tool_choice": "auto",
    "parallel_tool_calls": False,
    "reasoning": {"effort": "low", "context": "all_turns"},
    "store": False,
    "include": ["reasoning.encrypted_content"],
    "text": {"verbosity": "low"},
}


def parse(**fields: Any) -> Chat:
    """Parse a request, and check that its chat is valid."""
    body = json.dumps({"input": "hi", **fields}).encode()
    chat = RESPONSES.parse(body, {}, Settings())
    check_chat(chat.body, max_n=8)
    assert chat.include_usage is chat.stream
    return chat


def only(**fields: Any) -> str | None:
    """Return the path of what a chat cannot say."""
    native = parse(**fields).native
    assert native is not None
    return native.only[0] if native.only else None


def messages(*items: Json, **fields: Any) -> list[Json]:
    found: list[Json] = parse(input=list(items), **fields).body["messages"]
    return found


def random_request(random: Random) -> Json:
    """Return a valid conversation of several turns, with everything that a chat can say."""
    items: list[Json] = []
    for turn in range(random.randint(1, 5)):
        items.append(_user(random))
        if random.random() < 0.8:
            items += _answer(random, turn)
    if not any(item["type"] == "message" for item in items):
        items.append(USER)
    body: Json = {"model": "m", "input": items, "tools": [FUNCTION, CUSTOM, NAMESPACE]}
    for name, values in _OPTIONS.items():
        if random.random() < 0.4:
            body[name] = random.choice(values)
    return body


_OPTIONS: dict[str, list[Any]] = {
    "instructions": ["Be brief.", None],
    "temperature": [0, 0.5, None],
    "top_p": [1.0],
    "max_output_tokens": [1, 4096],
    "stream": [True, False, None],
    "store": [True, False],
    "tool_choice": [
        *("auto", "none", "required"),
        {"type": "function", "name": "f"},
        {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "custom", "name": "patch"}]},
    ],
    "reasoning": [{"effort": "high", "summary": "auto"}, {"effort": None}, {}],
    "text": [
        {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}},
        {"format": {"type": "json_object"}, "verbosity": "low"},
        {"format": {"type": "text"}},
    ],
    "include": [["reasoning.encrypted_content"], ["message.output_text.logprobs"]],
    "top_logprobs": [0, 3],
    "metadata": [{"a": "b"}, {}],
    "truncation": ["auto", "disabled"],
}


def _words(random: Random) -> str:
    return " ".join(random.choice(["blue", "né", "😀", "x\n", "\u2028"]) for _ in range(random.randint(1, 5)))


def _user(random: Random) -> Json:
    parts: list[Json] = [{"type": "input_text", "text": _words(random)} for _ in range(random.randint(1, 2))]
    if random.random() < 0.3:
        parts.append({"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "low"})
    role = random.choice(["user", "user", "developer" if len(parts) < 3 else "user"])
    if role == "developer":
        parts = [part for part in parts if part["type"] == "input_text"]
    return {"type": "message", "role": role, "content": parts}


def _answer(random: Random, turn: int) -> list[Json]:
    items: list[Json] = []
    state: Json
    calls = [f"call_{turn}_{number}" for number in range(random.choice([0, 0, 1, 3]))]
    if random.random() < 0.6:
        detail = {"type": "reasoning.text", "text": "t", "signature": "s", "index": 0}
        state = random.choice([{}, {"reasoning_details": [detail]}])
        items.append(
            {
                "type": "reasoning",
                "id": f"rs_{turn}",
                "summary": [{"type": "summary_text", "text": _words(random)}],
                "encrypted_content": random.choice([encode_state(state), "foreign", None]),
            }
        )
    if not calls or random.random() < 0.4:
        part = {"type": "output_text", "text": _words(random), "annotations": []}
        items.append({"type": "message", "id": "msg_1", "role": "assistant", "content": [part]})
    items += [_call(random, id) for id in calls]
    if calls and random.random() < 0.5:
        state = {"at_end": True, "calls": {calls[0]: {"thought_signature": "c2ln"}}}
        items.append({"type": "reasoning", "summary": [], "encrypted_content": encode_state(state)})
    kinds = {item["call_id"]: item["type"] for item in items if "call_id" in item}
    for id in calls:
        output = random.choice([_words(random), [{"type": "input_text", "text": _words(random)}]])
        items.append({"type": f"{kinds[id]}_output", "call_id": id, "output": output})
    return items


def _call(random: Random, id: str) -> Json:
    namespace = random.choice([{}, {"namespace": "crm"}])
    if random.random() < 0.3:
        return {"type": "custom_tool_call", "call_id": id, "name": "patch", "input": "*** a", **namespace}
    return {"type": "function_call", "call_id": id, "name": "f", "arguments": '{"a": 1}', **namespace}
