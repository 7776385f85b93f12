"""Reads the facts of a chat request. Never raises: a body of the wrong shape has fewer facts."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, NamedTuple

from rules.facts.facts import PREFERENCES, WEEKDAYS, Facts
from rules.facts.token_estimate import estimate_tokens, native_tokens

MONDAY_NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)  # the time of tests, and of `explain FILE` without --at

# The types of content parts that are counted, each as a fact.
COUNTED_PARTS = {"image_url": "images", "input_audio": "audio", "file": "files"}
# A URL of any scheme but `data:`, behind control characters and blanks, which fetching it strips.
URL = r"(?i)[\x00-\x20]*(?!data:)[a-z][a-z0-9+.-]*:"
URL_FIELDS = ("url", "file_data", "file_id")  # fields of a content part that may hold a URL
LONGEST_NAME = 128  # characters of the name of a session or an agent
LONGEST_OPENING = 16_384  # characters of a message that tell a conversation from another
LONGEST_USER_ID = 1_024  # characters of `metadata.user_id` that may name a session
# The session in the `metadata.user_id` of Claude Code: `user_..._session_<id>`, or JSON as text.
SESSION_IN_USER_ID = r'(?:_session_|"session_id"\s{0,9}:\s{0,9}")([A-Za-z0-9._-]{1,128})'
FORMATS = {"text": "text", "json_object": "object", "json_schema": "schema"}


class Part(NamedTuple):
    """A content part of a message that is not a text."""

    path: str  # messages[0].content[1].image_url
    type: str
    value: Mapping[str, Any]


def facts_of_request(
    body: Mapping[str, Any],
    *,
    native: Mapping[str, Any] | None = None,
    dialect: str = "openai",
    project: str = "default",
    key: str = "",
    function: str | None = None,
    session: str | None = None,
    agent: str | None = None,
    header: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
    prefer: str | None = None,
    key_models: tuple[str, ...] | None = None,
    at: datetime = MONDAY_NOON,
    random: float = 0.0,
) -> Facts:
    """Return the facts of a chat request.

    `tags`: merged with those of the headers; None: those of the body. `prefer`: the header's. `session`: the
    header's; None: the body's `prompt_cache_key`, or that in its `metadata.user_id`, or those of `native`:
    the body in the client's own format, from which this one was translated. `at`: in UTC.
    """
    own = _body_facts(body, native or {}, prefer)
    return Facts(
        **own,
        dialect=dialect,
        project=project,
        key=key,
        function=function,
        session=_name(session) or _session(body) or _session(native or {}),
        agent=_name(agent),
        header=header or {},
        tags={**own["metadata"], **scalar_texts(body.get("tags"))} if tags is None else tags,
        hour=at.hour,
        weekday=WEEKDAYS[at.weekday()],
        bucket=bucket_of(own["user"] or key),
        random=random,
        key_models=key_models,
    )


def _body_facts(body: Mapping[str, Any], native: Mapping[str, Any], prefer: str | None) -> dict[str, Any]:
    get, hints, messages = body.get, _mapping(body.get("hints")), _list(body.get("messages"))
    parts, (model, fallbacks, suffix) = list(_parts(messages)), _named_models(body)
    estimate = estimate_tokens(body, messages, ((part.type, part.value) for part in parts))
    return {
        "model": model,
        "fallbacks": fallbacks,
        "prefer": suffix or prefer or _body_preference(body),
        "user": _text(get("user")) or _text(get("safety_identifier")),
        "stream": get("stream") is True,
        "tools": len(_list(get("tools"))) + len(_list(get("functions"))),
        "messages": len(messages),
        "json": _output_format(body),
        "reasoning": _text(get("reasoning_effort")) or _text(hints.get("reasoning_effort")),
        "input_tokens": max(estimate.tokens, native_tokens(native)),
        "document_tokens": estimate.document_tokens,
        "max_tokens": _first_int(get("max_completion_tokens"), get("max_tokens"), hints.get("max_tokens")),
        "metadata": scalar_texts(get("metadata")),
        "custom_tools": sum(_mapping(tool).get("type") == "custom" for tool in _list(get("tools"))),
        "linked_part": _first_linked(parts),
        "n": _first_int(get("n")) or 1,
        "service_tier": _text(get("service_tier")) or "",
        "opening": _opening(messages),
        **_count_parts(parts),
    }


def bucket_of(text: str) -> int:
    """Return 0..99, always the same for one text: the first 8 bytes of its SHA-256, mod 100."""
    return int.from_bytes(sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big") % 100


def scalar_texts(value: object) -> dict[str, str]:
    """Return the scalars of a mapping as texts (`true`, `1.5`); other members are left out."""
    return {
        str(name): member if isinstance(member, str) else json.dumps(member)
        for name, member in _mapping(value).items()
        if isinstance(member, str | int | float)
    }


def _named_models(body: Mapping[str, Any]) -> tuple[str | None, tuple[str, ...], str | None]:
    """Return the model that the body names, the fallbacks after it, and the preference of `auto:<prefer>`."""
    model, models = _text(body.get("model")), _texts(body.get("models"))
    if models and (model is None or model.lower() == "auto"):
        model, *models = models
    word, _, prefer = (model or "auto").lower().partition(":")
    is_auto = word == "auto" and prefer in ("", *PREFERENCES)
    later = dict.fromkeys((*_texts(body.get("fallback_models")), *models))
    fallbacks = tuple(name for name in later if name != model)
    return (None, fallbacks, prefer or None) if is_auto else (model, fallbacks, None)


def _body_preference(body: Mapping[str, Any]) -> str | None:
    route, hints = _mapping(body.get("route")), _mapping(body.get("hints"))
    return _text(route.get("prefer")) or _text(hints.get("prefer"))


def _output_format(body: Mapping[str, Any]) -> str | None:
    if body.get("output_schema") is not None:
        return "schema"
    return FORMATS.get(_text(_mapping(body.get("response_format")).get("type")) or "")


def _parts(messages: Sequence[Any]) -> Iterator[Part]:
    for at, message in enumerate(messages):
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(content, (list, tuple)):
            continue
        for index, part in enumerate(content):
            type_ = str(_mapping(part).get("type"))
            if type_ != "text":
                yield Part(f"messages[{at}].content[{index}].{type_}", type_, _mapping(part))


def _session(body: Mapping[str, Any]) -> str | None:
    user_id = _text(_mapping(body.get("metadata")).get("user_id")) or ""
    found = re.search(SESSION_IN_USER_ID, user_id[:LONGEST_USER_ID])
    return _name(body.get("prompt_cache_key")) or (found[1] if found else None)


def _opening(messages: Sequence[Any]) -> str:
    """Return what all requests of a conversation have in common: its first instructions and its question."""
    texts = []
    for roles in (("system", "developer"), ("user",)):
        of_roles = (_mapping(message) for message in messages if _mapping(message).get("role") in roles)
        content = next(of_roles, {}).get("content")
        parts = [_text(_mapping(part).get("text")) or "" for part in _list(content)]
        texts.append((_text(content) or "\n".join(parts))[:LONGEST_OPENING])
    return "\0".join(texts) if any(texts) else ""


def _count_parts(parts: Sequence[Part]) -> dict[str, int]:
    counts = Counter(COUNTED_PARTS.get(part.type) for part in parts)
    return {fact: counts[fact] for fact in COUNTED_PARTS.values()}


def _first_linked(parts: Sequence[Part]) -> str | None:
    for part in parts:
        holder = _mapping(part.value.get(part.type))
        if any(re.match(URL, _text(holder.get(name)) or "") for name in URL_FIELDS):
            return part.path
    return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _name(value: object) -> str | None:
    """Return the first LONGEST_NAME characters of a text, without those that cannot be printed."""
    text = _text(value)
    if text is None or (len(text) <= LONGEST_NAME and text.isprintable()):
        return text
    return "".join(character for character in text[:LONGEST_NAME] if character.isprintable()) or None


def _texts(value: object) -> list[str]:
    return [member for member in _list(value) if isinstance(member, str) and member]


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}  # not Mapping: isinstance of an ABC is slow


def _first_int(*values: object) -> int | None:
    for value in values:
        if type(value) is int or (isinstance(value, float) and value.is_integer()):
            return int(value)
    return None
