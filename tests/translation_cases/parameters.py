"""56 to 87: parameters."""

from __future__ import annotations

import json
from typing import Any

from handler.answers.client_stream import ClientStream
from handler.providers.quirks.refused_fields import refused_field
from handler.providers.registry import TRANSLATORS
from handler.providers.rows.builtin import PROVIDERS
from tests.support.canned_answers import chunk, finish, sse, usage
from tests.translation_cases.case_types import ABSENT, Case, CheckCase, Refusal, RejectedCase, RequestCase
from tests.translation_cases.messages import COMPATIBLE
from tests.translation_cases.vocabulary import (
    GPT_6,
    LLAMA,
    MISTRAL,
    NOVA,
    NOVA_2,
    OPUS,
    OSS,
    SONNET,
    Json,
    chat,
    converse_text,
    text,
    tool,
    tool_spec,
)

NUMBERS = range(56, 88)

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 9}}}
CLOSED = {
    "type": "object",
    "properties": {"n": {"type": "integer", "description": "(minimum: 1; maximum: 9)"}},
    "additionalProperties": False,
}
TREE: Json = {
    "type": "object",
    "properties": {"left": {"$ref": "#/$defs/tree"}},
    "$defs": {"tree": {"type": "object", "properties": {"left": {"$ref": "#/$defs/tree"}}}},
}
NAMED_LIKE_WORDS = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("default", "title", "$ref", "type", "$schema")},
    "required": ["default", "$ref"],
}
OLD = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "kind": {"const": "a"},
        "size": {"type": "integer", "exclusiveMinimum": 0, "default": 1},
        "or": {"oneOf": [{"type": "string"}, {"type": "null"}]},
        "list": {"type": "array", "uniqueItems": True},
        "maybe": {"type": ["string", "null"]},
    },
    "required": ["kind", "gone"],
    "patternProperties": {"^x": {}},
}
CLEANED = {
    "type": "object",
    "properties": {
        "kind": {"enum": ["a"]},
        "size": {"type": "integer", "minimum": 1},
        "or": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "list": {"type": "array"},
        "maybe": {"type": ["string", "null"]},
    },
    "required": ["kind"],
}


def format_of(schema: Json) -> Json:
    return {"type": "json_schema", "json_schema": {"name": "out", "schema": schema}}


def check_usage_chunk() -> None:
    """The usage chunk is counted, and sent only to a client that asks for it."""
    frames = ClientStream(
        TRANSLATORS["openai"].stream(PROVIDERS["openai"].quirks), model="m", wants_usage=False
    )
    sent = frames.feed(b"".join(map(sse, (chunk("Hi"), finish(), usage()))) + b"data: [DONE]\n\n")
    assert b"prompt_tokens" not in sent
    assert frames.usage is not None
    assert frames.usage.output == 3


def check_refused(field: str, value: Any, *providers: str) -> Any:
    def run() -> None:
        for name in providers:
            quirks = PROVIDERS[name].quirks
            assert refused_field({field: value}, quirks.refuse, model="m") == field, name
            assert refused_field({field: value}, quirks.refuse, (field,), model="m") is None, name

    return run


def same(fields: Json, *targets: str) -> dict[str, Json | Refusal]:
    return {name: {**fields, "dropped": ()} for name in targets}


def left_out(name: str, *targets: str) -> dict[str, Json | Refusal]:
    return {target: {name: ABSENT, "dropped": (name,)} for target in targets}


CASES: list[Case] = [
    RequestCase(
        56,
        "without max_tokens, Anthropic gets the model's maximum",
        chat(max_tokens=None),
        {
            "bedrock": {"inferenceConfig": ABSENT},
            OPUS: {"max_tokens": 128000},
            OSS: {"max_completion_tokens": ABSENT},
            "anthropic": {"max_tokens": 64000},
            "anthropic/claude-opus-5-5": {"max_tokens": 128000},
            "gemini": {"generationConfig.maxOutputTokens": ABSENT},
            "mistral": {"max_tokens": ABSENT},
        },
    ),
    RejectedCase(57, "max_tokens 0 is refused", chat(max_tokens=0), Refusal("max_tokens", "invalid_value")),
    RejectedCase(
        57,
        "max_tokens with a fraction is refused",
        chat(max_tokens=1.5),
        Refusal("max_tokens", "invalid_value"),
    ),
    RequestCase(
        57,
        "a float without a fraction becomes an integer",
        chat(max_tokens=100.0),
        {
            "anthropic": {"max_tokens": 100},
            "bedrock": {"inferenceConfig": {"maxTokens": 100}},
            "gemini": {"generationConfig.maxOutputTokens": 100},
        },
    ),
    RequestCase(
        58,
        "two names of one limit become one",
        chat(max_tokens=5, max_completion_tokens=5),
        {
            "openai/gpt-5": {"max_tokens": ABSENT, "max_completion_tokens": 5},
            "mistral": {"max_tokens": 5, "max_completion_tokens": ABSENT},
            "bedrock": {"inferenceConfig": {"maxTokens": 5}},
            OSS: {"max_tokens": ABSENT, "max_completion_tokens": 5},
            "anthropic": {"max_tokens": 5, "max_completion_tokens": ABSENT},
            "gemini": {"generationConfig.maxOutputTokens": 5},
        },
    ),
    RequestCase(
        58,
        "a limit is renamed for providers that take the other name",
        chat(max_completion_tokens=5),
        {
            name: {"max_tokens": 5, "max_completion_tokens": ABSENT}
            for name in ("mistral", "deepseek", "fireworks", "moonshot", "zai", "qwen", "sambanova")
        },
    ),
    RejectedCase(
        58,
        "two different limits are refused",
        chat(max_tokens=5, max_completion_tokens=6),
        Refusal("max_tokens", "invalid_value"),
    ),
    RequestCase(
        59,
        "the thinking budget leaves room for the answer",
        chat(reasoning_effort="high", max_tokens=3000),
        {
            "bedrock": {
                "inferenceConfig": {"maxTokens": 3000},
                "additionalModelRequestFields.thinking.budget_tokens": 1500,
            },
            "anthropic": {"max_tokens": 3000, "thinking.budget_tokens": 1500},
        },
    ),
    RequestCase(
        59,
        "without room for an answer, thinking is off",
        chat(reasoning_effort="high", max_tokens=900),
        {
            "bedrock": {
                "inferenceConfig": {"maxTokens": 900},
                "additionalModelRequestFields": ABSENT,
                "dropped": ("reasoning_effort",),
            },
            "anthropic": {"max_tokens": 900, "thinking": ABSENT, "dropped": ("reasoning_effort",)},
        },
    ),
    RequestCase(
        60,
        "a limit above the model's maximum is lowered",
        chat(max_tokens=10**7),
        {
            "bedrock": {"inferenceConfig": {"maxTokens": 64000}, "dropped": ("max_tokens",)},
            NOVA: {"inferenceConfig": {"maxTokens": 10000}, "dropped": ("max_tokens",)},
            LLAMA: {"inferenceConfig": {"maxTokens": 4096}, "dropped": ("max_tokens",)},
            "anthropic": {"max_tokens": 64000, "dropped": ("max_tokens",)},
            "gemini/gemini-2.5-flash": {
                "generationConfig.maxOutputTokens": 65536,
                "dropped": ("max_tokens",),
            },
        },
    ),
    RequestCase(
        61,
        "a temperature over 1 becomes 1 where that is the maximum",
        chat(temperature=1.5),
        {
            name: {"temperature": 1, "dropped": ("temperature",)}
            for name in ("anthropic", "moonshot", "zai", "minimax")
        }
        | same({"temperature": 1.5}, "openai", "mistral", OSS)
        | {
            name: {"inferenceConfig": {"temperature": 1}, "dropped": ("temperature",)}
            for name in ("bedrock", NOVA, MISTRAL)
        }
        | {"gemini": {"generationConfig.temperature": 1.5}},
    ),
    RequestCase(
        62,
        "a temperature is left out where the model refuses it",
        chat(temperature=1, reasoning_effort="high"),
        left_out(
            "temperature",
            *("openai/gpt-5", "openai/gpt-5.6-sol", "openai/o3", "anthropic", "moonshot/kimi-k3"),
            *(OPUS, GPT_6),
        )
        | {
            name: {"inferenceConfig": ABSENT, "dropped": ("temperature",)}
            for name in ("bedrock", SONNET, NOVA_2)
        }
        | {"gemini/gemini-3.8-flash": {"generationConfig.temperature": ABSENT, "dropped": ("temperature",)}},
    ),
    RequestCase(
        62,
        "a temperature is kept where the model does not reason",
        chat(temperature=1, reasoning_effort="none"),
        same({"temperature": 1}, "openai/gpt-5.6-sol", "anthropic", GPT_6)
        | {name: {"inferenceConfig": {"temperature": 1}, "dropped": ()} for name in ("bedrock", NOVA_2)},
    ),
    RequestCase(
        63,
        "of temperature and top_p one is sent",
        chat(temperature=0.5, top_p=0.9),
        {
            **same({"temperature": 0.5, "top_p": 0.9}, "openai", "mistral"),
            "bedrock": {"inferenceConfig": {"temperature": 0.5}, "dropped": ("top_p",)},
            NOVA: {"inferenceConfig": {"temperature": 0.5, "topP": 0.9}, "dropped": ()},
            "anthropic": {"temperature": 0.5, "top_p": ABSENT, "dropped": ("top_p",)},
            "gemini": {"generationConfig.temperature": 0.5, "generationConfig.topP": 0.9},
        },
    ),
    RequestCase(
        64,
        "a temperature of zero is sent",
        chat(temperature=0),
        {name: {"temperature": 0.01, "dropped": ("temperature",)} for name in ("zai", "minimax")}
        | same({"temperature": 0}, "anthropic", "openai", "mistral", "moonshot", OSS)
        | {name: {"inferenceConfig": {"temperature": 0}} for name in ("bedrock", NOVA)}
        | {"gemini": {"generationConfig.temperature": 0}},
    ),
    *(
        RequestCase(
            65,
            f"a stop that is {how} is left out",
            chat(stop=value),
            {
                "bedrock": {"inferenceConfig": ABSENT, "dropped": ()},
                "anthropic": {"stop_sequences": ABSENT, "dropped": ()},
                "gemini": {"generationConfig": ABSENT},
                **{name: {"stop": stop} for name in ("openai", "groq", "vllm", OSS)},
            },
        )
        for how, value, stop in (("''", "", ABSENT), ("a list of none", [], ABSENT), ("['']", [""], ABSENT))
    ),
    RequestCase(
        65,
        "a blank stop is sent where it is taken",
        chat(stop=["", " ", "END"]),
        {
            "bedrock": {"inferenceConfig": {"stopSequences": ["END"]}, "dropped": ("stop",)},
            "anthropic": {"stop_sequences": ["END"], "dropped": ("stop",)},
            "gemini": {"generationConfig.stopSequences": [" ", "END"]},
            "openai": {"stop": [" ", "END"]},
        },
    ),
    RequestCase(
        65,
        "one stop becomes a list",
        chat(stop="END"),
        {
            "bedrock": {"inferenceConfig": {"stopSequences": ["END"]}},
            "anthropic": {"stop_sequences": ["END"]},
            "gemini": {"generationConfig.stopSequences": ["END"]},
            "openai": {"stop": "END"},
        },
    ),
    RejectedCase(
        66,
        "more than four stops are refused",
        chat(stop=["a", "b", "c", "d", "e"]),
        Refusal("stop", "invalid_value"),
    ),
    RequestCase(
        66,
        "stops are left out for a reasoning model",
        chat(stop="END"),
        left_out("stop", "openai/o3", "openai/gpt-5", "xai", "perplexity"),
    ),
    RequestCase(
        67, "n is sent to providers that take it", chat(n=2), {"openai": {"n": 2}, "mistral": {"n": 2}}
    ),
    RequestCase(
        67,
        "a provider without n is asked n times",
        chat(n=2),
        {name: {"n": ABSENT, "dropped": ()} for name in ("anthropic", "groq", "bedrock", OPUS, OSS)}
        | {"gemini": {"generationConfig": ABSENT}},
    ),
    RequestCase(
        68,
        "default values are left out without a report",
        chat(n=1, logprobs=False, frequency_penalty=0, presence_penalty=0, store=False, logit_bias={}),
        {
            "mistral": {"logprobs": ABSENT, "logit_bias": ABSENT, "store": ABSENT, "dropped": ()},
            "groq": {"logprobs": ABSENT, "store": ABSENT, "dropped": ()},
            "xai": {"frequency_penalty": ABSENT, "presence_penalty": ABSENT, "dropped": ()},
            "anthropic": {"dropped": (), "n": ABSENT, "store": ABSENT},
            "bedrock": {"dropped": (), "inferenceConfig": ABSENT, "additionalModelRequestFields": ABSENT},
            OSS: {"dropped": (), "store": ABSENT, "frequency_penalty": ABSENT, "logit_bias": ABSENT},
            "gemini": {"dropped": (), "generationConfig": ABSENT},
        },
    ),
    RequestCase(
        69,
        "nulls are left out where they are refused",
        chat(tools=None, stop=None, temperature=None, user=None),
        {
            name: {"tools": ABSENT, "stop": ABSENT, "temperature": ABSENT, "user": ABSENT, "dropped": ()}
            for name in (*COMPATIBLE, "anthropic", "gemini", OPUS, OSS)
        }
        | {"bedrock": {"toolConfig": ABSENT, "inferenceConfig": ABSENT, "dropped": ()}}
        | {"openai": {"tools": None, "stop": None, "temperature": None, "user": None}},
    ),
    RequestCase(
        70,
        "unsupported tuning is left out and reported",
        chat(seed=1, logit_bias={"1": 5}, user="u"),
        {
            "mistral": {"random_seed": 1, "logit_bias": ABSENT, "dropped": ("logit_bias", "user")},
            "bedrock": {
                "inferenceConfig": ABSENT,
                "additionalModelRequestFields": ABSENT,
                "dropped": ("seed", "logit_bias", "user"),
            },
            OSS: {"seed": 1, "logit_bias": ABSENT, "user": "u", "dropped": ("logit_bias",)},
            "anthropic": {"seed": ABSENT, "metadata": {"user_id": "u"}, "dropped": ("seed", "logit_bias")},
            "gemini": {"generationConfig": {"seed": 1}, "dropped": ("logit_bias", "user")},
            "openai": {"seed": 1, "logit_bias": {"1": 5}, "user": "u", "dropped": ()},
        },
    ),
    RequestCase(
        71,
        "an unknown field is passed on in OpenAI's format",
        chat(top_k=5, min_p=0.1, enable_thinking=True),
        {
            **same({"top_k": 5, "min_p": 0.1, "enable_thinking": True}, "vllm", "qwen", "together", OSS),
            "openai": {"min_p": 0.1, "enable_thinking": True, "dropped": ("top_k",)},
            "mistral": {"top_k": ABSENT, "min_p": 0.1, "enable_thinking": True, "dropped": ("top_k",)},
            **{
                name: {"additionalModelRequestFields": added, "dropped": ("min_p", "enable_thinking")}
                for name, added in (
                    ("bedrock", {"top_k": 5}),
                    (NOVA, {"inferenceConfig": {"topK": 5}}),
                    (MISTRAL, {"top_k": 5}),
                )
            },
            "anthropic": {"top_k": 5, "min_p": ABSENT, "dropped": ("min_p", "enable_thinking")},
            "gemini": {"generationConfig": {"topK": 5}, "dropped": ("min_p", "enable_thinking")},
        },
    ),
    RejectedCase(
        72,
        "stream_options without a stream are refused",
        chat(stream_options={"include_usage": True}),
        Refusal("stream_options", "invalid_value"),
    ),
    RequestCase(
        72,
        "stream_options are left out where they are refused",
        chat(stream=True, stream_options={"include_usage": True}),
        {
            name: {"stream_options": ABSENT}
            for name in ("mistral", "perplexity", "gemini", "anthropic", "bedrock")
        },
    ),
    RequestCase(
        73,
        "a stream asks the provider for usage",
        chat(stream=True),
        {"openai": {"stream_options": {"include_usage": True}}},
    ),
    CheckCase(73, "a client gets a usage chunk only if it asks for one", check_usage_chunk),
    *(
        RequestCase(
            74,
            f"an effort of {effort} becomes the nearest that is taken",
            chat(reasoning_effort=effort),
            {
                name: {"reasoning_effort": sent, "dropped": ("reasoning_effort",)}
                for name, sent in taken.items()
            },
        )
        for effort, taken in (
            ("minimal", {"openai/gpt-5.6-sol": "none", OSS: "low", GPT_6: "none"}),
            ("none", {"openai/gpt-5": "minimal"}),
            ("low", {"groq/qwen/qwen3.8-27b": "default", "cohere/command-a-03-2025": "none"}),
            ("max", {"openai/o3": "high", "groq/openai/gpt-oss-120b": "high", OSS: "high"}),
        )
    ),
    RequestCase(
        74,
        "an effort of xhigh is translated, lowered or left out in other formats",
        chat(reasoning_effort="xhigh"),
        {
            SONNET: {
                "additionalModelRequestFields.output_config.effort": "high",
                "additionalModelRequestFields.thinking.type": "adaptive",
                "dropped": ("reasoning_effort",),
            },
            NOVA_2: {
                "additionalModelRequestFields.reasoningConfig": {
                    "type": "enabled",
                    "maxReasoningEffort": "high",
                },
                "dropped": ("reasoning_effort",),
            },
            "bedrock/us.openai.gpt-5.4": {
                "additionalModelRequestFields": {"reasoning": {"effort": "xhigh"}},
                "dropped": (),
            },
            NOVA: {"additionalModelRequestFields": ABSENT, "dropped": ("reasoning_effort",)},
            OPUS: {"output_config.effort": "xhigh", "dropped": ()},
            "anthropic/claude-sonnet-4-6": {"output_config.effort": "high", "dropped": ("reasoning_effort",)},
            "gemini": {
                "generationConfig.thinkingConfig.thinkingLevel": "HIGH",
                "dropped": ("reasoning_effort",),
            },
        },
    ),
    RequestCase(
        74,
        "an unknown effort is passed on in OpenAI's format",
        chat(reasoning_effort="dreamy"),
        {
            "openai/gpt-5": {"reasoning_effort": "dreamy"},
            **{
                name: {"additionalModelRequestFields": ABSENT, "dropped": ("reasoning_effort",)}
                for name in ("bedrock", SONNET, NOVA_2)
            },
            OSS: {"reasoning_effort": "dreamy"},
            "anthropic/claude-sonnet-4-6": {"output_config": ABSENT, "dropped": ("reasoning_effort",)},
            "gemini/gemini-2.5-flash": {"generationConfig": ABSENT, "dropped": ("reasoning_effort",)},
        },
    ),
    RequestCase(
        75,
        "reasoning is off with tools where the model cannot combine them",
        chat(tools=[tool()], reasoning_effort="high"),
        {
            "openai/gpt-5.6-sol": {"reasoning_effort": "none", "dropped": ("reasoning_effort",)},
            "openai/gpt-5": {"reasoning_effort": "high"},
        },
    ),
    RequestCase(
        76,
        "the prompt asks for JSON where no parameter does",
        chat(response_format={"type": "json_object"}),
        {
            **{
                name: {
                    "system": [
                        converse_text(
                            "Answer with one JSON object and nothing else: no other text, no code fence."
                        )
                    ],
                    "toolConfig": ABSENT,
                    "outputConfig": ABSENT,
                }
                for name in ("bedrock", NOVA, LLAMA)
            },
            OSS: {"response_format": {"type": "json_object"}},
            "anthropic": {
                "system": [
                    text("Answer with one JSON object and nothing else: no other text, no code fence.")
                ],
                "tools": ABSENT,
                "output_config": ABSENT,
            },
            "gemini": {"generationConfig": {"responseMimeType": "application/json"}},
            "openai": {"response_format": {"type": "json_object"}},
        },
    ),
    RequestCase(
        77,
        "a schema is sent in each provider's own field",
        chat(response_format=format_of(SCHEMA)),
        {
            "anthropic": {"output_config.format.type": "json_schema"},
            "gemini": {
                "generationConfig.responseMimeType": "application/json",
                "generationConfig.responseJsonSchema": SCHEMA,
            },
            "openai": {"response_format": format_of(SCHEMA)},
            "bedrock": {
                "outputConfig.textFormat.type": "json_schema",
                "outputConfig.textFormat.structure.jsonSchema.name": "out",
            },
            OSS: {"response_format": format_of(SCHEMA)},
            "groq": {"response_format": format_of(SCHEMA)},
            "mistral": {"response_format": format_of(SCHEMA)},
        },
    ),
    RequestCase(
        77,
        "without schemas, a tool is forced or the prompt asks for JSON",
        chat(response_format=format_of(SCHEMA)),
        {
            "deepseek/deepseek-v4-pro": {
                "response_format": ABSENT,
                "tools.0.function.name": "answer",
                "tools.0.function.parameters": SCHEMA,
                "tool_choice": "required",
            },
            MISTRAL: {
                "outputConfig": ABSENT,
                "toolConfig.tools.0.toolSpec.name": "answer",
                "toolConfig.tools.0.toolSpec.inputSchema": {"json": SCHEMA},
                "toolConfig.toolChoice": {"any": {}},
            },
            LLAMA: {"outputConfig": ABSENT, "toolConfig": ABSENT, "system.1": ABSENT},
            NOVA: {"outputConfig": ABSENT, "toolConfig.toolChoice": {"any": {}}},
            OPUS: {"output_config": ABSENT, "tools": ABSENT, "system.1": ABSENT},
            "moonshot/kimi-k3": {"response_format": {"type": "json_object"}, "messages.0.role": "system"},
            "zai/glm-5.3": {"response_format": {"type": "json_object"}, "messages.0.role": "system"},
        },
    ),
    RequestCase(
        78,
        "a schema of alternatives is sent as it is",
        chat(response_format=format_of({"anyOf": [{"type": "string"}, {"type": "null"}]})),
        {
            "openai": {"response_format": format_of({"anyOf": [{"type": "string"}, {"type": "null"}]})},
            "gemini": {
                "generationConfig.responseJsonSchema": {"anyOf": [{"type": "string"}, {"type": "null"}]}
            },
        },
    ),
    RequestCase(
        79,
        "a schema and tools are sent together where the provider takes both",
        chat(response_format=format_of(SCHEMA), tools=[tool()]),
        {
            "gemini/gemini-2.5-flash": {"generationConfig": ABSENT, "systemInstruction.parts.1": ABSENT},
            "gemini": {
                "generationConfig.responseJsonSchema": SCHEMA,
                "tools.0.functionDeclarations.1": ABSENT,
            },
            "anthropic": {"output_config.format.type": "json_schema", "tools.0.name": "look"},
            "bedrock": {
                "outputConfig.textFormat.type": "json_schema",
                "toolConfig": {"tools": [tool_spec()]},
            },
            LLAMA: {"outputConfig": ABSENT, "toolConfig": {"tools": [tool_spec()]}},
            "openai": {"response_format": format_of(SCHEMA), "tools": [tool()]},
        },
    ),
    RequestCase(
        80,
        "unsupported keywords move into the description, and objects are closed",
        chat(response_format=format_of(SCHEMA)),
        {
            "anthropic": {"output_config.format.schema": CLOSED},
            **{
                name: {"outputConfig.textFormat.structure.jsonSchema.schema": json.dumps(CLOSED)}
                for name in ("bedrock", SONNET)
            },
        },
    ),
    RequestCase(
        81,
        "keywords that Gemini lacks are translated or left out",
        chat(response_format=format_of(OLD), tools=[]),
        {"gemini": {"generationConfig.responseJsonSchema": CLEANED}},
    ),
    RequestCase(
        81,
        "unsupported keywords of tool parameters move into the description",
        chat(tools=[tool(parameters=OLD)]),
        {"gemini": {"tools.0.functionDeclarations.0.parametersJsonSchema": CLEANED}},
    ),
    RequestCase(
        82,
        "properties may be named like schema keywords",
        chat(response_format=format_of(NAMED_LIKE_WORDS)),
        {
            "gemini": {"generationConfig.responseJsonSchema": NAMED_LIKE_WORDS},
            "anthropic": {
                "output_config": ABSENT,
                "tools.0.name": "_xan_answer",
                "tools.0.input_schema.required": ["default", "_x24_ref"],
            },
        },
    ),
    RequestCase(
        83,
        "a recursive schema is not inlined",
        chat(response_format=format_of(TREE)),
        {
            "gemini": {"generationConfig.responseJsonSchema": TREE},
            "bedrock": {
                "outputConfig": ABSENT,
                "toolConfig.tools.0.toolSpec.inputSchema.json.properties.left": {"$ref": "#/$defs/tree"},
            },
            "anthropic": {"tools.0.input_schema.properties.left": {"$ref": "#/$defs/tree"}},
        },
    ),
    RequestCase(
        84,
        "the user is sent where it is taken",
        chat(user="u", safety_identifier="s"),
        {
            "openai": {"user": "u", "safety_identifier": "s"},
            "bedrock": {"requestMetadata": ABSENT, "dropped": ("user", "safety_identifier")},
            OPUS: {"metadata": {"user_id": "u"}},
            OSS: {"user": "u", "safety_identifier": "s"},
            "anthropic": {"metadata": {"user_id": "u"}},
            "mistral": {
                "user": ABSENT,
                "safety_identifier": ABSENT,
                "dropped": ("user", "safety_identifier"),
            },
        },
    ),
    *(
        RequestCase(
            84,
            f"a user who could be identified is left out: {who[:12]}",
            chat(user=who),
            {name: {"metadata": ABSENT, "dropped": ("user",)} for name in ("anthropic", "bedrock", OPUS)},
        )
        for who in ("ann@example.com", "+43 1 5350000", "u" * 513)
    ),
    RequestCase(
        85,
        "store and metadata are sent to OpenAI only",
        chat(store=True, metadata={"team": "red"}),
        {
            "openai": {"store": True, "metadata": {"team": "red"}},
            **{
                name: {"store": ABSENT, "metadata": ABSENT, "dropped": ("store", "metadata")}
                for name in (*COMPATIBLE, "anthropic", "bedrock", "gemini", OPUS, OSS)
            },
        },
    ),
    RejectedCase(
        85,
        "too many metadata are refused",
        chat(metadata={str(number): "x" for number in range(17)}),
        Refusal("metadata", "invalid_value"),
    ),
    RejectedCase(
        85,
        "metadata values that are too long are refused",
        chat(metadata={"a": "x" * 513}),
        Refusal("metadata.a", "invalid_value"),
    ),
    RequestCase(
        86,
        "a service tier is translated",
        chat(service_tier="default"),
        {
            "openai": {"service_tier": "default"},
            "bedrock": {"serviceTier": {"type": "default"}},
            OPUS: {"service_tier": "standard_only"},
            OSS: {"service_tier": "default"},
            "anthropic": {"service_tier": "standard_only"},
            "gemini": {"serviceTier": "standard"},
            "groq": {"service_tier": "on_demand"},
            "mistral": {"service_tier": ABSENT, "dropped": ("service_tier",)},
        },
    ),
    RequestCase(
        86,
        "a service tier that the provider lacks is left out",
        chat(service_tier="scale"),
        left_out("service_tier", "anthropic", "groq", "mistral")
        | {"bedrock": {"serviceTier": ABSENT, "dropped": ("service_tier",)}},
    ),
    RequestCase(
        86,
        "the flex tier is sent where it exists",
        chat(service_tier="flex"),
        {
            "bedrock": {"serviceTier": {"type": "flex"}, "dropped": ()},
            "openai": {"service_tier": "flex"},
            "groq": {"service_tier": "flex"},
        },
    ),
    *(
        CheckCase(
            86,
            f"Bedrock's tier {tier} has a price of its own",
            check_refused("service_tier", tier, "bedrock"),
        )
        for tier in ("priority", "reserved")
    ),
    CheckCase(
        87,
        "a web search needs a rule that allows it",
        check_refused(
            "web_search_options", {}, "anthropic", "bedrock", "gemini", "xai", "openrouter", "perplexity"
        ),
    ),
    RequestCase(
        87,
        "Gemini searches where a rule allows it",
        chat(web_search_options={}),
        {"gemini": {"tools": [{"googleSearch": {}}]}, "openai": {"web_search_options": {}}},
    ),
    RequestCase(
        87,
        "an older Gemini does not combine search with tools",
        chat(web_search_options={}, tools=[tool()]),
        {"gemini/gemini-2.5-flash": Refusal("web_search_options")},
    ),
]
