"""Parts of chat messages as blocks of Anthropic's Messages: texts, images, documents, thoughts, cache marks.

An address is passed on, and Anthropic fetches it; nothing is fetched here.
https://platform.claude.com/docs/en/build-with-claude/vision, /pdf-support, /thinking, /prompt-caching
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any

from handler.errors import UpstreamError
from handler.providers.base import Json
from handler.providers.media import media_of, type_of_name

FORMAT = "anthropic-claude-v1"  # marks thoughts that only Claude can read

_IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_TEXTS = ("text/", "application/json", "application/xml", "application/yaml")
_MODEL = re.compile(r"claude-[a-z0-9.-]+?(?=$|-20\d{6}|-v\d|-latest|[@:])")


def unsupported(where: str, problem: str) -> UpstreamError:
    """Content that Anthropic has no place for."""
    return UpstreamError(
        f"{where}: {problem}",
        klass="invalid_request",
        status=400,
        type="invalid_request_error",
        code="unsupported_parameter",
        param=where,
    )


def blocks_of(content: Any, where: str) -> list[Json]:
    """The blocks of a message's content. Blank texts are refused as blocks: they leave only their mark."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content.strip() else []
    blocks: list[Json] = []
    for at, part in enumerate(content or ()):
        if block := _block(part, f"{where}.content[{at}]"):
            blocks.append(block)
        elif blocks:
            blocks[-1] |= marked(part)
    return blocks


def _block(part: Json, where: str) -> Json | None:
    match part:
        case {"type": "text", "text": str(text)} | {"type": "refusal", "refusal": str(text)}:
            block = {"type": "text", "text": text} if text.strip() else None
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            block = _image(url, f"{where}.image_url.url")
        case {"type": "file", "file": dict(file)}:
            block = _file(file, f"{where}.file")
        case {"type": "thinking"}:  # Mistral's, with no signature that Claude would know
            block = None
        case _:
            raise unsupported(f"{where}.type", f"Claude takes no {part.get('type')}")
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


def _image(url: str, where: str) -> Json:
    if url[:5].lower() == "data:":
        return _data(url, where)
    if not url.lower().startswith(("http://", "https://")):
        raise unsupported(where, "neither a data: URL nor one that Anthropic can fetch")
    return {"type": "image", "source": {"type": "url", "url": url}}


def _file(file: Json, where: str) -> Json:
    data, id, name = file.get("file_data"), file.get("file_id"), file.get("filename")
    if isinstance(data, str) and data:
        if data[:5].lower() != "data:":
            data = f"data:{type_of_name(name or '') or ''};base64,{data}"
        block = _data(data, f"{where}.file_data")
        return {**block, "title": name} if name and block["type"] == "document" else block
    if isinstance(id, str) and id.startswith("file_"):  # OpenAI's begin with `file-`
        return {"type": "document", "source": {"type": "file", "file_id": id}}
    raise unsupported(where, "Claude needs its data; a file kept at OpenAI is out of its reach")


def _data(url: str, where: str) -> Json:
    try:
        media = media_of(url)
    except ValueError as error:
        raise unsupported(where, str(error)) from None
    source = {"type": "base64", "media_type": media.type, "data": media.data}
    if media.type in _IMAGES:
        return {"type": "image", "source": source}
    if media.type == "application/pdf":
        return {"type": "document", "source": source}
    if not media.type.startswith(_TEXTS):
        raise unsupported(where, "Claude takes JPEG, PNG, GIF and WebP images, PDF and plain text")
    text = base64.b64decode(media.data).decode("utf-8", "replace")
    return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": text}}


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
    found = _MODEL.search(model)
    return found[0] if found else model
