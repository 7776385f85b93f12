"""OpenAI's Chat Completions, as OpenAI and the providers compatible with it serve them.

The client's format is this one too, so nearly nothing is translated. What a provider refuses is in its row's
quirks; what some leave out of their answers is in openai_shape.py, and what they say otherwise in
openai_answer.py. https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from collections.abc import Mapping

from handler.errors import Json, UpstreamError
from handler.providers.failure import error_from_body, error_from_response
from handler.providers.legacy_functions import to_legacy_completion
from handler.providers.openai.answer import WHOLE, finish_of, fit, function_of, identical, plain, without_tag
from handler.providers.openai.shape import call_id, completed
from handler.providers.openai.stream import ChatStream
from handler.providers.openai.thought_tags import Inline
from handler.providers.provider import Quirks
from handler.providers.quirks.model_rules import apply_message_rules
from handler.providers.quirks.request import adapt_request
from handler.providers.translator import StreamDecoder
from handler.providers.usage import usage_object
from rules import Model


class OpenAI:
    """The translator of the `openai` dialect."""

    framing = "sse"
    supports_n = True

    def path(self, model: Model, *, stream: bool) -> str:
        return "/chat/completions"

    def enforces_schema(self, schema: Json | None, chat: Json, model: Model) -> bool:
        return True

    def request(self, chat: Json, model: Model, quirks: Quirks) -> tuple[Json, tuple[str, ...]]:
        chat, quirks = apply_message_rules(chat, quirks, model.rules)
        return adapt_request(chat, model, quirks)

    def response(self, body: Json, quirks: Quirks, *, legacy: bool = False, model: str = "") -> Json:
        if (failed := error_from_body(body)) is not None:
            raise failed
        if "choices" not in body and isinstance(body.get("result"), dict):
            body = body["result"]  # https://developers.cloudflare.com/workers-ai/
        choices = body.get("choices")
        if not choices or not fit(choices, "message"):
            raise UpstreamError("The provider's answer is no chat completion.", failure_class="protocol")
        after = [_choice(choice, place, quirks) for place, choice in enumerate(choices)]
        body = _with_usage(completed("completion", body))
        body = body if identical(choices, after) else {**body, "choices": after}
        return to_legacy_completion(body) if legacy else body

    def stream(self, quirks: Quirks, *, legacy: bool = False, model: str = "") -> StreamDecoder:
        return ChatStream(quirks, legacy=legacy)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return error_from_response(status, headers, body)


def _with_usage(body: Json) -> Json:
    """Moves an answer's usage to where OpenAI has it; an empty one is removed."""
    usage, given = usage_object(body), body.get("usage")
    new = completed("usage", usage) if usage else None
    if new is given or (new is None and "usage" not in body):
        return body
    return {**body, "usage": new}


def _choice(choice: Json, place: int, quirks: Quirks) -> Json:
    message, finish = choice["message"], choice.get("finish_reason")
    new = completed("message", plain(message))
    if quirks.reasoning_tag:
        new = without_tag(new, Inline(quirks.reasoning_tag), last=True)
    calls = new.get("tool_calls") or []
    meant = finish_of(finish, bool(calls), quirks)
    after = [_call(call, own_id=not quirks.call_ids, whole=meant in WHOLE) for call in calls]
    if not identical(calls, after):
        new = {**new, "tool_calls": after}
    choice = completed("choice", choice, index=place)
    return (
        choice if new is message and meant == finish else {**choice, "message": new, "finish_reason": meant}
    )


def _call(call: Json, *, own_id: bool, whole: bool) -> Json:
    call = completed("call", {**call, "id": call_id()} if own_id else call)
    if call["type"] != "function":
        return call
    given = call.get("function") or {}
    function = completed("function", function_of(given, named=False))
    if whole and not function["arguments"]:
        function = {**function, "arguments": "{}"}
    return call if function == given else {**call, "function": function}
