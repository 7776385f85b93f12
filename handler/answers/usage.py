"""Usage and cost of an answer: tokens, and integers of nano-dollars.

https://platform.openai.com/docs/api-reference/chat/object#chat/object-usage
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from handler.providers.usage import usage_object
from rules import BYTES_PER_TOKEN, NANO, Candidate, Price

MILLION = 1_000_000
MAX_TOKENS = 10**12  # of one answer, as a provider may report


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens. `cached` is a part of `input`, `reasoning` a part of `output`, whatever the provider counts."""

    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0
    estimated: bool = False  # the provider gave none: from the length of the text

    def __bool__(self) -> bool:
        """False when all counts are 0: a provider that sends zeros has reported nothing."""
        return self.input + self.output > 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            input=self.input + other.input,
            output=self.output + other.output,
            cached=self.cached + other.cached,
            reasoning=self.reasoning + other.reasoning,
            estimated=self.estimated or other.estimated,
        )


WastedUsage = tuple[Candidate, Usage]  # the usage of an attempt that did not give the answer


def usage_of(body: Mapping[str, Any]) -> Usage | None:
    """The usage that a chat completion or a chunk reports; None if there is none."""
    usage = usage_object(body)
    if usage is None:
        return None
    prompt, completion = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    reasoning = _count(usage.get("completion_tokens_details"), "reasoning_tokens")
    cached = _count(usage.get("prompt_tokens_details"), "cached_tokens") or _count(
        usage,
        "prompt_cache_hit_tokens",  # https://api-docs.deepseek.com/guides/kv_cache
    )
    if _count(usage, "total_tokens") == prompt + completion + reasoning:
        completion += reasoning  # xAI counts them apart, https://docs.x.ai/docs/guides/reasoning
    return Usage(
        input=prompt, output=completion, cached=min(cached, prompt), reasoning=min(reasoning, completion)
    )


def estimated(*, input_tokens: int, output_bytes: int) -> Usage:
    """The usage of an answer that reported none: the estimate of its input, and the length of its text."""
    return Usage(input=input_tokens, output=-(-output_bytes // BYTES_PER_TOKEN), estimated=True)


def output_bytes(body: Mapping[str, Any]) -> int:
    """The text of a completion or a chunk, in UTF-8 bytes."""
    size = 0
    for choice in body.get("choices") or ():
        match choice:
            case {"delta": dict(part)} | {"message": dict(part)}:
                size += part_bytes(part)
    return size


def size_of(text: str) -> int:
    """The length of a text in UTF-8 bytes."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def cost(usage: Usage, price: Price) -> int:
    """Nano-dollars, rounded. Cached input without a price of its own costs what input costs."""
    cached_price = price.input if price.cached_input is None else price.cached_input
    fresh = usage.input - usage.cached
    exact = fresh * price.input + usage.cached * cached_price + usage.output * price.output
    return (exact + MILLION // 2) // MILLION


def dollars(nano: int) -> float:
    return nano / NANO


def cost_of(wasted: Iterable[WastedUsage]) -> int | None:
    """The cost of all of it in nano-dollars; None when a price is unknown."""
    nano = 0
    for candidate, usage in wasted:
        if candidate.price is None:
            return None
        nano += cost(usage, candidate.price)
    return nano


def summed(usage: Mapping[str, Any], wasted: Iterable[WastedUsage]) -> dict[str, Any]:
    """Add the usage of earlier attempts to a completion's usage object, in the members that it has."""
    more = sum((used for _, used in wasted), start=Usage())
    details = {
        "prompt_tokens_details": {"cached_tokens": more.cached},
        "completion_tokens_details": {"reasoning_tokens": more.reasoning},
    }
    inner = {
        name: _plus(usage[name], counts)
        for name, counts in details.items()
        if isinstance(usage.get(name), dict)
    }
    total = {"prompt_tokens": more.input, "completion_tokens": more.output}
    return {**_plus(usage, {**total, "total_tokens": more.input + more.output}), **inner}


def _plus(counts: Mapping[str, Any], more: Mapping[str, int]) -> dict[str, Any]:
    return {**counts, **{name: counts[name] + n for name, n in more.items() if type(counts.get(name)) is int}}


def _count(usage: object, name: str) -> int:
    value = usage.get(name) if isinstance(usage, Mapping) else None
    return int(value) if isinstance(value, int | float) and 0 < value < MAX_TOKENS else 0


def part_bytes(part: Mapping[str, Any]) -> int:
    """Count the text of a message or a delta, in UTF-8 bytes."""
    calls = part.get("tool_calls")
    made = [call for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    called = (call.get(kind) for call in made for kind in ("function", "custom"))
    size = 0
    for holder in (part, part.get("function_call"), *called):
        for name, value in holder.items() if isinstance(holder, dict) else ():
            if type(value) is str and name in _TEXTS:
                size += size_of(value)
    return size


_TEXTS = frozenset(
    ("content", "reasoning_content", "reasoning", "thinking", "refusal", "name", "arguments", "input")
)


def tells_usage(text: str) -> bool:
    """True for a usage chunk, the only event that counts after `[DONE]`."""
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(event, dict) and usage_of(event) is not None and not event.get("choices")
