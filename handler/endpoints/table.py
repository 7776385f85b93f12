"""The URLs, and the function that serves each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from handler.endpoints.exchange.http import HttpRequest
from handler.formats.operations.operation import BY_PATH

if TYPE_CHECKING:
    from starlette.types import ASGIApp

FIRST = "chat.chat_completions"  # the endpoint that most requests of most gateways call
Serve = Callable[[Any, HttpRequest], Awaitable["ASGIApp"]]  # its first argument is the gateway

# Method, path, and the function in handler/endpoints that serves it, as `module.function`.
ENDPOINTS: tuple[tuple[str, str, str], ...] = (
    ("GET", "/", "health.root"),
    ("POST", "/chat/completions", "chat.chat_completions"),
    *(("POST", path, "operations.operation") for path in BY_PATH),
    ("POST", "/messages", "messages.messages"),
    ("POST", "/messages/count_tokens", "messages.count_tokens"),
    ("POST", "/responses", "responses.responses"),
    ("POST", "/responses/input_tokens", "responses.input_tokens"),
    ("POST", "/responses/compact", "responses.compact"),
    ("POST", "/v1beta/models/{call:path}", "gemini.generate"),
    ("POST", "/models/{call:path}", "gemini.generate"),  # google-genai in Python
    *(
        ("POST", f"/model/{{id:path}}/{name}", "converse.converse")
        for name in ("converse", "converse-stream")
    ),
    ("POST", "/explain", "explain.explain"),
    ("GET", "/models", "models.models"),
    ("GET", "/models/{id:path}", "models.model"),
    ("GET", "/v1beta/models", "models.google_models"),
    ("GET", "/v1beta/models/{id:path}", "models.google_model"),
    ("POST", "/report", "report.report"),
    ("POST", "/report-anthropic", "report.report"),
    ("POST", "/logs/update-tags", "report.update_tags"),
    ("GET", "/usage", "usage.usage"),
    ("GET", "/health", "health.health"),
)


@cache
def serving(name: str) -> Serve:
    """Return the function of that name. Its module is imported by the first request that needs it."""
    module, _, function = name.partition(".")
    found: Serve = getattr(import_module(f"handler.endpoints.{module}"), function)
    return found


def display_path(path: str) -> str:
    """Return an endpoint's path under the prefix that most clients use."""
    shown = path.replace("{call:path}", "{model}:{method}").replace(":path", "")
    return shown if path in ("/", "/health") or path.startswith("/v1") else f"/v1{shown}"
