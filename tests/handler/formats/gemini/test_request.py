"""Requests become chats: every field of generateContent, and what a chat cannot say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handler.errors import InvalidRequest, Json
from handler.formats.client_format import ClientFormat
from handler.formats.gemini.format import GeminiFormat, count_answer
from handler.settings import Settings
from tests.handler.formats.gemini.bodies import HI, IMAGE, agent_body, chat, config, limits, parse

FORMAT: ClientFormat = GeminiFormat("gemini-2.5-pro")
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
FORMATTED = {"type": "json_schema", "json_schema": {"name": "output", "schema": SCHEMA}}
LABELS = {f"label-{number}": "x" for number in range(17)}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({"temperature": 0.5, "topP": 0.9}, {"temperature": 0.5, "top_p": 0.9}, id="sampling"),
        pytest.param({"topK": 40.0}, {"top_k": 40}, id="an integral float is an integer"),
        pytest.param(
            {"max_output_tokens": 9, "top_k": 3}, {"max_tokens": 9, "top_k": 3}, id="the other spelling"
        ),
        pytest.param({"candidateCount": 2}, {"n": 2}, id="candidates are choices"),
        pytest.param(
            {"stopSequences": ["a", "", "b"]}, {"stop": ["a", "b"]}, id="empty stop sequences are left out"
        ),
        pytest.param({"stopSequences": "a"}, {"stop": ["a"]}, id="one stop sequence without a list"),
        pytest.param({"stopSequences": []}, {}, id="no stop sequences"),
        pytest.param(
            {"presencePenalty": 1, "frequencyPenalty": -1, "seed": 7},
            {"presence_penalty": 1, "frequency_penalty": -1, "seed": 7},
            id="penalties and the seed",
        ),
        pytest.param(
            {"responseLogprobs": True, "logprobs": 3}, {"logprobs": True, "top_logprobs": 3}, id="logprobs"
        ),
        pytest.param({"logprobs": 3}, {}, id="a number of logprobs that are not in the answer"),
        pytest.param({"temperature": None, "thinkingConfig": None}, {}, id="a null counts as absent"),
        pytest.param(
            {"responseMimeType": "application/json"}, {"response_format": {"type": "json_object"}}, id="JSON"
        ),
        pytest.param({"responseMimeType": "text/plain"}, {}, id="text"),
        pytest.param(
            {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA},
            {"response_format": FORMATTED},
            id="a JSON Schema",
        ),
        pytest.param(
            {"response_schema": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}},
            {"response_format": FORMATTED},
            id="a schema of Gemini's, without a type of the answer",
        ),
        pytest.param(
            {"thinkingConfig": {"thinkingBudget": 0}}, {"reasoning_effort": "none"}, id="no thinking"
        ),
        pytest.param(
            {"thinkingConfig": {"thinkingBudget": 512}}, {"reasoning_effort": "minimal"}, id="minimal"
        ),
        pytest.param({"thinkingConfig": {"thinkingBudget": 1024}}, {"reasoning_effort": "low"}, id="low"),
        pytest.param(
            {"thinkingConfig": {"thinkingBudget": 8192}}, {"reasoning_effort": "medium"}, id="medium"
        ),
        pytest.param({"thinkingConfig": {"thinkingBudget": 24576}}, {"reasoning_effort": "high"}, id="high"),
        pytest.param({"thinkingConfig": {"thinkingBudget": -1}}, {}, id="a dynamic budget"),
        pytest.param(
            {"thinkingConfig": {"thinkingBudget": -1, "includeThoughts": True}},
            {"reasoning_effort": "medium"},
            id="thoughts of a dynamic budget",
        ),
        pytest.param(
            {"thinkingConfig": {"thinkingLevel": "XHIGH"}}, {"reasoning_effort": "xhigh"}, id="a level"
        ),
        pytest.param(
            {"thinkingConfig": {"thinkingLevel": "ULTRA"}}, {"reasoning_effort": "ultra"}, id="a new level"
        ),
        pytest.param({"responseModalities": ["TEXT"]}, {}, id="text is no modality that must be named"),
    ],
)
def test_the_config_becomes_fields_of_the_chat(given: Json, expected: Json) -> None:
    assert config(**given) == expected
    assert limits(generationConfig=given) == (None, ())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({"serviceTier": "standard"}, {"service_tier": "default"}, id="the standard tier"),
        pytest.param({"serviceTier": "SERVICE_TIER_FLEX"}, {"service_tier": "flex"}, id="another tier"),
        pytest.param({"serviceTier": "unspecified"}, {}, id="an unspecified tier"),
        pytest.param({"store": False}, {"store": False}, id="store"),
        pytest.param({"labels": {"team": "maps"}}, {"tags": {"team": "maps"}}, id="labels are tags"),
        pytest.param(
            {"labels": {"team": "maps", "job": "7"}, "tags": {"team": "x"}},
            {"tags": {"team": "x", "job": "7"}},
            id="a tag replaces the label of its name",
        ),
        pytest.param(
            {"hints": {"prefer": "cheap"}, "fallback_models": ["a/b"]},
            {"hints": {"prefer": "cheap"}, "fallback_models": ["a/b"]},
            id="fields of Sluice's own",
        ),
        pytest.param({"safetySettings": [], "model": "models/other"}, {}, id="fields without effect"),
    ],
)
def test_other_fields_become_fields_of_the_chat(given: Json, expected: Json) -> None:
    messages = [{"role": "user", "content": "hi"}]
    assert chat(**given) == {"messages": messages, "model": "gemini-2.5-pro", **expected}
    assert limits(**given) == (None, ())


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        pytest.param("gemini-2.5-pro", "gemini-2.5-pro", id="a bare name is a pool"),
        pytest.param("models/openai/gpt-5", "openai/gpt-5", id="the collection is no part of the name"),
        pytest.param("auto:cheap", "auto:cheap", id="any name of Sluice's"),
    ],
)
def test_the_model_is_that_of_the_path(model: str, expected: str) -> None:
    assert parse({"contents": [HI]}, model=model).body["model"] == expected


def test_a_stream_asks_for_the_usage() -> None:
    parsed = parse({"contents": [HI]}, stream=True)
    assert (parsed.stream, parsed.include_usage) == (True, True)


def test_the_clients_own_text_and_body_stay_as_they_are() -> None:
    text = '{"contents": [{"parts": {"text": "h\\u0069"}}],  "newField": 1.0}'
    native = GeminiFormat("m").parse(text.encode(), {}, Settings()).native
    assert native is not None
    assert (native.dialect, native.text, native.body) == ("google", text, json.loads(text))


ONLY = [
    pytest.param({"cachedContent": "cachedContents/1"}, "cachedContent", id="cached content"),
    pytest.param({"cached_content": "c"}, "cached_content", id="the path has the client's spelling"),
    pytest.param({"tools": [{"googleSearch": {}}]}, "tools[0].googleSearch", id="a tool of Google's"),
    pytest.param({"tools": {"url_context": {}}}, "tools.url_context", id="one tool without a list"),
    pytest.param(
        {"generationConfig": {"responseModalities": ["AUDIO"]}},
        "generationConfig.responseModalities",
        id="speech",
    ),
    pytest.param(
        {"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}},
        "generationConfig.responseModalities",
        id="images",
    ),
    pytest.param({"generationConfig": {"speechConfig": {}}}, "generationConfig.speechConfig", id="a voice"),
    pytest.param(
        {"generationConfig": {"responseMimeType": "text/x.enum"}},
        "generationConfig.responseMimeType",
        id="an answer that is neither text nor JSON",
    ),
    pytest.param(
        {"generationConfig": {"stopSequences": list("abcde")}},
        "generationConfig.stopSequences",
        id="more stop sequences than others take",
    ),
    pytest.param(
        {"toolConfig": {"functionCallingConfig": {"mode": "NEW"}}},
        "toolConfig.functionCallingConfig.mode",
        id="a mode that is not known",
    ),
]
DROPPED = [
    pytest.param({"safetySettings": [{"category": "X"}]}, "safetySettings", id="safety settings"),
    pytest.param({"newField": 1}, "newField", id="an unknown field"),
    pytest.param({"labels": LABELS}, "labels", id="more labels than tags"),
    pytest.param({"labels": {"": "x"}}, "labels", id="a label without a name"),
    pytest.param(
        {"generationConfig": {"mediaResolution": "LOW"}}, "generationConfig.mediaResolution", id="a tuning"
    ),
    pytest.param(
        {"tool_config": {"retrieval_config": {}}}, "tool_config.retrieval_config", id="the client's spelling"
    ),
    pytest.param(
        {"tools": [{"functionDeclarations": [{"name": "f", "behavior": "BLOCKING"}]}]},
        "tools.functionDeclarations.behavior",
        id="a member of a function",
    ),
]


@pytest.mark.parametrize(("given", "path"), ONLY)
def test_only_gemini_can_answer_what_a_chat_cannot_say(given: Json, path: str) -> None:
    assert limits(**given) == (path, ())


@pytest.mark.parametrize(("given", "path"), DROPPED)
def test_what_only_tunes_the_answer_is_dropped(given: Json, path: str) -> None:
    assert limits(**given) == (None, (path,))


@pytest.mark.parametrize(
    ("body", "param"),
    [
        pytest.param([], None, id="a list"),
        pytest.param({}, "contents", id="no contents"),
        pytest.param({"contents": []}, "contents", id="empty contents"),
        pytest.param({"contents": "hi"}, "contents", id="contents as text"),
        pytest.param({"contents": [1]}, "contents[0]", id="a content that is a number"),
        pytest.param({"contents": [{"role": "system"}]}, "contents[0].role", id="an unknown role"),
        pytest.param({"contents": [{"parts": [1]}]}, "contents[0].parts[0]", id="a part that is a number"),
        pytest.param({"contents": {"parts": {"text": 1}}}, "contents.parts.text", id="objects without lists"),
        pytest.param(
            {"contents": [{"parts": [{"inline_data": {"mime_type": "image/png"}}]}]},
            "contents[0].parts[0].inline_data.data",
            id="media without data",
        ),
        pytest.param(
            {"contents": [{"parts": [{"fileData": {"mimeType": "image/png"}}]}]},
            "contents[0].parts[0].fileData.fileUri",
            id="a file without an address",
        ),
        pytest.param(
            {"contents": [{"role": "model", "parts": [{"functionCall": {"name": "f", "args": "{}"}}]}]},
            "contents[0].parts[0].functionCall.args",
            id="arguments as text",
        ),
        pytest.param(
            {"contents": [{"parts": [{"functionCall": {"name": "f"}}]}]},
            "contents[0].parts[0].functionCall",
            id="a call of the user's",
        ),
        pytest.param(
            {"contents": [{"role": "model", "parts": [{"functionResponse": {"name": "f"}}]}]},
            "contents[0].parts[0].functionResponse",
            id="a result of the model's",
        ),
        pytest.param(
            {"contents": [{"parts": [{"functionResponse": {"response": {}}}]}]},
            "contents[0].parts[0].functionResponse.name",
            id="a result without a name",
        ),
        pytest.param({"contents": [HI], "tools": [1]}, "tools[0]", id="a tool that is a number"),
        pytest.param(
            {"contents": [HI], "tools": [{"functionDeclarations": [{"name": "a b"}]}]},
            "tools[0].functionDeclarations[0].name",
            id="a function's name with a blank",
        ),
        pytest.param(
            {
                "contents": [HI],
                "tools": [{"function_declarations": [{"name": "f", "parameters": {"$ref": "http://x"}}]}],
            },
            "tools[0].function_declarations[0].parameters",
            id="a schema that refers to an address",
        ),
        pytest.param(
            {"contents": [HI], "generation_config": {"top_p": 2}}, "generation_config.top_p", id="a range"
        ),
        pytest.param(
            {"contents": [HI], "generationConfig": {"candidateCount": 9}},
            "generationConfig.candidateCount",
            id="too many candidates",
        ),
        pytest.param(
            {"contents": [HI], "generationConfig": {"thinkingConfig": {"thinkingBudget": "many"}}},
            "generationConfig.thinkingConfig.thinkingBudget",
            id="a budget as text",
        ),
        pytest.param({"contents": [HI], "hints": {"preffer": "x"}}, "hints.preffer", id="a misspelt hint"),
        pytest.param(
            {"contents": [HI], "generationConfig": {"maxOutputTokens": 1, "max_output_tokens": 9}},
            "generationConfig.max_output_tokens",
            id="a limit in both spellings, of which a rule would lower one",
        ),
        pytest.param(
            {"contents": [HI], "systemInstruction": "a", "system_instruction": "b"},
            "system_instruction",
            id="instructions in both spellings, of which one would be read",
        ),
        pytest.param(
            {"generateContentRequest": {"contents": [HI]}, "contents": [HI, HI]},
            "contents",
            id="contents beside a request, of which one would be read",
        ),
        pytest.param(
            {"contents": [HI], "output_schema": SCHEMA, "generationConfig": {"responseJsonSchema": SCHEMA}},
            "output_schema",
            id="two schemas of the answer",
        ),
        pytest.param(
            {"generateContentRequest": {"contents": [{"role": 1}]}},
            "generateContentRequest.contents[0].role",
            id="a count of tokens",
        ),
    ],
)
def test_an_error_names_the_clients_own_field(body: Any, param: str | None) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse(body)
    assert (caught.value.status, caught.value.param) == (400, param)


def test_the_request_of_a_coding_agent() -> None:
    body = agent_body()
    parsed = parse(body, stream=True)
    call = {"name": "read_file", "arguments": '{"path":"a.py"}'}
    assert parsed.body["messages"] == [
        {"role": "system", "content": "You are an agent."},
        {"role": "user", "content": "<session_context>Linux</session_context>"},
        {"role": "user", "content": "Explain a.py."},
        {
            "role": "assistant",
            "content": "I read it.",
            "tool_calls": [{"id": "read_file__call_1", "type": "function", "function": call}],
        },
        {"role": "tool", "tool_call_id": "read_file__call_1", "content": "x = 1\n"},
    ]
    assert parsed.body["tools"][0]["function"]["parameters"]["required"] == ["path"]
    names = ("temperature", "top_p", "top_k", "reasoning_effort")
    assert [parsed.body[name] for name in names] == [1, 0.95, 64, "medium"]
    assert parsed.native is not None
    assert (parsed.native.only, parsed.native.dropped) == (None, ())


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"contents": [HI, {"parts": [IMAGE]}]}, id="contents alone"),
        pytest.param(
            {"generateContentRequest": {"model": "models/m", "contents": [HI, {"parts": [IMAGE]}]}},
            id="a request",
        ),
    ],
)
def test_a_count_of_tokens_has_the_same_chat(body: Json) -> None:
    assert [message["role"] for message in parse(body).body["messages"]] == ["user", "user"]


def test_the_answer_to_a_count_of_tokens() -> None:
    assert count_answer(7) == {
        "totalTokens": 7,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 7}],
    }
