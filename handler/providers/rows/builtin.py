"""The built-in providers, one row each (contract, section 9).

A provider that is compatible with OpenAI is data: a row here, or a `provider` record. A comment beside a
quirk says where it is documented; docs/providers.md says what each does.
"""

from __future__ import annotations

from collections.abc import Mapping

from handler.providers.provider import Provider, Quirks
from handler.providers.rows.bedrock import BEDROCK
from handler.providers.rows.compatible import FOREIGN, MARKS, NO_DEVELOPER, SIGNED, THOUGHTS, compatible

_AS_MAX_TOKENS = {"max_completion_tokens": "max_tokens"}
# Fields of OpenAI's that are refused or mean nothing elsewhere, and that no answer depends on.
_OPENAI_ONLY = frozenset(
    {
        *("store", "metadata", "service_tier", "prediction", "verbosity", "safety_identifier"),
        *("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "moderation"),
    }
)
_LOGPROBS = frozenset({"logprobs", "top_logprobs"})
_PENALTIES = frozenset({"frequency_penalty", "presence_penalty"})

_ROWS = (
    Provider(
        name="openai",
        base_url="https://api.openai.com/v1",
        credential="OPENAI_API_KEY",
        hosts=("*.api.openai.com",),  # us., eu., ...: https://platform.openai.com/docs/guides/your-data
        quirks=Quirks(
            drop=frozenset({"cache_control"}),
            message_drop=SIGNED | MARKS | THOUGHTS,  # unknown fields are 400
            tool_drop=frozenset({"cache_control"}),
            drop_empty=True,
            # Dearer than the catalogue says: https://platform.openai.com/docs/guides/priority-processing
            refuse=frozenset({"service_tier=priority", "service_tier=fast"}),
        ),
    ),
    Provider(
        name="anthropic",
        dialect="anthropic",
        base_url="https://api.anthropic.com/v1",
        credential="ANTHROPIC_API_KEY",
        auth="x-api-key",
        # 2026-10-21 refuses temperature of models that take it: https://platform.claude.com/docs/en/api/versioning
        headers={"anthropic-version": "2023-06-01"},
        quirks=Quirks(
            unable=frozenset({"n"}),
            legacy=False,
            refuse=frozenset(
                {"web_search_options"}
            ),  # its search has a price, and is no tool of the client's
        ),
    ),
    Provider(
        name="gemini",
        dialect="google",
        base_url="https://generativelanguage.googleapis.com/v1beta",
        credential="GEMINI_API_KEY",
        auth="x-goog-api-key",
        quirks=Quirks(
            # https://ai.google.dev/api/generate-content
            rename=_AS_MAX_TOKENS,
            # candidateCount is refused by Gemini 3: https://github.com/googleapis/js-genai/issues/1609
            unable=frozenset({"custom_tools", "n"}),
            message_drop=frozenset({"name"}),
            roles=NO_DEVELOPER,
            stream_usage=False,  # tells it with every event
            legacy=False,
            # Dearer than the catalogue says: https://ai.google.dev/gemini-api/docs/pricing
            refuse=frozenset({"service_tier=priority", "web_search_options"}),
        ),
    ),
    BEDROCK,
    Provider(
        name="azure",  # `model` is the name of a deployment; https://learn.microsoft.com/azure/ai-foundry/openai/
        credential="AZURE_OPENAI_API_KEY",
        auth="api-key",
        default_path="/openai/v1",
        # https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle
        versioned_path="/openai/deployments/{model}",
        hosts=("*.openai.azure.com", "*.services.ai.azure.com", "*.cognitiveservices.azure.com"),
        quirks=Quirks(
            drop=frozenset({"cache_control"}),
            message_drop=SIGNED | MARKS | THOUGHTS,  # unknown fields are 400
            tool_drop=frozenset({"cache_control"}),
            drop_empty=True,
            # Searches an index of its own: https://learn.microsoft.com/azure/ai-foundry/openai/references/on-your-data
            refuse=frozenset({"data_sources", "service_tier=priority", "service_tier=fast"}),
        ),
    ),
    Provider(
        name="mistral",
        base_url="https://api.mistral.ai/v1",
        credential="MISTRAL_API_KEY",
        quirks=compatible(
            rename=_AS_MAX_TOKENS | {"seed": "random_seed"},  # https://docs.mistral.ai/api/endpoint/chat
            # 422 extra_forbidden: https://github.com/mistralai/platform-docs-public/issues/7
            drop=_LOGPROBS | _OPENAI_ONLY | {"logit_bias", "user"},
            stream_usage=False,  # tells it unasked: https://github.com/posit-dev/chatlas/pull/145
            message_drop=FOREIGN | {"name"},
            tool_choice={"required": "any"},  # https://docs.mistral.ai/capabilities/function_calling/
            tool_drop=frozenset({"strict"}),
            call_id_length=9,  # https://github.com/mistralai/mistral-vibe/issues/1075
        ),
    ),
    Provider(
        name="groq",
        base_url="https://api.groq.com/openai/v1",
        credential="GROQ_API_KEY",
        quirks=compatible(
            service_tier={"auto": "auto", "default": "on_demand", "flex": "flex"},  # its own word for default
            # 400 for each, and for n other than 1: https://console.groq.com/docs/openai
            drop=_LOGPROBS | (_OPENAI_ONLY - {"service_tier"}) | {"logit_bias"},
            unable=frozenset({"n"}),
            message_drop=FOREIGN | {"name"},
            # Other models, web search and code, for a price: https://console.groq.com/docs/api-reference
            refuse=frozenset(
                {
                    *("compound_custom", "search_settings", "service_tier=performance"),
                    *("tools.browser_search", "tools.code_interpreter", "tools.mcp"),
                }
            ),
        ),
    ),
    Provider(
        name="xai",
        base_url="https://api.x.ai/v1",
        credential="XAI_API_KEY",
        hosts=("*.api.x.ai",),
        quirks=compatible(
            # 400 for reasoning models: https://docs.x.ai/docs/guides/reasoning
            drop=_PENALTIES | _OPENAI_ONLY | {"stop", "logit_bias"},
            message_drop=frozenset({"name"}),
            tool_drop=frozenset({"strict"}),
            # Searches, for a price: https://docs.x.ai/docs/guides/tools/overview
            refuse=frozenset({"search_parameters", "web_search_options", "tools.live_search"}),
        ),
    ),
    Provider(
        name="deepseek",
        base_url="https://api.deepseek.com",
        credential="DEEPSEEK_API_KEY",
        quirks=compatible(
            # https://api-docs.deepseek.com/api/create-chat-completion
            rename=_AS_MAX_TOKENS,
            unable=frozenset({"json_schema", "n"}),
            text_content=True,
        ),
    ),
    Provider(
        name="together",
        base_url="https://api.together.ai/v1",
        credential="TOGETHER_API_KEY",
        hosts=("api.together.xyz",),
        quirks=compatible(
            refuse=frozenset(
                {"safety_model"}
            ),  # another model, charged as well: https://docs.together.ai/reference/chat-completions-1
        ),
    ),
    Provider(
        name="fireworks",
        base_url="https://api.fireworks.ai/inference/v1",
        credential="FIREWORKS_API_KEY",
        quirks=compatible(
            rename=_AS_MAX_TOKENS,  # https://docs.fireworks.ai/api-reference/post-chatcompletions
            tool_choice={"required": "any"},  # https://github.com/BerriAI/litellm/issues/4416
            message_drop=FOREIGN,
            tool_drop=frozenset({"strict"}),
            refuse=frozenset(
                {"service_tier=priority"}
            ),  # https://docs.fireworks.ai/serverless/priority-and-fast
        ),
    ),
    Provider(
        name="openrouter",
        base_url="https://openrouter.ai/api/v1",
        credential="OPENROUTER_API_KEY",
        quirks=compatible(
            knows=MARKS | {"reasoning_details"},  # https://openrouter.ai/docs/features/prompt-caching
            # They choose model and price, or fetch pages: https://openrouter.ai/docs/api/reference/overview
            # (its `models` and `route` are Sluice's own fields, and never get there). Names of models can do
            # the same: https://openrouter.ai/docs/guides/routing/model-variants/online
            refuse=frozenset(
                {
                    *("provider", "plugins", "transforms", "preset", "web_search_options"),
                    *("service_tier=priority", "tools.openrouter:web_search", "tools.openrouter:web_fetch"),
                    *("model=*:online", "model=*@preset/*", "model=openrouter/auto*"),
                    "model=openrouter/pareto*",
                }
            ),
        ),
    ),
    Provider(
        name="cerebras",
        base_url="https://api.cerebras.ai/v1",
        credential="CEREBRAS_API_KEY",
        quirks=compatible(
            # 400 for each: https://inference-docs.cerebras.ai/resources/openai
            drop=_PENALTIES | _OPENAI_ONLY | {"logit_bias", "parallel_tool_calls"},
            unable=frozenset({"n"}),
            message_drop=FOREIGN | {"name"},
            text_content=True,
        ),
    ),
    Provider(
        name="perplexity",
        base_url="https://api.perplexity.ai",
        credential="PERPLEXITY_API_KEY",
        quirks=compatible(
            reasoning_tag="think",
            alternate=True,
            # https://docs.perplexity.ai/api-reference/chat-completions-post
            rename=_AS_MAX_TOKENS,
            drop=_LOGPROBS | _OPENAI_ONLY | {"stop", "seed", "logit_bias", "parallel_tool_calls", "user"},
            unable=frozenset({"tools", "n", "json_object"}),
            stream_usage=False,  # tells it with every chunk
            refuse=frozenset({"web_search_options"}),  # the size of a search is its price; the same page
        ),
    ),
    Provider(
        name="nvidia",
        base_url="https://integrate.api.nvidia.com/v1",
        credential="NVIDIA_API_KEY",
        quirks=compatible(
            rename=_AS_MAX_TOKENS,  # 422 for what it does not know: https://docs.api.nvidia.com/nim/reference/
            drop=_OPENAI_ONLY,
            text_content=True,
        ),
    ),
    Provider(
        name="cohere",
        base_url="https://api.cohere.ai/compatibility/v1",
        credential="COHERE_API_KEY",
        quirks=compatible(
            # The list at the end of https://docs.cohere.com/docs/compatibility-api
            rename=_AS_MAX_TOKENS,
            drop=(_OPENAI_ONLY | {"logit_bias", "top_logprobs", "parallel_tool_calls", "modalities", "user"}),
            unable=frozenset({"n"}),
        ),
    ),
    Provider(
        name="sambanova",
        base_url="https://api.sambanova.ai/v1",
        credential="SAMBANOVA_API_KEY",
        quirks=compatible(
            # https://docs.sambanova.ai/cloud/docs/capabilities/openai-compatibility
            rename=_AS_MAX_TOKENS,
            drop=_PENALTIES | _LOGPROBS | _OPENAI_ONLY | {"logit_bias", "seed", "user"},
            unable=frozenset({"n"}),
            text_content=True,
        ),
    ),
    Provider(
        name="moonshot",
        base_url="https://api.moonshot.ai/v1",
        credential="MOONSHOT_API_KEY",
        hosts=("api.moonshot.cn",),
        quirks=compatible(
            # https://platform.moonshot.ai/docs/guide/migrating-from-openai-to-kimi
            rename=_AS_MAX_TOKENS,
            tool_choice={"required": "auto"},
            unable=frozenset({"json_schema", "urls"}),
            temperature_most=1,
            refuse=frozenset({"tools.builtin_function"}),  # its web search, for a price
        ),
    ),
    Provider(
        name="zai",
        base_url="https://api.z.ai/api/paas/v4",
        credential="ZAI_API_KEY",
        hosts=("open.bigmodel.cn",),
        quirks=compatible(
            # https://docs.z.ai/api-reference/llm/chat-completion
            rename=_AS_MAX_TOKENS,
            drop=_PENALTIES | _LOGPROBS | _OPENAI_ONLY | {"logit_bias", "seed", "parallel_tool_calls"},
            temperature_least=0.01,  # 0 is not taken
            temperature_most=1,
            knows=MARKS,
            tool_choice={"required": "auto", "function": "auto"},
            unable=frozenset({"json_schema", "n"}),
            refuse=frozenset({"tools.web_search", "tools.retrieval"}),  # they fetch, for a price
        ),
    ),
    Provider(
        name="qwen",
        base_url="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        credential="DASHSCOPE_API_KEY",
        hosts=("dashscope.aliyuncs.com", "dashscope-us.aliyuncs.com"),
        quirks=compatible(
            # https://www.alibabacloud.com/help/en/model-studio/qwen-api-via-openai-chat-completions
            rename=_AS_MAX_TOKENS,
            knows=MARKS,  # https://www.alibabacloud.com/help/en/model-studio/context-cache
            refuse=frozenset({"enable_search", "search_options"}),  # web search, for a price
        ),
    ),
    Provider(
        name="minimax",
        base_url="https://api.minimax.io/v1",
        credential="MINIMAX_API_KEY",
        hosts=("api.minimaxi.com",),
        quirks=compatible(
            reasoning_tag="think",
            # https://platform.minimax.io/docs/api-reference/text-openai-api
            drop=_PENALTIES | _OPENAI_ONLY | {"logit_bias"},
            temperature_least=0.01,  # 0 is not taken
            temperature_most=1,
            knows=frozenset({"reasoning_details"}),  # of its own thoughts
            unable=frozenset({"n"}),
        ),
    ),
    Provider(
        name="ollama",
        base_url="http://localhost:11434/v1",
        enabled=False,
        # https://docs.ollama.com/api/openai-compatibility
        quirks=compatible(
            drop=frozenset({"logit_bias", "user"}),
            unable=frozenset({"n", "urls"}),
        ),
    ),
    Provider(
        name="vllm",
        # https://docs.vllm.ai/en/latest/serving/openai_compatible_server/
        quirks=compatible(
            refuse=frozenset({"chat_template", "kv_transfer_params"}),  # a program; an address to fetch from
        ),
    ),
    Provider(
        name="lmstudio",
        # https://lmstudio.ai/docs/app/api/endpoints/openai
        quirks=compatible(unable=frozenset({"json_object"})),
    ),
    Provider(
        name="cloudflare",  # base_url holds the account: https://api.cloudflare.com/client/v4/accounts/ID/ai/v1
        credential="CLOUDFLARE_API_KEY",
        hosts=("api.cloudflare.com", "gateway.ai.cloudflare.com"),
        # https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility/
        quirks=compatible(
            rename=_AS_MAX_TOKENS,
            unable=frozenset({"n"}),
        ),
    ),
    Provider(
        name="huggingface",
        base_url="https://router.huggingface.co/v1",  # https://huggingface.co/docs/inference-providers
        credential="HF_TOKEN",
        quirks=compatible(),
    ),
    Provider(name="local", enabled=False),  # a local run gives it an address (handler/local/serve.py)
)

PROVIDERS: Mapping[str, Provider] = {row.name: row for row in _ROWS}
