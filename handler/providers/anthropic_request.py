"""A chat request as Anthropic's Messages takes it, and the tuning that it does not take.

What a family of models refuses is said by the words of its catalogue rules (scripts/catalog_overlay.toml).
https://platform.claude.com/docs/en/api/messages
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from handler.legacy import modern
from handler.providers.anthropic_content import unsupported
from handler.providers.anthropic_schema import compiled
from handler.providers.anthropic_tools import choose
from handler.providers.anthropic_turns import Conversation
from handler.providers.base import Json
from handler.providers.quirks import EFFORTS, NEUTRAL
from rules import Model

# Claude models that the catalogue does not know are taken to be like the newest but for forced tools.
_NEWEST = ("efforts:low,medium,high,xhigh,max", "no_sampling", "adaptive")
_MOST = 32_000  # tokens of output, where the catalogue knows no bound
_MARKS = 4  # cache marks in one request
_LEAST_BUDGET = 1024
_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 2048, "high": 4096, "xhigh": 8192, "max": 16384}
_SAMPLING = ("temperature", "top_p", "top_k")
_JSON = "Reply with one JSON object and nothing else: no other text, no code fence."
_PERSONAL = re.compile(r"[^@\s]+@[^@\s]+\.\w+|\+?[\d\s().-]{7,}")  # an address or a number to call

# What is said elsewhere in the request, or only concerns how the answer comes.
_UNSAID = frozenset({"stream", "stream_options", "functions", "function_call"})


def request(chat: Json, model: Model) -> tuple[Json, tuple[str, ...]]:
    """The body, and the names of what was left out or lowered."""
    modernised, words, dropped = modern(chat), words_of(model), list[str]()
    talk = Conversation(modernised["messages"], model=model.name, system_turns="system_turns" in words)
    if talk.prefilled and words and "prefill" not in model.can:
        raise unsupported("messages", "this model does not go on from an answer that was begun")
    body: Json = {"model": model.name, "max_tokens": _max_tokens(chat, model, dropped)}
    forced = choose(modernised, body, talk, words, dropped)
    _think(chat, body, talk, words, forced, dropped)
    for name, value in modernised.items():
        if name in _FIELDS and value is not None:
            body |= _FIELDS[name](value, body, dropped)
        elif name not in _HANDLED and not _neutral(name, value):
            dropped.append(name)
    _sampling(chat, body, words, dropped)
    if _kind(chat.get("response_format")) == "json_object":
        talk.say(_JSON)
    if talk.system:
        body["system"] = talk.system
    body["messages"] = [turn.body() for turn in talk.turns]
    _limit_marks(body)
    return body, tuple(dict.fromkeys(dropped))


def words_of(model: Model) -> Mapping[str, str]:
    """What is said of the model's family: each word with its argument."""
    rules = model.rules or (_NEWEST if "claude" in model.name else ())
    return {word: argument for word, _, argument in (rule.partition(":") for rule in rules)}


def _max_tokens(chat: Json, model: Model, dropped: list[str]) -> int:
    """Anthropic wants it said; without a wish it is all that the model can."""
    most = model.max_output or _MOST
    for name in ("max_completion_tokens", "max_tokens"):
        if (asked := chat.get(name)) is not None:
            if model.max_output and asked > most:
                dropped.append(name)
                return most
            return int(asked)
    return most


def _think(
    chat: Json, body: Json, talk: Conversation, words: Mapping[str, str], forced: bool, dropped: list[str]
) -> None:
    """Sets `thinking` and the effort; thoughts in the history go where there is no thinking."""
    how = next((_THINKING[word] for word in words if word in _THINKING), _unasked)
    asked = chat.get("reasoning_effort")
    asked = asked if asked in EFFORTS else None
    thinking, effort = how(asked, body, talk, words)
    if forced and thinking is not None and thinking["type"] != "disabled":
        thinking = None  # a forced call and thinking exclude each other
    if thinking is not None:
        body["thinking"] = thinking
    if effort is not None:
        body["output_config"] = {"effort": effort}
    if (thinking is None or thinking["type"] == "disabled") and "thinking_on" not in words:
        talk.forget_thoughts()
    if chat.get("reasoning_effort") is not None and not _as_asked(asked, thinking, effort):
        dropped.append("reasoning_effort")


def _as_asked(asked: str | None, thinking: Json | None, effort: str | None) -> bool:
    if asked == "none":
        return effort is None
    return asked is not None and (effort == asked or (effort is None and thinking is not None))


Thinking = tuple[Json | None, str | None]


def _adaptive(asked: str | None, body: Json, talk: Conversation, words: Mapping[str, str]) -> Thinking:
    """Its thoughts are asked for in summary: without that they come empty, as does text between calls."""
    able = words.get("efforts", "low,medium,high").split(",")
    shown = {"type": "adaptive", "display": "summarized"}
    hides = "thinking_on" in words and "tools" in body
    if asked is None:
        return (shown if hides or talk.thinks() else None), None
    if asked != "none":
        return shown, _nearest(asked, able)
    if "thinking_on" not in words:
        return {"type": "disabled"}, None
    if "between_tools" in words:
        return {"type": "between_tools"}, None
    return (shown if hides else None), able[0]


def _nearest(asked: str, able: list[str]) -> str:
    lower = [effort for effort in EFFORTS[: EFFORTS.index(asked) + 1] if effort in able]
    return lower[-1] if lower else able[0]


def _budget(asked: str | None, body: Json, talk: Conversation, _: Mapping[str, str]) -> Thinking:
    """Thinking by a number of tokens, which `max_tokens` includes, as in OpenAI's meaning of it.

    It cannot begin in the middle of a turn: not after calls made without it, nor behind a prefill.
    """
    if asked in (None, "none") or talk.prefilled or talk.thoughtless_calls():
        return None, None
    most = body["max_tokens"]
    budget = _BUDGETS[str(asked)]
    budget = budget if budget < most else max(_LEAST_BUDGET, most // 2)
    return ({"type": "enabled", "budget_tokens": budget} if budget < most else None), None


def _unasked(asked: str | None, body: Json, talk: Conversation, words: Mapping[str, str]) -> Thinking:
    return None, None


_THINKING: Mapping[str, Callable[[str | None, Json, Conversation, Mapping[str, str]], Thinking]] = {
    "adaptive": _adaptive,
    "budget": _budget,
}


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
    """Blank sequences are refused."""
    asked = [value] if isinstance(value, str) else value
    stops = [one for one in asked if one.strip()]
    if any(one and not one.strip() for one in asked):
        dropped.append("stop")
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


def _format(value: Any, body: Json, _: list[str]) -> Json:
    if _kind(value) != "json_schema":
        return {}
    schema = compiled(value["json_schema"].get("schema") or {"type": "object"})
    return {
        "output_config": {
            **body.get("output_config", {}),
            "format": {"type": "json_schema", "schema": schema},
        }
    }


def _kind(response_format: Any) -> Any:
    return response_format.get("type") if isinstance(response_format, dict) else None


_FIELDS: Mapping[str, Callable[[Any, Json, list[str]], Json]] = {
    "stream": lambda value, _, dropped: {"stream": True} if value else {},
    "stop": _stop,
    "safety_identifier": _user,
    "user": _user,
    "service_tier": _tier,
    "response_format": _format,
    "cache_control": lambda value, _, dropped: {"cache_control": value},
}
_HANDLED = _UNSAID | {
    *("model", "messages", "max_tokens", "max_completion_tokens", "tools", "tool_choice"),
    *("parallel_tool_calls", "reasoning_effort", *_SAMPLING),
}


def _neutral(name: str, value: Any) -> bool:
    return value is None or (name in NEUTRAL and value == NEUTRAL[name]) or value == ["text"]


def _limit_marks(body: Json) -> None:
    """The last cache marks, as many as are taken; the first ones are covered by them.

    So are those before a mark that holds for longer, which must not come after them:
    https://platform.claude.com/docs/en/build-with-claude/prompt-caching
    """
    blocks = [*body.get("tools", ()), *body.get("system", ())]
    blocks += [block for turn in body["messages"] for block in turn["content"]]
    marked = [block for block in blocks if "cache_control" in block]
    most = _MARKS - ("cache_control" in body)
    longest = max(
        (at for at, block in enumerate(marked) if block["cache_control"].get("ttl") == "1h"), default=0
    )
    for at, block in enumerate(marked):
        if at < len(marked) - most or (at < longest and block["cache_control"].get("ttl") != "1h"):
            del block["cache_control"]
