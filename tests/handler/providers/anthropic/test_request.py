"""The bodies of requests to Anthropic: parameters, cache marks, and what is refused."""

from __future__ import annotations

import json

import pytest

from handler.errors import Json, UpstreamError
from handler.wire.splice import splice
from tests.handler.providers.content_blocks.builders import (
    BUDGET,
    NEWEST,
    OLDER,
    TOOL,
    assistant,
    request,
    text,
    user,
)
from tests.handler.providers.wire_cases import WIRE


@pytest.mark.parametrize(
    ("chat", "param"),
    [
        pytest.param(
            {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
            "tools[0].type",
            id="a server tool",
        ),
        pytest.param(
            {"tools": [TOOL, {**TOOL, "function": {"name": "look"}, "cache_control": {"type": "ephemeral"}}]},
            "tools[1]",
            id="two tools with one name",
        ),
        pytest.param({"tool_choice": "required"}, "tool_choice", id="a choice without tools"),
        pytest.param(
            {"tools": [{"type": "function", "function": {"name": "a." * 60}}]},
            "tools[0].function.name",
            id="a name that is too long when encoded",
        ),
        pytest.param(
            {"messages": [user([{"type": "input_audio", "input_audio": {"data": "", "format": "mp3"}}])]},
            "messages[0].content[0].type",
            id="audio",
        ),
        pytest.param(
            {"messages": [user([{"type": "image_url", "image_url": {"url": "data:image/svg+xml,<svg/>"}}])]},
            "messages[0].content[0].image_url.url",
            id="an image of an unsupported type",
        ),
        pytest.param(
            {"messages": [user([{"type": "image_url", "image_url": {"url": "data:image/png;base64,***"}}])]},
            "messages[0].content[0].image_url.url",
            id="an image that is not base64",
        ),
        pytest.param(
            {"messages": [user([{"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}])]},
            "messages[0].content[0].image_url.url",
            id="an address of another scheme",
        ),
        pytest.param(
            {"messages": [user([{"type": "file", "file": {"file_id": "file-abc"}}])]},
            "messages[0].content[0].file",
            id="a file stored elsewhere",
        ),
        pytest.param({"messages": [user("A"), assistant("It begins")]}, "messages", id="a prefilled answer"),
    ],
)
def test_unsupported_content_is_refused_with_its_param(chat: Json, param: str) -> None:
    with pytest.raises(UpstreamError) as raised:
        request(chat)
    error = raised.value
    assert (error.failure_class, error.status, error.code, error.param) == (
        "invalid_request",
        400,
        "unsupported_parameter",
        param,
    )


@pytest.mark.parametrize(
    ("name", "chat", "expected", "left_out"),
    [
        pytest.param(BUDGET, {"temperature": 0}, {"temperature": 0}, (), id="temperature 0"),
        pytest.param(
            BUDGET, {"temperature": 1.5}, {"temperature": 1}, ("temperature",), id="a temperature above 1"
        ),
        pytest.param(
            BUDGET,
            {"temperature": 0.5, "top_p": 0.9},
            {"temperature": 0.5},
            ("top_p",),
            id="temperature and top_p",
        ),
        pytest.param(BUDGET, {"top_p": 0.9, "top_k": 5}, {"top_p": 0.9, "top_k": 5}, (), id="top_p alone"),
        pytest.param(
            NEWEST,
            {"temperature": 1, "top_p": 0.9},
            {},
            ("temperature", "top_p"),
            id="a family that accepts no sampling",
        ),
        pytest.param(OLDER, {"temperature": 1}, {"temperature": 1}, (), id="a family that accepts sampling"),
        pytest.param(
            OLDER,
            {"temperature": 1, "reasoning_effort": "low"},
            {},
            ("temperature",),
            id="sampling while the model thinks",
        ),
        pytest.param(
            BUDGET,
            {"max_tokens": 10**6},
            {"max_tokens": 64000},
            ("max_tokens",),
            id="max_tokens above the model's",
        ),
        pytest.param(
            BUDGET,
            {"max_tokens": 100.0, "max_completion_tokens": None},
            {"max_tokens": 100},
            (),
            id="max_tokens as a float",
        ),
        pytest.param("some-model", {}, {"max_tokens": 32000}, (), id="max_tokens of an unknown model"),
        pytest.param(BUDGET, {"stop": "END"}, {"stop_sequences": ["END"]}, (), id="stop as a text"),
        pytest.param(BUDGET, {"stop": ["", "\n"]}, {}, ("stop",), id="blank stops are left out"),
        pytest.param(BUDGET, {"user": "u-1"}, {"metadata": {"user_id": "u-1"}}, (), id="a user"),
        pytest.param(
            BUDGET,
            {"user": "a@example.com", "safety_identifier": "s"},
            {"metadata": {"user_id": "s"}},
            ("user",),
            id="an e-mail address as the user",
        ),
        pytest.param(BUDGET, {"service_tier": "auto"}, {}, (), id="the default tier"),
        pytest.param(BUDGET, {"service_tier": "priority"}, {}, ("service_tier",), id="an unsupported tier"),
        pytest.param(
            BUDGET,
            {"seed": 1, "n": 1, "logprobs": False, "metadata": {"a": "b"}, "tools": None, "x": None},
            {},
            ("seed", "metadata"),
            id="unknown fields",
        ),
        pytest.param(
            BUDGET,
            {"response_format": {"type": "text"}, "modalities": ["text"]},
            {},
            (),
            id="text as format and modality",
        ),
        pytest.param(
            BUDGET,
            {"cache_control": {"type": "ephemeral"}},
            {"cache_control": {"type": "ephemeral"}},
            (),
            id="a cache mark on the body",
        ),
    ],
)
def test_parameters(name: str, chat: Json, expected: Json, left_out: tuple[str, ...]) -> None:
    default, _ = request({}, name)
    sent, dropped = request(chat, name)
    sent.pop("thinking", None)
    sent.pop("output_config", None)
    assert sent == {**default, **expected}
    assert dropped == left_out


def test_a_json_object_format_is_not_sent() -> None:
    assert request({"response_format": {"type": "json_object"}}) == request({})


def test_the_last_four_cache_marks_are_kept() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    parts = [{**text(str(number)), **mark} for number in range(5)]
    sent, _ = request(
        {"messages": [{"role": "system", "content": "S", **mark}, user(parts)], "tools": [{**TOOL, **mark}]}
    )
    blocks = [*sent["tools"], *sent["system"], *sent["messages"][0]["content"]]
    assert ["cache_control" in block for block in blocks] == [False] * 3 + [True] * 4


def test_the_chat_is_not_modified_and_the_body_is_deterministic() -> None:
    for case in WIRE.glob("anthropic/*/chat.json"):
        chat = json.loads(case.read_text(encoding="utf-8"))
        first, again = request(chat)[0], request(chat)[0]
        assert json.dumps(first) == json.dumps(again)
        assert chat == json.loads(case.read_text(encoding="utf-8"))


def test_the_body_can_be_spliced_into_the_clients_text() -> None:
    """handler/upstream/request.py does so."""
    for case in WIRE.glob("anthropic/*/chat.json"):
        client = case.read_text(encoding="utf-8")
        chat = json.loads(client)
        sent, _ = request(chat)
        assert json.loads(splice(client, chat, sent)) == sent
