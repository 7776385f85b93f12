"""Which way a model is held to a schema, what it is sent on that way, and what becomes of its answer."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from handler.errors import InvalidRequest, Json, SchemaMismatch, UpstreamError
from handler.providers.provider import Provider, Quirks
from handler.providers.registry import TRANSLATORS
from handler.providers.rows.builtin import PROVIDERS
from handler.structured.checked_stream import CheckedStream
from handler.structured.correction import with_correction
from handler.structured.modes import OutputContract, mode_of, output_contract
from handler.structured.schema_attempt import SchemaAttempt, schema_attempt
from rules import Model
from tests.support.canned_answers import chunk

CITY: Json = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
NODE: Json = {
    "$ref": "#/$defs/n",
    "$defs": {"n": {"type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}}},
}
LIST: Json = {"type": "array", "items": {"type": "integer"}}
USER: Json = {"role": "user", "content": "Where is the Eiffel Tower?"}
TOOLS = [{"type": "function", "function": {"name": "look"}}]
ALL = ("tools", "json_object", "json_schema")


def chat(schema: Json | None = CITY, **fields: Any) -> Json:
    said: Json = {"type": "json_object"}
    if schema is not None:
        said = {"type": "json_schema", "json_schema": {"name": "place", "schema": schema}}
    return {"messages": [USER], "response_format": said, **fields}


def model(*can: str, provider: str = "up", rules: tuple[str, ...] = ()) -> Model:
    return Model(provider=provider, name="m", can=frozenset(can), rules=rules)


def row(dialect: str = "openai", **quirks: Any) -> Provider:
    return Provider(name="up", dialect=dialect, quirks=Quirks(**quirks))


def asked(body: Json) -> OutputContract:
    found = output_contract(body)
    assert found is not None
    return found


UNABLE: Json = {"unable": frozenset({"json_schema"})}
MAPS: Json = {"unable": frozenset({"json_schema"}), "tool_choice": {"required": "auto"}}
WAYS = [
    pytest.param("native", chat(), model(*ALL), row(), id="natively where model and wire have it"),
    pytest.param("native", chat(tools=TOOLS), model(*ALL), row(), id="natively beside tools"),
    pytest.param("native", chat(LIST), model(*ALL), row(), id="natively whatever the root"),
    pytest.param(
        "tool", chat(), model("tools", "json_object"), row(), id="by a tool where the model lacks it"
    ),
    pytest.param("tool", chat(), model(*ALL), row(**UNABLE), id="by a tool where the provider lacks it"),
    pytest.param("tool", chat(LIST), model("tools"), row(), id="by a tool with a list wrapped up"),
    pytest.param("tool", chat(NODE), model("tools"), row(), id="by a tool with definitions taken along"),
    pytest.param("prompt", chat(), model(), row(), id="in words without tools"),
    pytest.param("prompt", chat(tools=TOOLS), model("tools"), row(), id="in words beside the client's tools"),
    pytest.param(
        "prompt",
        chat(functions=[{"name": "look"}]),
        model("tools"),
        row(),
        id="in words beside its functions",
    ),
    pytest.param("prompt", chat(), model("tools"), row(**MAPS), id="in words where required means auto"),
    pytest.param(
        "prompt",
        chat(),
        model("tools"),
        row(unable=frozenset({"tools"})),
        id="in words where no tool can be said",
    ),
    pytest.param(
        "prompt",
        chat(),
        model("tools", rules=("no_forced_tool",)),
        row(),
        id="in words where none can be forced",
    ),
    pytest.param(
        "prompt",
        chat({"items": {"$ref": "#"}}),
        model("tools"),
        row(),
        id="in words where wrapping would bend a reference",
    ),
    pytest.param("native", chat(), model(*ALL), row("anthropic"), id="natively at Anthropic"),
    pytest.param("tool", chat(NODE), model(*ALL), row("anthropic"), id="a schema in itself by a tool there"),
    pytest.param(
        "tool",
        chat({"type": "object", "properties": {f"p{at}": {} for at in range(25)}}),
        model(*ALL),
        row("anthropic"),
        id="very many optional properties, too",
    ),
    pytest.param(
        "prompt",
        chat(NODE, reasoning_effort="high"),
        model(*ALL),
        row("anthropic"),
        id="in words where a forced call would end the thinking",
    ),
    pytest.param(
        "prompt",
        chat(NODE),
        model(*ALL, rules=("thinking_on",)),
        row("anthropic"),
        id="or it cannot be ended",
    ),
    pytest.param(
        "native", chat(reasoning_effort="high"), model(*ALL), row("anthropic"), id="thinking natively"
    ),
    pytest.param("prompt", chat(None), model(*ALL), row("anthropic"), id="an object in words at Anthropic"),
    pytest.param("native", chat(), model(*ALL), row("google"), id="natively at Gemini"),
    pytest.param("native", chat(tools=TOOLS), model(*ALL), row("google"), id="beside tools too"),
    pytest.param(
        "prompt",
        chat(tools=TOOLS),
        model(*ALL, rules=("no_json_tools",)),
        row("google"),
        id="but in words where an older one has tools",
    ),
    pytest.param(
        "native",
        chat(tools=TOOLS, tool_choice="none"),
        model(*ALL, rules=("no_json_tools",)),
        row("google"),
        id="unless they may not be called",
    ),
    pytest.param(
        "prompt",
        chat(tools=TOOLS, tool_choice="required"),
        model(*ALL),
        row("google"),
        id="and in words where a call is forced",
    ),
    pytest.param("tool", chat(), model(*ALL), PROVIDERS["deepseek"], id="DeepSeek"),
    pytest.param("prompt", chat(), model(*ALL), PROVIDERS["moonshot"], id="Moonshot"),
    pytest.param("prompt", chat(), model(*ALL), PROVIDERS["zai"], id="Z.ai"),
    pytest.param("prompt", chat(None), model(*ALL), PROVIDERS["perplexity"], id="Perplexity's objects"),
    pytest.param("native", chat(None), model("json_schema"), row(), id="who can schemas can objects"),
]


@pytest.mark.parametrize(("way", "body", "who", "at"), WAYS)
def test_the_way(way: str, body: Json, who: Model, at: Provider) -> None:
    assert mode_of(asked(body), body, who, at, TRANSLATORS[at.dialect]) == way


@pytest.mark.parametrize("body", [{}, {"response_format": None}, {"response_format": {"type": "text"}}])
def test_text_is_not_held_to_anything(body: Json) -> None:
    assert output_contract(body) is None


def test_what_the_provider_does_itself_is_left_to_it() -> None:
    body = chat(None)
    assert schema_attempt(asked(body), body, model(*ALL), row(), TRANSLATORS["openai"]) is None


def form(
    body: Json, *can: str, repair_of: SchemaMismatch | None = None, at: Provider | None = None
) -> SchemaAttempt:
    at = at or row()
    found = schema_attempt(asked(body), body, model(*can), at, TRANSLATORS[at.dialect], repair_of)
    assert found is not None
    return found


def test_natively_nothing_is_changed() -> None:
    body = chat()
    assert form(body, *ALL).request(body) is body


def test_by_a_tool_nothing_else_can_be_done() -> None:
    body = chat(tools=[], tool_choice="auto", functions=[], function_call="auto", temperature=0)
    sent = form(body, "tools").request(body)
    function = sent["tools"][0]["function"]
    assert function["parameters"] is CITY
    assert sent == {
        "messages": body["messages"],
        "temperature": 0,
        "tools": [{"type": "function", "function": function}],
        "tool_choice": "required",
    }


@pytest.mark.parametrize(("schema", "rest"), [(LIST, LIST), (NODE, {"$ref": "#/$defs/n"})])
def test_what_is_no_object_is_wrapped_in_one(schema: Json, rest: Json) -> None:
    parameters = form(chat(schema), "tools").request(chat(schema))["tools"][0]["function"]["parameters"]
    assert parameters["properties"] == {"value": rest}
    assert parameters["required"] == ["value"]
    assert parameters.get("$defs") == schema.get("$defs")


SYSTEMS = [
    pytest.param([USER], ["system", "user"], id="alone at the head"),
    pytest.param(
        [{"role": "system", "content": "Be brief."}, USER], ["system", "user"], id="in the one there is"
    ),
    pytest.param(
        [{"role": "developer", "content": [{"type": "text", "text": "Be brief."}]}, USER],
        ["developer", "user"],
        id="as a part of it",
    ),
]


@pytest.mark.parametrize(("messages", "roles"), SYSTEMS)
def test_in_words_the_schema_is_at_the_end_of_the_system_message(
    messages: list[Json], roles: list[str]
) -> None:
    body = {**chat(), "messages": messages}
    sent = form(body).request(body)
    assert [message["role"] for message in sent["messages"]] == roles
    text = json.dumps(sent["messages"][0]["content"])
    assert text.rfind("properties") > text.rfind("Be brief.")
    assert sent["messages"][-1] is USER
    assert "response_format" not in sent


def test_in_words_the_providers_own_json_mode_helps() -> None:
    for schema, helps in [(CITY, {"type": "json_object"}), (LIST, None)]:
        sent = form(chat(schema), "json_object").request(chat(schema))
        assert sent.get("response_format") == helps


def test_a_second_round_says_what_was_wrong_with_the_first() -> None:
    mismatch = SchemaMismatch("$.city: expected string", answer_text='{"city":3}')
    sent = with_correction(form(chat(), *ALL, repair_of=mismatch).request(chat()), mismatch)
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "user"]
    assert sent["messages"][1]["content"] == '{"city":3}'
    assert "$.city: expected string" in sent["messages"][2]["content"]
    assert sent["response_format"] == chat()["response_format"]


def test_a_blank_answer_is_not_sent_back_blank() -> None:
    sent = with_correction(chat(), SchemaMismatch("it is not JSON", answer_text=" "))
    assert sent["messages"][-2]["content"].strip()


REFUSED = [
    pytest.param((), "native", False, id="nothing: natively"),
    pytest.param(("native",), "tool", False, id="its own format: by a tool"),
    pytest.param(("native", "tool"), "prompt", True, id="the tool too: by the prompt, with its JSON mode"),
    pytest.param(("native", "tool", "json"), "prompt", False, id="the JSON mode too: by the prompt alone"),
    pytest.param(("strict",), "native", False, id="strict tools only"),
]


@pytest.mark.parametrize(("refused", "way", "helped"), REFUSED)
def test_a_refused_mode_is_not_tried_again(refused: tuple[str, ...], way: str, helped: bool) -> None:
    refusal = SchemaMismatch("refused", answer_text=None)
    refusal.refused_modes = frozenset(refused)
    again = form(chat(), *ALL, repair_of=refusal)
    assert (again.mode, again.natively_json) == (way, helped)
    assert len(again.request(chat())["messages"]) == (2 if way == "prompt" else 1), "no answer is shown again"


def completion(message: Json, finish: str = "stop") -> Json:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
    return {"id": "c", "choices": [choice]}


def calling(arguments: str, name: str = "answer") -> Json:
    call = {"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}
    return {"content": None, "tool_calls": [call]}


FENCES = [
    pytest.param('```json\n{"city":"Paris"}\n```', id="with its language"),
    pytest.param('```\n{"city":"Paris"}```', id="without"),
    pytest.param('\n ```JSON  \n{"city":"Paris"}\n ``` \n', id="with white space about it"),
    pytest.param('{"city":"Paris"}', id="none"),
]


@pytest.mark.parametrize("text", FENCES)
def test_in_words_a_code_fence_is_taken_off(text: str) -> None:
    told = form(chat()).completion(completion({"content": text}))
    assert told["choices"][0]["message"]["content"] == '{"city":"Paris"}'


@pytest.mark.parametrize("text", ["```" * 3, "```\n", "``````", "``", " ", "```json\n{}", "```a b\n{}\n```"])
def test_what_is_no_fence_is_no_answer_either(text: str) -> None:
    with pytest.raises(SchemaMismatch):
        form(chat()).completion(completion({"content": text}))


def test_natively_a_code_fence_is_a_mismatch() -> None:
    with pytest.raises(SchemaMismatch):
        form(chat(), *ALL).completion(completion({"content": '```json\n{"city":"Paris"}\n```'}))


def test_natively_a_good_answer_is_the_object_it_was() -> None:
    good = completion({"content": '{"city": "Paris"}'})
    assert form(chat(), *ALL).completion(good) is good


def test_a_call_of_the_tool_becomes_the_content() -> None:
    told = form(chat(), "tools").completion(completion(calling('{"city": "Paris"}'), "tool_calls"))
    assert told["choices"][0] == {
        "index": 0,
        "message": {"role": "assistant", "content": '{"city": "Paris"}'},
        "finish_reason": "stop",
    }


def test_what_was_wrapped_is_unwrapped() -> None:
    told = form(chat(LIST), "tools").completion(completion(calling('{"value": [1, 2]}'), "tool_calls"))
    assert told["choices"][0]["message"]["content"] == "[1,2]"


def test_who_writes_instead_of_calling_is_taken_at_his_word() -> None:
    told = form(chat(), "tools").completion(completion({"content": '```\n{"city":"Paris"}\n```'}))
    assert told["choices"][0]["message"]["content"] == '{"city":"Paris"}'


AMISS = [
    pytest.param("tools", calling('{"city": 3}'), "$.city: expected string", id="a wrong argument"),
    pytest.param("tools", calling("{"), "it is not JSON", id="arguments that are no JSON"),
    pytest.param("tools", calling("{}", name="other"), "it is not JSON", id="a call of another tool"),
    pytest.param("json_schema", {"content": "Paris"}, "it is not JSON", id="a text"),
    pytest.param("json_schema", {"content": '{"city": NaN}'}, "it is not JSON", id="NaN"),
    pytest.param("json_schema", {"content": None}, "it is not JSON", id="nothing"),
    pytest.param("json_schema", {"content": "[" * 100_000}, "it is not JSON", id="nothing but brackets"),
]


@pytest.mark.parametrize(("can", "message", "problem"), AMISS)
def test_what_does_not_fit_is_no_answer(can: str, message: Json, problem: str) -> None:
    with pytest.raises(SchemaMismatch) as found:
        form(chat(), can).completion(completion(message))
    assert found.value.problem == problem


def test_a_list_is_no_object() -> None:
    with pytest.raises(SchemaMismatch, match="expected object"):
        form(chat(None)).completion(completion({"content": "[]"}))


def test_every_choice_is_looked_at() -> None:
    good = completion({"content": '{"city":"Paris"}'})
    bad = replace_index(completion({"content": "Paris"}), 1)
    both = {**good, "choices": [*good["choices"], *bad["choices"]]}
    with pytest.raises(SchemaMismatch) as found:
        form(chat(n=2), *ALL).completion(both)
    assert found.value.answer_text == "Paris"


def replace_index(whole: Json, index: int) -> Json:
    return {**whole, "choices": [{**choice, "index": index} for choice in whole["choices"]]}


PASSING = [
    pytest.param(("json_schema",), {"content": '{"cit'}, "length", id="what was cut off"),
    pytest.param(("tools",), calling('{"cit'), "length", id="a call that was cut off"),
    pytest.param(("json_schema",), {"content": ""}, "content_filter", id="what was filtered"),
    pytest.param((), {"content": None, "refusal": "No."}, "stop", id="a refusal"),
    pytest.param((), calling("{}", name="look"), "tool_calls", id="a call of the client's tool"),
    pytest.param(
        (), {"content": None, "function_call": {"name": "look"}}, "function_call", id="its function"
    ),
]


@pytest.mark.parametrize(("can", "message", "finish"), PASSING)
def test_what_is_no_answer_is_passed_on(can: tuple[str, ...], message: Json, finish: str) -> None:
    told = form(chat(), *can).completion(completion(message, finish))
    assert told["choices"][0]["finish_reason"] == finish


@pytest.mark.parametrize("ours", [False, True])
def test_a_bad_schema_is_the_callers_fault_and_names_its_field(ours: bool) -> None:
    with pytest.raises(InvalidRequest) as refused:
        output_contract(chat({"type": "strin"}), ours=ours)
    assert refused.value.param == ("output_schema" if ours else "response_format.json_schema.schema")


def test_without_a_schema_any_object_fits() -> None:
    body = {"messages": [USER], "response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}
    assert asked(body).problem("{}") is None
    assert asked(body).problem("[]") == "$: expected object"


def test_an_attempt_changes_nothing_of_the_chat() -> None:
    body = chat(tool_choice="auto")
    before = json.dumps(body)
    for can in ((), ("tools",), ALL):
        held = form(body, *can)
        held.request(body)
        replace(held, repair_of=SchemaMismatch("x", answer_text="y")).request(body)
    assert json.dumps(body) == before


def test_a_stream_that_is_held_against_a_schema_has_an_end() -> None:
    checked = CheckedStream(TRANSLATORS["openai"].stream(Quirks()), lambda *_: None, most=1000)
    told = json.dumps(chunk("a" * 600))
    assert list(checked.feed(told))
    with pytest.raises(UpstreamError) as raised:
        list(checked.feed(told))
    assert raised.value.failure_class == "protocol"
