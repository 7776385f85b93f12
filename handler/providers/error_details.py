"""Reads the body of an error in any of the shapes that providers use.

The shapes: OpenAI's object, the flat one of vLLM and Mistral, `error` as a string (xAI), FastAPI's `detail`,
Cloudflare's envelope, OpenRouter's number as a code with the provider's error in `metadata.raw`, MiniMax's
`base_resp`, Gemini's list, plain text, an HTML page, nothing at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MAX_PARAM = 200  # characters
_MAX_TEXT = 4000  # bytes of a plain text


class ErrorDetails(NamedTuple):
    """The content of an error body, whatever its shape."""

    message: str = ""
    codes: tuple[str, ...] = ()  # code, type and inner codes, in lower case
    code: str | None = None  # as the provider wrote it, if it is a name
    param: str | None = None
    status: int | None = None  # some providers put it in the body
    headers: Mapping[str, str] = {}  # of the provider behind OpenRouter; names in lower case


def parse_body(body: bytes) -> Any:
    """Return the JSON of a body, or its plain text; None for an HTML page."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        text = body[:_MAX_TEXT].decode("utf-8", "replace").strip()
        return None if text.startswith("<") else text


def is_error(body: object) -> bool:
    """True if the body of a 200, or an event of a stream, is an error."""
    match body:
        case {"error": error} if error:
            return True
        case {"base_resp": {"status_code": code}} if code:
            return True
        case {"choices": _}:
            return False
        case [{"error": error}, *_] if error:
            return True
        case {"success": False} | {"object": "error"} | {"detail": _} | {"message": str()}:
            return True
    return False


def read_details(body: Any) -> ErrorDetails:
    """Return the details of an error body, which `parse_body` has parsed."""
    match body:
        case [first, *_]:  # Gemini's compatible API, https://ai.google.dev/gemini-api/docs/openai
            return read_details(first)
        case {"error": dict(error)} | {"errors": [dict(error), *_]}:  # OpenAI | Cloudflare
            return _read_object(error)
        case {"error": str(message)}:  # xAI, SambaNova
            return _read_object(body, message)
        case {"base_resp": {"status_code": code, "status_msg": message}}:  # MiniMax
            return ErrorDetails(message=_text(message), codes=(f"base_resp {code}",))
        case {"message": message} | {"detail": message}:  # vLLM, Mistral, DashScope | FastAPI
            return _read_object(body, message)
        case str(message):  # plain text
            return ErrorDetails(message=message)
    return ErrorDetails()


def _read_object(error: Mapping[str, Any], message: Any = None) -> ErrorDetails:
    """Read an error object. The error of a provider behind OpenRouter, in `metadata.raw`, comes first."""
    code, param, metadata = error.get("code"), error.get("param"), error.get("metadata")
    inner = error.get("innererror")
    names = (code, error.get("type"), inner.get("code") if isinstance(inner, Mapping) else None)
    metadata = metadata if isinstance(metadata, Mapping) else {}
    raw, headers = metadata.get("raw"), metadata.get("headers")
    nested = (
        read_details(parse_body(raw.encode("utf-8", "replace"))) if isinstance(raw, str) else ErrorDetails()
    )
    return ErrorDetails(
        message=nested.message or _text(message or error.get("message")),
        codes=(*(str(name).lower() for name in names if name is not None), *nested.codes),
        code=code if isinstance(code, str) and _NAME.fullmatch(code) else nested.code,
        param=param if isinstance(param, str) and len(param) <= _MAX_PARAM else nested.param,
        status=code if isinstance(code, int) and 400 <= code <= 599 else None,
        headers={name.lower(): str(value) for name, value in headers.items()}
        if isinstance(headers, Mapping)
        else {},
    )


def _read_text(text: str) -> ErrorDetails:
    return read_details(parse_body(text.encode("utf-8", "replace")))


def _text(message: object) -> str:
    """The text of a message. Mistral and FastAPI send a list of problems, sometimes as JSON in a string."""
    match message:
        case str(text) if text.startswith(('{"detail"', "[{")):
            inner = parse_body(text.encode("utf-8", "replace"))
            return text if isinstance(inner, str) else _text(inner)
        case str(text):
            return text
        case {"detail": detail}:
            return _text(detail)
        case {"msg": str(text), "loc": list(where)}:
            return f"{'.'.join(map(str, where))}: {text}"
        case {"message": text} | {"msg": text}:
            return _text(text)
        case list(problems):
            return "; ".join(filter(None, map(_text, problems)))
    return ""
