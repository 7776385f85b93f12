"""Tests of handler/structured/modes.py: the output contract of a chat, and the mode that each model gets."""

from __future__ import annotations

import pytest

from handler.errors import InvalidRequest, Json
from handler.providers.provider import Provider
from handler.providers.registry import TRANSLATORS
from handler.providers.rows.builtin import PROVIDERS
from handler.structured.modes import mode_of, output_contract
from rules import Model
from tests.support.structured_output import ALL, LIST, NODE, USER, chat, contract, model, row

TOOLS = [{"type": "function", "function": {"name": "look"}}]
NO_SCHEMAS: Json = {"unable": frozenset({"json_schema"})}
REQUIRED_IS_AUTO: Json = {**NO_SCHEMAS, "tool_choice": {"required": "auto"}}
MODES = [
    pytest.param("native", chat(), model(*ALL), row(), id="native if model and provider support it"),
    pytest.param("native", chat(tools=TOOLS), model(*ALL), row(), id="native with the client's tools"),
    pytest.param("native", chat(LIST), model(*ALL), row(), id="native for any root"),
    pytest.param(
        "tool", chat(), model("tools", "json_object"), row(), id="tool if the model does not support native"
    ),
    pytest.param(
        "tool", chat(), model(*ALL), row(**NO_SCHEMAS), id="tool if the provider does not support native"
    ),
    pytest.param("tool", chat(LIST), model("tools"), row(), id="tool with a list wrapped in an object"),
    pytest.param(
        "tool", chat(NODE), model("tools"), row(), id="tool with a reference and its definitions wrapped"
    ),
    pytest.param("prompt", chat(), model(), row(), id="prompt if the model does not support tools"),
    pytest.param(
        "prompt", chat(tools=TOOLS), model("tools"), row(), id="prompt if the client sends its own tools"
    ),
    pytest.param(
        "prompt",
        chat(functions=[{"name": "look"}]),
        model("tools"),
        row(),
        id="prompt if the client sends its own functions",
    ),
    pytest.param(
        "prompt",
        chat(),
        model("tools"),
        row(**REQUIRED_IS_AUTO),
        id="prompt if the provider gets `auto` instead of `required`",
    ),
    pytest.param(
        "prompt",
        chat(),
        model("tools"),
        row(unable=frozenset({"tools"})),
        id="prompt if the provider does not support tools",
    ),
    pytest.param(
        "prompt",
        chat(),
        model("tools", rules=("no_forced_tool",)),
        row(),
        id="prompt if the model cannot be forced to call a tool",
    ),
    pytest.param(
        "prompt",
        chat({"items": {"$ref": "#"}}),
        model("tools"),
        row(),
        id="prompt if wrapping would change a reference",
    ),
    pytest.param("native", chat(), model(*ALL), row("anthropic"), id="native at Anthropic"),
    pytest.param(
        "tool", chat(NODE), model(*ALL), row("anthropic"), id="tool for a recursive schema at Anthropic"
    ),
    pytest.param(
        "tool",
        chat({"type": "object", "properties": {f"p{at}": {} for at in range(25)}}),
        model(*ALL),
        row("anthropic"),
        id="tool for very many optional properties at Anthropic",
    ),
    pytest.param(
        "prompt",
        chat(NODE, reasoning_effort="high"),
        model(*ALL),
        row("anthropic"),
        id="prompt at Anthropic if a forced call would exclude thinking",
    ),
    pytest.param(
        "prompt",
        chat(NODE),
        model(*ALL, rules=("thinking_on",)),
        row("anthropic"),
        id="prompt at Anthropic if the model always thinks",
    ),
    pytest.param(
        "native",
        chat(reasoning_effort="high"),
        model(*ALL),
        row("anthropic"),
        id="native at Anthropic with thinking",
    ),
    pytest.param(
        "prompt", chat(None), model(*ALL), row("anthropic"), id="prompt for any JSON object at Anthropic"
    ),
    pytest.param("native", chat(), model(*ALL), row("google"), id="native at Gemini"),
    pytest.param(
        "native", chat(tools=TOOLS), model(*ALL), row("google"), id="native at Gemini with the client's tools"
    ),
    pytest.param(
        "prompt",
        chat(tools=TOOLS),
        model(*ALL, rules=("no_json_tools",)),
        row("google"),
        id="prompt at Gemini if an older model has tools",
    ),
    pytest.param(
        "native",
        chat(tools=TOOLS, tool_choice="none"),
        model(*ALL, rules=("no_json_tools",)),
        row("google"),
        id="native at Gemini if an older model may not call its tools",
    ),
    pytest.param(
        "prompt",
        chat(tools=TOOLS, tool_choice="required"),
        model(*ALL),
        row("google"),
        id="prompt at Gemini if the client requires a call",
    ),
    pytest.param("tool", chat(), model(*ALL), PROVIDERS["deepseek"], id="tool at DeepSeek"),
    pytest.param("prompt", chat(), model(*ALL), PROVIDERS["moonshot"], id="prompt at Moonshot"),
    pytest.param("prompt", chat(), model(*ALL), PROVIDERS["zai"], id="prompt at Z.ai"),
    pytest.param(
        "prompt",
        chat(None),
        model(*ALL),
        PROVIDERS["perplexity"],
        id="prompt for any JSON object at Perplexity",
    ),
    pytest.param(
        "native",
        chat(None),
        model("json_schema"),
        row(),
        id="native for any JSON object if the model supports schemas",
    ),
]


@pytest.mark.parametrize(("mode", "body", "candidate", "provider"), MODES)
def test_the_mode_is_the_first_that_model_and_provider_support(
    mode: str, body: Json, candidate: Model, provider: Provider
) -> None:
    assert mode_of(contract(body), body, candidate, provider, TRANSLATORS[provider.dialect]) == mode


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({}, id="no response_format"),
        pytest.param({"response_format": None}, id="response_format null"),
        pytest.param({"response_format": {"type": "text"}}, id="response_format text"),
    ],
)
def test_a_chat_that_asks_for_text_has_no_output_contract(body: Json) -> None:
    assert output_contract(body) is None


@pytest.mark.parametrize("ours", [False, True], ids=["response_format", "output_schema"])
def test_an_invalid_schema_is_an_invalid_request_that_names_the_field(ours: bool) -> None:
    with pytest.raises(InvalidRequest) as error:
        output_contract(chat({"type": "strin"}), ours=ours)
    assert error.value.param == ("output_schema" if ours else "response_format.json_schema.schema")


def test_without_a_schema_any_object_matches() -> None:
    body = {"messages": [USER], "response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}
    assert contract(body).problem("{}") is None
    assert contract(body).problem("[]") == "$: expected object"
