"""Usage of an answer: the tokens of each part, as providers report them or as they are estimated.

https://platform.openai.com/docs/api-reference/chat/object#chat/object-usage
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from handler.errors import UpstreamError
from handler.providers.usage import usage_object
from rules import BYTES_PER_TOKEN, NANO, UNITS, Candidate, Frozen

MAX_TOKENS = 10**12  # of one answer, as a provider may report
MAX_COST = 10**6  # dollars of one answer, as a provider may state

# Tokens of a usage that the others are a part of, and of which part: cached input is input.
INPUT_COUNTS = ("cached", "cache_write", "cache_write_1h", "audio_input", "image_input")
OUTPUT_COUNTS = ("reasoning", "audio_output", "image_output")
COUNTS = ("input", "output", *INPUT_COUNTS, *OUTPUT_COUNTS)


class Usage(Frozen):
    """Tokens. INPUT_COUNTS are parts of `input` that do not overlap, OUTPUT_COUNTS parts of `output`."""

    input: int = 0
    output: int = 0
    cached: int = 0
    cache_write: int = 0  # for five minutes, or however long the provider keeps it
    cache_write_1h: int = 0
    audio_input: int = 0
    image_input: int = 0
    reasoning: int = 0
    audio_output: int = 0
    image_output: int = 0
    searches: int = 0  # UNITS besides tokens, of operations besides chat
    characters: int = 0
    seconds: int = 0
    images: int = 0
    service_tier: str = ""  # that the provider names, in its words
    stated_cost: int | None = None  # nano-dollars, where the provider states its own cost
    longest_input: int = 0  # of several requests, the input of the longest: it decides on the price
    estimated: bool = False  # the provider gave none: from the length of the text

    def __bool__(self) -> bool:
        """False when all counts are 0: a provider that sends zeros has reported nothing."""
        return self.input + self.output > 0 or any(getattr(self, unit) for unit in UNITS)

    def __add__(self, other: Usage) -> Usage:
        if self == _NOTHING or other == _NOTHING:
            return other if self == _NOTHING else self
        stated = None
        if self.stated_cost is not None and other.stated_cost is not None:
            stated = self.stated_cost + other.stated_cost
        counts: dict[str, Any] = {
            name: getattr(self, name) + getattr(other, name) for name in (*COUNTS, *UNITS)
        }
        return Usage(
            **counts,
            service_tier=self.service_tier if self.service_tier == other.service_tier else "",
            stated_cost=stated,
            longest_input=max(self.largest_request, other.largest_request),
            estimated=self.estimated or other.estimated,
        )

    @property
    def largest_request(self) -> int:
        """The input tokens of the longest request."""
        return self.longest_input or self.input

    @property
    def parts(self) -> dict[str, int]:
        """The tokens of each part of a price (`Price`), which add up to all tokens, and the other units."""
        counts = {name: getattr(self, name) for name in (*INPUT_COUNTS, *OUTPUT_COUNTS)}
        fresh = self.input - sum(counts[name] for name in INPUT_COUNTS)
        text = self.output - sum(counts[name] for name in OUTPUT_COUNTS)
        units = {unit: count for unit in UNITS if (count := getattr(self, unit))}
        return {"input": fresh, "cached_input": counts.pop("cached"), **counts, "output": text, **units}


_NOTHING = Usage()

WastedUsage = tuple[Candidate, Usage]  # the usage of an attempt that did not give the answer


def usage_of(body: Mapping[str, Any]) -> Usage | None:
    """Return the usage that a chat completion or a chunk reports; None if there is none.

    Counts of parts that exceed the whole are cut, in the order of INPUT_COUNTS and OUTPUT_COUNTS.
    """
    usage = usage_object(body)
    if usage is None:
        return None
    prompt, completion = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
    output = _output_counts(usage.get("completion_tokens_details"))
    reasoning = output["reasoning"]
    if reasoning and _count(usage, "total_tokens") == prompt + completion + reasoning:
        completion += reasoning  # xAI counts them apart, https://docs.x.ai/docs/guides/reasoning
    tier = body.get("service_tier")
    parts: dict[str, Any] = _within(prompt, _input_counts(usage)) | _within(completion, output)
    return Usage(
        input=prompt,
        output=completion,
        **parts,
        service_tier=tier if isinstance(tier, str) else "",
        stated_cost=_stated_cost(usage),
    )


def _input_counts(usage: Mapping[str, Any]) -> Mapping[str, int]:
    details = usage.get("prompt_tokens_details")
    if details is None and _CACHED.isdisjoint(usage):
        return _NO_INPUT_COUNTS
    cached = (
        _count(details, "cached_tokens")
        or _count(usage, "prompt_cache_hit_tokens")  # https://api-docs.deepseek.com/guides/kv_cache
        or _count(usage, "cached_tokens")  # https://platform.moonshot.ai/docs/api/chat
    )
    # OpenRouter's name, https://openrouter.ai/docs/use-cases/usage-accounting, and that of Qwen,
    # https://www.alibabacloud.com/help/en/model-studio/context-cache
    written = _count(details, "cache_write_tokens") or _count(details, "cache_creation_input_tokens")
    for_an_hour = min(written, _count(details, "cache_write_1h_tokens"))
    both = details.get("cached_tokens_details") if isinstance(details, Mapping) else None
    return {
        "cached": cached,
        "cache_write": written - for_an_hour,
        "cache_write_1h": for_an_hour,
        "audio_input": max(0, _count(details, "audio_tokens") - _count(both, "audio_tokens")),
        "image_input": max(0, _count(details, "image_tokens") - _count(both, "image_tokens")),
    }


_CACHED = frozenset(("prompt_cache_hit_tokens", "cached_tokens"))
_NO_INPUT_COUNTS = dict.fromkeys(INPUT_COUNTS, 0)
_NO_OUTPUT_COUNTS = dict.fromkeys(OUTPUT_COUNTS, 0)


def _output_counts(details: object) -> Mapping[str, int]:
    if details is None:
        return _NO_OUTPUT_COUNTS
    names = {"reasoning": "reasoning", "audio_output": "audio", "image_output": "image"}
    return {ours: _count(details, f"{theirs}_tokens") for ours, theirs in names.items()}


def _within(whole: int, counts: Mapping[str, int]) -> dict[str, int]:
    """Return counts that are at most the whole together."""
    within = {}
    for name, count in counts.items():
        within[name] = min(count, whole)
        whole -= within[name]
    return within


def _stated_cost(usage: Mapping[str, Any]) -> int | None:
    """Return the nano-dollars that the provider states; None if it does not.

    OpenRouter: `cost`, to which is added what is paid to the upstream provider with a key of one's own.
    Perplexity: `cost.total_cost`. xAI: `cost_in_usd_ticks`, https://docs.x.ai/developers/cost-tracking
    """
    match usage:
        case {"cost_in_usd_ticks": int(ticks)} if 0 <= ticks <= MAX_COST * 10**10:
            return (ticks + 5) // 10
        case {"cost": dict(costs)}:
            return _nano(costs.get("total_cost"))
        case {"cost": fee, "is_byok": True, "cost_details": {"upstream_inference_cost": paid}}:
            stated, upstream = _nano(fee), _nano(paid)
            return None if stated is None else stated + (upstream or 0)
        case {"cost": cost}:
            return _nano(cost)
    return None


def _nano(dollars: object) -> int | None:
    valid = isinstance(dollars, int | float) and not isinstance(dollars, bool)
    return round(dollars * NANO) if valid and 0 <= dollars <= MAX_COST else None  # type: ignore[operator]


def estimated(*, input_tokens: int, output_bytes: int) -> Usage:
    """Return the usage of an answer that reported none: the estimate of its input, the length of its text."""
    return Usage(input=input_tokens, output=-(-output_bytes // BYTES_PER_TOKEN), estimated=True)


# Classes of failures that end an attempt while the provider is at work, so that it may charge for it.
_GIVEN_UP = frozenset({"cancelled", "timeout_first_token", "timeout_idle", "timeout_total"})


def is_given_up(error: BaseException | None) -> bool:
    """Return True if an attempt ended on our side: cancelled, or after a time limit."""
    return not isinstance(error, UpstreamError) or error.failure_class in _GIVEN_UP


def output_bytes(body: Mapping[str, Any]) -> int:
    """Return the length of the text of a completion or a chunk, in UTF-8 bytes."""
    size = 0
    for choice in body.get("choices") or ():
        match choice:
            case {"delta": dict(part)} | {"message": dict(part)}:
                size += part_bytes(part)
    return size


def size_of(text: str) -> int:
    """Return the length of a text in UTF-8 bytes."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def summed(usage: Mapping[str, Any], wasted: Iterable[WastedUsage]) -> dict[str, Any]:
    """Add the usage of earlier attempts to a completion's usage object, in the members that it has."""
    more = sum((used for _, used in wasted), start=Usage())
    details = {
        "prompt_tokens_details": {
            "cached_tokens": more.cached,
            "cache_write_tokens": more.cache_write + more.cache_write_1h,
            "cache_write_1h_tokens": more.cache_write_1h,
        },
        "completion_tokens_details": {"reasoning_tokens": more.reasoning},
    }
    inner = {
        name: _plus(usage[name], counts)
        for name, counts in details.items()
        if isinstance(usage.get(name), dict)
    }
    total = {"prompt_tokens": more.input, "completion_tokens": more.output}
    return {**_plus(usage, {**total, "total_tokens": more.input + more.output}), **inner}


def reported(used: Usage) -> dict[str, int]:
    """Return the usage object of an estimate, for a client whose provider gave none."""
    return {
        "prompt_tokens": used.input,
        "completion_tokens": used.output,
        "total_tokens": used.input + used.output,
    }


def _plus(counts: Mapping[str, Any], more: Mapping[str, int]) -> dict[str, Any]:
    return {**counts, **{name: counts[name] + n for name, n in more.items() if type(counts.get(name)) is int}}


def _count(usage: object, name: str) -> int:
    value = usage.get(name) if isinstance(usage, dict) else None
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
