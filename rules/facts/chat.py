"""The facts of a chat request: what `facts_of_request` reads and counts in the body.

It never raises: a body of the wrong shape has fewer facts.
`tags` are those merged with the headers' (None: the body's own), `prefer` is the header's, `at` is in UTC.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from rules.facts.estimate import estimate
from rules.facts.facts import PREFERENCES, WEEKDAYS, Facts

MONDAY_NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)  # when nobody says: what tests and `explain FILE` use

# The sorts of content part that are facts of their own.
PARTS = {"image_url": "images", "input_audio": "audio", "file": "files"}
# Of any scheme but `data:`, blanks before it: whoever fetches takes them off.
ADDRESS = re.compile(r"[\x00-\x20]*(?!data:)[a-z][a-z0-9+.-]*:", re.IGNORECASE)
ADDRESSED = ("url", "file_data", "file_id")  # what of a part may be one
FORMATS = {"text": "text", "json_object": "object", "json_schema": "schema"}


def facts_of_request(
    body: Mapping[str, Any],
    *,
    dialect: str = "openai",
    project: str = "default",
    key: str = "",
    function: str | None = None,
    header: Mapping[str, str] | None = None,
    tags: Mapping[str, str] | None = None,
    prefer: str | None = None,
    key_models: tuple[str, ...] | None = None,
    at: datetime = MONDAY_NOON,
    random: float = 0.0,
) -> Facts:
    said = _of_body(body, prefer)
    return Facts(
        **said,
        dialect=dialect,
        project=project,
        key=key,
        function=function,
        header=header or {},
        tags={**said["metadata"], **scalars(body.get("tags"))} if tags is None else tags,
        hour=at.hour,
        weekday=WEEKDAYS[at.weekday()],
        bucket=bucket_of(said["user"] or key),
        random=random,
        key_models=key_models,
    )


def _of_body(body: Mapping[str, Any], prefer: str | None) -> dict[str, Any]:
    """The facts that the body gives by itself, but for a header's preference."""
    say, hints, messages = body.get, _mapping(body.get("hints")), _list(body.get("messages"))
    parts, (model, fallbacks, suffix) = list(_parts(messages)), _asked(body)
    size = estimate(body, messages, ((kind, part) for _, kind, part in parts))
    return {
        "model": model,
        "fallbacks": fallbacks,
        "prefer": suffix or prefer or _preferred(body),
        "user": _text(say("user")) or _text(say("safety_identifier")),
        "stream": say("stream") is True,
        "tools": len(_list(say("tools"))) + len(_list(say("functions"))),
        "messages": len(messages),
        "json": _json(body),
        "reasoning": _text(say("reasoning_effort")) or _text(hints.get("reasoning_effort")),
        "input_tokens": size.tokens,
        "pages": size.pages,
        "max_tokens": _first_int(say("max_completion_tokens"), say("max_tokens"), hints.get("max_tokens")),
        "metadata": scalars(say("metadata")),
        "custom_tools": sum(_mapping(tool).get("type") == "custom" for tool in _list(say("tools"))),
        "url": _url(parts),
        "n": _first_int(say("n")) or 1,
        **_counted(parts),
    }


def bucket_of(text: str) -> int:
    """0..99, the same for the same text everywhere: the first 8 bytes of its SHA-256, mod 100."""
    return int.from_bytes(sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big") % 100


def scalars(value: object) -> dict[str, str]:
    """A mapping of names to scalars, each as text (true, 1.5); what is neither is left out."""
    return {
        str(name): one if isinstance(one, str) else json.dumps(one)
        for name, one in _mapping(value).items()
        if isinstance(one, str | int | float)
    }


def _asked(body: Mapping[str, Any]) -> tuple[str | None, tuple[str, ...], str | None]:
    """The model asked for, those to try after it, the preference of `auto:<prefer>` (which asks for none)."""
    model, models = _text(body.get("model")), _texts(body.get("models"))
    if models and (model is None or model.lower() == "auto"):
        model, *models = models
    word, _, prefer = (model or "auto").lower().partition(":")
    none_given = word == "auto" and prefer in ("", *PREFERENCES)
    later = dict.fromkeys((*_texts(body.get("fallback_models")), *models))
    after = tuple(one for one in later if one != model)
    return (None, after, prefer or None) if none_given else (model, after, None)


def _preferred(body: Mapping[str, Any]) -> str | None:
    route, hints = _mapping(body.get("route")), _mapping(body.get("hints"))
    return _text(route.get("prefer")) or _text(hints.get("prefer"))


def _json(body: Mapping[str, Any]) -> str | None:
    if body.get("output_schema") is not None:
        return "schema"
    return FORMATS.get(_text(_mapping(body.get("response_format")).get("type")) or "")


def _parts(messages: Sequence[Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """The content parts of messages: where each is, of which type, and what it is."""
    for at, message in enumerate(messages):
        content = message.get("content") if isinstance(message, dict) else None
        for place, part in enumerate(content) if isinstance(content, list | tuple) else ():
            kind = str(_mapping(part).get("type"))
            if kind != "text":
                yield f"messages[{at}].content[{place}].{kind}", kind, _mapping(part)


def _counted(parts: Sequence[tuple[str, str, Mapping[str, Any]]]) -> dict[str, int]:
    kinds = Counter(PARTS.get(kind) for _, kind, _ in parts)
    return {sort: kinds[sort] for sort in PARTS.values()}


def _url(parts: Sequence[tuple[str, str, Mapping[str, Any]]]) -> str | None:
    """Where the first part is that somebody would have to fetch."""
    for place, kind, part in parts:
        given = _mapping(part.get(kind))
        if any(ADDRESS.match(_text(given.get(name)) or "") for name in ADDRESSED):
            return place
    return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _texts(value: object) -> list[str]:
    return [one for one in _list(value) if isinstance(one, str) and one]


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}  # not Mapping: asking an ABC is slow


def _first_int(*values: object) -> int | None:
    for value in values:
        if type(value) is int or (isinstance(value, float) and value.is_integer()):
            return int(value)
    return None
