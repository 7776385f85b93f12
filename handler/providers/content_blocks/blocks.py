"""Parts of chat messages as blocks in the form of Anthropic's Messages: texts, cache marks, thoughts.

What a part that is no text becomes is each format's own: a table by the part's type.
https://platform.claude.com/docs/en/build-with-claude/thinking, /prompt-caching
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from handler.providers.translator import Json
from handler.providers.unsupported import unsupported

Part = Callable[[Json, str], Json]  # a part of a message, and where it is, to a block

FORMAT = "anthropic-claude-v1"  # marks thoughts that only Claude can read

_MODEL = re.compile(r"claude-[a-z0-9.-]+?(?=$|-20\d{6}|-v\d|-latest|[@:])")


def blocks_of(content: Any, where: str, parts: Mapping[str, Part]) -> list[Json]:
    """The blocks of a message's content. Blank texts are refused as blocks: they leave only their mark."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content.strip() else []
    blocks: list[Json] = []
    for at, part in enumerate(content or ()):
        if block := _block(part, f"{where}.content[{at}]", parts):
            blocks.append(block)
        elif blocks:
            blocks[-1] |= marked(part)
    return blocks


def _block(part: Json, where: str, parts: Mapping[str, Part]) -> Json | None:
    match part:
        case {"type": "text", "text": str(text)} | {"type": "refusal", "refusal": str(text)}:
            block = {"type": "text", "text": text} if text.strip() else None
        case {"type": "thinking"}:  # Mistral's, with no signature that another model would know
            block = None
        case {"type": str(kind)} if kind in parts and isinstance(part.get(kind), dict):
            block = parts[kind](part[kind], f"{where}.{kind}")
        case _:
            raise unsupported(f"{where}.type", f"the model takes no {part.get('type')}")
    return block and {**block, **marked(part)}


def marked(part: Mapping[str, Any]) -> Json:
    """The cache mark of a part, a message or a tool: Anthropic's own, or OpenAI's breakpoint."""
    match part:
        case {"cache_control": {"type": "ephemeral", "ttl": "5m" | "1h" as ttl}}:
            return {"cache_control": {"type": "ephemeral", "ttl": ttl}}
        case {"prompt_cache_breakpoint": {"ttl": "12h"}}:
            return {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
        case {"cache_control": {"type": "ephemeral"}} | {"prompt_cache_breakpoint": dict()}:
            return {"cache_control": {"type": "ephemeral"}}
    return {}


def limit_marks(blocks: list[Json], most: int) -> None:
    """The last cache marks, as many as are taken; the first ones are covered by them.

    So are those before a mark that holds for longer, which must not come after them:
    https://platform.claude.com/docs/en/build-with-claude/prompt-caching
    """
    marked = [block for block in blocks if "cache_control" in block]
    lasting = [block["cache_control"].get("ttl") == "1h" for block in marked]
    last = max((at for at, lasts in enumerate(lasting) if lasts), default=0)
    for at, block in enumerate(marked):
        if at < len(marked) - most or (at < last and not lasting[at]):
            del block["cache_control"]


def thought(block: Json, index: int, model: str) -> Json | None:
    """An item of `reasoning_details` for a block of thinking: what the client sends back with the message."""
    about = {"format": FORMAT, "index": index, "model": model}
    match block:
        case {"type": "redacted_thinking", "data": str(data)}:
            return {"type": "reasoning.encrypted", "data": data, **about}
        case {"type": "thinking", "thinking": str(text), "signature": str(signature)} if signature:
            return {"type": "reasoning.text", "text": text, "signature": signature, **about}
    return None


def thoughts_of(message: Mapping[str, Any], model: str) -> list[Json]:
    """The thinking that a client sent back, if this model may be shown it: another one's is refused."""
    carried = message.get("reasoning_details") or message.get("thinking_blocks")
    return list(_thoughts(carried, model)) if isinstance(carried, list) else []


def _thoughts(carried: list[Any], model: str) -> Iterator[Json]:
    for one in carried:
        if not isinstance(one, dict) or one.get("format") not in (None, FORMAT):
            continue
        if isinstance(theirs := one.get("model"), str) and _family(theirs) != _family(model):
            continue
        match one:
            case {"type": "reasoning.text", "text": str(text), "signature": str(signature)} | {
                "type": "thinking",
                "thinking": str(text),
                "signature": str(signature),
            } if signature:
                yield {"type": "thinking", "thinking": text, "signature": signature}
            case {"type": "reasoning.encrypted" | "redacted_thinking", "data": str(data)}:
                yield {"type": "redacted_thinking", "data": data}


def _family(model: str) -> str:
    """A model without its date, its version and where it is served."""
    found = _MODEL.search(model[:200])  # from each place that it may begin at it looks to the end
    return found[0] if found else model
