"""Converts a chat completion to an answer of Converse: content, stop reason, usage.

The content is that of a message of Anthropic's, whose blocks Converse has under other names.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from handler.errors import Json
from handler.formats.anthropic.answer import ending_of, usage_of
from handler.formats.anthropic.blocks import Block, BlockWriter, content_of_events
from handler.formats.chat.request import Chat

_DATA_URL = re.compile(r"data:image/([a-z]{1,10});base64,(.*)", re.DOTALL)
_STOP_REASONS: Mapping[str, str] = {"refusal": "content_filtered"}
_TIERS = ("default", "flex", "priority", "reserved")


class ConverseWriter(BlockWriter):
    """Writes the blocks of one answer. Unlike a message, Converse has blocks of images."""

    def __init__(self) -> None:
        super().__init__(hides_thinking=False)

    def _draw(self, image: Json) -> Iterator[Json]:
        match image:
            case {"image_url": {"url": str(url)}} if found := _DATA_URL.fullmatch(url):
                start = {"type": "image", "format": found[1], "source": {"bytes": found[2]}}
                yield from self._append(Block("image", start))


def answer_of(completion: Json, chat: Chat, *, latency: int) -> Json:
    """Return the answer for a completion. latency: in milliseconds."""
    choice = completion["choices"][0]
    writer = ConverseWriter()
    blocks = content_of_events([*writer.feed(choice["message"]), *writer.close()])
    return {
        "output": {"message": {"role": "assistant", "content": [converse_block(one) for one in blocks]}},
        "stopReason": stop_reason(choice, writer, chat),
        **tail_of(completion, latency=latency),
    }


def converse_block(block: Json) -> Json:
    match block:
        case {"type": "thinking", "thinking": text, "signature": signature}:
            signed = {"signature": signature} if signature else {}
            return {"reasoningContent": {"reasoningText": {"text": text, **signed}}}
        case {"type": "redacted_thinking", "data": data}:
            return {"reasoningContent": {"redactedContent": data}}
        case {"type": "tool_use", "id": id, "name": name, "input": input}:
            return {"toolUse": {"toolUseId": id, "name": name, "input": input}}
        case {"type": "image", "format": format, "source": source}:
            return {"image": {"format": format, "source": source}}
        case {"text": text, "citations": [*citations]}:
            cited = [citation_of(one) for one in citations]
            return {"citationsContent": {"content": [{"text": text}], "citations": cited}}
    return {"text": block["text"]}


def citation_of(citation: Json) -> Json:
    """Return the citation of a page."""
    title = {"title": citation["title"]} if citation["title"] else {}
    source = {"sourceContent": [{"text": citation["cited_text"]}]} if citation["cited_text"] else {}
    return {**title, **source, "location": {"web": {"url": citation["url"]}}}


def stop_reason(choice: Json, writer: BlockWriter, chat: Chat) -> str:
    reason: str = ending_of(choice, writer, chat)["stop_reason"]
    return _STOP_REASONS.get(reason, reason)


def tail_of(completion: Json, *, latency: int) -> Json:
    """Return usage, metrics and tier, and the explanation if there is one."""
    tier = completion.get("service_tier")
    return {
        "usage": _usage(usage_of(completion)),
        "metrics": {"latencyMs": latency},
        **({"serviceTier": {"type": tier}} if tier in _TIERS else {}),
        **({"sluice": completion["sluice"]} if "sluice" in completion else {}),
    }


def _usage(usage: Json) -> Json:
    """Return the usage. Tokens read from the cache and written to it are not among `inputTokens`."""
    read, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
    by_ttl = {
        "5m": usage["cache_creation"]["ephemeral_5m_input_tokens"],
        "1h": usage["cache_creation"]["ephemeral_1h_input_tokens"],
    }
    return {
        "inputTokens": usage["input_tokens"],
        "outputTokens": usage["output_tokens"],
        "totalTokens": usage["input_tokens"] + read + written + usage["output_tokens"],
        "cacheReadInputTokens": read,
        "cacheWriteInputTokens": written,
        "cacheDetails": [{"ttl": ttl, "inputTokens": count} for ttl, count in by_ttl.items() if count],
        **{name: usage[name] for name in ("cost", "cost_details") if name in usage},
    }
