"""The demo model: one answer for both whole and stream, schemas filled in validly, failures on request."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest

from handler.local.demo.reply import chunks, completion, reply
from handler.local.demo.schema_sample import sample
from handler.local.demo.server import BEHAVIOURS, create_demo

Json = dict[str, Any]

HELLO: list[Json] = [{"role": "user", "content": "hello there"}]
HEARD = "local/echo heard: hello there"
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": CITY}}
TIME = {"type": "function", "function": {"name": "time"}}
CITY_ARGUMENTS = '{"city": "echo"}'
PERSON = {"type": "json_schema", "json_schema": {"name": "person", "schema": CITY}}


TOLD: list[Json] = [*HELLO, {"role": "tool", "content": "sunny"}]
PARTS = [{"role": "user", "content": [{"type": "text", "text": "see"}, {"type": "image_url"}]}]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        pytest.param({}, HEARD, id="it says what it heard"),
        pytest.param({"messages": [*TOLD, *HELLO]}, HEARD, id="the last message counts"),
        pytest.param({"messages": PARTS}, "local/echo heard: see [image_url]", id="parts of a message"),
        pytest.param({"messages": []}, "local/echo heard: (nothing)", id="nothing was said"),
        pytest.param({"messages": 7}, "local/echo heard: (nothing)", id="messages of a wrong type"),
        pytest.param(
            {"messages": TOLD, "tools": [WEATHER]}, "local/echo was told: sunny", id="a tool answered"
        ),
        pytest.param({"tools": [WEATHER], "tool_choice": "none"}, HEARD, id="no tool may be called"),
        pytest.param({"tools": []}, HEARD, id="an empty list of tools"),
        pytest.param({"tools": "weather"}, HEARD, id="tools of a wrong type"),
        pytest.param({"max_tokens": 4}, HEARD, id="an answer that just fits is whole"),
        pytest.param({"stop": "hello"}, "local/echo heard: ", id="it stops at a text"),
        pytest.param({"stop": ["there", "heard"]}, "local/echo ", id="it stops at the first of several"),
        pytest.param(
            {"response_format": {"type": "json_object"}}, json.dumps({"heard": HEARD}), id="a JSON object"
        ),
        pytest.param({"response_format": PERSON}, CITY_ARGUMENTS, id="a value of the schema"),
        pytest.param({"response_format": {"type": "text"}}, HEARD, id="text asked for by name"),
    ],
)
def test_what_it_says(fields: Json, text: str) -> None:
    said = reply({"messages": HELLO, **fields})
    assert (said.text, said.finish, said.calls) == (text, "stop", ())


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_it_stops_at_the_most_tokens(name: str) -> None:
    said = reply({"messages": HELLO, name: 2})
    assert (said.text, said.finish) == ("local/echo heard:", "length")


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
def test_which_tools_it_calls(fields: Json, called: list[str]) -> None:
    said = reply({"messages": HELLO, "tools": [WEATHER, TIME], **fields})
    assert [name for name, _ in said.calls] == called
    assert said.finish == ("tool_calls" if called else "stop")
    assert dict(said.calls).get("weather", CITY_ARGUMENTS) == CITY_ARGUMENTS


def test_a_forced_tool_is_called_again_after_it_answered() -> None:
    told = [*HELLO, {"role": "tool", "content": "sunny"}]
    assert reply({"messages": told, "tools": [WEATHER], "tool_choice": "required"}).calls


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
    said, head = reply(body), {"id": "chatcmpl-1", "created": 1, "model": "echo"}
    folded = fold(list(chunks(body, said, head=head)))
    whole = completion(body, said, head=head)
    assert without_ids(folded["choices"]) == without_ids(whole["choices"])
    assert folded["usage"] == whole["usage"]


def fold(stream: list[Json]) -> Json:
    """What a client makes of a stream: roles, ids and names once, texts joined, one end, usage last."""
    *spoken, counted = stream
    choices: dict[int, Json] = {}
    for chunk in spoken:
        assert chunk["usage"] is None
        (choice,) = chunk["choices"]
        into = choices.setdefault(choice["index"], {"message": {}, "finish_reason": None})
        assert into["finish_reason"] is None, "nothing comes after the end"
        into["finish_reason"] = choice["finish_reason"]
        fold_delta(into["message"], choice["delta"])
    assert counted["choices"] == []
    return {"choices": [choices[index] for index in sorted(choices)], "usage": counted["usage"]}


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
    """Ids of calls are drawn anew for each answer; each must be there once."""
    plain = []
    for choice in choices:
        calls = choice["message"].get("tool_calls", ())
        assert all(call["id"].startswith("call_") and call["id"].count("call_") == 1 for call in calls)
        kept = [{**call, "id": ""} for call in calls]
        plain.append((choice["finish_reason"], {**choice["message"], "tool_calls": kept}))
    return [{"finish_reason": finish, **message} for finish, message in plain]


def test_usage_counts_words_for_every_choice() -> None:
    body = {"messages": HELLO, "n": 2, "reasoning_effort": "low"}
    whole = completion(body, reply(body), head={})
    assert whole["usage"]["prompt_tokens"] == 2
    assert whole["usage"]["completion_tokens"] == 2 * (4 + 5)
    assert whole["usage"]["completion_tokens_details"] == {"reasoning_tokens": 2 * 5}


def test_a_stream_tells_usage_only_when_asked() -> None:
    body = {"messages": HELLO}
    assert all("usage" not in chunk for chunk in chunks(body, reply(body), head={}))


NEXT = {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}
NODE = {"type": "object", "required": ["next"], "properties": {"next": NEXT}}
TREE = {
    "type": "object",
    "required": ["all"],
    "properties": {"all": {"type": "array", "items": {"$ref": "#"}}},
}
NAMED = {"a": {"$ref": "#/$defs/b"}, "b": {"const": 3}}
ONE = {"properties": {"a": {"const": 1}}, "required": ["a"]}
OTHER = {"type": "object", "required": ["b"]}
INTEGERS = {"type": "array", "items": {"type": "integer"}}


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param({"type": "string", "minLength": 9, "maxLength": 10}, id="a text of some length"),
        pytest.param({"type": "string", "maxLength": 2}, id="a short text"),
        pytest.param({"type": "string", "format": "date-time"}, id="a text of some format"),
        pytest.param({"type": "integer", "minimum": 7}, id="a least integer"),
        pytest.param({"type": "integer", "exclusiveMinimum": 7}, id="an integer above"),
        pytest.param({"type": "integer", "maximum": -3}, id="a negative integer"),
        pytest.param({"type": "integer", "exclusiveMaximum": 0}, id="an integer below"),
        pytest.param({"type": "integer", "multipleOf": 5, "minimum": 11}, id="a multiple"),
        pytest.param({"type": "number", "exclusiveMinimum": 1, "exclusiveMaximum": 2}, id="a number between"),
        pytest.param({"type": "number", "minimum": 0.1, "maximum": 0.2}, id="a number in narrow bounds"),
        pytest.param({"type": "number", "multipleOf": 0.25, "minimum": 1}, id="a multiple of a fraction"),
        pytest.param({"type": "boolean"}, id="a boolean"),
        pytest.param({"type": "null"}, id="null"),
        pytest.param({"enum": ["b", "a"]}, id="one of a list"),
        pytest.param({"const": {"x": [1]}}, id="one value only"),
        pytest.param({"type": ["integer", "null"]}, id="one of several types"),
        pytest.param({**INTEGERS, "minItems": 3}, id="a list of some length"),
        pytest.param({**INTEGERS, "maxItems": 0}, id="an empty list"),
        pytest.param({"type": "array", "prefixItems": [{"type": "integer"}, {"type": "null"}]}, id="a tuple"),
        pytest.param({"type": "object", "minProperties": 2}, id="an object of some size"),
        pytest.param({"type": "object", "required": ["a"]}, id="a member nobody described"),
        pytest.param({"properties": {"a": {"type": "null"}}, "required": ["a"]}, id="a type left out"),
        pytest.param({"anyOf": [{"type": "integer"}, {"type": "string"}]}, id="the first of some"),
        pytest.param({"oneOf": [{"const": 1}, {"const": 2}]}, id="exactly one of some"),
        pytest.param({"allOf": [ONE, OTHER]}, id="all of some"),
        pytest.param({"$ref": "#/$defs/a~1b", "$defs": {"a/b": INTEGERS}}, id="an escaped reference"),
        pytest.param({"$ref": "#/$defs/a", "$defs": NAMED}, id="two references"),
        pytest.param({"$ref": "#/$defs/node", "$defs": {"node": NODE}}, id="a recursive schema that may end"),
        pytest.param(TREE, id="a recursive list"),
        pytest.param({}, id="anything"),
        pytest.param(True, id="anything at all"),
    ],
)
def test_a_sample_is_valid(schema: Any) -> None:
    importlib.import_module("jsonschema").validate(sample(schema), schema)


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param(False, id="nothing is admitted"),
        pytest.param({"$ref": "#"}, id="a reference to itself"),
        pytest.param({"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}, id="endless"),
        pytest.param({"$ref": "#/$defs/missing"}, id="a reference to nothing"),
        pytest.param({"type": "integer", "minimum": 3, "maximum": 1}, id="bounds the wrong way round"),
        pytest.param({"type": "number", "minimum": float("inf")}, id="an infinite bound"),
        pytest.param({"type": "number", "multipleOf": 0}, id="multiples of nothing"),
        pytest.param({"type": "string", "minLength": "many"}, id="a bound that is no number"),
        pytest.param({"type": 7, "enum": [], "allOf": {}, "required": "a"}, id="wrong types everywhere"),
        pytest.param({"type": "array", "minItems": 10**12}, id="an enormous list"),
    ],
)
def test_a_schema_without_values_gives_just_a_value(schema: Any) -> None:
    json.dumps(sample(schema))


async def call(method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes, bool]:
    """One request: status, headers, body, and whether the answer is complete."""
    sent: list[Any] = []
    pieces = [body[:5], body[5:]]

    async def receive() -> Json:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: Any) -> None:
        sent.append(message)

    await create_demo(pause=0)({"type": "http", "method": method, "path": path}, receive, send)
    head, *rest = sent
    headers = {name.decode(): value.decode() for name, value in head["headers"]}
    return head["status"], headers, b"".join(part["body"] for part in rest), not rest[-1]["more_body"]


async def chat(**fields: Any) -> tuple[int, dict[str, str], bytes, bool]:
    body = json.dumps({"messages": HELLO, **fields}).encode()
    return await call("POST", "/v1/chat/completions", body)


async def test_a_whole_answer_over_http() -> None:
    status, headers, body, _ = await chat(model="echo")
    answer = json.loads(body)
    assert (status, headers["content-type"], answer["model"]) == (200, "application/json", "echo")
    assert answer["choices"][0]["message"]["content"] == HEARD


async def test_a_stream_over_http_has_one_id_and_ends_with_done() -> None:
    status, headers, body, _ = await chat(model="echo", stream=True)
    *events, last, nothing = body.decode().split("\n\n")
    assert (status, headers["content-type"], last, nothing) == (200, "text/event-stream", "data: [DONE]", "")
    assert len({json.loads(event.removeprefix("data: "))["id"] for event in events}) == 1


async def test_half_a_character_leaves_as_it_came() -> None:
    _, _, body, _ = await chat(model="echo", messages=[{"role": "user", "content": "\ud83d"}], stream=True)
    assert b'"\\ud83d"' in body.replace(b" ", b"")


@pytest.mark.parametrize(
    ("model", "status"),
    [pytest.param(name, one.status, id=name) for name, one in BEHAVIOURS.items() if one.status != 200],
)
async def test_a_model_that_fails(model: str, status: int) -> None:
    found, headers, body, _ = await chat(model=model, stream=True)
    error = json.loads(body)["error"]
    assert (found, set(error)) == (status, {"message", "type", "param", "code"})
    assert headers.get("retry-after") == BEHAVIOURS[model].retry_after


async def test_a_stream_that_ends_in_an_error() -> None:
    _, _, body, complete = await chat(model="echo-error", stream=True)
    assert complete
    assert (
        json.loads(body.decode().split("\n\n")[-2].removeprefix("data: "))["error"]["type"] == "server_error"
    )


async def test_a_stream_whose_connection_drops() -> None:
    _, _, body, complete = await chat(model="echo-cut", stream=True)
    assert not complete
    assert b"[DONE]" not in body
    assert body.count(b"data: ") == 4


@pytest.mark.parametrize("model", ["echo-cut", "echo-error"])
async def test_what_breaks_in_a_stream_fails_as_a_whole(model: str) -> None:
    assert (await chat(model=model))[0] == 500


async def test_it_lists_its_models() -> None:
    _, _, body, _ = await call("GET", "/v1/models")
    assert [model["id"] for model in json.loads(body)["data"]] == list(BEHAVIOURS)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        pytest.param("GET", "/v1/chat/completions", b"", 404, id="a wrong method"),
        pytest.param("POST", "/v1/embeddings", b"{}", 404, id="an unknown path"),
        pytest.param("POST", "/v1/chat/completions", b"{nonsense", 400, id="broken JSON"),
        pytest.param("POST", "/v1/chat/completions", b"\xff\xfe", 400, id="broken UTF-8"),
        pytest.param("POST", "/v1/chat/completions", b"[1, 2, 3]", 404, id="no object, so no model"),
        pytest.param("POST", "/v1/chat/completions", b'{"model": "other"}', 404, id="an unknown model"),
    ],
)
async def test_what_it_refuses(method: str, path: str, body: bytes, status: int) -> None:
    found, _, answer, _ = await call(method, path, body)
    assert (found, "message" in json.loads(answer)["error"]) == (status, True)
