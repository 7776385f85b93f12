"""Parses a Messages request, and translates it to a chat (docs/api.md, "Anthropic's Messages").

https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

from handler.errors import Json
from handler.formats.anthropic.content import Losses
from handler.formats.anthropic.effort import chat_effort
from handler.formats.anthropic.fields import MESSAGES
from handler.formats.anthropic.messages import chat_messages
from handler.formats.anthropic.tools import chat_tools
from handler.formats.chat.effects import OWN
from handler.formats.chat.foreign_fields import check_headers
from handler.formats.chat.request import Chat, NativeRequest, chat_of
from handler.formats.options import Headers
from handler.formats.validators import InvalidValue, validate
from handler.settings import Settings
from handler.wire.strict_json import loads

_MOST_STOPS = 4  # of a chat
_LONGEST_USER = 64  # characters; OpenAI refuses a longer `user`
_TIERS: Mapping[str, str] = {"auto": "auto", "standard_only": "default"}


def parse(body: bytes, headers: Headers, settings: Settings) -> Chat:
    """Parse and translate a request. Raises InvalidRequest, which names the field or header."""
    check_headers(headers)
    text, value = loads(body)
    validate(check_messages, value)
    losses = Losses()
    chat = translate(value, losses)
    native = NativeRequest(
        dialect="anthropic", text=text, body=value, only=losses.only, dropped=losses.dropped
    )
    return chat_of(text, chat, headers, native)


def check_messages(body: Any) -> None:
    """Raise InvalidValue for the first field that Messages or Sluice cannot accept."""
    MESSAGES(body)
    if body.get("output_schema") is not None and _output_format(body):
        raise InvalidValue("use either `output_schema` or `output_config.format`", path=".output_schema")


def translate(body: Json, losses: Losses) -> Json:
    """Return the chat of a valid request, and note in `losses` what it cannot say."""
    chat: Json = {}
    for name, value in body.items():
        if value in (None, [], {}):
            continue
        if name in OWN:
            chat[name] = value
        elif name in _FIELDS:
            chat |= _FIELDS[name](value, losses)
        elif name in _ONLY:
            losses.needs_anthropic(name, f"`{name}`")
        elif name not in _HANDLED:
            losses.drop(name)
    chat |= {**chat_effort(body, losses), **chat_tools(body, losses), **_response_format(body, losses)}
    return {**chat, "messages": chat_messages(body, losses)}


def _same(name: str) -> Callable[[Any, Losses], Json]:
    return lambda value, _: {name: value}


def _max_tokens(value: Any, losses: Losses) -> Json:
    if value == 0:
        losses.needs_anthropic("max_tokens", "a request for 0 tokens, which only fills its cache")
    return {"max_tokens": int(value) or 1}


def _stop(value: list[str], losses: Losses) -> Json:
    stops = [text for text in value if text]
    if len(stops) > _MOST_STOPS:
        losses.drop("stop_sequences")
    return {"stop": stops[:_MOST_STOPS]} if stops else {}


def _stream(value: bool, _: Losses) -> Json:
    return {"stream": True, "stream_options": {"include_usage": True}} if value else {}


def _tier(value: str, losses: Losses) -> Json:
    if value not in _TIERS:
        losses.drop("service_tier")
    return {"service_tier": _TIERS[value]} if value in _TIERS else {}


def _speed(value: str, losses: Losses) -> Json:
    if value != "standard":
        losses.drop("speed")
    return {}


def _user(value: Json, _: Losses) -> Json:
    """Return `user`. Claude Code's id is JSON that names an account, a device and the session."""
    user = value.get("user_id") or ""
    if user.startswith("{"):
        try:
            known = json.loads(user)
        except (ValueError, RecursionError):
            known = {}
        names = (known.get(name) for name in ("account_uuid", "device_id"))
        user = next((name for name in names if isinstance(name, str) and name), user)
    if len(user) > _LONGEST_USER:
        user = sha256(user.encode("utf-8", "surrogatepass")).hexdigest()
    return {"user": user} if user else {}


def _output_format(body: Json) -> Any:
    return (body.get("output_config") or {}).get("format") or body.get("output_format")


def _response_format(body: Json, losses: Losses) -> Json:
    if set(body.get("output_config") or ()) - {"effort", "format"}:
        losses.drop("output_config")
    if found := _output_format(body):
        json_schema = {"name": "output", "schema": found["schema"]}
        return {"response_format": {"type": "json_schema", "json_schema": json_schema}}
    return {}


_FIELDS: Mapping[str, Callable[[Any, Losses], Json]] = {
    **{name: _same(name) for name in ("model", "temperature", "top_p", "top_k", "cache_control")},
    "max_tokens": _max_tokens,
    "stop_sequences": _stop,
    "stream": _stream,
    "service_tier": _tier,
    "speed": _speed,
    "metadata": _user,
}
# They change the answer or who pays for it, and a chat cannot say them.
_ONLY = ("container", "mcp_servers", "thread", "compaction", "inference_geo", "billing_policy")
_HANDLED = frozenset(
    {
        *("messages", "system", "tools", "tool_choice", "thinking", "output_config", "output_format"),
        *("anthropic_version", "anthropic_beta", "betas"),
    }
)
