"""The built-in providers, one row each (contract, section 9).

A provider that is compatible with OpenAI is data: a row here, or a `provider` record. The comment at a quirk
says where it is documented; docs/providers.md describes each.
"""

from __future__ import annotations

from collections.abc import Mapping

from handler.providers.provider import Provider
from handler.providers.rows.compatible import (
    ANSWER_FIELDS,
    AS_MAX_TOKENS,
    CACHE_MARKS,
    OPENAI_ONLY,
    compatible,
)
from handler.providers.rows.operations import ENDPOINTS, PROMPTS, SEARCH
from handler.providers.rows.responses import XAI_RESPONSES
from handler.providers.rows.vendors import VENDORS

_LOGPROBS = frozenset({"logprobs", "top_logprobs"})
_PENALTIES = frozenset({"frequency_penalty", "presence_penalty"})

_COMPATIBLE = (
    Provider(
        name="mistral",
        base_url="https://api.mistral.ai/v1",
        credential="MISTRAL_API_KEY",
        quirks=compatible(
            rename=AS_MAX_TOKENS | {"seed": "random_seed"},  # https://docs.mistral.ai/api/endpoint/chat
            # 422 extra_forbidden: https://github.com/mistralai/platform-docs-public/issues/7
            drop=_LOGPROBS | OPENAI_ONLY | {"logit_bias", "user", "top_k"},
            stream_usage=False,  # it sends usage in any case: https://github.com/posit-dev/chatlas/pull/145
            message_drop=ANSWER_FIELDS | {"name"},
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
            service_tier={
                "auto": "auto",
                "default": "on_demand",
                "flex": "flex",
            },  # it calls `default` `on_demand`
            # 400 for each, and for an n other than 1: https://console.groq.com/docs/openai
            drop=_LOGPROBS | (OPENAI_ONLY - {"service_tier"}) | {"logit_bias", "top_k"},
            unable=frozenset({"n"}),
            message_drop=ANSWER_FIELDS | {"name"},
            # Other models, web search and code execution cost extra: https://console.groq.com/docs/api-reference
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
            drop=_PENALTIES | OPENAI_ONLY | {"stop", "logit_bias"},
            message_drop=frozenset({"name"}),
            tool_drop=frozenset({"strict"}),
            # Web searches cost extra: https://docs.x.ai/docs/guides/tools/overview
            refuse=frozenset({"search_parameters", "web_search_options", "tools.live_search"}),
        ),
        surfaces={"responses": XAI_RESPONSES},
    ),
    Provider(
        name="deepseek",
        base_url="https://api.deepseek.com",
        credential="DEEPSEEK_API_KEY",
        quirks=compatible(
            # https://api-docs.deepseek.com/api/create-chat-completion
            rename=AS_MAX_TOKENS,
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
            # A second model, which costs extra: https://docs.together.ai/reference/chat-completions-1
            refuse=frozenset({"safety_model"}),
        ),
    ),
    Provider(
        name="fireworks",
        base_url="https://api.fireworks.ai/inference/v1",
        credential="FIREWORKS_API_KEY",
        quirks=compatible(
            rename=AS_MAX_TOKENS,  # https://docs.fireworks.ai/api-reference/post-chatcompletions
            tool_choice={"required": "any"},  # https://github.com/BerriAI/litellm/issues/4416
            message_drop=ANSWER_FIELDS,
            tool_drop=frozenset({"strict"}),
            # https://docs.fireworks.ai/serverless/priority-and-fast
            refuse=frozenset({"service_tier=priority"}),
        ),
    ),
    Provider(
        name="openrouter",
        base_url="https://openrouter.ai/api/v1",
        credential="OPENROUTER_API_KEY",
        quirks=compatible(
            accepts=CACHE_MARKS | {"reasoning_details"},  # https://openrouter.ai/docs/features/prompt-caching
            # They choose the model and its price, or fetch pages: https://openrouter.ai/docs/api/reference/overview
            # So can names of models: https://openrouter.ai/docs/guides/routing/model-variants/online
            # `models` and `route` are fields of Sluice's own, which no provider gets.
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
            drop=_PENALTIES | OPENAI_ONLY | {"logit_bias", "parallel_tool_calls", "top_k"},
            unable=frozenset({"n"}),
            message_drop=ANSWER_FIELDS | {"name"},
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
            rename=AS_MAX_TOKENS,
            drop=_LOGPROBS | OPENAI_ONLY | {"stop", "seed", "logit_bias", "parallel_tool_calls", "user"},
            unable=frozenset({"tools", "n", "json_object"}),
            stream_usage=False,  # it sends usage with every chunk
            refuse=frozenset({"web_search_options"}),  # searches cost extra; the same page
        ),
    ),
    Provider(
        name="nvidia",
        base_url="https://integrate.api.nvidia.com/v1",
        credential="NVIDIA_API_KEY",
        quirks=compatible(
            rename=AS_MAX_TOKENS,  # 422 for unknown fields: https://docs.api.nvidia.com/nim/reference/
            drop=OPENAI_ONLY,
            text_content=True,
        ),
    ),
    Provider(
        name="cohere",
        base_url="https://api.cohere.ai/compatibility/v1",
        credential="COHERE_API_KEY",
        quirks=compatible(
            # The list at the end of https://docs.cohere.com/docs/compatibility-api
            rename=AS_MAX_TOKENS,
            drop=(OPENAI_ONLY | {"logit_bias", "top_logprobs", "parallel_tool_calls", "modalities", "user"}),
            unable=frozenset({"n"}),
        ),
    ),
    Provider(
        name="sambanova",
        base_url="https://api.sambanova.ai/v1",
        credential="SAMBANOVA_API_KEY",
        quirks=compatible(
            # https://docs.sambanova.ai/cloud/docs/capabilities/openai-compatibility
            rename=AS_MAX_TOKENS,
            drop=_PENALTIES | _LOGPROBS | OPENAI_ONLY | {"logit_bias", "seed", "user"},
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
            rename=AS_MAX_TOKENS,
            tool_choice={"required": "auto"},
            unable=frozenset({"json_schema", "urls"}),
            temperature_most=1,
            refuse=frozenset({"tools.builtin_function"}),  # its web search costs extra
        ),
    ),
    Provider(
        name="zai",
        base_url="https://api.z.ai/api/paas/v4",
        credential="ZAI_API_KEY",
        hosts=("open.bigmodel.cn",),
        quirks=compatible(
            # https://docs.z.ai/api-reference/llm/chat-completion
            rename=AS_MAX_TOKENS,
            drop=_PENALTIES | _LOGPROBS | OPENAI_ONLY | {"logit_bias", "seed", "parallel_tool_calls"},
            temperature_least=0.01,  # it refuses 0
            temperature_most=1,
            accepts=CACHE_MARKS,
            tool_choice={"required": "auto", "function": "auto"},
            unable=frozenset({"json_schema", "n"}),
            refuse=frozenset({"tools.web_search", "tools.retrieval"}),  # they fetch pages, and cost extra
        ),
    ),
    Provider(
        name="qwen",
        base_url="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        credential="DASHSCOPE_API_KEY",
        hosts=("dashscope.aliyuncs.com", "dashscope-us.aliyuncs.com"),
        quirks=compatible(
            # https://www.alibabacloud.com/help/en/model-studio/qwen-api-via-openai-chat-completions
            rename=AS_MAX_TOKENS,
            accepts=CACHE_MARKS,  # https://www.alibabacloud.com/help/en/model-studio/context-cache
            refuse=frozenset({"enable_search", "search_options"}),  # web search costs extra
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
            drop=_PENALTIES | OPENAI_ONLY | {"logit_bias"},
            temperature_least=0.01,  # it refuses 0
            temperature_most=1,
            accepts=frozenset({"reasoning_details"}),  # of its own reasoning
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
            refuse=frozenset(
                {"chat_template", "kv_transfer_params"}
            ),  # runs a template; fetches from an address
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
            rename=AS_MAX_TOKENS,
            unable=frozenset({"n"}),
        ),
    ),
    Provider(
        name="huggingface",
        base_url="https://router.huggingface.co/v1",  # https://huggingface.co/docs/inference-providers
        credential="HF_TOKEN",
        quirks=compatible(),
    ),
    Provider(name="local", enabled=False),  # a local run gives its address (handler/local/serve.py)
)

PROVIDERS: Mapping[str, Provider] = {
    row.name: row.replaced(operations=ENDPOINTS.get(row.name), prompts=row.name in PROMPTS)
    for row in (*VENDORS, *_COMPATIBLE, *SEARCH)
}
