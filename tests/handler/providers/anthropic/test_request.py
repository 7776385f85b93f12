"""What the Anthropic translator sends, beside its captures: the edges of what clients ask for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import Json, UpstreamError
from handler.providers.anthropic.translator import Anthropic
from handler.providers.content_blocks.names import decode_name, encode_name, valid_call_id
from handler.providers.provider import Quirks
from handler.wire.splice import splice
from rules import Model, load_catalog
from rules.catalog.catalog import unlisted_model
from tests.handler.providers.wire_cases import WIRE

NEWEST, FORCIBLE, SUMMARY = "claude-opus-5-5", "claude-haiku-5-5", "claude-opus-4-6"
BUDGET = "claude-haiku-4-5"
SHOWN = {"type": "adaptive", "display": "summarized"}
TOOL: Json = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {}}},
}
FORCED = {"type": "function", "function": {"name": "look"}}


def model(name: str) -> Model:
    return load_catalog().pin("anthropic", name) or unlisted_model("anthropic", name)


def request(chat: Json, name: str = FORCIBLE) -> tuple[Json, tuple[str, ...]]:
    return Anthropic().request({"messages": [user("Hi")], **chat}, model(name), Quirks())


def turns(*messages: Json, name: str = FORCIBLE, **chat: Any) -> list[tuple[str, Any]]:
    """The roles and the contents of what is sent; a turn of one text is that text."""
    sent = request({"messages": list(messages), **chat}, name)[0]
    return [(turn["role"], plain(turn["content"])) for turn in sent["messages"]]


def plain(blocks: list[Json]) -> Any:
    return blocks[0]["text"] if len(blocks) == 1 and blocks[0].keys() == {"type", "text"} else blocks


def user(content: Any, **more: Any) -> Json:
    return {"role": "user", "content": content, **more}


def said(content: Any = None, *calls: Json, **more: Any) -> Json:
    return {"role": "assistant", "content": content, **({"tool_calls": list(calls)} if calls else {}), **more}


def call(id: str, arguments: Any = "{}", name: str = "look") -> Json:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def result(id: str, content: Any = "ok", **more: Any) -> Json:
    return {"role": "tool", "tool_call_id": id, "content": content, **more}


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def use(id: str, input: Json | None = None, name: str = "look") -> Json:
    return {"type": "tool_use", "id": id, "name": name, "input": input or {}}


def answer(id: str, **said_: Any) -> Json:
    return {"type": "tool_result", "tool_use_id": id, **said_}


SCREENSHOT = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}
MISSING = {"content": "No result provided.", "is_error": True}


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        pytest.param(
            [user("A"), said(""), user("B")],
            [("user", [text("A"), text("B")])],
            id="an empty assistant message is left out, and the user's turns around it are merged",
        ),
        pytest.param([user("A"), user([text(" \n")])], [("user", "A")], id="blank text is left out"),
        pytest.param([user("  ")], [("user", ".")], id="an empty user message becomes a placeholder"),
        pytest.param(
            [user("A"), said("B"), said("C", call("1")), result("1")],
            [
                ("user", "A"),
                ("assistant", [text("B"), text("C"), use("1")]),
                ("user", [answer("1", content="ok")]),
            ],
            id="two assistant messages become one turn",
        ),
        pytest.param(
            [said("Welcome."), user("A")],
            [("user", "."), ("assistant", "Welcome."), ("user", "A")],
            id="a placeholder of the user's comes before an assistant that is first",
        ),
        pytest.param(
            [{"role": "system", "content": "Tell a joke."}],
            [("user", "Tell a joke.")],
            id="a system message alone becomes the user's",
        ),
        pytest.param(
            [user("A"), said([{"type": "refusal", "refusal": "No."}]), user("B")],
            [("user", "A"), ("assistant", "No."), ("user", "B")],
            id="a refusal part in the history becomes text",
        ),
        pytest.param(
            [user("A"), said(None, refusal="No."), user("B")],
            [("user", "A"), ("assistant", "No."), ("user", "B")],
            id="the field `refusal` in the history becomes text",
        ),
        pytest.param(
            [user("A"), said(None, call("1"), call("2"))],
            [
                ("user", "A"),
                ("assistant", [use("1"), use("2")]),
                ("user", [answer("1", **MISSING), answer("2", **MISSING)]),
            ],
            id="calls without a result get an error as their result",
        ),
        pytest.param(
            [user("A"), said(None, call("1")), user("Wait"), result("1", "late"), result("1", "last")],
            [("user", "A"), ("assistant", [use("1")]), ("user", [answer("1", content="last"), text("Wait")])],
            id="results come first in their turn, and the last of two for one call counts",
        ),
        pytest.param(
            [user("A"), said(None, call("1"), call("1")), result("1", "x"), result("1", "y")],
            [
                ("user", "A"),
                ("assistant", [use("1"), use("1_1")]),
                ("user", [answer("1", content="x"), answer("1_1", content="y")]),
            ],
            id="two calls with one id get different ids, and so do their results",
        ),
        pytest.param(
            [user("A"), said(None, call("0")), result("0", "x"), said(None, call("0")), result("0", "y")],
            [
                ("user", "A"),
                ("assistant", [use("0")]),
                ("user", [answer("0", content="x")]),
                ("assistant", [use("0_1")]),
                ("user", [answer("0_1", content="y")]),
            ],
            id="an id that repeats in a later turn",
        ),
        pytest.param(
            [user("A"), said(None, call("0_1"), call("0_2"), call("0"), call("0"))],
            [
                ("user", "A"),
                ("assistant", [use("0_1"), use("0_2"), use("0"), use("0_3")]),
                ("user", [answer(id, **MISSING) for id in ("0_1", "0_2", "0", "0_3")]),
            ],
            id="an id that repeats, with its numbered forms in use",
        ),
        pytest.param(
            [user("A"), result("9", "stray")],
            [("user", [text("A"), text("[tool result 9]"), text("stray")])],
            id="a result without a call becomes text",
        ),
        pytest.param(
            [user("A"), said(None, call("1")), result("1", "", is_error=True)],
            [("user", "A"), ("assistant", [use("1")]), ("user", [answer("1", is_error=True)])],
            id="an empty result has no content but keeps its error flag",
        ),
        pytest.param(
            [user("A"), said(None, call("1")), result("1", [text("Crashed"), SCREENSHOT], is_error=True)],
            [
                ("user", "A"),
                ("assistant", [use("1")]),
                ("user", [answer("1", content=[text("Crashed")], is_error=True), PICTURE]),
            ],
            id="the image of an error result follows the result",
        ),
        pytest.param(
            [user("A"), said(None, call("1")), result("1", [SCREENSHOT])],
            [("user", "A"), ("assistant", [use("1")]), ("user", [answer("1", content=[PICTURE])])],
            id="a result that is not an error contains its image",
        ),
        pytest.param(
            [user("A"), said([{"type": "thinking", "thinking": []}, text("B")]), user("C")],
            [("user", "A"), ("assistant", "B"), ("user", "C")],
            id="Mistral's thinking is left out",
        ),
    ],
)
def test_turns(messages: list[Json], expected: list[tuple[str, Any]]) -> None:
    assert turns(*messages) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param("", {}, id="empty"),
        pytest.param("  ", {}, id="blank"),
        pytest.param(None, {}, id="null"),
        pytest.param({"a": 1}, {"a": 1}, id="an object"),
        pytest.param('{"a": 1}', {"a": 1}, id="JSON"),
        pytest.param("[1]", {"value": [1]}, id="a list is wrapped as `value`"),
        pytest.param('{"a": ', {"_raw": '{"a": '}, id="text that is not JSON is wrapped as `_raw`"),
        pytest.param('{"a": NaN}', {"_raw": '{"a": NaN}'}, id="NaN is not JSON"),
    ],
)
def test_arguments_in_the_history(arguments: Any, expected: Json) -> None:
    sent = turns(user("A"), said(None, call("1", arguments)), result("1"))
    assert sent[1] == ("assistant", [use("1", expected)])


def test_tools_are_declared_for_the_calls_in_the_history_and_may_not_be_called() -> None:
    sent, _ = request({"messages": [user("A"), said(None, call("1")), result("1")]})
    assert sent["tools"] == [{"name": "look", "input_schema": {"type": "object", "properties": {}}}]
    assert sent["tool_choice"] == {"type": "none"}


@pytest.mark.parametrize(
    ("chat", "choice"),
    [
        pytest.param({}, None, id="no choice"),
        pytest.param({"tool_choice": "auto"}, None, id="auto is the default and left out"),
        pytest.param({"tool_choice": "none"}, {"type": "none"}, id="none keeps the tools"),
        pytest.param({"tool_choice": "required"}, {"type": "any"}, id="required"),
        pytest.param({"tool_choice": FORCED}, {"type": "tool", "name": "look"}, id="a function"),
        pytest.param(
            {"parallel_tool_calls": False},
            {"type": "auto", "disable_parallel_tool_use": True},
            id="parallel_tool_calls requires a choice",
        ),
        pytest.param(
            {"tool_choice": "none", "parallel_tool_calls": False},
            {"type": "none"},
            id="none excludes disable_parallel_tool_use",
        ),
        pytest.param(
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "allowed_tools": {"mode": "required", "tools": [FORCED]},
                }
            },
            {"type": "any"},
            id="allowed tools",
        ),
    ],
)
def test_the_choice_of_tools(chat: Json, choice: Json | None) -> None:
    sent, dropped = request({"tools": [TOOL], **chat})
    assert sent.get("tool_choice") == choice
    assert [tool["name"] for tool in sent["tools"]] == ["look"]
    assert dropped == ()


@pytest.mark.parametrize("choice", ["required", FORCED])
def test_a_model_that_cannot_be_made_to_call_is_asked_to(choice: Any) -> None:
    other = {"type": "function", "function": {"name": "other"}}
    sent, dropped = request({"tools": [TOOL, other], "tool_choice": choice}, NEWEST)
    assert "tool_choice" not in sent
    assert len(sent["tools"]) == (2 if choice == "required" else 1)
    assert "tool" in sent["system"][-1]["text"]
    assert dropped == ("tool_choice",)


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
        pytest.param({"messages": [user("A"), said("It begins")]}, "messages", id="a prefilled answer"),
    ],
)
def test_what_has_no_place_there_is_refused_by_name(chat: Json, param: str) -> None:
    with pytest.raises(UpstreamError) as raised:
        request(chat)
    error = raised.value
    assert (error.failure_class, error.status, error.code, error.param) == (
        "invalid_request",
        400,
        "unsupported_parameter",
        param,
    )


def test_a_prefill_loses_the_blanks_at_its_end() -> None:
    assert turns(user("A"), said("It begins \n"), name=BUDGET)[-1] == ("assistant", "It begins")


THOUGHT = {
    "type": "reasoning.text",
    "text": "Hm.",
    "signature": "s",
    "format": "anthropic-claude-v1",
    "index": 0,
}
BLOCK = {"type": "thinking", "thinking": "Hm.", "signature": "s"}
REDACTED = {"type": "reasoning.encrypted", "data": "d", "format": "anthropic-claude-v1", "index": 1}


@pytest.mark.parametrize(
    ("name", "message", "expected"),
    [
        pytest.param(
            NEWEST,
            {"reasoning_details": [THOUGHT, REDACTED]},
            [BLOCK, {"type": "redacted_thinking", "data": "d"}],
            id="items of reasoning_details",
        ),
        pytest.param(NEWEST, {"thinking_blocks": [BLOCK]}, [BLOCK], id="blocks of Anthropic's"),
        pytest.param(
            NEWEST, {"reasoning_details": [{**THOUGHT, "model": NEWEST}]}, [BLOCK], id="of this model"
        ),
        pytest.param(
            BUDGET,
            {"reasoning_details": [{**THOUGHT, "model": "claude-haiku-4-5-20251001"}]},
            [BLOCK],
            id="of this model with a date",
        ),
        pytest.param(
            NEWEST, {"reasoning_details": [{**THOUGHT, "model": "claude-opus-5"}]}, [], id="of another model"
        ),
        pytest.param(
            NEWEST,
            {"reasoning_details": [{**THOUGHT, "format": "google-gemini-v1"}]},
            [],
            id="of another provider",
        ),
        pytest.param(
            NEWEST,
            {"reasoning_details": [{"type": "reasoning.text", "text": "Hm."}]},
            [],
            id="without a signature",
        ),
        pytest.param(NEWEST, {"reasoning_content": "Hm."}, [], id="only reasoning_content"),
    ],
)
def test_thoughts_that_are_sent_back(name: str, message: Json, expected: list[Json]) -> None:
    chat = {"messages": [user("A"), said(None, call("1"), **message), result("1")], "tools": [TOOL]}
    sent, _ = request({**chat, "reasoning_effort": "high"}, name)
    assert sent["messages"][1]["content"] == [*expected, use("1")]
    assert ("thinking" in sent) == (name == NEWEST or bool(expected))


@pytest.mark.parametrize(
    ("name", "chat", "thinking", "effort", "left_out"),
    [
        pytest.param(NEWEST, {}, None, None, (), id="no effort"),
        pytest.param(
            NEWEST,
            {"tools": [TOOL]},
            SHOWN,
            None,
            (),
            id="always on: with tools the summary is requested",
        ),
        pytest.param(
            NEWEST, {"reasoning_effort": "high"}, SHOWN, "high", (), id="an effort that the model accepts"
        ),
        pytest.param(
            NEWEST,
            {"reasoning_effort": "none"},
            None,
            "low",
            ("reasoning_effort",),
            id="none where thinking cannot be disabled",
        ),
        pytest.param(
            "claude-sonnet-5-5",
            {"reasoning_effort": "none"},
            {"type": "between_tools"},
            None,
            (),
            id="none keeps thinking between tools",
        ),
        pytest.param(
            FORCIBLE,
            {"reasoning_effort": "none"},
            {"type": "disabled"},
            None,
            (),
            id="none disables thinking",
        ),
        pytest.param(
            FORCIBLE,
            {"reasoning_effort": "minimal"},
            SHOWN,
            "low",
            ("reasoning_effort",),
            id="the lowest effort that the model accepts",
        ),
        pytest.param(
            SUMMARY,
            {"reasoning_effort": "xhigh"},
            SHOWN,
            "high",
            ("reasoning_effort",),
            id="the next lower effort",
        ),
        pytest.param(
            SUMMARY, {"reasoning_effort": "odd"}, None, None, ("reasoning_effort",), id="an unknown effort"
        ),
        pytest.param(
            FORCIBLE,
            {"reasoning_effort": "high", "tools": [TOOL], "tool_choice": FORCED},
            None,
            "high",
            (),
            id="a forced call excludes thinking",
        ),
        pytest.param(
            BUDGET,
            {"reasoning_effort": "high"},
            {"type": "enabled", "budget_tokens": 4096},
            None,
            (),
            id="a budget of tokens",
        ),
        pytest.param(
            BUDGET,
            {"reasoning_effort": "none"},
            None,
            None,
            (),
            id="a budget model does not think by default",
        ),
        pytest.param(
            BUDGET,
            {"reasoning_effort": "high", "max_tokens": 3000},
            {"type": "enabled", "budget_tokens": 1500},
            None,
            (),
            id="the budget is less than max_tokens",
        ),
        pytest.param(
            BUDGET,
            {"reasoning_effort": "high", "max_tokens": 900},
            None,
            None,
            ("reasoning_effort",),
            id="max_tokens is too low for a budget",
        ),
        pytest.param(
            BUDGET,
            {"reasoning_effort": "high", "tools": [TOOL], "tool_choice": "required"},
            None,
            None,
            ("reasoning_effort",),
            id="a forced call excludes a budget",
        ),
        pytest.param("claude-next-6", {"reasoning_effort": "max"}, SHOWN, "max", (), id="an unknown Claude"),
        pytest.param(
            "some-model",
            {"reasoning_effort": "max"},
            None,
            None,
            ("reasoning_effort",),
            id="a model that is not a Claude",
        ),
    ],
)
def test_reasoning_effort(
    name: str, chat: Json, thinking: Json | None, effort: str | None, left_out: tuple[str, ...]
) -> None:
    sent, dropped = request(chat, name)
    assert sent.get("thinking") == thinking
    assert sent.get("output_config", {}).get("effort") == effort
    assert dropped == left_out


def test_thinking_does_not_begin_in_the_middle_of_a_turn() -> None:
    messages = [user("A"), said(None, call("1")), result("1")]
    sent, dropped = request({"messages": messages, "tools": [TOOL], "reasoning_effort": "low"}, BUDGET)
    assert "thinking" not in sent
    assert dropped == ("reasoning_effort",)


def test_without_thinking_its_blocks_are_left_out() -> None:
    messages = [user("A"), said("B", reasoning_details=[THOUGHT]), user("C")]
    assert turns(*messages, name=BUDGET)[1] == ("assistant", "B")
    assert request({"messages": messages}, SUMMARY)[0]["thinking"] == SHOWN, (
        "who sends them back goes on thinking"
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
        pytest.param(
            SUMMARY, {"temperature": 1}, {"temperature": 1}, (), id="a family that accepts sampling"
        ),
        pytest.param(
            SUMMARY,
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
def test_tuning(name: str, chat: Json, expected: Json, left_out: tuple[str, ...]) -> None:
    plainly, _ = request({}, name)
    sent, dropped = request(chat, name)
    sent.pop("thinking", None)
    sent.pop("output_config", None)
    assert sent == {**plainly, **expected}
    assert dropped == left_out


def test_a_json_object_is_no_business_of_this_wire() -> None:
    assert request({"response_format": {"type": "json_object"}}) == request({})


def test_the_last_four_cache_marks_stay() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    parts = [{**text(str(number)), **mark} for number in range(5)]
    sent, _ = request(
        {"messages": [{"role": "system", "content": "S", **mark}, user(parts)], "tools": [{**TOOL, **mark}]}
    )
    blocks = [*sent["tools"], *sent["system"], *sent["messages"][0]["content"]]
    assert ["cache_control" in block for block in blocks] == [False] * 3 + [True] * 4


def test_a_mark_inside_a_result_moves_to_the_result() -> None:
    part = {**text("x"), "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    sent = turns(user("A"), said(None, call("1")), result("1", [part]))
    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    assert sent[-1] == ("user", [answer("1", content=[text("x")], **mark)])


def test_what_the_client_sent_is_not_changed_and_the_same_twice() -> None:
    for case in WIRE.glob("anthropic/*/chat.json"):
        chat = json.loads(case.read_text(encoding="utf-8"))
        first, again = request(chat)[0], request(chat)[0]
        assert json.dumps(first) == json.dumps(again)
        assert chat == json.loads(case.read_text(encoding="utf-8"))


def test_what_is_sent_can_be_told_in_the_clients_text() -> None:
    """handler/upstream/request.py makes the body so."""
    for case in WIRE.glob("anthropic/*/chat.json"):
        client = case.read_text(encoding="utf-8")
        chat = json.loads(client)
        sent, _ = request(chat)
        assert json.loads(splice(client, chat, sent)) == sent


@given(st.text(), st.booleans())
def test_every_name_comes_back_from_its_spelling(name: str, custom: bool) -> None:
    spelling = encode_name(name, custom=custom)
    assert decode_name(spelling) == (name, custom)
    assert spelling.replace("_", "").replace("-", "").isalnum() or not name.strip("_-")


@pytest.mark.parametrize("name", ["a._x2e_", "_x2e.", "_xct_a", "_x5f_", "x.y_x2", "_xct.", "_xffffff_"])
def test_names_that_look_like_spellings(name: str) -> None:
    assert decode_name(encode_name(name)) == (name, False)
    assert decode_name(encode_name(name, custom=True)) == (name, True)


@given(st.text(max_size=80), st.text(max_size=80))
def test_ids_fit_and_stay_apart(first: str, second: str) -> None:
    ids = valid_call_id(first), valid_call_id(second)
    for id in ids:
        assert id.replace("_", "").replace("-", "").isalnum() or set(id) <= {"_", "-"}
    assert (ids[0] == ids[1]) == (first == second)


def test_a_strict_tool_has_a_schema_that_can_be_held_to() -> None:
    function = {
        "name": "f",
        "strict": True,
        "parameters": {"properties": {"a": {"type": "integer", "minimum": 1}}},
    }
    sent, _ = request({"tools": [{"type": "function", "function": function}]})
    assert sent["tools"] == [
        {
            "name": "f",
            "input_schema": {
                "properties": {"a": {"type": "integer", "description": "(minimum: 1)"}},
                "type": "object",
                "additionalProperties": False,
            },
            "strict": True,
        }
    ]


CUSTOM = {
    "type": "custom",
    "custom": {
        "name": "sql",
        "format": {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: x"}},
    },
}


def test_a_custom_tool_takes_its_text_in_an_object() -> None:
    made = {"id": "1", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}
    sent, _ = request({"tools": [CUSTOM], "messages": [user("A"), said(None, made), result("1")]})
    assert sent["tools"][0]["name"] == encode_name("sql", custom=True)
    assert "start: x" in sent["tools"][0]["description"]
    assert sent["messages"][1]["content"] == [
        use("1", {"input": "select 1"}, encode_name("sql", custom=True))
    ]
