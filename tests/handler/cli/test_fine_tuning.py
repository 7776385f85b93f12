"""Examples for OpenAI's fine-tuning: golden lines, and entries that make none.

The fields are those of FineTuneChatRequestInput in https://github.com/openai/openai-openapi.
"""

from __future__ import annotations

from typing import Any

import pytest

from handler.cli.fine_tuning import NoExample, example_of

Json = dict[str, Any]
HI = {"role": "user", "content": "hi"}
HELLO = {"role": "assistant", "content": "Hello"}
CALL = {"id": "t1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
FUNCTION = {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True}
TOOL = {"type": "function", "function": FUNCTION}


def entry(message: Json, *messages: Json, finish: str | None = "stop", **fields: Any) -> Json:
    return {
        "request": {"model": "up/m", "temperature": 1, "messages": list(messages) or [HI], **fields},
        "answer": {"id": "c1", "choices": [{"index": 0, "message": message, "finish_reason": finish}]},
        "error": None,
        "left": False,
        "truncated": False,
    }


EXAMPLES = [
    pytest.param(entry(HELLO), {"messages": [HI, HELLO]}, id="a conversation"),
    pytest.param(
        entry(
            {**HELLO, "refusal": None, "annotations": [], "reasoning_content": "hm", "audio": None},
            {"role": "developer", "content": "Be brief.", "cache_control": {"type": "ephemeral"}},
            {**HI, "name": "ann"},
            {**HELLO, "reasoning_content": "hm"},
            HI,
        ),
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {**HI, "name": "ann"},
                HELLO,
                HI,
                HELLO,
            ]
        },
        id="fields that the format does not have are left out",
    ),
    pytest.param(
        entry(
            {"role": "assistant", "content": None, "tool_calls": [{**CALL, "extra_content": {"x": 1}}]},
            finish="tool_calls",
            tools=[{**TOOL, "cache_control": {}}],
            parallel_tool_calls=False,
            tool_choice="auto",
        ),
        {
            "messages": [HI, {"role": "assistant", "tool_calls": [CALL]}],
            "tools": [TOOL],
            "parallel_tool_calls": False,
        },
        id="a tool call, with the tools",
    ),
    pytest.param(
        entry(
            HELLO,
            HI,
            {"role": "assistant", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "t1", "content": "42"},
            tools=[TOOL],
        ),
        {
            "messages": [
                HI,
                {"role": "assistant", "tool_calls": [CALL]},
                {"role": "tool", "content": "42", "tool_call_id": "t1"},
                HELLO,
            ],
            "tools": [TOOL],
        },
        id="the result of a tool",
    ),
    pytest.param(
        entry(
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
            HI,
            {"role": "function", "name": "g", "content": "1"},
            finish="function_call",
            functions=[FUNCTION],
        ),
        {
            "messages": [
                HI,
                {"role": "function", "content": "1", "name": "g"},
                {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
            ],
            "functions": [{"name": "f", "description": "d", "parameters": {"type": "object"}}],
        },
        id="the legacy form",
    ),
    pytest.param(
        entry(
            HELLO,
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "what?", "cache_control": {}},
                    {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
                ],
            },
        ),
        {
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "what?"},
                        {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
                    ],
                },
                HELLO,
            ]
        },
        id="text and images",
    ),
    pytest.param(
        entry({"role": "assistant", "content": None, "refusal": "No."}),
        {"messages": [HI, {"role": "assistant", "refusal": "No."}]},
        id="a refusal",
    ),
]


@pytest.mark.parametrize(("logged", "example"), EXAMPLES)
def test_the_example_of_an_entry(logged: Json, example: Json) -> None:
    assert example_of(logged) == example


def part(kind: str) -> Json:
    return {"role": "user", "content": [{"type": kind, kind: {}}]}


NONE = [
    pytest.param({**entry(HELLO), "error": {"message": "x"}}, "no whole answer", id="an error"),
    pytest.param({**entry(HELLO), "answer": None}, "no whole answer", id="no answer"),
    pytest.param({**entry(HELLO), "left": True}, "no whole answer", id="the client left"),
    pytest.param({**entry(HELLO), "truncated": True}, "no whole answer", id="an answer that is truncated"),
    pytest.param(entry(HELLO, finish="length"), "cut off or filtered", id="too few tokens"),
    pytest.param(entry(HELLO, finish="content_filter"), "cut off or filtered", id="a filter"),
    pytest.param(entry(HELLO, finish=None), "cut off or filtered", id="a stream that broke off"),
    pytest.param({**entry(HELLO), "answer": {"content": []}}, "another format", id="Anthropic's answer"),
    pytest.param({**entry(HELLO), "request": {"prompt": "x"}}, "another format", id="no messages"),
    pytest.param({**entry(HELLO), "request": "x"}, "another format", id="a request that is no object"),
    pytest.param(entry(HELLO, {"role": "narrator", "content": "x"}), "another format", id="an unknown role"),
    pytest.param(entry({"role": "assistant", "content": ""}), "an empty message", id="an empty answer"),
    pytest.param(entry(HELLO, part("input_audio")), "audio, files", id="audio"),
    pytest.param(entry(HELLO, part("file")), "audio, files", id="a file"),
    pytest.param(
        entry({"role": "assistant", "tool_calls": [{"id": "t", "type": "custom", "custom": {}}]}),
        "tools that are not functions",
        id="a call of a custom tool",
    ),
    pytest.param(
        entry(HELLO, tools=[{"type": "custom", "custom": {"name": "f"}}]),
        "tools that are not functions",
        id="a custom tool",
    ),
]


@pytest.mark.parametrize(("logged", "reason"), NONE)
def test_an_entry_that_makes_no_example(logged: Json, reason: str) -> None:
    with pytest.raises(NoExample, match=reason):
        example_of(logged)
