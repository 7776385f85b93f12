"""The messages of a Messages request as those of a chat: blocks, results, thinking, instructions."""

from __future__ import annotations

from typing import Any

import pytest

from handler.errors import Json
from tests.handler.formats.anthropic.builders import (
    MARK,
    PNG,
    USER,
    assistant,
    call,
    chat_of,
    native,
    request,
    text,
    tool,
    tool_result,
    tool_use,
    user,
)

PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
PICTURE_PART = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}


def document(source: Json, **more: Any) -> Json:
    return {"type": "document", "source": source, **more}


PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
PLAIN = {"type": "text", "media_type": "text/plain", "data": "Once"}
FILE = "data:application/pdf;base64,JVBERi0="

# Blocks of a user, and the content of the message.
BLOCKS = [
    pytest.param([text("a")], "a", id="one text"),
    pytest.param([text("")], "", id="an empty text"),
    pytest.param([text("a", **MARK)], [text("a", **MARK)], id="a marked text"),
    pytest.param([text("a"), text("b")], [text("a"), text("b")], id="two texts"),
    pytest.param([PICTURE], [PICTURE_PART], id="an image"),
    pytest.param([{**PICTURE, **MARK}], [{**PICTURE_PART, **MARK}], id="a marked image"),
    pytest.param(
        [{"type": "image", "source": {"type": "url", "url": "https://x/a.png"}}],
        [{"type": "image_url", "image_url": {"url": "https://x/a.png"}}],
        id="an image by its address",
    ),
    pytest.param(
        [document(PDF)],
        [{"type": "file", "file": {"filename": "document.pdf", "file_data": FILE}}],
        id="a PDF",
    ),
    pytest.param(
        [document(PDF, title="a.pdf", context="From Ann", **MARK)],
        [text("From Ann"), {"type": "file", "file": {"filename": "a.pdf", "file_data": FILE}, **MARK}],
        id="a PDF with title and context",
    ),
    pytest.param([document(PLAIN)], "Once", id="a document of text"),
    pytest.param([document(PLAIN, title="T", context="C")], "T\n\nC\n\nOnce", id="its title and context"),
    pytest.param(
        [document({"type": "content", "content": "Once"}, title="T")],
        [text("T"), text("Once")],
        id="a document of content",
    ),
    pytest.param(
        [document({"type": "content", "content": [text("a"), PICTURE]})],
        [text("a"), PICTURE_PART],
        id="a document of blocks",
    ),
    pytest.param(
        [{"type": "search_result", "source": "s", "title": "t", "content": [text("a"), text("b")]}],
        "t\n\ns\n\na\n\nb",
        id="a search result",
    ),
]


@pytest.mark.parametrize(("blocks", "content"), BLOCKS)
def test_blocks_of_a_user_become_parts(blocks: list[Json], content: Any) -> None:
    assert chat_of(user(*blocks))["messages"] == [{"role": "user", "content": content}]


def test_citations_of_a_document_are_named_as_dropped() -> None:
    cited = document(PLAIN, citations={"enabled": True})
    assert native(request(user(cited))).dropped == ("citations",)
    assert native(request(user(document(PLAIN, citations={"enabled": False})))).dropped == ()


ONLY = [
    pytest.param(
        user(document({"type": "file", "file_id": "f"})),
        "messages[0].content[0].source.type",
        id="a file of Anthropic's",
    ),
    pytest.param(
        user(document({"type": "url", "url": "https://x"})),
        "messages[0].content[0].source.type",
        id="a document by its address",
    ),
    pytest.param(
        user({"type": "image", "source": {"type": "file", "file_id": "f"}}),
        "messages[0].content[0].source.type",
        id="an image of Anthropic's",
    ),
    pytest.param(
        user({"type": "container_upload", "file_id": "f"}), "messages[0].content[0].type", id="an upload"
    ),
    pytest.param(
        user(tool_result(content=[text("a"), {"type": "browser_state", "tabs": []}])),
        "messages[0].content[0].content[1].type",
        id="the state of a browser",
    ),
    pytest.param(
        assistant({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}),
        "messages[0].content[0].type",
        id="a call of a server's tool",
    ),
    pytest.param(
        {"role": "system", "content": [{"type": "new"}]},
        "messages[0].content[0].type",
        id="an unknown instruction",
    ),
    pytest.param(
        {"role": "system", "content": [{"type": "tool_removal", "tool": {"type": "mcp_tool_reference"}}]},
        "messages[0].content[0].tool.type",
        id="a change of MCP tools",
    ),
]


@pytest.mark.parametrize(("message", "path"), ONLY)
def test_content_that_only_anthropic_knows_is_named(message: Json, path: str) -> None:
    only = native(request(message)).only
    assert only is not None
    assert only[0] == path


RESULTS = [
    pytest.param({}, {"content": ""}, id="no content"),
    pytest.param({"content": "ok"}, {"content": "ok"}, id="text"),
    pytest.param({"content": [text("ok")]}, {"content": "ok"}, id="one block"),
    pytest.param({"content": [text("a"), PICTURE]}, {"content": [text("a"), PICTURE_PART]}, id="an image"),
    pytest.param(
        {"content": [document(PDF)]},
        {"content": [{"type": "file", "file": {"filename": "document.pdf", "file_data": FILE}}]},
        id="a document",
    ),
    pytest.param({"content": "no", "is_error": True}, {"content": "no", "is_error": True}, id="an error"),
    pytest.param({"content": "a", "is_error": False}, {"content": "a"}, id="no error"),
    pytest.param({"content": "a", **MARK}, {"content": "a", **MARK}, id="a marked result"),
    pytest.param(
        {"content": [{"type": "tool_reference", "tool_name": "f"}]},
        {"content": "f"},
        id="a tool that was found",
    ),
]


@pytest.mark.parametrize(("fields", "expected"), RESULTS)
def test_a_result_becomes_a_tool_message(fields: Json, expected: Json) -> None:
    messages = chat_of(user(tool_result(**fields)))["messages"]
    assert messages == [{"role": "tool", "tool_call_id": "toolu_1", **expected}]


def test_results_come_before_the_other_blocks_of_their_message() -> None:
    message = user(text("So?"), tool_result("a", content="1"), text("Well?"), tool_result("b", content="2"))
    assert chat_of(message)["messages"] == [
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
        {"role": "user", "content": [text("So?"), text("Well?")]},
    ]


CLAUDE = {
    "type": "reasoning.text",
    "signature": "sig",
    "format": "anthropic-claude-v1",
    "text": "hm",
    "index": 0,
}
REDACTED = {"type": "reasoning.encrypted", "data": "xx", "format": "anthropic-claude-v1", "index": 1}

ANSWERS = [
    pytest.param([], {"content": ""}, id="nothing"),
    pytest.param([text("a"), text("b")], {"content": "ab"}, id="texts are joined"),
    pytest.param(
        [text("a", **MARK), text("b"), text("c")],
        {"content": [text("a", **MARK), text("bc")]},
        id="but not over a mark",
    ),
    pytest.param(
        [tool_use(a=1)], {"content": None, "tool_calls": [call("toolu_1", "look", '{"a":1}')]}, id="a call"
    ),
    pytest.param(
        [text("a"), {**tool_use(), **MARK}],
        {"content": "a", "tool_calls": [call("toolu_1")], **MARK},
        id="text and a marked call",
    ),
    pytest.param(
        [
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            {"type": "redacted_thinking", "data": "xx"},
            text("a"),
        ],
        {"content": "a", "reasoning_content": "hm", "reasoning_details": [CLAUDE, REDACTED]},
        id="thinking of Claude's",
    ),
    pytest.param(
        [{"type": "thinking", "thinking": "hm"}, text("a")],
        {"content": "a", "reasoning_content": "hm"},
        id="thinking without a signature",
    ),
    pytest.param(
        [{"type": "compaction", "content": "Before."}, text("a")],
        {"content": "Before.a"},
        id="a summary of what was before",
    ),
    pytest.param(
        [{"type": "compaction", "content": None}, {"type": "fallback", "from": {}, "to": {}}, text("a")],
        {"content": "a"},
        id="marks of Anthropic's own",
    ),
    pytest.param(
        [
            {"type": "server_tool_use", "id": "s", "name": "tool_search_tool_regex", "input": {}},
            {"type": "tool_search_tool_result", "tool_use_id": "s", "content": {}},
            text("a"),
        ],
        {"content": "a"},
        id="a search for tools",
    ),
]


@pytest.mark.parametrize(("blocks", "expected"), ANSWERS)
def test_an_answer_becomes_an_assistant_message(blocks: list[Json], expected: Json) -> None:
    found = native(request(USER, assistant(*blocks)))
    assert (found.only, found.dropped) == (None, ())
    assert chat_of(USER, assistant(*blocks))["messages"][1] == {"role": "assistant", **expected}


def system(content: Any, **more: Any) -> Json:
    return {"role": "system", "content": content, **more}


NOTES = [
    pytest.param([USER, system("Now!")], [USER, system("Now!")], id="it keeps its place"),
    pytest.param([USER, {"role": "system", "output_config": {"effort": "low"}}], [USER], id="only an effort"),
    pytest.param(
        [USER, system("a", clear_at="next_user_message")], [USER, system("a")], id="valid for this turn"
    ),
    pytest.param([USER, system("a", clear_at="next_user_message"), USER], [USER, USER], id="no longer valid"),
    pytest.param([USER, system("a", clear_at="never"), USER], [USER, system("a"), USER], id="valid for ever"),
    pytest.param([system("", clear_at="next_user_message"), USER], [USER], id="empty"),
]


@pytest.mark.parametrize(("messages", "expected"), NOTES)
def test_a_system_message_in_the_conversation(messages: list[Json], expected: list[Json]) -> None:
    assert chat_of(*messages)["messages"] == expected


def test_a_conversation_of_nothing_is_still_a_chat() -> None:
    effort = {"role": "system", "output_config": {"effort": "low"}}
    assert chat_of(effort)["messages"] == [{"role": "user", "content": ""}]


def reference(name: str) -> Json:
    return {"type": "tool_reference", "name": name}


def change(kind: str, tool: Json) -> Json:
    return {"role": "system", "content": [{"type": kind, "tool": tool}]}


CHANGES = [
    pytest.param([], ["a", "b"], id="no change"),
    pytest.param([change("tool_removal", reference("a"))], ["b"], id="a removal"),
    pytest.param([change("tool_removal", reference("x"))], ["a", "b"], id="of an unknown tool"),
    pytest.param(
        [change("tool_removal", reference("a")), change("tool_addition", reference("a"))],
        ["b", "a"],
        id="and back",
    ),
    pytest.param(
        [change("tool_addition", {"type": "tool_definition", "definition": tool("c")})],
        ["a", "b", "c"],
        id="a definition",
    ),
    pytest.param(
        [
            change("tool_addition", {"type": "tool_definition", "definition": tool("c")}),
            change("tool_removal", reference("c")),
            change("tool_addition", reference("c")),
        ],
        ["a", "b", "c"],
        id="a definition that was removed",
    ),
]


@pytest.mark.parametrize(("changes", "names"), CHANGES)
def test_changes_of_tools_in_the_conversation(changes: list[Json], names: list[str]) -> None:
    chat = chat_of(USER, *changes, tools=[tool("a"), tool("b", defer_loading=True)])
    assert [one["function"]["name"] for one in chat["tools"]] == names
