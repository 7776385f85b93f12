"""Usage objects as the providers document them, each with a price, and with its cost worked out by hand.

Prices are dollars per million tokens, so a price of 2.5 is 2,500 nano-dollars a token.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from rules import Price
from rules.catalog.price import price_of

Json = dict[str, Any]


def usd(input: float, output: float, *, tiers: list[Json] | None = None, **parts: float) -> Price:
    """Return a price, of dollars per million tokens."""
    prices: Json = nano(input=input, output=output, **parts)
    return price_of({**prices, "tiers": [nano(**tier) for tier in tiers or ()]})


def nano(**prices: Any) -> Json:
    return {
        name: value if name in ("service", "above") else round(value * 10**9)
        for name, value in prices.items()
    }


class Golden(NamedTuple):
    """One usage object. `place`: where a stream has it, if not in a chunk of its own."""

    says: str  # the provider, and what is special
    dialect: str
    usage: Json
    price: Price
    cost: int  # nano-dollars
    tier: str | None = None  # the service tier, as the provider names it
    place: str = "chunk"


def chat(prompt: int, completion: int, **more: Any) -> Json:
    total = {"total_tokens": prompt + completion} | more
    return {"prompt_tokens": prompt, "completion_tokens": completion, **total}


GPT = usd(2.5, 10, cached_input=1.25)
GPT_54 = usd(
    2.5,
    15,
    cached_input=0.25,
    tiers=[
        {"above": 272_000, "input": 5, "output": 22.5, "cached_input": 0.5},
        {"service": "priority", "input": 5, "output": 30, "cached_input": 0.5},
        {"service": "flex", "input": 1.25, "output": 7.5, "cached_input": 0.13},
    ],
)
SONNET = usd(
    3,
    15,
    cached_input=0.3,
    cache_write=3.75,
    cache_write_1h=6,
    tiers=[{"service": "batch", "input": 1.5, "output": 7.5}],
)
HAIKU = usd(
    0.1,
    0.5,
    cached_input=0.01,
    tiers=[{"above": 100_000, "input": 0.5, "output": 2.5, "cached_input": 0.05}],
)
FLASH = usd(
    0.3,
    2.5,
    cached_input=0.03,
    audio_input=1,
    tiers=[{"service": "flex", "input": 0.15, "output": 1.25}],
)
NOVA = usd(0.8, 3.2, tiers=[{"service": "flex", "input": 0.4, "output": 1.6}])

# https://platform.openai.com/docs/api-reference/chat/object, /docs/guides/prompt-caching, /docs/guides/audio,
# /docs/guides/reasoning, /docs/guides/priority-processing, /docs/guides/flex-processing, /docs/pricing
OPENAI = [
    Golden("OpenAI: input and output", "openai", chat(19, 10), GPT, 147_500),
    Golden(
        "OpenAI: cached input",
        "openai",
        chat(2006, 300, prompt_tokens_details={"cached_tokens": 1920, "audio_tokens": 0}),
        GPT,
        5_615_000,  # 86 x 2,500 + 1,920 x 1,250 + 300 x 10,000
    ),
    Golden(
        "OpenAI: audio both ways",
        "openai",
        chat(
            220,
            150,
            prompt_tokens_details={"cached_tokens": 0, "text_tokens": 20, "audio_tokens": 200},
            completion_tokens_details={"reasoning_tokens": 0, "text_tokens": 30, "audio_tokens": 120},
        ),
        usd(2.5, 10, audio_input=32, audio_output=64),
        14_430_000,
    ),
    Golden(
        "OpenAI: cached audio is cached, not audio",
        "openai",
        chat(
            300,
            10,
            prompt_tokens_details={
                "cached_tokens": 200,
                "audio_tokens": 250,
                "cached_tokens_details": {"text_tokens": 0, "audio_tokens": 200},
            },
        ),
        usd(4, 16, cached_input=0.4, audio_input=32),
        2_040_000,  # 50 x 4,000 + 50 x 32,000 + 200 x 400 + 10 x 16,000
    ),
    Golden(
        "OpenAI: reasoning is output",
        "openai",
        chat(75, 1186, completion_tokens_details={"reasoning_tokens": 1024}),
        usd(1.1, 4.4),
        5_300_900,
    ),
    Golden("OpenAI: priority tier", "openai", chat(1000, 200), GPT_54, 11_000_000, "priority"),
    Golden("OpenAI: flex tier", "openai", chat(1000, 200), GPT_54, 2_750_000, "flex"),
    Golden("OpenAI: default tier", "openai", chat(1000, 200), GPT_54, 5_500_000, "default"),
    Golden(
        "OpenAI: a long prompt",
        "openai",
        chat(300_000, 1000, prompt_tokens_details={"cached_tokens": 100_000}),
        GPT_54,
        1_072_500_000,
    ),
    Golden(
        "OpenAI: a prompt of exactly the bound is not long",
        "openai",
        chat(272_000, 0),
        GPT_54,
        680_000_000,
    ),
    Golden(
        "OpenAI: cache writes",
        "openai",
        chat(1500, 100, prompt_tokens_details={"cached_tokens": 0, "cache_write_tokens": 1024}),
        usd(4, 20, cached_input=0.4, cache_write=5),
        9_024_000,
    ),
    Golden(
        "OpenAI: predictions are a part of the output",
        "openai",
        chat(
            100,
            500,
            completion_tokens_details={"accepted_prediction_tokens": 50, "rejected_prediction_tokens": 30},
        ),
        GPT,
        5_250_000,
    ),
]

# https://platform.claude.com/docs/en/api/messages, /docs/en/build-with-claude/prompt-caching
ANTHROPIC = [
    Golden(
        "Anthropic: input and output",
        "anthropic",
        {"input_tokens": 2095, "output_tokens": 503},
        SONNET,
        13_830_000,
    ),
    Golden(
        "Anthropic: a cache write",
        "anthropic",
        {
            "cache_creation_input_tokens": 188_086,
            "cache_read_input_tokens": 0,
            "input_tokens": 21,
            "output_tokens": 393,
        },
        SONNET,
        711_280_500,
    ),
    Golden(
        "Anthropic: a cache read",
        "anthropic",
        {
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 188_086,
            "input_tokens": 21,
            "output_tokens": 393,
        },
        SONNET,
        62_383_800,
    ),
    Golden(
        "Anthropic: cache writes of both lifetimes",
        "anthropic",
        {
            "input_tokens": 2048,
            "cache_read_input_tokens": 1800,
            "cache_creation_input_tokens": 248,
            "output_tokens": 503,
            "cache_creation": {"ephemeral_5m_input_tokens": 148, "ephemeral_1h_input_tokens": 100},
        },
        SONNET,
        15_384_000,
    ),
    Golden(
        "Anthropic: thinking is output",
        "anthropic",
        {
            "input_tokens": 80,
            "output_tokens": 1503,
            "output_tokens_details": {"thinking_tokens": 1200},
            "service_tier": "standard",
        },
        SONNET,
        22_785_000,
    ),
    Golden(
        "Anthropic: batch tier",
        "anthropic",
        {"input_tokens": 1000, "output_tokens": 100, "service_tier": "batch"},
        SONNET,
        2_250_000,
    ),
    Golden(
        "Anthropic: a tier without prices of its own",
        "anthropic",
        {"input_tokens": 1000, "output_tokens": 100, "service_tier": "priority"},
        SONNET,
        4_500_000,
    ),
    Golden(
        "Anthropic: a prompt is long with what comes from the cache",
        "anthropic",
        {"input_tokens": 20_000, "cache_read_input_tokens": 90_000, "output_tokens": 400},
        HAIKU,
        15_500_000,
    ),
]

# https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html
BEDROCK = [
    Golden(
        "Bedrock: input and output",
        "bedrock",
        {"inputTokens": 125, "outputTokens": 60, "totalTokens": 185},
        NOVA,
        292_000,
    ),
    Golden(
        "Bedrock: cache reads and writes",
        "bedrock",
        {
            "inputTokens": 10,
            "outputTokens": 79,
            "totalTokens": 1941,
            "cacheReadInputTokens": 1848,
            "cacheWriteInputTokens": 4,
        },
        SONNET,
        1_784_400,
    ),
    Golden(
        "Bedrock: cache writes of both lifetimes",
        "bedrock",
        {
            "inputTokens": 10,
            "outputTokens": 50,
            "cacheWriteInputTokens": 3000,
            "cacheDetails": [{"ttl": "5m", "inputTokens": 1000}, {"ttl": "1h", "inputTokens": 2000}],
        },
        SONNET,
        16_530_000,
    ),
    Golden(
        "Bedrock: flex tier",
        "bedrock",
        {"inputTokens": 1000, "outputTokens": 500},
        NOVA,
        1_200_000,
        "flex",
    ),
]


def gemini(prompt: int, candidates: int, **more: Any) -> Json:
    return {"promptTokenCount": prompt, "candidatesTokenCount": candidates, **more}


def modalities(**tokens: int) -> list[Json]:
    return [{"modality": name, "tokenCount": count} for name, count in tokens.items()]


# https://ai.google.dev/api/generate-content#UsageMetadata, https://ai.google.dev/gemini-api/docs/pricing
GEMINI = [
    Golden("Gemini: input and output", "google", gemini(8, 12, totalTokenCount=20), FLASH, 32_400),
    Golden(
        "Gemini: thoughts are counted apart, and are output",
        "google",
        gemini(100, 200, thoughtsTokenCount=800),
        FLASH,
        2_530_000,
    ),
    Golden(
        "Gemini: prompts of its tools are counted apart, and are input",
        "google",
        gemini(50, 100, toolUsePromptTokenCount=300, toolUsePromptTokensDetails=modalities(TEXT=300)),
        FLASH,
        355_000,
    ),
    Golden(
        "Gemini: cached content",
        "google",
        gemini(10_000, 100, cachedContentTokenCount=8000, cacheTokensDetails=modalities(TEXT=8000)),
        FLASH,
        1_090_000,
    ),
    Golden(
        "Gemini: audio",
        "google",
        gemini(1050, 20, promptTokensDetails=modalities(TEXT=50, AUDIO=1000)),
        FLASH,
        1_065_000,
    ),
    Golden(
        "Gemini: cached audio is cached, not audio",
        "google",
        gemini(
            2000,
            10,
            promptTokensDetails=modalities(TEXT=200, AUDIO=1800),
            cachedContentTokenCount=1500,
            cacheTokensDetails=modalities(AUDIO=1500),
        ),
        FLASH,
        430_000,
    ),
    Golden(
        "Gemini: an image as the answer",
        "google",
        gemini(20, 1310, candidatesTokensDetails=modalities(TEXT=20, IMAGE=1290)),
        usd(0.3, 2.5, image_output=30),
        38_756_000,
    ),
    Golden(
        "Gemini: a long prompt",
        "google",
        gemini(250_000, 500, thoughtsTokenCount=1500),
        usd(1.25, 10, tiers=[{"above": 200_000, "input": 2.5, "output": 15}]),
        655_000_000,
    ),
    Golden("Gemini: flex tier", "google", gemini(1000, 100, serviceTier="FLEX"), FLASH, 275_000),
]

COMPATIBLE = [
    Golden(  # https://api-docs.deepseek.com/guides/kv_cache
        "DeepSeek: cache hits",
        "openai",
        chat(
            1000,
            250,
            prompt_cache_hit_tokens=600,
            prompt_cache_miss_tokens=400,
            completion_tokens_details={"reasoning_tokens": 100},
        ),
        usd(0.28, 0.42, cached_input=0.028),
        233_800,
    ),
    Golden(  # https://docs.x.ai/developers/cost-tracking
        "xAI: its own cost",
        "openai",
        chat(199, 1, cost_in_usd_ticks=37_756_000, num_sources_used=0),
        usd(3, 15),
        3_775_600,
    ),
    Golden(  # https://docs.x.ai/docs/guides/reasoning
        "xAI: reasoning is counted apart",
        "openai",
        chat(32, 9, total_tokens=151, completion_tokens_details={"reasoning_tokens": 110}),
        usd(3, 15),
        1_881_000,
    ),
    Golden(  # https://console.groq.com/docs/text-chat
        "Groq: usage in a field of its own",
        "openai",
        chat(19, 100, queue_time=0.03, prompt_time=0.001, completion_time=0.2, total_time=0.2),
        usd(0.05, 0.08),
        8_950,
        place="x_groq",
    ),
    Golden(  # https://docs.mistral.ai/api/
        "Mistral: usage with the last piece",
        "openai",
        chat(15, 79),
        usd(0.5, 1.5),
        126_000,
        place="finish",
    ),
    Golden(
        "a service tier beside usage with the last piece",
        "openai",
        chat(1000, 200),
        GPT_54,
        2_750_000,
        "flex",
        place="finish",
    ),
    Golden(  # https://openrouter.ai/docs/use-cases/usage-accounting
        "OpenRouter: its own cost",
        "openai",
        chat(
            194,
            2,
            cost=0.95,
            cost_details={"upstream_inference_cost": 19},
            prompt_tokens_details={"cached_tokens": 0, "cache_write_tokens": 100, "audio_tokens": 0},
        ),
        usd(1, 1),
        950_000_000,
    ),
    Golden(
        "OpenRouter: its fee and what is paid with a key of one's own",
        "openai",
        chat(194, 2, cost=0.0005, is_byok=True, cost_details={"upstream_inference_cost": 0.01}),
        usd(1, 1),
        10_500_000,
    ),
    Golden("OpenRouter: a free model", "openai", chat(194, 2, cost=0), usd(1, 1), 0),
    Golden(  # https://platform.moonshot.ai/docs/api/chat
        "Moonshot: usage in the choice, cached input beside the counts",
        "openai",
        chat(1000, 50, cached_tokens=700),
        usd(0.6, 2.5, cached_input=0.15),
        410_000,
        place="choice",
    ),
    Golden(  # https://www.alibabacloud.com/help/en/model-studio/context-cache
        "Qwen: a cache write",
        "openai",
        chat(
            1200,
            100,
            prompt_tokens_details={
                "cached_tokens": 0,
                "cache_creation_input_tokens": 1000,
                "cache_type": "ephemeral",
            },
        ),
        usd(0.4, 1.2, cache_write=0.5),
        700_000,
    ),
    Golden(  # https://www.alibabacloud.com/help/en/model-studio/models
        "Qwen: a long prompt",
        "openai",
        chat(300_000, 1000),
        usd(0.05, 0.4, tiers=[{"above": 256_000, "input": 0.25, "output": 2}]),
        77_000_000,
    ),
    Golden(  # https://docs.perplexity.ai/api-reference/chat-completions-post
        "Perplexity: its own cost, with the search",
        "openai",
        chat(
            10,
            100,
            search_context_size="low",
            cost={
                "input_tokens_cost": 0.00001,
                "output_tokens_cost": 0.0001,
                "request_cost": 0.005,
                "total_cost": 0.00511,
            },
        ),
        usd(1, 1),
        5_110_000,
        place="finish",
    ),
    Golden("Cohere: input and output", "openai", chat(10, 20), usd(2.5, 10), 225_000),
    Golden("Together: cached input of 0", "openai", chat(28, 45, cached_tokens=0), usd(0.88, 0.88), 64_240),
    Golden(
        "Fireworks: cached input",
        "openai",
        chat(100, 30, prompt_tokens_details={"cached_tokens": 64}),
        usd(0.9, 0.9, cached_input=0.45),
        88_200,
    ),
    Golden(
        "Cerebras: details that are null",
        "openai",
        chat(50, 75, prompt_tokens_details=None, completion_tokens_details=None),
        usd(0.35, 0.75),
        73_750,
    ),
    Golden(
        "Z.ai: cached input",
        "openai",
        chat(1000, 10, prompt_tokens_details={"cached_tokens": 500}),
        usd(0.6, 2.2, cached_input=0.11),
        377_000,
    ),
    Golden(
        "MiniMax: characters beside the tokens",
        "openai",
        chat(50, 20, total_characters=0),
        usd(0.3, 1.2),
        39_000,
    ),
]

GOLDEN = [*OPENAI, *ANTHROPIC, *BEDROCK, *GEMINI, *COMPATIBLE]
