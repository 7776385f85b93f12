"""A chat request as Anthropic's Messages takes it, and the tuning that it does not take.

What a family of models refuses is said by the words of its catalogue rules (scripts/catalog_overlay.toml).
https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from handler.providers.anthropic.media import PARTS
from handler.providers.content_blocks.blocks import limit_marks
from handler.providers.content_blocks.conversation import Conversation, Manner
from handler.providers.content_blocks.names import fitting
from handler.providers.content_blocks.thinking import think, words_of
from handler.providers.content_blocks.tools import choose, held_to
from handler.providers.legacy_functions import modern
from handler.providers.quirks.parameters import MOST, asked_tokens, is_neutral, stops_of
from handler.providers.translator import Json
from handler.providers.unsupported import unsupported
from rules import Model

_MANNER = Manner(parts=PARTS, fitting=fitting, longest_name=128)
_MARKS = 4  # cache marks in one request
_SAMPLING = ("temperature", "top_p", "top_k")
_PERSONAL = re.compile(r"[^@\s]+@[^@\s]+\.\w+|\+?[\d\s().-]{7,}")  # an address or a number to call

# What is said elsewhere in the request, or only concerns how the answer comes.
_UNSAID = frozenset({"stream", "stream_options", "functions", "function_call"})


def request(chat: Json, model: Model) -> tuple[Json, tuple[str, ...]]:
    """The body, and the names of what was left out or lowered."""
    modernised, words, dropped = modern(chat), words_of(model), list[str]()
    talk = Conversation(
        modernised["messages"], _MANNER, model=model.name, system_turns="system_turns" in words
    )
    if talk.prefilled and words and "prefill" not in model.can:
        raise unsupported("messages", "this model does not go on from an answer that was begun")
    body: Json = {
        "model": model.name,
        "max_tokens": asked_tokens(chat, model, dropped) or model.max_output or MOST,
    }
    forced = choose(modernised, body, talk, words, dropped)
    schema = held_to(chat, body, model, dropped)
    think(chat, body, talk, words, forced, dropped)
    for name, value in modernised.items():
        if name in _FIELDS and value is not None:
            body |= _FIELDS[name](value, body, dropped)
        elif name not in _HANDLED and not is_neutral(name, value):
            dropped.append(name)
    if schema:
        held = {"format": {"type": "json_schema", "schema": schema}}
        body["output_config"] = {**body.get("output_config", {}), **held}
    _sampling(chat, body, words, dropped)
    if talk.system:
        body["system"] = talk.system
    body["messages"] = [turn.body() for turn in talk.turns]
    _limit_marks(body)
    return body, tuple(dict.fromkeys(dropped))


def _sampling(chat: Json, body: Json, words: Mapping[str, str], dropped: list[str]) -> None:
    given = {name: chat[name] for name in _SAMPLING if chat.get(name) is not None}
    thinks = body.get("thinking", {"type": "disabled"})["type"] != "disabled"
    if "no_sampling" in words or thinks:
        dropped += given
        return
    if given.get("temperature", 0) > 1:
        given["temperature"] = 1
        dropped.append("temperature")
    if "temperature" in given and given.pop("top_p", None) is not None:
        dropped.append("top_p")  # not both: https://platform.claude.com/docs/en/about-claude/models/migrating
    body |= given


def _stop(value: Any, _: Json, dropped: list[str]) -> Json:
    stops = stops_of(value, dropped)
    return {"stop_sequences": stops} if stops else {}


def _user(value: Any, body: Json, dropped: list[str]) -> Json:
    """Anthropic asks that nobody can be reached by it."""
    if "metadata" in body:
        return {}
    if len(value) > 512 or _PERSONAL.fullmatch(value.strip()):
        dropped.append("user")
        return {}
    return {"metadata": {"user_id": value}} if value else {}


def _tier(value: Any, _: Json, dropped: list[str]) -> Json:
    if value == "default":
        return {"service_tier": "standard_only"}
    if value != "auto":
        dropped.append("service_tier")
    return {}


_FIELDS: Mapping[str, Callable[[Any, Json, list[str]], Json]] = {
    "stream": lambda value, _, dropped: {"stream": True} if value else {},
    "stop": _stop,
    "safety_identifier": _user,
    "user": _user,
    "service_tier": _tier,
    "cache_control": lambda value, _, dropped: {"cache_control": value},
}
_HANDLED = _UNSAID | {
    *("model", "messages", "max_tokens", "max_completion_tokens", "tools", "tool_choice"),
    *("parallel_tool_calls", "reasoning_effort", "response_format", *_SAMPLING),
}


def _limit_marks(body: Json) -> None:
    blocks = [*body.get("tools", ()), *body.get("system", ())]
    blocks += [block for turn in body["messages"] for block in turn["content"]]
    limit_marks(blocks, _MARKS - ("cache_control" in body))
