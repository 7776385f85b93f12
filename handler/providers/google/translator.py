"""Translates between chat and Gemini's generateContent and streamGenerateContent.

request.py makes the request, answer.py reads a whole answer and stream.py a streamed one.
docs/providers.md lists what becomes of each field. https://ai.google.dev/api/generate-content
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from handler.errors import Json, UpstreamError
from handler.providers.google.answer import completion_of
from handler.providers.google.errors import error_of, raise_if_error
from handler.providers.google.request import build_request, takes_response_format
from handler.providers.google.stream import GoogleStream
from handler.providers.legacy_functions import to_legacy_completion
from handler.providers.provider import Quirks
from handler.providers.translator import StreamDecoder
from rules import Model

_COLLECTIONS = ("models/", "tunedModels/")


class Google:
    """The translator of the `google` dialect."""

    framing = "sse"
    supports_n = True

    def path(self, model: Model, *, stream: bool) -> str:
        name = model.name if model.name.startswith(_COLLECTIONS) else f"models/{model.name}"
        return f"/{quote(name)}:{'streamGenerateContent?alt=sse' if stream else 'generateContent'}"

    def enforces_schema(self, schema: Json | None, chat: Json, model: Model) -> bool:
        return takes_response_format(chat, model)

    def request(self, chat: Json, model: Model, quirks: Quirks) -> tuple[Json, tuple[str, ...]]:
        return build_request(chat, model, quirks)

    def response(self, body: Json, quirks: Quirks, *, legacy: bool = False, model: str = "") -> Json:
        raise_if_error(body)
        completion = completion_of(body)
        return to_legacy_completion(completion) if legacy else completion

    def stream(self, quirks: Quirks, *, legacy: bool = False, model: str = "") -> StreamDecoder:
        return GoogleStream(legacy=legacy)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return error_of(status, headers, body)
