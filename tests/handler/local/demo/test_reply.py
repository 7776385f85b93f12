"""The demo model's answers, which are the same whole and as a stream."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handler.local.demo.reply import chunks, completion, make_reply

Json = dict[str, Any]

HELLO: list[Json] = [{"role": "user", "content": "hello there"}]
HEARD = "local/echo heard: hello there"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": CITY}}
TIME = {"type": "function", "function": {"name": "time"}}
CITY_ARGUMENTS = '{"city": "echo"}'
PERSON = {"type": "json_schema", "json_schema": {"name": "person", "schema": CITY}}


TOOL_RESULT: list[Json] = [*HELLO, {"role": "tool", "content": "sunny"}]
PARTS = [{"role": "user", "content": [{"type": "text", "text": "see"}, {"type": "image_url"}]}]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        pytest.param({}, HEARD, id="the message is repeated"),
        pytest.param({"messages": [*TOOL_RESULT, *HELLO]}, HEARD, id="the last message counts"),
        pytest.param({"messages": PARTS}, "local/echo heard: see [image_url]", id="parts of a message"),
        pytest.param({"messages": []}, "local/echo heard: (nothing)", id="no messages"),
        pytest.param({"messages": 7}, "local/echo heard: (nothing)", id="messages of a wrong type"),
        pytest.param(
            {"messages": TOOL_RESULT, "tools": [WEATHER]},
            "local/echo was told: sunny",
            id="a result of a tool",
        ),
        pytest.param({"tools": [WEATHER], "tool_choice": "none"}, HEARD, id="no tool is allowed"),
        pytest.param({"tools": []}, HEARD, id="an empty list of tools"),
        pytest.param({"tools": "weather"}, HEARD, id="tools of a wrong type"),
        pytest.param({"max_tokens": 4}, HEARD, id="an answer that just fits is whole"),
        pytest.param({"stop": "hello"}, "local/echo heard: ", id="it stops at a text"),
        pytest.param({"stop": ["there", "heard"]}, "local/echo ", id="it stops at the first of several"),
        pytest.param(
            {"response_format": {"type": "json_object"}}, json.dumps({"heard": HEARD}), id="a JSON object"
        ),
        pytest.param({"response_format": PERSON}, CITY_ARGUMENTS, id="a value of the schema"),
        pytest.param({"response_format": {"type": "text"}}, HEARD, id="text by name"),
    ],
)
def test_the_text_of_a_reply(fields: Json, text: str) -> None:
    reply = make_reply({"messages": HELLO, **fields})
    assert (reply.text, reply.finish, reply.calls) == (text, "stop", ())


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_reply_stops_at_the_limit_of_tokens(name: str) -> None:
    reply = make_reply({"messages": HELLO, name: 2})
    assert (reply.text, reply.finish) == ("local/echo heard:", "length")


@pytest.mark.parametrize(
    ("fields", "called"),
    [
        pytest.param({}, ["weather", "time"], id="every tool is called"),
        pytest.param({"parallel_tool_calls": False}, ["weather"], id="one at a time"),
        pytest.param({"tool_choice": "auto"}, ["weather", "time"], id="auto is the default"),
        pytest.param({"tool_choice": "required"}, ["weather", "time"], id="a call is required"),
        pytest.param(
            {"tool_choice": {"type": "function", "function": {"name": "time"}}},
            ["time"],
            id="one tool is forced",
        ),
        pytest.param(
            {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [TIME]}}},
            ["time"],
            id="only some are allowed",
        ),
        pytest.param(
            {"tool_choice": {"type": "function", "function": {"name": "other"}}},
            [],
            id="an unknown tool is forced",
        ),
    ],
)
def test_the_tools_that_are_called(fields: Json, called: list[str]) -> None:
    reply = make_reply({"messages": HELLO, "tools": [WEATHER, TIME], **fields})
    assert [name for name, _ in reply.calls] == called
    assert reply.finish == ("tool_calls" if called else "stop")
    assert dict(reply.calls).get("weather", CITY_ARGUMENTS) == CITY_ARGUMENTS


def test_a_forced_tool_is_called_again_after_its_result() -> None:
    messages = [*HELLO, {"role": "tool", "content": "sunny"}]
    assert make_reply({"messages": messages, "tools": [WEATHER], "tool_choice": "required"}).calls


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="a text"),
        pytest.param({"n": 3}, id="several choices"),
        pytest.param({"reasoning_effort": "low"}, id="a thought and a text"),
        pytest.param({"tools": [WEATHER, TIME]}, id="parallel tool calls"),
        pytest.param({"functions": [WEATHER["function"]]}, id="a legacy function call"),
        pytest.param({"max_tokens": 2}, id="a text cut short"),
        pytest.param({"response_format": PERSON, "n": 2}, id="a structured answer"),
        pytest.param(
            {"messages": [{"role": "user", "content": "  two\n\nlines \u2028 ☕ "}]}, id="odd spaces"
        ),
    ],
)
def test_a_stream_folds_to_the_whole_answer(fields: Json) -> None:
    body = {"messages": HELLO, "stream_options": {"include_usage": True}, **fields}
    reply, head = make_reply(body), {"id": "chatcmpl-1", "created": 1, "model": "echo"}
    folded = fold(list(chunks(body, reply, head=head)))
    whole = completion(body, reply, head=head)
    assert without_ids(folded["choices"]) == without_ids(whole["choices"])
    assert folded["usage"] == whole["usage"]


def fold(stream: list[Json]) -> Json:
    """Merge a stream as a client does, and check the places of roles, ids, names, ends and usage."""
    *content, last = stream
    choices: dict[int, Json] = {}
    for chunk in content:
        assert chunk["usage"] is None
        (choice,) = chunk["choices"]
        into = choices.setdefault(choice["index"], {"message": {}, "finish_reason": None})
        assert into["finish_reason"] is None, "nothing comes after the end"
        into["finish_reason"] = choice["finish_reason"]
        fold_delta(into["message"], choice["delta"])
    assert last["choices"] == []
    return {"choices": [choices[index] for index in sorted(choices)], "usage": last["usage"]}


def fold_delta(message: Json, delta: Json) -> None:
    for name, value in delta.items():
        if name == "tool_calls":
            calls = message.setdefault("tool_calls", [])
            (call,) = value
            assert call["index"] <= len(calls), "indexes are contiguous"
            if call["index"] == len(calls):
                calls.append({})
            fold_delta(calls[call["index"]], {key: one for key, one in call.items() if key != "index"})
        elif isinstance(value, dict):
            fold_delta(message.setdefault(name, {}), value)
        elif isinstance(value, str):
            message[name] = (message.get(name) or "") + value
        else:
            assert value is None
            message.setdefault(name, None)


def without_ids(choices: list[Json]) -> list[Json]:
    """Return the choices without the ids of calls, which are random; each call must have one."""
    plain = []
    for choice in choices:
        calls = choice["message"].get("tool_calls", ())
        assert all(call["id"].startswith("call_") and call["id"].count("call_") == 1 for call in calls)
        calls = [{**call, "id": ""} for call in calls]
        plain.append((choice["finish_reason"], {**choice["message"], "tool_calls": calls}))
    return [{"finish_reason": finish, **message} for finish, message in plain]


def test_usage_counts_words_for_every_choice() -> None:
    body = {"messages": HELLO, "n": 2, "reasoning_effort": "low"}
    whole = completion(body, make_reply(body), head={})
    assert whole["usage"]["prompt_tokens"] == 2
    assert whole["usage"]["completion_tokens"] == 2 * (4 + 5)
    assert whole["usage"]["completion_tokens_details"] == {"reasoning_tokens": 2 * 5}


def test_a_stream_has_usage_only_when_requested() -> None:
    body = {"messages": HELLO}
    assert all("usage" not in chunk for chunk in chunks(body, make_reply(body), head={}))
