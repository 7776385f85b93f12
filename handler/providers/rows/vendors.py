"""The rows of the vendors whose wire formats the translators speak, and of Azure, which serves OpenAI's.

The comment at a quirk says where it is documented; docs/providers.md describes each.
"""

from __future__ import annotations

from handler.providers.provider import Provider, Quirks
from handler.providers.rows.bedrock import BEDROCK
from handler.providers.rows.compatible import (
    AS_MAX_TOKENS,
    CACHE_MARKS,
    ERROR_MARK,
    NO_DEVELOPER,
    REASONING,
    SIGNATURES,
)
from handler.providers.rows.responses import RESPONSES

VENDORS = (
    Provider(
        name="openai",
        base_url="https://api.openai.com/v1",
        credential="OPENAI_API_KEY",
        hosts=("*.api.openai.com",),  # us., eu., ...: https://platform.openai.com/docs/guides/your-data
        quirks=Quirks(
            drop=frozenset({"cache_control", "top_k"}),
            message_drop=SIGNATURES | CACHE_MARKS | ERROR_MARK | REASONING,  # 400 for unknown fields
            tool_drop=frozenset({"cache_control"}),
            drop_empty=True,
            tool_texts=True,  # https://platform.openai.com/docs/api-reference/chat/create
            # Costs more than the catalogue says: https://platform.openai.com/docs/guides/priority-processing
            refuse=frozenset({"service_tier=priority", "service_tier=fast"}),
        ),
        surfaces={"responses": RESPONSES},
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
            # They cost more than the catalogue says: https://platform.claude.com/docs/en/about-claude/pricing
            refuse=frozenset({"web_search_options", "speed=fast", "inference_geo"}),
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
            rename=AS_MAX_TOKENS,
            # candidateCount is refused by Gemini 3: https://github.com/googleapis/js-genai/issues/1609
            unable=frozenset({"n"}),
            message_drop=frozenset({"name"}),
            roles=NO_DEVELOPER,
            stream_usage=False,  # it sends usage with every event
            legacy=False,
            # Costs more than the catalogue says: https://ai.google.dev/gemini-api/docs/pricing
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
            drop=frozenset({"cache_control", "top_k"}),
            message_drop=SIGNATURES | CACHE_MARKS | ERROR_MARK | REASONING,  # 400 for unknown fields
            tool_drop=frozenset({"cache_control"}),
            drop_empty=True,
            tool_texts=True,  # https://platform.openai.com/docs/api-reference/chat/create
            # It searches an index of the account's: https://learn.microsoft.com/azure/ai-foundry/openai/references/on-your-data
            refuse=frozenset({"data_sources", "service_tier=priority", "service_tier=fast"}),
        ),
        surfaces={"responses": RESPONSES},
    ),
)
