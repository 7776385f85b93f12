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

CONSOLE = "/console"
FIRST = "endpoints.chat.chat_completions"  # the endpoint that most requests of most gateways call
Serve = Callable[[Any, HttpRequest], Awaitable["ASGIApp"]]  # its first argument is the gateway

# Method, path, and the function below `handler` that serves it, as `package.module.function`.
ENDPOINTS: tuple[tuple[str, str, str], ...] = (
    ("GET", "/", "endpoints.health.root"),
    ("POST", "/chat/completions", "endpoints.chat.chat_completions"),
    *(("POST", path, "endpoints.operations.operation") for path in BY_PATH),
    ("POST", "/messages", "endpoints.messages.messages"),
    ("POST", "/messages/count_tokens", "endpoints.messages.count_tokens"),
    ("POST", "/responses", "endpoints.responses.responses"),
    ("POST", "/responses/input_tokens", "endpoints.responses.input_tokens"),
    ("POST", "/responses/compact", "endpoints.responses.compact"),
    ("POST", "/v1beta/models/{call:path}", "endpoints.gemini.generate"),
    ("POST", "/models/{call:path}", "endpoints.gemini.generate"),  # google-genai in Python
    *(
        ("POST", f"/model/{{id:path}}/{name}", "endpoints.converse.converse")
        for name in ("converse", "converse-stream")
    ),
    ("POST", "/explain", "endpoints.explain.explain"),
    ("GET", "/models", "endpoints.models.models"),
    ("GET", "/models/{id:path}", "endpoints.models.model"),
    ("GET", "/v1beta/models", "endpoints.models.google_models"),
    ("GET", "/v1beta/models/{id:path}", "endpoints.models.google_model"),
    ("POST", "/report", "endpoints.report.report"),
    ("POST", "/report-anthropic", "endpoints.report.report"),
    ("POST", "/logs/update-tags", "endpoints.report.update_tags"),
    ("GET", "/usage", "endpoints.usage.usage"),
    ("GET", "/health", "endpoints.health.health"),
    ("GET", "/console", "console.page.page"),
    *(
        (method, "/console/api/{call:path}", "console.api.serve")
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
    ),
    ("GET", "/console/{file:path}", "console.page.file"),
)


@cache
def serving(name: str) -> Serve:
    """Return the function of that name. Its module is imported by the first request that needs it."""
    module, _, function = name.rpartition(".")
    found: Serve = getattr(import_module(f"handler.{module}"), function)
    return found


def display_path(path: str) -> str:
    """Return an endpoint's path under the prefix that most clients use."""
    shown = path.replace("{call:path}", "{model}:{method}").replace(":path", "")
    return shown if path in ("/", "/health", CONSOLE) or path.startswith("/v1") else f"/v1{shown}"


def listed() -> list[str]:
    """Return the endpoints as `GET /` lists them. What is below the console's page is for the page."""
    shown = (one for one in ENDPOINTS if not one[1].startswith(f"{CONSOLE}/"))
    return [f"{method} {display_path(path)}" for method, path, _ in shown]
