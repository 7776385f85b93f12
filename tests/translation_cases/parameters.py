"""56 to 87: parameters."""

from __future__ import annotations

import json
from typing import Any

from handler.answers.client_stream import ClientStream
from handler.providers.quirks.refused_fields import refused_field
from handler.providers.registry import TRANSLATORS
from handler.providers.rows.builtin import PROVIDERS
from tests.support.canned_answers import chunk, finish, sse, usage
from tests.translation_cases.case_types import GONE, AtTheDoor, Case, Holds, Refused, Sent
from tests.translation_cases.messages import OTHERS
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
    asks,
    spec,
    text,
    tool,
    words,
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


def stream_asks_for_usage_and_keeps_it() -> None:
    """The usage chunk is for the meter, and for a client that asked."""
    frames = ClientStream(
        TRANSLATORS["openai"].stream(PROVIDERS["openai"].quirks), model="m", wants_usage=False
    )
    told = frames.feed(b"".join(map(sse, (chunk("Hi"), finish(), usage()))) + b"data: [DONE]\n\n")
    assert b"prompt_tokens" not in told
    assert frames.usage is not None
    assert frames.usage.output == 3


def refuses(field: str, value: Any, *providers: str) -> Any:
    def run() -> None:
        for name in providers:
            quirks = PROVIDERS[name].quirks
            assert refused_field({field: value}, quirks.refuse, model="m") == field, name
            assert refused_field({field: value}, quirks.refuse, (field,), model="m") is None, name

    return run


def same(fields: Json, *targets: str) -> dict[str, Json | Refused]:
    return {name: {**fields, "dropped": ()} for name in targets}


def left_out(name: str, *targets: str) -> dict[str, Json | Refused]:
    return {target: {name: GONE, "dropped": (name,)} for target in targets}


CASES: list[Case] = [
    Sent(
        56,
        "where nobody says how long an answer may be",
        asks(max_tokens=None),
        {
            "bedrock": {"inferenceConfig": GONE},
            OPUS: {"max_tokens": 128000},
            OSS: {"max_completion_tokens": GONE},
            "anthropic": {"max_tokens": 64000},
            "anthropic/claude-opus-5-5": {"max_tokens": 128000},
            "gemini": {"generationConfig.maxOutputTokens": GONE},
            "mistral": {"max_tokens": GONE},
        },
    ),
    AtTheDoor(57, "an answer of no tokens", asks(max_tokens=0), Refused("max_tokens", "invalid_value")),
    AtTheDoor(57, "an answer of half a token", asks(max_tokens=1.5), Refused("max_tokens", "invalid_value")),
    Sent(
        57,
        "a float without a fraction is a whole number",
        asks(max_tokens=100.0),
        {
            "anthropic": {"max_tokens": 100},
            "bedrock": {"inferenceConfig": {"maxTokens": 100}},
            "gemini": {"generationConfig.maxOutputTokens": 100},
        },
    ),
    Sent(
        58,
        "both names of the bound become the one that is taken",
        asks(max_tokens=5, max_completion_tokens=5),
        {
            "openai/gpt-5": {"max_tokens": GONE, "max_completion_tokens": 5},
            "mistral": {"max_tokens": 5, "max_completion_tokens": GONE},
            "bedrock": {"inferenceConfig": {"maxTokens": 5}},
            OSS: {"max_tokens": GONE, "max_completion_tokens": 5},
            "anthropic": {"max_tokens": 5, "max_completion_tokens": GONE},
            "gemini": {"generationConfig.maxOutputTokens": 5},
        },
    ),
    Sent(
        58,
        "a name that is not taken becomes the other",
        asks(max_completion_tokens=5),
        {
            name: {"max_tokens": 5, "max_completion_tokens": GONE}
            for name in ("mistral", "deepseek", "fireworks", "moonshot", "zai", "qwen", "sambanova")
        },
    ),
    AtTheDoor(
        58,
        "two bounds that differ",
        asks(max_tokens=5, max_completion_tokens=6),
        Refused("max_tokens", "invalid_value"),
    ),
    Sent(
        59,
        "thinking leaves room for the answer",
        asks(reasoning_effort="high", max_tokens=3000),
        {
            "bedrock": {
                "inferenceConfig": {"maxTokens": 3000},
                "additionalModelRequestFields.thinking.budget_tokens": 1500,
            },
            "anthropic": {"max_tokens": 3000, "thinking.budget_tokens": 1500},
        },
    ),
    Sent(
        59,
        "where there is no room for it, it does not think",
        asks(reasoning_effort="high", max_tokens=900),
        {
            "bedrock": {
                "inferenceConfig": {"maxTokens": 900},
                "additionalModelRequestFields": GONE,
                "dropped": ("reasoning_effort",),
            },
            "anthropic": {"max_tokens": 900, "thinking": GONE, "dropped": ("reasoning_effort",)},
        },
    ),
    Sent(
        60,
        "no more is asked for than the model can",
        asks(max_tokens=10**7),
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
    Sent(
        61,
        "a temperature over 1 is 1 where that is the most",
        asks(temperature=1.5),
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
    Sent(
        62,
        "a temperature is left out where any is refused",
        asks(temperature=1, reasoning_effort="high"),
        left_out(
            "temperature",
            *("openai/gpt-5", "openai/gpt-5.6-sol", "openai/o3", "anthropic", "moonshot/kimi-k3"),
            *(OPUS, GPT_6),
        )
        | {
            name: {"inferenceConfig": GONE, "dropped": ("temperature",)}
            for name in ("bedrock", SONNET, NOVA_2)
        }
        | {"gemini/gemini-3.8-flash": {"generationConfig.temperature": GONE, "dropped": ("temperature",)}},
    ),
    Sent(
        62,
        "and kept where the model does not reason",
        asks(temperature=1, reasoning_effort="none"),
        same({"temperature": 1}, "openai/gpt-5.6-sol", "anthropic", GPT_6)
        | {name: {"inferenceConfig": {"temperature": 1}, "dropped": ()} for name in ("bedrock", NOVA_2)},
    ),
    Sent(
        63,
        "of temperature and top_p one stays",
        asks(temperature=0.5, top_p=0.9),
        {
            **same({"temperature": 0.5, "top_p": 0.9}, "openai", "mistral"),
            "bedrock": {"inferenceConfig": {"temperature": 0.5}, "dropped": ("top_p",)},
            NOVA: {"inferenceConfig": {"temperature": 0.5, "topP": 0.9}, "dropped": ()},
            "anthropic": {"temperature": 0.5, "top_p": GONE, "dropped": ("top_p",)},
            "gemini": {"generationConfig.temperature": 0.5, "generationConfig.topP": 0.9},
        },
    ),
    Sent(
        64,
        "zero is a temperature",
        asks(temperature=0),
        {name: {"temperature": 0.01, "dropped": ("temperature",)} for name in ("zai", "minimax")}
        | same({"temperature": 0}, "anthropic", "openai", "mistral", "moonshot", OSS)
        | {name: {"inferenceConfig": {"temperature": 0}} for name in ("bedrock", NOVA)}
        | {"gemini": {"generationConfig.temperature": 0}},
    ),
    *(
        Sent(
            65,
            f"a stop that is {how} says nothing",
            asks(stop=value),
            {
                "bedrock": {"inferenceConfig": GONE, "dropped": ()},
                "anthropic": {"stop_sequences": GONE, "dropped": ()},
                "gemini": {"generationConfig": GONE},
                **{name: {"stop": stop} for name in ("openai", "groq", "vllm", OSS)},
            },
        )
        for how, value, stop in (("''", "", GONE), ("a list of none", [], GONE), ("['']", [""], GONE))
    ),
    Sent(
        65,
        "blanks are a stop where they are taken",
        asks(stop=["", " ", "END"]),
        {
            "bedrock": {"inferenceConfig": {"stopSequences": ["END"]}, "dropped": ("stop",)},
            "anthropic": {"stop_sequences": ["END"], "dropped": ("stop",)},
            "gemini": {"generationConfig.stopSequences": [" ", "END"]},
            "openai": {"stop": [" ", "END"]},
        },
    ),
    Sent(
        65,
        "one stop is a list of one",
        asks(stop="END"),
        {
            "bedrock": {"inferenceConfig": {"stopSequences": ["END"]}},
            "anthropic": {"stop_sequences": ["END"]},
            "gemini": {"generationConfig.stopSequences": ["END"]},
            "openai": {"stop": "END"},
        },
    ),
    AtTheDoor(
        66, "more than four stops", asks(stop=["a", "b", "c", "d", "e"]), Refused("stop", "invalid_value")
    ),
    Sent(
        66,
        "a model that reasons refuses stops",
        asks(stop="END"),
        left_out("stop", "openai/o3", "openai/gpt-5", "xai", "perplexity"),
    ),
    Sent(
        67,
        "several choices where they are served",
        asks(n=2),
        {"openai": {"n": 2}, "mistral": {"n": 2}},
    ),
    Sent(
        67,
        "who gives one answer to a call is asked for one, several times",
        asks(n=2),
        {name: {"n": GONE, "dropped": ()} for name in ("anthropic", "groq", "bedrock", OPUS, OSS)}
        | {"gemini": {"generationConfig": GONE}},
    ),
    Sent(
        68,
        "what says nothing is left out without a word",
        asks(n=1, logprobs=False, frequency_penalty=0, presence_penalty=0, store=False, logit_bias={}),
        {
            "mistral": {"logprobs": GONE, "logit_bias": GONE, "store": GONE, "dropped": ()},
            "groq": {"logprobs": GONE, "store": GONE, "dropped": ()},
            "xai": {"frequency_penalty": GONE, "presence_penalty": GONE, "dropped": ()},
            "anthropic": {"dropped": (), "n": GONE, "store": GONE},
            "bedrock": {"dropped": (), "inferenceConfig": GONE, "additionalModelRequestFields": GONE},
            OSS: {"dropped": (), "store": GONE, "frequency_penalty": GONE, "logit_bias": GONE},
            "gemini": {"dropped": (), "generationConfig": GONE},
        },
    ),
    Sent(
        69,
        "nulls are left out where they are refused",
        asks(tools=None, stop=None, temperature=None, user=None),
        {
            name: {"tools": GONE, "stop": GONE, "temperature": GONE, "user": GONE, "dropped": ()}
            for name in (*OTHERS, "anthropic", "gemini", OPUS, OSS)
        }
        | {"bedrock": {"toolConfig": GONE, "inferenceConfig": GONE, "dropped": ()}}
        | {"openai": {"tools": None, "stop": None, "temperature": None, "user": None}},
    ),
    Sent(
        70,
        "tuning that is not taken is left out and named",
        asks(seed=1, logit_bias={"1": 5}, user="u"),
        {
            "mistral": {"random_seed": 1, "logit_bias": GONE, "dropped": ("logit_bias", "user")},
            "bedrock": {
                "inferenceConfig": GONE,
                "additionalModelRequestFields": GONE,
                "dropped": ("seed", "logit_bias", "user"),
            },
            OSS: {"seed": 1, "logit_bias": GONE, "user": "u", "dropped": ("logit_bias",)},
            "anthropic": {"seed": GONE, "metadata": {"user_id": "u"}, "dropped": ("seed", "logit_bias")},
            "gemini": {"generationConfig": {"seed": 1}, "dropped": ("logit_bias", "user")},
            "openai": {"seed": 1, "logit_bias": {"1": 5}, "user": "u", "dropped": ()},
        },
    ),
    Sent(
        71,
        "a field that nobody here knows goes on in OpenAI's format",
        asks(top_k=5, min_p=0.1, enable_thinking=True),
        {
            **same(
                {"top_k": 5, "min_p": 0.1, "enable_thinking": True}, "openai", "vllm", "qwen", "together", OSS
            ),
            **{
                name: {"additionalModelRequestFields": added, "dropped": ("min_p", "enable_thinking")}
                for name, added in (
                    ("bedrock", {"top_k": 5}),
                    (NOVA, {"inferenceConfig": {"topK": 5}}),
                    (MISTRAL, {"top_k": 5}),
                )
            },
            "anthropic": {"top_k": 5, "min_p": GONE, "dropped": ("min_p", "enable_thinking")},
            "gemini": {"generationConfig": {"topK": 5}, "dropped": ("min_p", "enable_thinking")},
        },
    ),
    AtTheDoor(
        72,
        "stream options without a stream",
        asks(stream_options={"include_usage": True}),
        Refused("stream_options", "invalid_value"),
    ),
    Sent(
        72,
        "stream options are not sent to those who refuse them",
        asks(stream=True, stream_options={"include_usage": True}),
        {
            name: {"stream_options": GONE}
            for name in ("mistral", "perplexity", "gemini", "anthropic", "bedrock")
        },
    ),
    Sent(
        73,
        "a stream is asked for its usage",
        asks(stream=True),
        {"openai": {"stream_options": {"include_usage": True}}},
    ),
    Holds(73, "a client that did not ask gets no usage chunk", stream_asks_for_usage_and_keeps_it),
    *(
        Sent(
            74,
            f"an effort of {asked} where it is not taken",
            asks(reasoning_effort=asked),
            {
                name: {"reasoning_effort": sent, "dropped": ("reasoning_effort",)}
                for name, sent in taken.items()
            },
        )
        for asked, taken in (
            ("minimal", {"openai/gpt-5.6-sol": "none", OSS: "low", GPT_6: "none"}),
            ("none", {"openai/gpt-5": "minimal"}),
            ("low", {"groq/qwen/qwen3.8-27b": "default", "cohere/command-a-03-2025": "none"}),
            ("max", {"openai/o3": "high", "groq/openai/gpt-oss-120b": "high", OSS: "high"}),
        )
    ),
    Sent(
        74,
        "in other formats as well",
        asks(reasoning_effort="xhigh"),
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
            NOVA: {"additionalModelRequestFields": GONE, "dropped": ("reasoning_effort",)},
            OPUS: {"output_config.effort": "xhigh", "dropped": ()},
            "anthropic/claude-sonnet-4-6": {
                "output_config.effort": "high",
                "dropped": ("reasoning_effort",),
            },
            "gemini": {
                "generationConfig.thinkingConfig.thinkingLevel": "HIGH",
                "dropped": ("reasoning_effort",),
            },
        },
    ),
    Sent(
        74,
        "an effort that nobody knows goes on in OpenAI's format",
        asks(reasoning_effort="dreamy"),
        {
            "openai/gpt-5": {"reasoning_effort": "dreamy"},
            **{
                name: {"additionalModelRequestFields": GONE, "dropped": ("reasoning_effort",)}
                for name in ("bedrock", SONNET, NOVA_2)
            },
            OSS: {"reasoning_effort": "dreamy"},
            "anthropic/claude-sonnet-4-6": {"output_config": GONE, "dropped": ("reasoning_effort",)},
            "gemini/gemini-2.5-flash": {"generationConfig": GONE, "dropped": ("reasoning_effort",)},
        },
    ),
    Sent(
        75,
        "a model that does not reason beside tools does not reason",
        asks(tools=[tool()], reasoning_effort="high"),
        {
            "openai/gpt-5.6-sol": {"reasoning_effort": "none", "dropped": ("reasoning_effort",)},
            "openai/gpt-5": {"reasoning_effort": "high"},
        },
    ),
    Sent(
        76,
        "an object of JSON is asked for in words where there is no other way",
        asks(response_format={"type": "json_object"}),
        {
            **{
                name: {
                    "system": [
                        words("Answer with one JSON object and nothing else: no other text, no code fence.")
                    ],
                    "toolConfig": GONE,
                    "outputConfig": GONE,
                }
                for name in ("bedrock", NOVA, LLAMA)
            },
            OSS: {"response_format": {"type": "json_object"}},
            "anthropic": {
                "system": [
                    text("Answer with one JSON object and nothing else: no other text, no code fence.")
                ],
                "tools": GONE,
                "output_config": GONE,
            },
            "gemini": {"generationConfig": {"responseMimeType": "application/json"}},
            "openai": {"response_format": {"type": "json_object"}},
        },
    ),
    Sent(
        77,
        "a schema goes where each one takes it",
        asks(response_format=format_of(SCHEMA)),
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
    Sent(
        77,
        "elsewhere a tool is forced, or it is asked for in words beside the JSON mode",
        asks(response_format=format_of(SCHEMA)),
        {
            "deepseek/deepseek-v4-pro": {
                "response_format": GONE,
                "tools.0.function.name": "answer",
                "tools.0.function.parameters": SCHEMA,
                "tool_choice": "required",
            },
            MISTRAL: {
                "outputConfig": GONE,
                "toolConfig.tools.0.toolSpec.name": "answer",
                "toolConfig.tools.0.toolSpec.inputSchema": {"json": SCHEMA},
                "toolConfig.toolChoice": {"any": {}},
            },
            LLAMA: {"outputConfig": GONE, "toolConfig": GONE, "system.1": GONE},
            NOVA: {"outputConfig": GONE, "toolConfig.toolChoice": {"any": {}}},
            OPUS: {"output_config": GONE, "tools": GONE, "system.1": GONE},
            "moonshot/kimi-k3": {"response_format": {"type": "json_object"}, "messages.0.role": "system"},
            "zai/glm-5.3": {"response_format": {"type": "json_object"}, "messages.0.role": "system"},
        },
    ),
    Sent(
        78,
        "a schema of alternatives is no object, and each provider's to judge",
        asks(response_format=format_of({"anyOf": [{"type": "string"}, {"type": "null"}]})),
        {
            "openai": {"response_format": format_of({"anyOf": [{"type": "string"}, {"type": "null"}]})},
            "gemini": {
                "generationConfig.responseJsonSchema": {"anyOf": [{"type": "string"}, {"type": "null"}]}
            },
        },
    ),
    Sent(
        79,
        "a schema beside tools",
        asks(response_format=format_of(SCHEMA), tools=[tool()]),
        {
            "gemini/gemini-2.5-flash": {"generationConfig": GONE, "systemInstruction.parts.1": GONE},
            "gemini": {"generationConfig.responseJsonSchema": SCHEMA, "tools.0.functionDeclarations.1": GONE},
            "anthropic": {"output_config.format.type": "json_schema", "tools.0.name": "look"},
            "bedrock": {
                "outputConfig.textFormat.type": "json_schema",
                "toolConfig": {"tools": [spec()]},
            },
            LLAMA: {"outputConfig": GONE, "toolConfig": {"tools": [spec()]}},
            "openai": {"response_format": format_of(SCHEMA), "tools": [tool()]},
        },
    ),
    Sent(
        80,
        "what Claude's schemas cannot say, nor Bedrock's, is told in words, and objects are closed",
        asks(response_format=format_of(SCHEMA)),
        {
            "anthropic": {"output_config.format.schema": CLOSED},
            **{
                name: {"outputConfig.textFormat.structure.jsonSchema.schema": json.dumps(CLOSED)}
                for name in ("bedrock", SONNET)
            },
        },
    ),
    Sent(
        81,
        "what Gemini's schemas cannot say is said otherwise or left out",
        asks(response_format=format_of(OLD), tools=[]),
        {"gemini": {"generationConfig.responseJsonSchema": CLEANED}},
    ),
    Sent(
        81,
        "in the parameters of a tool as well",
        asks(tools=[tool(parameters=OLD)]),
        {"gemini": {"tools.0.functionDeclarations.0.parametersJsonSchema": CLEANED}},
    ),
    Sent(
        82,
        "properties may be called like the words of schemas",
        asks(response_format=format_of(NAMED_LIKE_WORDS)),
        {
            "gemini": {"generationConfig.responseJsonSchema": NAMED_LIKE_WORDS},
            "anthropic": {
                "output_config": GONE,
                "tools.0.name": "_xan_answer",
                "tools.0.input_schema.required": ["default", "_x24_ref"],
            },
        },
    ),
    Sent(
        83,
        "a schema that holds itself is not laid out",
        asks(response_format=format_of(TREE)),
        {
            "gemini": {"generationConfig.responseJsonSchema": TREE},
            "bedrock": {
                "outputConfig": GONE,
                "toolConfig.tools.0.toolSpec.inputSchema.json.properties.left": {"$ref": "#/$defs/tree"},
            },
            "anthropic": {"tools.0.input_schema.properties.left": {"$ref": "#/$defs/tree"}},
        },
    ),
    Sent(
        84,
        "who asks, where that is taken",
        asks(user="u", safety_identifier="s"),
        {
            "openai": {"user": "u", "safety_identifier": "s"},
            "bedrock": {"requestMetadata": GONE, "dropped": ("user", "safety_identifier")},
            OPUS: {"metadata": {"user_id": "u"}},
            OSS: {"user": "u", "safety_identifier": "s"},
            "anthropic": {"metadata": {"user_id": "u"}},
            "mistral": {"user": GONE, "safety_identifier": GONE, "dropped": ("user", "safety_identifier")},
        },
    ),
    *(
        Sent(
            84,
            f"nobody can be reached by it: {who[:12]}",
            asks(user=who),
            {name: {"metadata": GONE, "dropped": ("user",)} for name in ("anthropic", "bedrock", OPUS)},
        )
        for who in ("ann@example.com", "+43 1 5350000", "u" * 513)
    ),
    Sent(
        85,
        "what is to be stored at OpenAI is no third party's",
        asks(store=True, metadata={"team": "red"}),
        {
            "openai": {"store": True, "metadata": {"team": "red"}},
            **{
                name: {"store": GONE, "metadata": GONE, "dropped": ("store", "metadata")}
                for name in (*OTHERS, "anthropic", "bedrock", "gemini", OPUS, OSS)
            },
        },
    ),
    AtTheDoor(
        85,
        "more metadata than OpenAI takes",
        asks(metadata={str(number): "x" for number in range(17)}),
        Refused("metadata", "invalid_value"),
    ),
    AtTheDoor(
        85,
        "longer metadata than OpenAI takes",
        asks(metadata={"a": "x" * 513}),
        Refused("metadata.a", "invalid_value"),
    ),
    Sent(
        86,
        "a tier by each one's word",
        asks(service_tier="default"),
        {
            "openai": {"service_tier": "default"},
            "bedrock": {"serviceTier": {"type": "default"}},
            OPUS: {"service_tier": "standard_only"},
            OSS: {"service_tier": "default"},
            "anthropic": {"service_tier": "standard_only"},
            "gemini": {"serviceTier": "standard"},
            "groq": {"service_tier": "on_demand"},
            "mistral": {"service_tier": GONE, "dropped": ("service_tier",)},
        },
    ),
    Sent(
        86,
        "a tier that is not there",
        asks(service_tier="scale"),
        left_out("service_tier", "anthropic", "groq", "mistral")
        | {"bedrock": {"serviceTier": GONE, "dropped": ("service_tier",)}},
    ),
    Sent(
        86,
        "a cheap tier where there is one, and what is usual without a word",
        asks(service_tier="flex"),
        {
            "bedrock": {"serviceTier": {"type": "flex"}, "dropped": ()},
            "openai": {"service_tier": "flex"},
            "groq": {"service_tier": "flex"},
        },
    ),
    *(
        Holds(86, f"Bedrock's tier {tier} has a price of its own", refuses("service_tier", tier, "bedrock"))
        for tier in ("priority", "reserved")
    ),
    Holds(
        87,
        "a search has a price, so a rule must allow it",
        refuses(
            "web_search_options", {}, "anthropic", "bedrock", "gemini", "xai", "openrouter", "perplexity"
        ),
    ),
    Sent(
        87,
        "where a rule allows it Gemini searches",
        asks(web_search_options={}),
        {"gemini": {"tools": [{"googleSearch": {}}]}, "openai": {"web_search_options": {}}},
    ),
    Sent(
        87,
        "but an older one does not beside tools",
        asks(web_search_options={}, tools=[tool()]),
        {"gemini/gemini-2.5-flash": Refused("web_search_options")},
    ),
]
