"""The facts of a chat request: what `facts_of_request` counts in the body, and how it estimates its tokens.

The estimate (docs/rules.md): UTF-8 bytes of text / 4, tools and schemas as compact JSON, 4 per message,
1000 for every image, audio part and file. It never raises: a body of the wrong shape has fewer facts.
`tags` are those merged with the headers' (None: the body's own), `prefer` is the header's, `at` is in UTC.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from rules.facts import PREFERENCES, WEEKDAYS, Facts

MONDAY_NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)  # when nobody says: what tests and `explain FILE` use

BYTES_PER_TOKEN = 4
TOKENS_PER_MESSAGE = 4
TOKENS_PER_PART = 1000  # an image, an audio part, a file: none can be measured without decoding it

# The sorts of content part that are counted instead of measured.
PARTS = {"image_url": "images", "input_audio": "audio", "file": "files"}
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
    roll: float = 0.0,
) -> Facts:
    facts = _of_body(body)
    return replace(
        facts,
        dialect=dialect,
        project=project,
        key=key,
        function=function,
        header=header or {},
        tags=facts.tags if tags is None else dict(tags),
        prefer=_asked(body)[2] or prefer or facts.prefer,
        hour=at.hour,
        weekday=WEEKDAYS[at.weekday()],
        bucket=bucket_of(facts.user or key),
        roll=roll,
        key_models=key_models,
    )


def _of_body(body: Mapping[str, Any]) -> Facts:
    """What the body says by itself."""
    model, fallbacks, prefer = _asked(body)
    hints, metadata, parts = _mapping(body.get("hints")), scalars(body.get("metadata")), _parts(body)
    return Facts(
        model=model,
        fallbacks=fallbacks,
        prefer=prefer or _text(_mapping(body.get("route")).get("prefer")) or _text(hints.get("prefer")),
        user=_text(body.get("user")) or _text(body.get("safety_identifier")),
        stream=body.get("stream") is True,
        tools=len(_list(body.get("tools"))) + len(_list(body.get("functions"))),
        messages=len(_list(body.get("messages"))),
        json=_json(body),
        reasoning=_text(body.get("reasoning_effort")) or _text(hints.get("reasoning_effort")),
        input_tokens=_input_tokens(body, counted=sum(parts.values())),
        max_tokens=_first_int(
            body.get("max_completion_tokens"), body.get("max_tokens"), hints.get("max_tokens")
        ),
        n=_first_int(body.get("n")) or 1,
        tags={**metadata, **scalars(body.get("tags"))},
        metadata=metadata,
        custom_tools=sum(_mapping(tool).get("type") == "custom" for tool in _list(body.get("tools"))),
        image_urls=sum(map(_is_linked, _parts_of(body))),
        images=parts["images"],
        audio=parts["audio"],
        files=parts["files"],
    )


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
    model, models, later = body.get("model"), _texts(body.get("models")), _texts(body.get("fallback_models"))
    if not _text(model) and models:
        model, later = models[0], [*models[1:], *later]
    else:
        later = [*later, *models]
    name, _, suffix = (_text(model) or "auto").lower().partition(":")
    if name == "auto" and (not suffix or suffix in PREFERENCES):
        return None, tuple(later), suffix or None
    return _text(model), tuple(later), None


def _json(body: Mapping[str, Any]) -> str | None:
    if body.get("output_schema") is not None:
        return "schema"
    return FORMATS.get(_text(_mapping(body.get("response_format")).get("type")) or "")


def _parts(body: Mapping[str, Any]) -> dict[str, int]:
    counts = dict.fromkeys(PARTS.values(), 0)
    for part in _parts_of(body):
        sort = PARTS.get(str(part.get("type")))
        if sort:
            counts[sort] += 1
    return counts


def _parts_of(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for message in _list(body.get("messages")):
        yield from map(_mapping, _list(_mapping(message).get("content")))


def _is_linked(part: Mapping[str, Any]) -> bool:
    """Whether a part is an image that somebody would have to fetch."""
    url = _text(_mapping(part.get("image_url")).get("url")) or ""
    return url[:8].lower().startswith(("http://", "https://"))


def _input_tokens(body: Mapping[str, Any], *, counted: int) -> int:
    messages = _list(body.get("messages"))
    size = sum(_size(text) for text in _strings(messages))
    for field in ("tools", "functions", "response_format", "output_schema"):
        if body.get(field):
            size += _size(json.dumps(body[field], ensure_ascii=False, separators=(",", ":"), default=str))
    return -(-size // BYTES_PER_TOKEN) + TOKENS_PER_MESSAGE * len(messages) + TOKENS_PER_PART * counted


def _strings(value: object) -> Iterator[str]:
    """Every text in messages, but those of the parts that are counted."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        if value.get("type") not in PARTS:
            for name, one in value.items():
                if name not in ("role", "type"):
                    yield from _strings(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _strings(one)


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


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
        if isinstance(value, int | float) and not isinstance(value, bool) and value == int(value):
            return int(value)
    return None
