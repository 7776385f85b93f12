"""Chat requests, parsed as an endpoint parses them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from handler.errors import InvalidRequest
from handler.formats.chat.request import Chat, parse
from handler.settings import Settings

USER = {"role": "user", "content": "hi"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
SCHEMA = {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"type": "string"}}}


def chat(headers: Mapping[str, str] | None = None, **fields: Any) -> Chat:
    return parse(json.dumps({"messages": [USER], **fields}).encode(), headers or {}, Settings())


def refusal(headers: Mapping[str, str] | None = None, **fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        chat(headers, **fields)
    return caught.value
