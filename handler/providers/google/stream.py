"""Translates a stream of Gemini's into chat completion chunks. Each event is a GenerateContentResponse."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from handler.errors import Json, UpstreamError
from handler.providers.google.answer import (
    ChoiceState,
    candidates_of,
    completion_usage,
    delta_of,
    ending_of,
    head_of,
    is_response,
    logprobs_of,
    service_tier_of,
)
from handler.providers.google.errors import raise_if_error
from handler.providers.google.signatures import extra_content_of
from handler.providers.legacy_functions import to_legacy_chunk
from handler.providers.malformed import MalformedEvents, parse_event
from handler.providers.translator import answer_too_large

MAX_CHOICES = 128  # of one answer


class GoogleStream:
    """The decoder of one stream; see StreamDecoder.

    Some models send a finish reason with every event, so the last one is sent to the client at the end.
    """

    def __init__(self, *, legacy: bool) -> None:
        self.event: Json = {}
        self.adds_text = False
        self._legacy = legacy
        self._head: Json = {}
        self._choices: dict[int, ChoiceState] = {}
        self._usage: Json | None = None
        self._malformed = MalformedEvents()

    def feed(self, data: str) -> Iterator[Json]:
        if not data.strip() or data.startswith("[DONE]"):
            return
        event = _parse(data)
        raise_if_error(event)
        if not is_response(event):
            self._malformed.skip(data)
            return
        self.event, self.adds_text = event, _is_text(event)
        if (chunk := self._chunk(event)) is not None:
            yield self._in_clients_form(chunk)

    def close(self) -> Iterator[Json]:
        if not self._choices or any(state.finish_reason is None for state in self._choices.values()):
            raise UpstreamError("The provider's answer ended too early.", failure_class="network")
        for index, state in self._choices.items():
            finish_reason, refusal = ending_of(state)
            delta = {
                **_role(state),
                **({"refusal": refusal} if refusal else {}),
                **extra_content_of(state.signatures),
            }
            choice = {"index": index, "delta": delta, "finish_reason": finish_reason}
            yield self._in_clients_form({**self._head, "choices": [choice]})
        if self._usage is not None:
            yield {**self._head, "choices": [], "usage": self._usage}

    def _chunk(self, event: Json) -> Json | None:
        """The chunk for one event; None if the event brings nothing that a client sees before the end."""
        self._head = self._head or head_of(event, "chat.completion.chunk")
        if metadata := event.get("usageMetadata"):  # totals of the stream so far
            self._usage = completion_usage(metadata)
            self._head |= service_tier_of(event)
        choices = []
        for place, candidate in enumerate(candidates_of(event)):
            index = candidate.get("index", place)
            if index not in self._choices and len(self._choices) >= MAX_CHOICES:
                raise answer_too_large()
            state = self._choices.setdefault(index, ChoiceState(self._head["id"], index))
            delta, logprobs = delta_of(candidate, state), logprobs_of(candidate)
            if delta or logprobs:
                choice = {"index": index, "delta": {**_role(state), **delta}, "finish_reason": None}
                choices.append({**choice, **logprobs})
        return {**self._head, "choices": choices} if choices else None

    def _in_clients_form(self, chunk: Json) -> Json:
        return to_legacy_chunk(chunk) if self._legacy else chunk


def _role(state: ChoiceState) -> Json:
    """The role, for the first delta of a choice; nothing for later ones."""
    if state.role_sent:
        return {}
    state.role_sent = True
    return {"role": "assistant", "content": ""}


def _is_text(event: Json) -> bool:
    match event.get("candidates"):
        case [{"content": {"parts": [dict(part)]}}]:
            return part.keys() <= {"text", "thought"}
    return False


def _parse(data: str) -> Any:
    try:
        return parse_event(data)
    except (ValueError, RecursionError):
        return None
