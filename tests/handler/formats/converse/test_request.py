"""The fields of a Converse request in a chat; what is refused, and what only Bedrock can answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handler.errors import InvalidRequest, Json
from tests.handler.formats.converse.bodies import (
    HI,
    SPEC,
    fields,
    image,
    native,
    parse,
    request,
    result,
    user,
)

SCHEMA: Json = {"type": "object", "properties": {"a": {"type": "string"}}}
NO_ARGUMENTS: Json = {"type": "object", "properties": {}}
FUNCTION: Json = {"type": "function", "function": {"name": "look", "parameters": NO_ARGUMENTS}}
CACHED: Json = {"cache_control": {"type": "ephemeral"}}


def text_format(schema: Any, **labels: Any) -> Json:
    text = schema if isinstance(schema, str) else json.dumps(schema)
    structure = {"jsonSchema": {"schema": text, **labels}}
    return {"textFormat": {"type": "json_schema", "structure": structure}}


def json_schema(name: str = "output", **more: Any) -> Json:
    return {
        "response_format": {"type": "json_schema", "json_schema": {"name": name, **more, "schema": SCHEMA}}
    }


FIELDS: dict[str, tuple[Json, Json]] = {
    "nothing": ({}, {}),
    "the sampling": (
        {"inferenceConfig": {"maxTokens": 9.0, "temperature": 0.5, "topP": 0.9, "stopSequences": ["a", ""]}},
        {"max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "stop": ["a"]},
    ),
    "null counts as absent": (
        {"inferenceConfig": None, "toolConfig": {"tools": None, "toolChoice": None}, "system": None},
        {},
    ),
    "a tool and no choice": ({"toolConfig": {"tools": [SPEC]}}, {"tools": [FUNCTION]}),
    "any tool": (
        {"toolConfig": {"tools": [SPEC], "toolChoice": {"any": {}}}},
        {"tools": [FUNCTION], "tool_choice": "required"},
    ),
    "one tool": (
        {"toolConfig": {"tools": [SPEC], "toolChoice": {"tool": {"name": "look"}}}},
        {"tools": [FUNCTION], "tool_choice": {"type": "function", "function": {"name": "look"}}},
    ),
    "a cache point after tools": (
        {"toolConfig": {"tools": [SPEC, {"cachePoint": {"type": "default", "ttl": "1h"}}]}},
        {"tools": [{**FUNCTION, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]},
    ),
    "a cache point before any tool": (
        {"toolConfig": {"tools": [{"cachePoint": {"type": "default"}}, SPEC]}},
        {"tools": [FUNCTION]},
    ),
    "a strict tool with a description": (
        {"toolConfig": {"tools": [{"toolSpec": {**SPEC["toolSpec"], "description": "d", "strict": True}}]}},
        {"tools": [{**FUNCTION, "function": {**FUNCTION["function"], "description": "d", "strict": True}}]},
    ),
    "a schema of the answer": ({"outputConfig": text_format(SCHEMA)}, json_schema()),
    "the name and description of a schema": (
        {"outputConfig": text_format(SCHEMA, name="an answer", description="d")},
        json_schema("an_answer", description="d"),
    ),
    "an effort beside a schema": (
        {"outputConfig": {**text_format(SCHEMA), "effort": "low"}},
        {"reasoning_effort": "low", **json_schema()},
    ),
    "Claude's budget": (
        {"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 2048}}},
        {"reasoning_effort": "medium"},
    ),
    "Claude's budget under its name at Bedrock": (
        {"additionalModelRequestFields": {"reasoning_config": {"type": "enabled", "budget_tokens": 9000}}},
        {"reasoning_effort": "max"},
    ),
    "adaptive thinking": (
        {"additionalModelRequestFields": {"thinking": {"type": "adaptive"}}},
        {"reasoning_effort": "medium"},
    ),
    "adaptive thinking behind its effort": (
        {
            "additionalModelRequestFields": {
                "output_config": {"effort": "high"},
                "thinking": {"type": "adaptive"},
            }
        },
        {"reasoning_effort": "high"},
    ),
    "no thinking": (
        {"additionalModelRequestFields": {"thinking": {"type": "disabled"}}},
        {"reasoning_effort": "none"},
    ),
    "Nova's effort": (
        {
            "additionalModelRequestFields": {
                "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}
            }
        },
        {"reasoning_effort": "low"},
    ),
    "the effort of gpt-oss": (
        {"additionalModelRequestFields": {"reasoning_effort": "high"}},
        {"reasoning_effort": "high"},
    ),
    "top_k of Claude": ({"additionalModelRequestFields": {"top_k": 5}}, {"top_k": 5}),
    "topK of Nova": ({"additionalModelRequestFields": {"inferenceConfig": {"topK": 5}}}, {"top_k": 5}),
    "a service tier": ({"serviceTier": {"type": "flex"}}, {"service_tier": "flex"}),
    "metadata": ({"requestMetadata": {"team": "a", "b": None}}, {"tags": {"team": "a"}}),
    "metadata beside tags": (
        {"requestMetadata": {"team": "a"}, "tags": {"team": "b", "c": "d"}},
        {"tags": {"team": "b", "c": "d"}},
    ),
    "Sluice's own fields": (
        {"fallback_models": ["p/n"], "hints": {"prefer": "cheap"}},
        {"fallback_models": ["p/n"], "hints": {"prefer": "cheap"}},
    ),
}


@pytest.mark.parametrize(("given", "expected"), FIELDS.values(), ids=FIELDS)
def test_a_field_in_the_chat(given: Json, expected: Json) -> None:
    assert fields(**given) == expected
    found = native(**given)
    assert (found.only, found.dropped) == (None, ())


def test_the_path_has_the_model_and_the_kind_of_the_answer() -> None:
    chat = parse(request(), stream=True)
    assert (chat.body["model"], chat.stream, chat.include_usage) == ("p/m", True, True)
    assert parse(request()).stream is False


def test_the_metadata_are_tags() -> None:
    assert parse(request(requestMetadata={"team": "a"}), headers={"x-sluice-tags": "b:c"}).tags == {
        "team": "a",
        "b": "c",
    }


DROPPED: dict[str, tuple[Json, tuple[str, ...]]] = {
    "an unknown field": ({"new": 1}, ("new",)),
    "an unknown setting": ({"inferenceConfig": {"new": 1}}, ("inferenceConfig.new",)),
    "a fifth stop sequence": (
        {"inferenceConfig": {"stopSequences": list("abcde")}},
        ("inferenceConfig.stopSequences",),
    ),
    "a field of the model's own": (
        {"additionalModelRequestFields": {"anthropic_beta": ["a"], "top_k": "x"}},
        ("additionalModelRequestFields.anthropic_beta", "additionalModelRequestFields.top_k"),
    ),
    "thinking that nobody knows": (
        {"additionalModelRequestFields": {"thinking": {"type": "new"}, "reasoning_effort": []}},
        ("additionalModelRequestFields.thinking", "additionalModelRequestFields.reasoning_effort"),
    ),
    "an unknown effort": ({"outputConfig": {"effort": "huge"}}, ("outputConfig.effort",)),
    "paths of additional fields": (
        {"additionalModelResponseFieldPaths": ["/stop"]},
        ("additionalModelResponseFieldPaths",),
    ),
    "latency": ({"performanceConfig": {"latency": "optimized"}}, ("performanceConfig",)),
    "metadata that are no tags": ({"requestMetadata": {"a": "x" * 600}}, ("requestMetadata",)),
    "more metadata than tags": (
        {"requestMetadata": {str(at): "" for at in range(17)}},
        ("requestMetadata",),
    ),
}


@pytest.mark.parametrize(("given", "expected"), DROPPED.values(), ids=DROPPED)
def test_what_only_tunes_is_left_out_and_named(given: Json, expected: tuple[str, ...]) -> None:
    found = native(**given)
    assert (found.only, found.dropped) == (None, expected)


ONLY: dict[str, tuple[Json, str]] = {
    "a guardrail": ({"guardrailConfig": {"guardrailIdentifier": "g"}}, "guardrailConfig"),
    "variables of a prompt": ({"promptVariables": {"a": {"text": "b"}}}, "promptVariables"),
    "a tool of Bedrock's": (
        {"toolConfig": {"tools": [SPEC, {"systemTool": {"name": "nova_grounding"}}]}},
        "toolConfig.tools[1].systemTool",
    ),
    "a tool of the model's": (
        {"additionalModelRequestFields": {"tools": [{"type": "computer_20250124"}]}},
        "additionalModelRequestFields.tools",
    ),
    "an unknown choice": (
        {"toolConfig": {"tools": [SPEC], "toolChoice": {"new": {}}}},
        "toolConfig.toolChoice",
    ),
    "an unknown block": ({"messages": [user({"text": "a"}, {"new": {}})]}, "messages[0].content[1].new"),
    "an unknown block of a result": (
        {"messages": [user(result({"video": {"format": "mp4", "source": {"bytes": ""}}}))]},
        "messages[0].content[0].toolResult.content[0].video",
    ),
    "an image in the instructions": ({"system": [{"guardContent": image()}]}, "system"),
}


@pytest.mark.parametrize(("given", "path"), ONLY.values(), ids=ONLY)
def test_only_bedrock_can_answer(given: Json, path: str) -> None:
    only = native(*given.pop("messages", []), **given).only
    assert only is not None
    assert only[0] == path
    assert "only Bedrock knows" in only[1]


IN_S3 = {"s3Location": {"uri": "s3://bucket/key"}}
REFUSED: dict[str, tuple[Any, str | None]] = {
    "no object": ([], None),
    "no messages": ({}, "messages"),
    "an empty conversation": ({"messages": []}, "messages"),
    "an unknown role": ({"messages": [{**HI, "role": "tool"}]}, "messages[0].role"),
    "content that is text": ({"messages": [{"role": "user", "content": "Hi"}]}, "messages[0].content"),
    "two blocks in one": (request(user({"text": "a", "image": image()["image"]})), "messages[0].content[0]"),
    "an empty block": (request(user({})), "messages[0].content[0]"),
    "text that is a number": (request(user({"text": 1})), "messages[0].content[0].text"),
    "an image without data": (
        request(user({"image": {"format": "png"}})),
        "messages[0].content[0].image.source",
    ),
    "an odd format": (
        request(user({"image": {"format": "png;base64,", "source": {"bytes": ""}}})),
        "messages[0].content[0].image.format",
    ),
    "an image in S3": (
        request(user({"image": {"format": "png", "source": IN_S3}})),
        "messages[0].content[0].image.source.s3Location",
    ),
    "a document in S3, in a result": (
        request(user(result({"document": {"name": "a", "source": IN_S3}}))),
        "messages[0].content[0].toolResult.content[0].document.source.s3Location",
    ),
    "an id that is a number": (
        request(user(result(id=7))),  # type: ignore[arg-type]
        "messages[0].content[0].toolResult.toolUseId",
    ),
    "a temperature of 3": (request(inferenceConfig={"temperature": 3}), "inferenceConfig.temperature"),
    "no tokens": (request(inferenceConfig={"maxTokens": 0}), "inferenceConfig.maxTokens"),
    "a tool without a schema": (
        request(toolConfig={"tools": [{"toolSpec": {"name": "a"}}]}),
        "toolConfig.tools[0].toolSpec.inputSchema",
    ),
    "a schema that is no JSON": (
        request(outputConfig=text_format("{")),
        "outputConfig.textFormat.structure.jsonSchema.schema",
    ),
    "a schema that is no object": (
        request(outputConfig=text_format("[]")),
        "outputConfig.textFormat.structure.jsonSchema.schema",
    ),
    "two schemas": (
        request(outputConfig=text_format(SCHEMA), output_schema=SCHEMA),
        "output_schema",
    ),
    "metadata that are numbers": (request(requestMetadata={"a": 1}), "requestMetadata.a"),
}


@pytest.mark.parametrize(("body", "path"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_body_is_refused_with_its_path(body: Any, path: str | None) -> None:
    with pytest.raises(InvalidRequest) as raised:
        parse(body)
    assert raised.value.param == path
