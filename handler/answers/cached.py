"""Turns answers into what the cache stores, and what it stores into answers. No I/O.

Only complete answers are stored. A stream is stored as the whole completion that it makes, and a stored
completion can be sent as a stream.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field

from handler.answers.answer import Answer
from handler.answers.client_stream import ClientStream
from handler.answers.costs import MEMBERS
from handler.answers.replay import ReplayDecoder
from handler.answers.usage import Usage
from handler.content.completion import completion_of
from handler.errors import Json
from handler.formats.chat.request import Chat
from handler.store.answer_cache import CachedAnswer
from handler.wire import sse
from handler.wire.json_memory import is_too_large
from handler.wire.splice import dump, splice_bytes
from rules import Candidate

MAX_FRAMES = 8_000_000  # bytes of a stream that is recorded

# Finish reasons of complete answers. `length` is one only where the request sets the length.
_FINISHED = frozenset({"stop", "tool_calls", "function_call"})
_LIMITED = _FINISHED | {"length"}
_CONTENT = ("content", "tool_calls", "function_call", "images")
_NEVER = ("refusal", "audio")  # another attempt may answer; the provider deletes the audio, which has an id

# Members of a stream's completion, and of its messages, that the same answer has if it is not streamed.
_OF_COMPLETIONS = ("id", "object", "created", "model", "system_fingerprint", "service_tier", "usage")
_OF_MESSAGES = frozenset(
    {
        *("role", "content", "refusal", "tool_calls", "function_call", "images", "annotations"),
        *("reasoning_content", "reasoning", "reasoning_details", "thinking", "extra_content"),
    }
)

_UNREADABLE = (AttributeError, LookupError, RecursionError, TypeError, ValueError)

Drive = Callable[[Answer], AsyncGenerator[bytes, None]]


@dataclass(slots=True)
class CacheEntry:
    """Where the answer to a request is to be stored, and the frames of a stream until then."""

    id: str
    model: str  # the only model whose answer may be stored there
    ttl: float  # seconds
    limited: bool  # the request limits the length of the answer
    added_cost: bool  # the answer has a cost because the request asked for it
    leads: bool = False  # equal requests wait for this stream to end
    frames: list[bytes] | None = field(default_factory=list, repr=False)  # None: too many
    size: int = 0  # bytes of them

    def record(self, drive: Drive) -> Drive:
        """Return `drive` such that its frames are recorded."""

        async def recorded(answer: Answer) -> AsyncGenerator[bytes, None]:
            async with aclosing(drive(answer)) as frames:
                async for frame in frames:
                    self._add(frame)
                    yield frame

        return recorded

    def _add(self, frame: bytes) -> None:
        self.size += len(frame)
        if self.size > MAX_FRAMES:
            self.frames = None
        elif self.frames is not None:
            self.frames.append(frame)


def storable_body(answer: Answer, entry: CacheEntry) -> bytes | None:
    """Return the completion to store; None for an answer that is not to be stored."""
    if answer.candidate.id != entry.model or answer.failure or answer.resumed or answer.native:
        return None
    try:
        text = answer.body.decode() if answer.body else _folded(answer, entry)
        completion = json.loads(text)
        _check_complete(completion, entry.limited)
        return splice_bytes(text, completion, _without_extras(completion, entry.added_cost))
    except _UNREADABLE:
        return None


def _folded(answer: Answer, entry: CacheEntry) -> str:
    """Return the completion that a whole stream makes. Raises one of _UNREADABLE for a part of a stream."""
    frames = b"".join(entry.frames or ())
    completion = completion_of(frames) if frames.endswith(sse.DONE) else None
    if completion is None:
        raise ValueError("the stream has not ended")
    whole = {name: completion[name] for name in _OF_COMPLETIONS if name in completion}
    if not whole.get("usage") and answer.usage is not None:
        whole["usage"] = _usage_object(answer.usage)  # the client did not ask for it
    return dump({**whole, "choices": list(map(_whole_choice, completion["choices"]))})


def _whole_choice(choice: Json) -> Json:
    """Return the choice as OpenAI's whole answers have it. Raises ValueError for unknown members."""
    message = {name: value for name, value in choice["message"].items() if value is not None}
    if unknown := message.keys() - _OF_MESSAGES:
        raise ValueError(f"pieces of {min(unknown)} cannot be joined with certainty")
    content = message.get("content") or None
    return {
        "index": choice["index"],
        "message": {"role": "assistant", "refusal": None, **message, "content": content},
        "logprobs": choice.get("logprobs"),
        "finish_reason": choice.get("finish_reason"),
    }


def _usage_object(usage: Usage) -> Json:
    return {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def _check_complete(completion: Json, limited: bool) -> None:
    """Raise one of _UNREADABLE unless every choice is complete."""
    for choice in completion["choices"] or [{}]:
        message, finished = choice["message"], choice["finish_reason"] in (_LIMITED if limited else _FINISHED)
        content, never = (any(message.get(name) for name in names) for names in (_CONTENT, _NEVER))
        if not finished or not content or never:
            raise ValueError("not complete")


def _without_extras(completion: Json, added_cost: bool) -> Json:
    """Return the completion without what was added for the request: `sluice` and the cost."""
    stored = {name: value for name, value in completion.items() if name != "sluice"}
    if added_cost and isinstance(usage := stored.get("usage"), dict):
        stored["usage"] = {name: value for name, value in usage.items() if name not in MEMBERS}
    return stored


def answer_of(
    cached: CachedAnswer,
    candidate: Candidate,
    chat: Chat,
    explanation: Json | None,
    *,
    age: float,
    waited: float,
) -> Answer:
    """Return the answer to a request, whole or as a stream. Raises ValueError if it is not a completion.

    age: seconds since it was stored; waited: seconds that the request waited for an equal one.
    """
    answer = Answer(candidate=candidate, attempts=[], waited=waited, dropped=cached.dropped, drive=_replay)
    answer.schema, answer.used, answer.age = cached.schema, Usage(), max(0, int(age))
    try:
        text = cached.body.decode()
        if is_too_large(text):
            raise ValueError("more memory than an answer takes")
        stored = json.loads(text)
        _check_complete(stored, limited=True)
        completion = {**stored, "model": candidate.id}
        usage = stored.get("usage")
        if isinstance(usage, dict) and (chat.include_cost or "cost" in usage):
            usage = {name: value for name, value in usage.items() if name not in MEMBERS}
            completion["usage"] = {**usage, "cost": 0}
        if explanation is not None and cached.schema:
            explanation = {**explanation, "schema": cached.schema}
        if chat.stream:
            answer.replayed = _stream_of(completion, chat, explanation)
        else:
            extras = {} if explanation is None else {"sluice": explanation}
            answer.body = splice_bytes(text, stored, completion | extras)
    except _UNREADABLE as error:
        raise ValueError("not a completion") from error
    return answer


def _stream_of(completion: Json, chat: Chat, explanation: Json | None) -> bytes:
    stream = ClientStream(
        ReplayDecoder(completion),
        model=completion["model"],
        wants_usage=chat.include_usage or chat.include_cost,
        explanation=explanation,
        choices=len(completion["choices"]),
    )
    frames = stream.close()
    if stream.failure is not None:
        raise ValueError("not a completion")
    return frames + sse.DONE


async def _replay(answer: Answer) -> AsyncGenerator[bytes, None]:
    yield answer.replayed
