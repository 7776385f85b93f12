"""What each field, item, part and tool of a Responses request becomes in the chat."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from handler.errors import Json
from handler.formats.opaque_state import encode_state
from tests.handler.formats.responses.requests import (
    CODEX,
    CODEX_ITEM_TOOLS,
    CUSTOM,
    FUNCTION,
    GRAMMAR,
    NAMESPACE,
    SEARCH,
    USER,
    messages,
    only,
    parse,
    random_request,
)

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": '{"a": 1}'}
CHAT_CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
CUSTOM_CALL = {"type": "custom_tool_call", "call_id": "c2", "name": "patch", "input": "*** a"}
CHAT_CUSTOM_CALL = {"id": "c2", "type": "custom", "custom": {"name": "patch", "input": "*** a"}}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "4"}
IMAGE = {"type": "input_image", "image_url": "data:image/png;base64,AA==", "detail": "high"}
CHAT_IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "high"}}
DETAIL = {"type": "reasoning.text", "text": "t", "signature": "s", "format": "anthropic-claude-v1"}


OPENAI = {"id": "rs_1", "format": "openai-responses-v1"}


def text(words: str, kind: str = "input_text") -> Json:
    return {"type": kind, "text": words}


def message_of(role: str, *parts: Json) -> Json:
    return {"type": "message", "role": role, "content": list(parts)}


def reasoning(summary: str = "", **state: Any) -> Json:
    texts = [text(summary, "summary_text")] if summary else []
    return {"type": "reasoning", "id": "rs_1", "summary": texts, "encrypted_content": encode_state(state)}


ANSWER = message_of("assistant", text("Hello", "output_text"))
CONVERSATIONS: dict[str, tuple[list[Json], list[Json]]] = {
    "a message without a type": ([{"role": "user", "content": "hi"}], [{"role": "user", "content": "hi"}]),
    "one text is the content": ([USER], [{"role": "user", "content": "hi"}]),
    "several parts stay a list": (
        [message_of("user", text("a"), IMAGE)],
        [{"role": "user", "content": [{"type": "text", "text": "a"}, CHAT_IMAGE]}],
    ),
    "the detail auto is the default": (
        [message_of("user", {**IMAGE, "detail": "auto"})],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": IMAGE["image_url"]}}]}],
    ),
    "files and audio": (
        [
            message_of(
                "user",
                {"type": "input_file", "file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"},
                {"type": "input_file", "file_id": "file-1"},
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
            )
        ],
        [
            {
                "role": "user",
                "content": [
                    {
                        "type": "file",
                        "file": {"file_data": "data:application/pdf;base64,AA==", "filename": "a.pdf"},
                    },
                    {"type": "file", "file": {"file_id": "file-1"}},
                    {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
                ],
            }
        ],
    ),
    "a cache mark stays": (
        [message_of("user", {**text("a"), "prompt_cache_breakpoint": {"mode": "explicit"}})],
        [
            {
                "role": "user",
                "content": [{"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}],
            }
        ],
    ),
    "system and developer keep their place": (
        [message_of("system", text("a")), USER, message_of("developer", text("b"))],
        [
            {"role": "system", "content": "a"},
            {"role": "user", "content": "hi"},
            {"role": "developer", "content": "b"},
        ],
    ),
    "a refusal": (
        [USER, message_of("assistant", {"type": "refusal", "refusal": "No."})],
        [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": None, "refusal": "No."},
        ],
    ),
    "two answers in a row are two messages": (
        [ANSWER, ANSWER],
        [{"role": "assistant", "content": "Hello"}, {"role": "assistant", "content": "Hello"}],
    ),
    "reasoning, text and calls are one message": (
        [reasoning("Hm."), ANSWER, CALL, CUSTOM_CALL, OUTPUT],
        [
            {
                "role": "assistant",
                "content": "Hello",
                "reasoning_content": "Hm.",
                "tool_calls": [CHAT_CALL, CHAT_CUSTOM_CALL],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "4"},
        ],
    ),
    "a text between calls and results stays with the calls": (
        [CALL, ANSWER, OUTPUT],
        [
            {"role": "assistant", "content": "Hello", "tool_calls": [CHAT_CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": "4"},
        ],
    ),
    "calls in two steps are two messages": (
        [CALL, OUTPUT, {**CALL, "call_id": "c3"}],
        [
            {"role": "assistant", "content": None, "tool_calls": [CHAT_CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": "4"},
            {"role": "assistant", "content": None, "tool_calls": [{**CHAT_CALL, "id": "c3"}]},
        ],
    ),
    "a result with an image": (
        [CALL, {**OUTPUT, "output": [text("a"), IMAGE]}],
        [
            {"role": "assistant", "content": None, "tool_calls": [CHAT_CALL]},
            {
                "role": "tool",
                "tool_call_id": "c1",
                "content": [{"type": "text", "text": "a"}, CHAT_IMAGE],
            },
        ],
    ),
    "a result that no call asked for": (
        [{"type": "function_call_output", "namespace": "agent", "name": "goal", "output": "x"}],
        [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "[tool result agent__goal]"},
                    {"type": "text", "text": "x"},
                ],
            }
        ],
    ),
    "a result follows its call, whatever is between them": (
        [CALL, {**CALL, "call_id": "c3"}, USER, OUTPUT, {**OUTPUT, "call_id": "c3"}],
        [
            {"role": "assistant", "content": None, "tool_calls": [CHAT_CALL, {**CHAT_CALL, "id": "c3"}]},
            {"role": "tool", "tool_call_id": "c1", "content": "4"},
            {"role": "tool", "tool_call_id": "c3", "content": "4"},
            {"role": "user", "content": "hi"},
        ],
    ),
    "the result of a custom tool": (
        [CUSTOM_CALL, {"type": "custom_tool_call_output", "call_id": "c2", "output": "ok"}],
        [
            {"role": "assistant", "content": None, "tool_calls": [CHAT_CUSTOM_CALL]},
            {"role": "tool", "tool_call_id": "c2", "content": "ok"},
        ],
    ),
    "the state of Claude's thinking comes back": (
        [reasoning("t", reasoning_details=[DETAIL]), ANSWER],
        [
            {
                "role": "assistant",
                "content": "Hello",
                "reasoning_content": "t",
                "reasoning_details": [DETAIL],
            }
        ],
    ),
    "Gemini's signatures come back, wherever their item is": (
        [
            ANSWER,
            CALL,
            reasoning(
                at_end=True,
                calls={"c1": {"thought_signature": "c2ln", "else": 1}},
                extra_content={"google": {"thought_signature": "dGV4dA=="}},
            ),
            OUTPUT,
        ],
        [
            {
                "role": "assistant",
                "content": "Hello",
                "extra_content": {"google": {"thought_signature": "dGV4dA=="}},
                "tool_calls": [{**CHAT_CALL, "thought_signature": "c2ln"}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "4"},
        ],
    ),
    "reasoning that OpenAI encrypted is kept for OpenAI": (
        [{**reasoning("Hm."), "encrypted_content": "gAAAAAB"}, ANSWER],
        [
            {
                "role": "assistant",
                "content": "Hello",
                "reasoning_content": "Hm.",
                "reasoning_details": [
                    {"type": "reasoning.summary", "summary": "Hm.", "index": 0, **OPENAI},
                    {"type": "reasoning.encrypted", "data": "gAAAAAB", "index": 1, **OPENAI},
                ],
            }
        ],
    ),
    "raw reasoning counts where there is no summary": (
        [{"type": "reasoning", "summary": [], "content": [text("Hm.", "reasoning_text")]}, ANSWER],
        [{"role": "assistant", "content": "Hello", "reasoning_content": "Hm."}],
    ),
    "reasoning without an answer is left out": (
        [reasoning("Hm."), USER],
        [{"role": "user", "content": "hi"}],
    ),
    "a second thought begins a second message": (
        [reasoning("a"), ANSWER, reasoning("b"), CALL],
        [
            {"role": "assistant", "content": "Hello", "reasoning_content": "a"},
            {"role": "assistant", "content": None, "reasoning_content": "b", "tool_calls": [CHAT_CALL]},
        ],
    ),
    "a generated image is shown to the model again": (
        [{"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "AA=="}, USER],
        [
            {
                "role": "user",
                "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}],
            },
            {"role": "user", "content": "hi"},
        ],
    ),
    "a client's tool search is a call": (
        [
            {"type": "tool_search_call", "call_id": "c1", "execution": "client", "arguments": {"query": "x"}},
            {"type": "tool_search_output", "call_id": "c1", "tools": [NAMESPACE]},
        ],
        [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "tool_search", "arguments": '{"query":"x"}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": '[{"name":"crm","tools":["f","patch"]}]'},
        ],
    ),
}


@pytest.mark.parametrize("case", CONVERSATIONS)
def test_items_become_messages(case: str) -> None:
    items, expected = CONVERSATIONS[case]
    assert messages(*items) == expected


FIELDS: dict[str, tuple[Json, Json]] = {
    "the instructions are the first message": (
        {"instructions": "Be brief."},
        {"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]},
    ),
    "the limit of the output": ({"max_output_tokens": 5}, {"max_completion_tokens": 5}),
    "the effort": ({"reasoning": {"effort": "high", "summary": "auto"}}, {"reasoning_effort": "high"}),
    "the verbosity": ({"text": {"verbosity": "low"}}, {"verbosity": "low"}),
    "plain text is the default format": ({"text": {"format": {"type": "text"}}}, {}),
    "a JSON object": (
        {"text": {"format": {"type": "json_object"}}},
        {"response_format": {"type": "json_object"}},
    ),
    "a schema": (
        {"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}}},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": SCHEMA, "strict": True},
            }
        },
    ),
    "probabilities that `include` lists": (
        {"include": ["message.output_text.logprobs"]},
        {"logprobs": True},
    ),
    "a number of probabilities": ({"top_logprobs": 3}, {"logprobs": True, "top_logprobs": 3}),
    "a stream has its usage": ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
    "`store: false` stays": ({"store": False}, {"store": False}),
    "`store: true` is not passed on": ({"store": True}, {}),
    "fields with the same name": (
        {
            "model": "m",
            "temperature": 0.5,
            "top_p": 1,
            "user": "u",
            "metadata": {"a": "b"},
            "prompt_cache_key": "k",
            "safety_identifier": "s",
            "service_tier": "flex",
        },
        {
            "model": "m",
            "temperature": 0.5,
            "top_p": 1,
            "user": "u",
            "metadata": {"a": "b"},
            "prompt_cache_key": "k",
            "safety_identifier": "s",
            "service_tier": "flex",
        },
    ),
    "Sluice's own fields": (
        {
            "hints": {"prefer": "cheap"},
            "fallback_models": ["a/b"],
            "tags": {"a": 1},
            "usage": {"include": True},
        },
        {
            "hints": {"prefer": "cheap"},
            "fallback_models": ["a/b"],
            "tags": {"a": 1},
            "usage": {"include": True},
        },
    ),
    "null counts as absent": (
        dict.fromkeys(
            (
                *("instructions", "temperature", "tools", "tool_choice", "text", "reasoning", "include"),
                *("previous_response_id", "conversation", "prompt", "background", "truncation"),
            )
        ),
        {},
    ),
    "a function": (
        {"tools": [{**FUNCTION, "description": "d", "strict": True}]},
        {
            "tools": [
                {
                    "type": "function",
                    "function": {
                        "name": "f",
                        "description": "d",
                        "parameters": {"type": "object"},
                        "strict": True,
                    },
                }
            ]
        },
    ),
    "a custom tool with a grammar": (
        {"tools": [CUSTOM]},
        {
            "tools": [
                {
                    "type": "custom",
                    "custom": {
                        "name": "patch",
                        "description": "Edits files.",
                        "format": {
                            "type": "grammar",
                            "grammar": {"syntax": "lark", "definition": GRAMMAR["definition"]},
                        },
                    },
                }
            ]
        },
    ),
    "a choice without tools": ({"tool_choice": "auto", "parallel_tool_calls": True}, {}),
}


@pytest.mark.parametrize("case", FIELDS)
def test_a_field_becomes_a_field_of_the_chat(case: str) -> None:
    fields, expected = FIELDS[case]
    assert parse(**fields).body == {"messages": [{"role": "user", "content": "hi"}], **expected}
    assert only(**fields) is None


CHOICES: dict[str, tuple[Any, Any]] = {
    "a word": ("required", "required"),
    "a function": ({"type": "function", "name": "f"}, {"type": "function", "function": {"name": "f"}}),
    "a custom tool": ({"type": "custom", "name": "patch"}, {"type": "custom", "custom": {"name": "patch"}}),
    "a tool of a namespace": (
        {"type": "function", "namespace": "crm", "name": "f"},
        {"type": "function", "function": {"name": "crm__f"}},
    ),
    "allowed tools": (
        {
            "type": "allowed_tools",
            "mode": "required",
            "tools": [{"type": "function", "name": "f"}, {"type": "namespace", "name": "crm"}],
        },
        {
            "type": "allowed_tools",
            "allowed_tools": {
                "mode": "required",
                "tools": [
                    {"type": "function", "function": {"name": "f"}},
                    {"type": "function", "function": {"name": "crm__f"}},
                    {"type": "custom", "custom": {"name": "crm__patch"}},
                ],
            },
        },
    ),
}


@pytest.mark.parametrize("case", CHOICES)
def test_a_choice_becomes_a_choice_of_the_chat(case: str) -> None:
    choice, expected = CHOICES[case]
    fields = {"tools": [FUNCTION, CUSTOM, NAMESPACE], "tool_choice": choice}
    assert parse(**fields).body["tool_choice"] == expected
    assert only(**fields) is None


def test_a_namespace_that_is_allowed_many_times_counts_once() -> None:
    allowed = [{"type": "namespace", "name": "crm"}] * 1000
    choice = {"type": "allowed_tools", "mode": "auto", "tools": allowed}
    found = parse(tools=[NAMESPACE], tool_choice=choice).body["tool_choice"]["allowed_tools"]["tools"]
    assert len(found) == 2


def names_of(*tools: Json) -> list[str]:
    return [tool[tool["type"]]["name"] for tool in parse(tools=list(tools)).body["tools"]]


def test_a_tool_of_a_namespace_has_one_name_of_its_own() -> None:
    clash = {**FUNCTION, "name": "crm__f"}
    long = {"type": "namespace", "name": "n" * 60, "tools": [FUNCTION, {**FUNCTION, "name": "g"}]}
    odd = {"type": "namespace", "name": "a b", "tools": [FUNCTION]}
    assert names_of(FUNCTION, NAMESPACE) == ["f", "crm__f", "crm__patch"]
    for names in (names_of(NAMESPACE, clash), names_of(long), names_of(odd)):
        assert len(set(names)) == len(names)
        assert all(len(name) <= 64 and name.replace("_", "").isalnum() for name in names)
    assert names_of(NAMESPACE, clash)[0] == "crm__f", "a tool without a namespace keeps its name"


def test_tools_of_items_count_once() -> None:
    found = {"type": "tool_search_output", "call_id": "c1", "tools": [NAMESPACE]}
    body = parse(input=[USER, found, found], tools=[FUNCTION, SEARCH]).body
    names = [tool[tool["type"]]["name"] for tool in body["tools"]]
    assert names == ["f", "tool_search", "crm__f", "crm__patch"]


ONLY_NATIVE: dict[str, tuple[Json, str]] = {
    "a tool that OpenAI runs": (
        {"tools": [FUNCTION, {"type": "file_search", "vector_store_ids": ["v"]}]},
        "tools[1].type",
    ),
    "a web search alone": ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
    "a web search that may be what is required": (
        {"tools": [FUNCTION, {"type": "web_search_preview_2025_03_11"}], "tool_choice": "required"},
        "tools[1].type",
    ),
    "a shell": ({"tools": [FUNCTION, {"type": "local_shell"}]}, "tools[1].type"),
    "a foreign tool in a namespace": (
        {"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "mcp"}]}]},
        "tools[0].tools[0].type",
    ),
    "the choice of a tool that OpenAI runs": (
        {"tools": [FUNCTION], "tool_choice": {"type": "image_generation"}},
        "tool_choice.type",
    ),
    "an allowed tool that OpenAI runs": (
        {
            "tools": [FUNCTION],
            "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "web_search"}]},
        },
        "tool_choice.tools[0]",
    ),
    "a choice without tools": ({"tool_choice": "required"}, "tool_choice"),
    "a compacted conversation": (
        {"input": [USER, {"type": "compaction", "encrypted_content": "x"}]},
        "input[1].type",
    ),
    "an item of the future": ({"input": [USER, {"type": "hologram"}]}, "input[1].type"),
    "nothing but an item of the future": ({"input": [{"type": "hologram"}]}, "input[0].type"),
    "an image that OpenAI stores": (
        {"input": [message_of("user", {"type": "input_image", "file_id": "file-1"})]},
        "input[0].content[0]",
    ),
    "a file at an address": (
        {"input": [message_of("user", {"type": "input_file", "file_url": "https://a/b.pdf"})]},
        "input[0].content[0]",
    ),
    "an image among instructions": ({"input": [message_of("developer", IMAGE)]}, "input[0].content[0]"),
    "a part of the future in a result": (
        {"input": [CALL, {**OUTPUT, "output": [{"type": "hologram"}]}]},
        "input[1].output[0]",
    ),
    "a format of the future": ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
}


@pytest.mark.parametrize("case", ONLY_NATIVE)
def test_a_request_names_the_first_part_that_a_chat_cannot_say(case: str) -> None:
    fields, path = ONLY_NATIVE[case]
    assert only(**fields) == path


DROPPED: dict[str, tuple[Json, tuple[str, ...]]] = {
    "a web search beside functions": (
        {"tools": [FUNCTION, {"type": "web_search"}]},
        ("tools.web_search",),
    ),
    "OpenAI's own tool search": (
        {"tools": [FUNCTION, {"type": "tool_search"}], "tool_choice": "none"},
        ("tools.tool_search",),
    ),
    "a search in the history": (
        {"input": [USER, {"type": "web_search_call", "status": "completed"}]},
        ("input.web_search_call",),
    ),
    "a description of a namespace": ({"tools": [NAMESPACE]}, ("tools.description",)),
    "truncation": ({"truncation": "auto"}, ("truncation",)),
    "no truncation": ({"truncation": "disabled"}, ()),
    "members of reasoning": ({"reasoning": {"mode": "pro", "context": None}}, ("reasoning.mode",)),
    "fields that tune, and unknown ones": (
        {"max_tool_calls": 2, "context_management": [], "future": 1, "client_metadata": {"a": "b"}},
        ("max_tool_calls", "context_management", "future"),
    ),
}


@pytest.mark.parametrize("case", DROPPED)
def test_what_only_tunes_the_answer_is_left_out_and_named(case: str) -> None:
    fields, expected = DROPPED[case]
    native = parse(**fields).native
    assert native is not None
    assert (native.only, native.dropped) == (None, expected)


def test_names_of_dropped_fields_are_few_and_short() -> None:
    native = parse(**{f"{number:03}" + "x" * 1000: 1 for number in range(100)}).native
    assert native is not None
    assert len(native.dropped) == 32
    assert max(map(len, native.dropped)) == 64


def test_a_request_of_codex_is_understood() -> None:
    chat = parse(**CODEX)
    assert chat.native is not None
    assert (chat.native.only, chat.native.dropped) == (None, ("tools.description", "tools.web_search"))
    assert (chat.stream, chat.include_usage, chat.no_content_log) == (True, True, True)
    assert [message["role"] for message in chat.body["messages"]] == [
        *("developer", "developer", "user", "assistant", "tool")
    ]
    assert chat.body["messages"][3]["tool_calls"][0]["function"]["name"] == "multi_agent_v1__close_agent"
    assert len(chat.body["tools"]) == 2


def test_codex_may_send_its_tools_as_an_item() -> None:
    chat = parse(**CODEX_ITEM_TOOLS)
    assert chat.native is not None
    assert (chat.native.only, chat.native.dropped) == (None, ("reasoning.context",))
    assert [tool["type"] for tool in chat.body["tools"]] == ["custom", "function"]
    assert len(chat.body["messages"]) == 1


def test_random_conversations_lose_nothing() -> None:
    """Every text, call, result and piece of state of the items is in the messages, in the same order."""
    random = Random(11)
    for _ in range(200):
        body = random_request(random)
        chat = parse(**body)
        assert chat.native is not None
        assert chat.native.only is None
        assert texts_of(chat.body["messages"]) == texts_of_items(body)


def texts_of_items(body: Json) -> list[str]:
    texts = [body["instructions"]] if body.get("instructions") else []
    for index, item in enumerate(body["input"]):
        is_sent = item["type"] != "reasoning" or _is_answered(body["input"][index:])
        content = item.get("content") or item.get("output") or item.get("summary") or []
        parts = [{"text": content}] if isinstance(content, str) else content
        texts += [part["text"] for part in parts if "text" in part and is_sent]
        texts += [item[name] for name in ("arguments", "input") if name in item]
    return sorted(texts)


def _is_answered(items: list[Json]) -> bool:
    after = next((item for item in items if item["type"] != "reasoning"), {"type": "end"})
    return after["type"] in ("function_call", "custom_tool_call") or after.get("role") == "assistant"


def texts_of(messages: list[Json]) -> list[str]:
    texts: list[str] = []
    for message in messages:
        content = message["content"] or []
        parts = [{"text": content}] if isinstance(content, str) else content
        texts += [part["text"] for part in parts if "text" in part]
        texts += [message["reasoning_content"]] if "reasoning_content" in message else []
        for call in message.get("tool_calls", ()):
            texts += [call[call["type"]].get("arguments") or call[call["type"]]["input"]]
    return sorted(texts)


def test_the_native_request_is_the_clients_own() -> None:
    chat = parse(**CODEX)
    assert chat.native is not None
    assert chat.native.dialect == "responses"
    assert json.loads(chat.native.text) == chat.native.body == CODEX
