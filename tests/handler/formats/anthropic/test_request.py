"""Messages requests as chats: the fields, and what a chat cannot say."""

from __future__ import annotations

import hashlib
import json
import random
from typing import Any

import pytest

from handler.errors import GatewayError, InvalidRequest, Json
from handler.formats.anthropic.format import MESSAGES
from handler.settings import Settings
from tests.handler.formats.anthropic.builders import MARK, USER, chat_of, native, parse, request, text, tool
from tests.support.hostile_requests import HOSTILE, Hostile

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
LONG = "u" * 100
DEVICE = json.dumps({"device_id": "d" * 64, "account_uuid": "", "session_id": "s"})
STREAM = {"stream": True, "stream_options": {"include_usage": True}}
ANSWER_FORMAT = {
    "response_format": {"type": "json_schema", "json_schema": {"name": "output", "schema": SCHEMA}}
}

# The fields of a request, and those of its chat besides model, max_tokens and messages.
FIELDS = [
    pytest.param({}, {}, id="no other field"),
    pytest.param(
        {"temperature": 0.5, "top_p": 0.9, "top_k": 40},
        {"temperature": 0.5, "top_p": 0.9, "top_k": 40},
        id="sampling",
    ),
    pytest.param({"stop_sequences": ["a", ""]}, {"stop": ["a"]}, id="stop sequences, without an empty one"),
    pytest.param({"stop_sequences": []}, {}, id="no stop sequence"),
    pytest.param({"stream": True}, STREAM, id="a stream, with usage"),
    pytest.param({"stream": False}, {}, id="no stream"),
    pytest.param({"service_tier": "standard_only"}, {"service_tier": "default"}, id="the standard tier"),
    pytest.param({"service_tier": "auto"}, {"service_tier": "auto"}, id="any tier"),
    pytest.param({"metadata": {"user_id": "u1"}}, {"user": "u1"}, id="a user"),
    pytest.param(
        {"metadata": {"user_id": LONG}},
        {"user": hashlib.sha256(LONG.encode()).hexdigest()},
        id="a long name of a user",
    ),
    pytest.param(
        {"metadata": {"user_id": DEVICE}}, {"user": "d" * 64}, id="Claude Code's device, without its session"
    ),
    pytest.param({"metadata": {"user_id": "{"}}, {"user": "{"}, id="a name that only begins as JSON does"),
    pytest.param({"metadata": {}}, {}, id="empty metadata"),
    pytest.param({"cache_control": {"type": "ephemeral"}}, MARK, id="automatic cache marks"),
    pytest.param(
        {"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}},
        ANSWER_FORMAT,
        id="a schema of the answer",
    ),
    pytest.param(
        {"output_format": {"type": "json_schema", "schema": SCHEMA}},
        ANSWER_FORMAT,
        id="a schema under its first name",
    ),
    pytest.param(
        {"hints": {"prefer": "cheap"}, "tags": {"a": "b"}},
        {"hints": {"prefer": "cheap"}, "tags": {"a": "b"}},
        id="fields of Sluice's own",
    ),
    pytest.param(
        {"models": ["a/b"], "fallback_models": ["c"]},
        {"models": ["a/b"], "fallback_models": ["c"]},
        id="fallbacks",
    ),
    pytest.param(
        {"container": None, "top_k": None, "thinking": None, "system": None}, {}, id="nulls count as absent"
    ),
    pytest.param({"mcp_servers": []}, {}, id="an empty list counts as absent"),
]


@pytest.mark.parametrize(("fields", "expected"), FIELDS)
def test_a_field_becomes_that_of_a_chat(fields: Json, expected: Json) -> None:
    chat = chat_of(**fields)
    assert chat == {"model": "m", "max_tokens": 100, "messages": [USER], **expected}
    assert native(request(**fields)).only is None
    assert native(request(**fields)).dropped == ()


EFFORTS = [
    pytest.param({"output_config": {"effort": "xhigh"}}, "xhigh", id="an effort"),
    pytest.param({"thinking": {"type": "adaptive"}}, "medium", id="adaptive thinking"),
    pytest.param(
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}, "low", id="both: the effort"
    ),
    pytest.param({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "low", id="the least budget"),
    pytest.param({"thinking": {"type": "enabled", "budget_tokens": 3000}}, "high", id="a budget in between"),
    pytest.param({"thinking": {"type": "enabled", "budget_tokens": 31999}}, "max", id="a large budget"),
    pytest.param({"thinking": {"type": "disabled"}}, "none", id="no thinking"),
    pytest.param({"thinking": {"type": "between_tools"}}, "none", id="thinking only between tools"),
]


@pytest.mark.parametrize(("fields", "effort"), EFFORTS)
def test_thinking_and_effort_become_an_effort(fields: Json, effort: str) -> None:
    assert chat_of(**fields)["reasoning_effort"] == effort


def test_the_effort_of_the_last_message_replaces_that_of_the_request() -> None:
    first, last = (
        {"role": "system", "content": "x", "output_config": {"effort": one}} for one in ("low", "max")
    )
    assert chat_of(USER, first, USER, last, output_config={"effort": "medium"})["reasoning_effort"] == "max"
    other = {**USER, "output_config": "only system messages have one"}
    assert chat_of(other, output_config={"effort": "medium"})["reasoning_effort"] == "medium"


ONLY = [
    pytest.param({"container": "c1"}, "container", id="a container"),
    pytest.param(
        {"mcp_servers": [{"type": "url", "url": "u", "name": "n"}]}, "mcp_servers", id="MCP servers"
    ),
    pytest.param({"inference_geo": "eu"}, "inference_geo", id="the place of inference"),
    pytest.param({"thread": {"type": "create"}}, "thread", id="a conversation that Anthropic keeps"),
    pytest.param({"compaction": {"type": "summarize"}}, "compaction", id="a summary of the conversation"),
    pytest.param({"max_tokens": 0}, "max_tokens", id="filling the cache"),
    pytest.param(
        {"tools": [tool(), {"type": "web_search_20260318", "name": "web_search"}]},
        "tools[1].type",
        id="a server's tool",
    ),
    pytest.param(
        {"tools": [{"type": "bash_20250124", "name": "bash"}]},
        "tools[0].type",
        id="a tool with Anthropic's schema",
    ),
    pytest.param(
        {"tools": [{"type": "mcp_toolset", "mcp_server_name": "n"}]},
        "tools[0].type",
        id="tools of an MCP server",
    ),
]


@pytest.mark.parametrize(("fields", "path"), ONLY)
def test_what_only_anthropic_knows_is_named(fields: Json, path: str) -> None:
    found = native(request(**fields))
    assert found.only is not None
    assert found.only[0] == path
    assert found.only[1].startswith("only Anthropic knows ")


DROPPED = [
    pytest.param(
        {"context_management": {"edits": [{"type": "clear_thinking_20251015"}]}},
        "context_management",
        id="context management",
    ),
    pytest.param({"speed": "fast"}, "speed", id="a faster mode"),
    pytest.param(
        {"stop_sequences": list("abcde")}, "stop_sequences", id="more stop sequences than a chat has"
    ),
    pytest.param({"service_tier": "flex"}, "service_tier", id="an unknown tier"),
    pytest.param({"diagnostics": {"previous_message_id": "x"}}, "diagnostics", id="diagnostics"),
    pytest.param({"fallbacks": "default"}, "fallbacks", id="fallbacks at Anthropic"),
    pytest.param({"output_config": {"task_budget": {}}}, "output_config", id="an unknown output option"),
    pytest.param({"thinking": {"type": "new"}}, "thinking", id="an unknown kind of thinking"),
    pytest.param(
        {"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}},
        "output_config.effort",
        id="an effort without thinking",
    ),
    pytest.param({"tomorrow": 1}, "tomorrow", id="an unknown field"),
    pytest.param({"tools": [tool(input_examples=[{}])]}, "tools.input_examples", id="examples of a tool"),
]


@pytest.mark.parametrize(("fields", "name"), DROPPED)
def test_tuning_that_a_chat_does_not_have_is_left_out_and_named(fields: Json, name: str) -> None:
    found = native(request(**fields))
    assert (found.only, found.dropped) == (None, (name,))


def test_the_names_that_are_dropped_are_bounded() -> None:
    dropped = native(request(**{f"{'x' * 200}{index}": 1 for index in range(1000)})).dropped
    assert len(dropped) <= 50
    assert max(map(len, dropped)) == 100


SYSTEM = [
    pytest.param("Be brief.", ["Be brief."], id="text"),
    pytest.param("", [], id="empty text"),
    pytest.param([text("a")], ["a"], id="one block"),
    pytest.param([text("a", **MARK), text("b")], [[text("a", **MARK), text("b")]], id="marked blocks"),
    pytest.param([text("x-anthropic-billing-header: v=1"), text("a")], ["a"], id="Claude Code's own line"),
]


@pytest.mark.parametrize(("system", "expected"), SYSTEM)
def test_the_system_prompt_comes_first(system: Any, expected: list[Any]) -> None:
    instructions = [{"role": "system", "content": content} for content in expected]
    assert chat_of(system=system)["messages"] == [*instructions, USER]


def test_a_request_of_claude_code() -> None:
    note = {
        "role": "system",
        "content": [text("Note", **MARK)],
        "output_config": {"effort": "medium"},
        "clear_at": "never",
    }
    body = request(
        {"role": "user", "content": [text("Say hello", **MARK)]},
        note,
        system=[
            text("x-anthropic-billing-header: cc_version=2"),
            text("You are", **MARK),
            text("Rules", **MARK),
        ],
        tools=[tool(f"Tool{index}", description="d", defer_loading=index > 3) for index in range(12)],
        metadata={"user_id": DEVICE},
        max_tokens=128000,
        thinking={"type": "adaptive", "display": "omitted"},
        context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        output_config={"effort": "medium"},
        stream=True,
    )
    chat = parse(body, **{"x-claude-code-session-id": "s1"})
    assert chat.native is not None
    assert (chat.native.only, chat.native.dropped) == (None, ("context_management", "system[0]"))
    assert (chat.session, chat.stream, chat.include_usage) == ("s1", True, True)
    assert chat.native.body == body
    assert chat.native.text == chat.text == json.dumps(body)
    assert chat.body == {
        "model": "m",
        "max_tokens": 128000,
        "user": "d" * 64,
        **STREAM,
        "reasoning_effort": "medium",
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": f"Tool{index}",
                    "description": "d",
                    "parameters": {"type": "object", "properties": {}},
                },
            }
            for index in range(12)
        ],
        "messages": [
            {"role": "system", "content": [text("You are", **MARK), text("Rules", **MARK)]},
            {"role": "user", "content": [text("Say hello", **MARK)]},
            {"role": "system", "content": [text("Note", **MARK)]},
        ],
    }


def test_a_request_without_max_tokens_can_be_counted() -> None:
    assert parse({"messages": [USER]}).body == {"messages": [USER]}


ERRORS = [
    pytest.param({}, "messages", id="no messages"),
    pytest.param(request(messages=[]), "messages", id="an empty conversation"),
    pytest.param(request({"role": "robot", "content": "x"}), "messages[0].role", id="an unknown role"),
    pytest.param(request({"role": "user"}), "messages[0].content", id="a message without content"),
    pytest.param(request({"role": "system"}), "messages[0]", id="a system message without anything"),
    pytest.param(
        request({"role": "user", "content": [{}]}), "messages[0].content[0].type", id="a block without type"
    ),
    pytest.param(
        request({"role": "user", "content": [{"type": "text"}]}), "messages[0].content[0].text", id="no text"
    ),
    pytest.param(
        request({"role": "user", "content": [{"type": "image", "source": {"type": "url"}}]}),
        "messages[0].content[0].source.url",
        id="an image without address",
    ),
    pytest.param(
        request({"role": "user", "content": [{"type": "tool_result", "tool_use_id": 1}]}),
        "messages[0].content[0].tool_use_id",
        id="a number as an id",
    ),
    pytest.param(
        request(
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "b", "input": "{}"}]}
        ),
        "messages[0].content[0].input",
        id="input that is text",
    ),
    pytest.param(
        request(
            {"role": "system", "content": [{"type": "tool_addition", "tool": {"type": "tool_reference"}}]}
        ),
        "messages[0].content[0].tool.name",
        id="a change without name",
    ),
    pytest.param(request(max_tokens=-1), "max_tokens", id="fewer than no tokens"),
    pytest.param(request(max_tokens=True), "max_tokens", id="a boolean limit"),
    pytest.param(request(temperature="hot"), "temperature", id="a temperature that is text"),
    pytest.param(request(stop_sequences="x"), "stop_sequences", id="one stop sequence as text"),
    pytest.param(request(metadata={"user_id": 5}), "metadata.user_id", id="a number as user"),
    pytest.param(
        request(thinking={"type": "enabled"}), "thinking.budget_tokens", id="thinking without a budget"
    ),
    pytest.param(request(thinking="on"), "thinking", id="thinking that is text"),
    pytest.param(
        request(output_config={"format": {"type": "xml"}}),
        "output_config.format.type",
        id="an unknown format",
    ),
    pytest.param(
        request(output_config={"format": {"type": "json_schema"}}),
        "output_config.format.schema",
        id="a format without schema",
    ),
    pytest.param(
        request(output_config={"format": {"type": "json_schema", "schema": {}}}, output_schema={}),
        "output_schema",
        id="two schemas",
    ),
    pytest.param(request(tools=[{"input_schema": {}}]), "tools[0].name", id="a tool without name"),
    pytest.param(request(tools=[{"type": 7}]), "tools[0].type", id="a number as a type"),
    pytest.param(request(tools=[tool(input_schema=[])]), "tools[0].input_schema", id="a list as a schema"),
    pytest.param(request(tools=[tool("a b")]), "tools[0].name", id="a name with a blank"),
    pytest.param(request(tool_choice={"type": "some"}), "tool_choice.type", id="an unknown choice"),
    pytest.param(request(tool_choice={"type": "tool"}), "tool_choice.name", id="a choice without name"),
    pytest.param(request(hints={"preferred": 1}), "hints.preferred", id="a misspelt hint"),
    pytest.param(request(system=[{"type": "image"}]), "system[0].type", id="an image as instructions"),
    pytest.param([], None, id="a list"),
    pytest.param("x", None, id="a text"),
]


@pytest.mark.parametrize(("body", "param"), ERRORS)
def test_a_bad_request_is_refused_with_the_path(body: Any, param: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(body)
    assert caught.value.param == param


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=case.id)
        for case in HOSTILE
        if case.by == "parse" and case.code == "invalid_json"
    ],
)
def test_hostile_json_is_refused_as_for_a_chat(case: Hostile) -> None:
    with pytest.raises(GatewayError) as caught:
        MESSAGES.parse(case.body, case.headers, Settings())
    assert caught.value.code == "invalid_json"


WORDS = (
    *("type", "text", "content", "role", "tool_use", "tool_result", "source", "base64", "document"),
    "system",
)
VALID = (
    request(
        USER, {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": "s"}]}
    ),
    request(
        {
            "role": "user",
            "content": [{"type": "document", "source": {"type": "content", "content": [text("a")]}}],
        }
    ),
    request(
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": [text("x")]}]}
    ),
    request(
        USER, {"role": "system", "content": [{"type": "tool_removal", "tool": {"type": "x"}}]}, tools=[tool()]
    ),
    request(output_config={"effort": "low"}, thinking={"type": "adaptive"}, metadata={"user_id": "{}"}),
)


def test_random_changes_are_translated_or_refused_with_a_path() -> None:
    random_ = random.Random(11)
    paths: list[str | None] = []
    for _ in range(4000):
        body = json.loads(json.dumps(random_.choice(VALID)))
        for _ in range(random_.randint(1, 3)):
            _change(body, random_)
        try:
            parse(body)
        except InvalidRequest as error:
            paths.append(error.param)
    assert all(paths)
    assert 1000 < len(paths) < 3900


def _change(value: Any, random_: random.Random) -> None:
    """Replace, add or remove something at a random place."""
    while True:
        names: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
        inner = [name for name in names if isinstance(value[name], dict | list) and value[name]]
        if not inner or random_.random() < 0.3:
            break
        value = value[random_.choice(inner)]
    junk: list[Any] = [
        None,
        True,
        0,
        -1,
        1.5,
        "",
        "x",
        "text",
        [],
        {},
        [{}],
        {"type": "text"},
        {"type": "tool_use"},
        [[]],
    ]
    new = random_.choice(junk)
    if isinstance(value, dict):
        name = random_.choice([*names, *WORDS])
        value[name] = new
    elif value:
        value[random_.choice(names)] = new
