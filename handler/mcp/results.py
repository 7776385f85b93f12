"""What a model gets of the result of a tool: a text of limited size. No I/O.

https://modelcontextprotocol.io/specification/2025-11-25/server/tools#tool-result
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from handler.errors import Json

MAX_RESULT = 100_000  # characters of one result


def result_text(result: Json, most: int = MAX_RESULT) -> str:
    """Return a result as text. What is not text is named only; of a longer text the beginning is returned."""
    text = "\n".join(_parts(result.get("content")))
    if not text and "structuredContent" in result:
        text = json.dumps(result["structuredContent"], ensure_ascii=False)
    return _cut(f"Error: {text}" if result.get("isError") else text, most)


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    return f"{text[:most]}\n[The result has {len(text)} characters; these are the first {most}.]"


def _parts(content: Any) -> Iterator[str]:
    for block in content if isinstance(content, list) else ():
        match block:
            case {"type": "text", "text": str(text)}:
                yield text
            case {"type": "resource", "resource": {"text": str(text)}}:
                yield text
            case {"type": "resource_link", "uri": str(uri)}:
                yield f"[{block.get('name') or 'resource'}: {uri}]"
            case {"type": "resource", "resource": {"blob": str(data)} as resource}:
                yield _omitted("resource", resource, data)
            case {"type": str(kind), "data": str(data)}:
                yield _omitted(kind, block, data)


def _omitted(kind: str, part: Json, data: str) -> str:
    """Name a part that is not passed on. data: in base64."""
    return f"[{kind}, {part.get('mimeType') or 'of an unknown type'}, {len(data) * 3 // 4} bytes: not shown]"
