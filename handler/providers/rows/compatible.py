"""The quirks that all hosts compatible with OpenAI have in common. docs/providers.md describes each."""

from __future__ import annotations

from typing import Any

from handler.providers.provider import Provider, Quirks

AS_MAX_TOKENS = {"max_completion_tokens": "max_tokens"}
NO_DEVELOPER = {"developer": "system"}  # only OpenAI's models know the role
# Message fields with the signatures of reasoning, and OpenAI's `phase`, which no other API can read.
SIGNATURES = frozenset(
    {
        *("reasoning_details", "thinking_blocks", "extra_content", "provider_specific_fields", "phase"),
        *("tool_calls.thought_signature", "tool_calls.extra_content", "tool_calls.provider_specific_fields"),
    }
)
CACHE_MARKS = frozenset({"cache_control", "content.cache_control"})  # of the prompt cache
ERROR_MARK = frozenset({"is_error"})  # of a tool's result, which Claude and Gemini read
REASONING = frozenset({"reasoning", "reasoning_content"})
# Fields that a history has from answers. Strict hosts answer 400 to fields that they do not know.
ANSWER_FIELDS = REASONING | {"annotations", "audio", "images"}
# OpenAI's own fields: other hosts refuse or ignore them, and answers do not depend on them.
OPENAI_ONLY = frozenset(
    {
        *("store", "metadata", "service_tier", "prediction", "verbosity", "safety_identifier"),
        *("prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "moderation"),
    }
)
_NONE = frozenset[str]()


def compatible(
    *,
    drop: frozenset[str] = _NONE,
    unable: frozenset[str] = _NONE,
    message_drop: frozenset[str] = _NONE,
    tool_drop: frozenset[str] = _NONE,
    accepts: frozenset[str] = _NONE,
    **more: Any,
) -> Quirks:
    """Return the common quirks with a host's own added. `accepts`: message fields that are sent all the same.

    `store` and `metadata` are dropped because what a client stores at OpenAI is no third party's business.
    """
    fields = (
        SIGNATURES | CACHE_MARKS | ERROR_MARK | {"content.prompt_cache_breakpoint", "refusal"} | message_drop
    )
    return Quirks(
        drop=drop | {"store", "metadata", "cache_control"},
        unable=unable | {"custom_tools"},
        message_drop=fields - accepts,
        tool_drop=tool_drop if "content.cache_control" in accepts else tool_drop | {"cache_control"},
        drop_null=True,  # many refuse null: https://github.com/BerriAI/litellm/issues/25697
        drop_empty=True,
        tool_texts=True,
        roles=NO_DEVELOPER,
        allowed_tools=False,
        legacy=False,
        finish_by_calls=True,  # vLLM's parsers and others: https://github.com/BerriAI/litellm/issues/34692
        **more,
    )


def translation_quirks(row: Provider) -> Quirks:
    """Return the row's quirks for a request that Sluice translated to chat.

    It has fields that its client never wrote, so a host without a word about messages does not get them.
    """
    quirks = row.quirks
    if row.dialect != "openai" or quirks.message_drop:
        return quirks
    fields = SIGNATURES | CACHE_MARKS | ERROR_MARK | {"content.prompt_cache_breakpoint"}
    marks = {"cache_control"}
    return quirks.replaced(message_drop=fields, drop=quirks.drop | marks, tool_drop=quirks.tool_drop | marks)
