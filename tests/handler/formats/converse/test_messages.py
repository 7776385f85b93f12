"""The messages of a Converse request in a chat."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from handler.errors import Json
from handler.formats.opaque_state import encode_state
from tests.handler.formats.converse.bodies import (
    PNG,
    assistant,
    call,
    document,
    image,
    messages,
    native,
    result,
    user,
)

POINT: Json = {"cachePoint": {"type": "default"}}
MARK: Json = {"cache_control": {"type": "ephemeral"}}
CALL: Json = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"a":1}'}}
IMAGE: Json = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def of_user(content: Any) -> list[Json]:
    return [{"role": "user", "content": content}]


def text(text: str, **more: Any) -> Json:
    return {"type": "text", "text": text, **more}


def file(filename: str, mime_type: str) -> Json:
    data = f"data:{mime_type};base64,{PNG}"
    return {"type": "file", "file": {"filename": filename, "file_data": data}}


USERS: dict[str, tuple[list[Json], list[Json]]] = {
    "one text": ([{"text": "a"}], of_user("a")),
    "two texts": ([{"text": "a"}, {"text": "b"}], of_user([text("a"), text("b")])),
    "nothing": ([], of_user("")),
    "a cache point": ([{"text": "a"}, POINT], of_user([text("a", **MARK)])),
    "a cache point before any block": ([POINT, {"text": "a"}], of_user("a")),
    "an image": ([image()], of_user([IMAGE])),
    "a video": (
        [{"video": {"format": "mov", "source": {"bytes": "AA=="}}}],
        of_user([{"type": "video_url", "video_url": {"url": "data:video/quicktime;base64,AA=="}}]),
    ),
    "audio": (
        [{"audio": {"format": "mpeg", "source": {"bytes": "AA=="}}}],
        of_user([{"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}}]),
    ),
    "a PDF": ([document()], of_user([file("a.pdf", "application/pdf")])),
    "a workbook": (
        [document("xlsx")],
        of_user([file("a.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")]),
    ),
    "a document of text": ([document("csv", bytes=encoded("é,1"))], of_user("a\n\né,1")),
    "a document of text in another encoding": (
        [document("csv", bytes="/w==")],
        of_user(
            [
                {
                    "type": "file",
                    "file": {"filename": "a.csv", "file_data": "data:application/octet-stream;base64,/w=="},
                }
            ]
        ),
    ),
    "a document that is a text": ([document("txt", text="b")], of_user("a\n\nb")),
    "a document of blocks": (
        [document("txt", content=[{"text": "b"}, {"text": "c"}])],
        of_user("a\n\nb\n\nc"),
    ),
    "a search result": (
        [{"searchResult": {"source": "s", "title": "t", "content": [{"text": "c"}]}}],
        of_user("t\n\ns\n\nc"),
    ),
    "guarded content": (
        [{"guardContent": {"text": {"text": "a", "qualifiers": ["query"]}}}, {"guardContent": image()}],
        of_user([text("a"), IMAGE]),
    ),
    "an unknown member of guarded content": ([{"guardContent": {"new": {}}}], of_user("")),
    "results before other blocks": (
        [{"text": "a"}, result({"text": "b"}), result({"json": [1]}, id="call_2", status="error")],
        [
            {"role": "tool", "tool_call_id": "call_1", "content": "b"},
            {"role": "tool", "tool_call_id": "call_2", "content": "[1]", "is_error": True},
            {"role": "user", "content": "a"},
        ],
    ),
    "a cache point after a result": (
        [result({"text": "b"}), POINT],
        [{"role": "tool", "tool_call_id": "call_1", "content": "b", **MARK}],
    ),
    "a result of an image and nothing": (
        [result(image()), result()],
        [
            {"role": "tool", "tool_call_id": "call_1", "content": [IMAGE]},
            {"role": "tool", "tool_call_id": "call_1", "content": ""},
        ],
    ),
}


@pytest.mark.parametrize(("blocks", "expected"), USERS.values(), ids=USERS)
def test_the_blocks_of_a_user(blocks: list[Json], expected: list[Json]) -> None:
    assert messages(user(*blocks)) == expected


STATE = encode_state({"details": [{"type": "reasoning.encrypted", "data": "e"}], "calls": {"call_1": {}}})
ASSISTANTS: dict[str, tuple[list[Json], Json]] = {
    "one text": ([{"text": "a"}], {"content": "a"}),
    "nothing": ([], {"content": ""}),
    "texts become one": (
        [{"text": "a"}, {"citationsContent": {"content": [{"text": "b"}], "citations": [{}]}}],
        {"content": "ab"},
    ),
    "a call": ([call(a=1)], {"content": None, "tool_calls": [CALL]}),
    "a text and a call": ([{"text": "a"}, call(a=1)], {"content": "a", "tool_calls": [CALL]}),
    "a call that is marked": ([call(a=1), POINT], {"content": None, "tool_calls": [CALL], **MARK}),
    "a text that is marked": ([{"text": "a"}, POINT], {"content": [text("a", **MARK)]}),
    "a cache point alone": ([POINT], {"content": ""}),
    "Claude's reasoning": (
        [{"reasoningContent": {"reasoningText": {"text": "t", "signature": "s"}}}, {"text": "a"}],
        {
            "content": "a",
            "reasoning_content": "t",
            "reasoning_details": [
                {
                    "type": "reasoning.text",
                    "text": "t",
                    "signature": "s",
                    "format": "anthropic-claude-v1",
                    "index": 0,
                }
            ],
        },
    ),
    "reasoning without a signature": (
        [{"reasoningContent": {"reasoningText": {"text": "t"}}}],
        {"content": "", "reasoning_content": "t"},
    ),
    "another model's reasoning": (
        [{"reasoningContent": {"redactedContent": STATE}}],
        {
            "content": "",
            "reasoning_details": [{"type": "reasoning.encrypted", "data": "e", "index": 0}],
        },
    ),
    "reasoning of an unknown kind": ([{"reasoningContent": {"new": 1}}, {"text": "a"}], {"content": "a"}),
}


@pytest.mark.parametrize(("blocks", "expected"), ASSISTANTS.values(), ids=ASSISTANTS)
def test_the_blocks_of_an_assistant(blocks: list[Json], expected: Json) -> None:
    assert messages(assistant(*blocks)) == [{"role": "assistant", **expected}]


def test_an_image_of_an_answer_is_left_out_when_it_comes_back() -> None:
    found = native(assistant({"text": "a"}, image()))
    assert (found.only, found.dropped) == (None, ("messages.content.image",))


def test_a_tool_that_ran_at_bedrock_needs_bedrock() -> None:
    found = native(assistant({"toolUse": {**call()["toolUse"], "type": "server_tool_use"}}))
    assert found.only is not None
    assert found.only[0] == "messages[0].content[0].toolUse"


def test_instructions_come_first_and_in_their_place() -> None:
    middle = {"role": "system", "content": [{"text": "c"}]}
    assert messages(user({"text": "b"}), middle, system=[{"text": "a"}, POINT, {"text": "a2"}]) == [
        {"role": "system", "content": [text("a", **MARK), text("a2")]},
        {"role": "user", "content": "b"},
        {"role": "system", "content": "c"},
    ]
