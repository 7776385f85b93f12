"""What hosts that are compatible with OpenAI, and are not OpenAI, have in common: their rows say the rest.

docs/providers.md says what each quirk does.
"""

from __future__ import annotations

from typing import Any

from handler.providers.provider import Quirks

NO_DEVELOPER = {"developer": "system"}  # only OpenAI's models know the role
# What Gemini's and Claude's thoughts are signed with: nobody else can read it.
SIGNED = frozenset(
    {
        *("reasoning_details", "thinking_blocks", "extra_content", "provider_specific_fields"),
        *("tool_calls.thought_signature", "tool_calls.extra_content", "tool_calls.provider_specific_fields"),
    }
)
# Where a prompt's cache is marked, and what answers leave in a history: unknown, so 400, to the strict ones.
MARKS = frozenset({"cache_control", "content.cache_control"})
THOUGHTS = frozenset({"reasoning", "reasoning_content"})
FOREIGN = THOUGHTS | {"annotations", "audio", "images"}
_NONE = frozenset[str]()


def compatible(
    *,
    drop: frozenset[str] = _NONE,
    unable: frozenset[str] = _NONE,
    message_drop: frozenset[str] = _NONE,
    tool_drop: frozenset[str] = _NONE,
    knows: frozenset[str] = _NONE,
    **more: Any,
) -> Quirks:
    """The quirks of a host that is compatible with OpenAI and not OpenAI, beside its own.

    `knows`: fields of messages that it takes all the same. What a client stores, and calls it by, is no
    third party's.
    """
    fields = SIGNED | MARKS | {"content.prompt_cache_breakpoint", "refusal"} | message_drop
    return Quirks(
        drop=drop | {"store", "metadata", "cache_control"},
        unable=unable | {"custom_tools"},
        message_drop=fields - knows,
        tool_drop=tool_drop if "content.cache_control" in knows else tool_drop | {"cache_control"},
        drop_null=True,  # a null is of the wrong type to many: https://github.com/BerriAI/litellm/issues/25697
        drop_empty=True,
        roles=NO_DEVELOPER,
        allowed_tools=False,
        legacy=False,
        finish_by_calls=True,  # vLLM's parsers and others: https://github.com/BerriAI/litellm/issues/34692
        **more,
    )
