"""The translator for OpenAI's Chat Completions, as OpenAI and compatible providers serve them.

The client's format is the same, so little is translated. quirks/ adapts requests, answer.py corrects answers
that differ, and required_members.py adds what they lack. https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

from collections.abc import Mapping

from handler.errors import Json, UpstreamError
from handler.providers.failure import error_from_body, error_from_response
from handler.providers.legacy_functions import to_legacy_completion
from handler.providers.openai.answer import (
    NOT_CUT_OFF,
    are_choices,
    finish_reason,
    normalise_content,
    normalise_function,
    same_items,
    separate_reasoning,
)
from handler.providers.openai.reasoning_tag import ReasoningTag
from handler.providers.openai.required_members import add_required, new_call_id
from handler.providers.openai.stream import ChatStream
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
        if (error := error_from_body(body)) is not None:
            raise error
        if "choices" not in body and isinstance(body.get("result"), dict):
            body = body["result"]  # https://developers.cloudflare.com/workers-ai/
        choices = body.get("choices")
        if not choices or not are_choices(choices, "message"):
            raise UpstreamError("The provider's answer is not a chat completion.", failure_class="protocol")
        after = [_normalise_choice(choice, place, quirks) for place, choice in enumerate(choices)]
        body = _with_usage(add_required("completion", body))
        body = body if same_items(choices, after) else {**body, "choices": after}
        return to_legacy_completion(body) if legacy else body

    def stream(self, quirks: Quirks, *, legacy: bool = False, model: str = "") -> StreamDecoder:
        return ChatStream(quirks, legacy=legacy)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        return error_from_response(status, headers, body)


def _with_usage(body: Json) -> Json:
    """Return the answer with its usage where OpenAI has it, and without an empty one."""
    usage, given = usage_object(body), body.get("usage")
    new = add_required("usage", usage) if usage else None
    if new is given or (new is None and "usage" not in body):
        return body
    return {**body, "usage": new}


def _normalise_choice(choice: Json, place: int, quirks: Quirks) -> Json:
    message, reason = choice["message"], choice.get("finish_reason")
    new = add_required("message", normalise_content(message))
    if quirks.reasoning_tag:
        new = separate_reasoning(new, ReasoningTag(quirks.reasoning_tag), last=True)
    calls = new.get("tool_calls") or []
    finish = finish_reason(reason, bool(calls), quirks)
    is_complete = finish in NOT_CUT_OFF
    after = [_normalise_call(call, new_id=not quirks.call_ids, is_complete=is_complete) for call in calls]
    if not same_items(calls, after):
        new = {**new, "tool_calls": after}
    choice = add_required("choice", choice, index=place)
    if new is message and finish == reason:
        return choice
    return {**choice, "message": new, "finish_reason": finish}


def _normalise_call(call: Json, *, new_id: bool, is_complete: bool) -> Json:
    call = add_required("call", {**call, "id": new_call_id()} if new_id else call)
    if call["type"] != "function":
        return call
    given = call.get("function") or {}
    function = add_required("function", normalise_function(given, drop_name=False))
    if is_complete and not function["arguments"]:
        function = {**function, "arguments": "{}"}
    return call if function == given else {**call, "function": function}
