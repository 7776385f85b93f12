"""Gemini's generateContent and streamGenerateContent: its answers as chat completions and chunks.

https://ai.google.dev/api/generate-content#v1beta.GenerateContentResponse
The request is in google_request.py and google_messages.py; docs/providers.md says what becomes of what.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import quote

from handler.errors import UpstreamError
from handler.providers.failure import failure, failure_in
from handler.providers.google.messages import unspelled
from handler.providers.google.request import asked, takes_format
from handler.providers.google.signatures import Signed, signatures_of
from handler.providers.legacy_functions import legacy_answer, legacy_chunk
from handler.providers.malformed import MalformedEvents, loads
from handler.providers.provider import Quirks
from handler.providers.translator import PIECE, Json, StreamDecoder, too_large
from handler.redact import redact
from rules import Model

# Gemini's word for why it ended -> OpenAI's. https://ai.google.dev/api/generate-content#FinishReason
_FINISH: Mapping[str, str] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    **dict.fromkeys(
        (
            *("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "MODEL_ARMOR"),
            *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "ESCALATION"),
        ),
        "content_filter",
    ),
}
# It could not go on. With nothing said that is a failure, and asking again may help.
_BROKEN = frozenset(
    {
        *("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE"),
        *("MISSING_THOUGHT_SIGNATURE", "NO_IMAGE", "IMAGE_OTHER", "OTHER", "PUP_LIMITED_DISABLED"),
    }
)
# What a google.rpc.Status tells, in the words that failure.py knows. https://google.aip.dev/193
_TYPES: Mapping[str, str] = {
    "API_KEY_INVALID": "invalid_api_key",
    "API_KEY_EXPIRED": "invalid_api_key",
    "FAILED_PRECONDITION": "failed_precondition",  # no billing, not in this country
    "CANCELLED": "server_is_overloaded",
    "ABORTED": "server_is_overloaded",
}
_LISTS = frozenset({"tool_calls", "images"})  # of a delta
MOST_CHOICES, MOST_KEPT = 128, 10_000_000  # of one answer; bytes of what is kept of a choice of it
_SERVED = ("models/", "tunedModels/")


class Google:
    """The translator of the `google` dialect."""

    framing = "sse"
    several = True

    def path(self, model: Model, *, stream: bool) -> str:
        name = model.name if model.name.startswith(_SERVED) else f"models/{model.name}"
        return f"/{quote(name)}:{'streamGenerateContent?alt=sse' if stream else 'generateContent'}"

    def holds(self, schema: Json | None, chat: Json, model: Model) -> bool:
        return takes_format(chat, model)

    def request(self, chat: Json, model: Model, quirks: Quirks) -> tuple[Json, tuple[str, ...]]:
        return asked(chat, model, quirks)

    def response(self, body: Json, quirks: Quirks, *, legacy: bool = False, model: str = "") -> Json:
        if (failed := failure_in(_told(body))) is not None:
            raise failed
        if not _fit(body):
            raise UpstreamError(
                "The provider's answer is no GenerateContentResponse.", failure_class="protocol"
            )
        head = _head(body, "chat.completion")
        choices = [_whole(one, place, head["id"]) for place, one in enumerate(_candidates(body))]
        if not choices:
            raise UpstreamError("The provider's answer is empty.", failure_class="server")
        answer = {**head, "choices": choices, "usage": _usage(body.get("usageMetadata") or {})}
        return legacy_answer(answer) if legacy else answer

    def stream(self, quirks: Quirks, *, legacy: bool = False, model: str = "") -> StreamDecoder:
        return GoogleStream(legacy=legacy)

    def error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamError:
        try:
            told = json.dumps(_told(json.loads(body))).encode()
        except (ValueError, RecursionError):
            told = body
        return failure(status, headers, told)


@dataclass(slots=True)
class Said:
    """What has been said of one choice."""

    answer: str  # the id of the answer
    index: int
    role: bool = False
    content: bool = False  # a text, a call or an image
    characters: int = 0  # of its text
    images: int = 0
    ids: dict[str, None] = field(default_factory=dict)  # of its calls
    kept: int = 0  # bytes of ids and signatures
    signatures: list[Signed] = field(default_factory=list)  # of its text, images and thoughts
    finish: str | None = None  # Gemini's word
    note: str = ""  # and its explanation


class GoogleStream:
    """The decoder of one stream; see StreamDecoder. Each event is a whole GenerateContentResponse.

    Finish reasons are held until the end: some models tell one with every event.
    """

    def __init__(self, *, legacy: bool) -> None:
        self.event: Json = {}
        self._legacy = legacy
        self._head: Json = {}
        self._choices: dict[int, Said] = {}
        self._usage: Json | None = None
        self._malformed = MalformedEvents()

    def feed(self, data: str) -> Iterator[Json]:
        if not data.strip() or data.startswith("[DONE]"):
            return
        event = _parsed(data)
        if (failed := failure_in(_told(event))) is not None:
            raise failed
        if not _fit(event):
            self._malformed.skip(data)
            return
        self.event = event
        if (chunk := self._chunk(event)) is not None:
            yield self._out(chunk)

    def close(self) -> Iterator[Json]:
        if not self._choices or any(said.finish is None for said in self._choices.values()):
            raise UpstreamError("The provider's answer ended too early.", failure_class="network")
        for index, said in self._choices.items():
            finish, refusal = _ended(said)
            delta = {
                **_role(said),
                **({"refusal": refusal} if refusal else {}),
                **signatures_of(said.signatures),
            }
            choice = {"index": index, "delta": delta, "finish_reason": finish}
            yield self._out({**self._head, "choices": [choice]})
        if self._usage is not None:
            yield {**self._head, "choices": [], "usage": self._usage}

    def _chunk(self, event: Json) -> Json | None:
        self._head = self._head or _head(event, "chat.completion.chunk")
        if usage := event.get("usageMetadata"):  # of all so far
            self._usage = _usage(usage)
        choices = []
        for place, candidate in enumerate(_candidates(event)):
            index = candidate.get("index", place)
            if index not in self._choices and len(self._choices) >= MOST_CHOICES:
                raise too_large()
            said = self._choices.setdefault(index, Said(self._head["id"], index))
            delta, logprobs = _delta(candidate, said), _logprobs(candidate)
            if delta or logprobs:
                choice = {"index": index, "delta": {**_role(said), **delta}, "finish_reason": None}
                choices.append({**choice, **logprobs})
        return {**self._head, "choices": choices} if choices else None

    def _out(self, chunk: Json) -> Json:
        return legacy_chunk(chunk) if self._legacy else chunk


def _role(said: Said) -> Json:
    told, said.role = said.role, True
    return {} if told else {"role": "assistant"}


def _parsed(data: str) -> Any:
    try:
        return loads(data)
    except (ValueError, RecursionError):
        return None


def _fit(body: Any) -> bool:
    """Whether a body has the shape that is relied on here."""
    if not isinstance(body, dict):
        return False
    feedback, usage, candidates = (
        body.get(name) for name in ("promptFeedback", "usageMetadata", "candidates")
    )
    if not isinstance(feedback, dict | None) or not isinstance(usage, dict | None):
        return False
    if candidates is None:
        return bool(feedback or usage)
    return isinstance(candidates, list) and all(map(_is_candidate, candidates))


def _is_candidate(one: Any) -> bool:
    if not isinstance(one, dict) or not isinstance(one.get("index", 0), int):
        return False
    content = one.get("content") or {}
    if not isinstance(content, dict):
        return False
    parts = content.get("parts") or []
    return isinstance(parts, list) and all(map(_is_part, parts))


_CONTENT = {"text": str, "functionCall": dict, "inlineData": dict}


def _is_part(part: Any) -> bool:
    """True when a part is readable; a part of an unknown kind counts as empty."""
    if not isinstance(part, dict):
        return False
    return all(isinstance(part.get(name), kind | None) for name, kind in _CONTENT.items())


def _candidates(body: Json) -> list[Json]:
    """The candidates; of a prompt that was blocked, one that says so."""
    candidates: list[Json] = body.get("candidates") or []
    feedback = body.get("promptFeedback") or {}
    if candidates or not feedback.get("blockReason"):
        return candidates
    why = (
        _text(feedback.get("blockReasonMessage"))
        or f"The provider blocked the prompt: {feedback['blockReason']}."
    )
    return [{"index": 0, "finishReason": "SAFETY", "finishMessage": why}]


def _head(body: Json, kind: str) -> Json:
    id_, model = _text(body.get("responseId")), _text(body.get("modelVersion"))
    id_ = id_ or f"chatcmpl-{uuid.uuid4().hex}"
    return {"id": id_, "object": kind, "created": int(time.time()), "model": model}


def _whole(candidate: Json, place: int, answer: str) -> Json:
    index = candidate.get("index", place)
    said = Said(answer, index)
    message: Json = {"role": "assistant", "content": None, "refusal": None, **_delta(candidate, said)}
    message |= signatures_of(said.signatures)
    for call in message.get("tool_calls", ()):
        del call["index"]
    finish, message["refusal"] = _ended(said)
    if message["content"] is None and not said.content and not message["refusal"]:
        message["content"] = ""
    return {"index": index, "message": message, **_logprobs(candidate), "finish_reason": finish}


def _delta(candidate: Json, said: Said) -> Json:
    """What one candidate brings; a whole answer is one delta."""
    said.finish = _text(candidate.get("finishReason")) or said.finish
    said.note = _text(candidate.get("finishMessage")) or said.note
    pieces: dict[str, list[Any]] = {}
    for part in (candidate.get("content") or {}).get("parts") or ():
        for name, piece in _pieces(part, said):
            pieces.setdefault(name, []).append(piece)
    delta: Json = {name: found if name in _LISTS else "".join(found) for name, found in pieces.items()}
    if any(name in delta for name in ("content", "tool_calls", "images")):
        said.content = True
    return delta


def _pieces(part: Json, said: Said) -> Iterator[tuple[str, Any]]:
    """Yields a part's pieces of the delta. A call carries its own signature; other signatures come last."""
    match part:
        case {"functionCall": dict(call)}:
            yield "tool_calls", _call(call, _text(part.get("thoughtSignature")), said)
            return
        case {"text": str(text), "thought": True} if text:
            yield "reasoning_content", text
        case {"text": str(text)} if text:
            said.characters += len(text)
            yield "content", text
        case {"inlineData": {"mimeType": str(kind), "data": str(data)}} if not part.get("thought"):
            url = f"data:{kind};base64,{data}"
            yield "images", {"index": said.images, "type": "image_url", "image_url": {"url": url}}
            said.images += 1
    if signature := _text(part.get("thoughtSignature")):
        _keep(said, signature)
        said.signatures.append(Signed(said.characters, signature))


def _keep(said: Said, text: str) -> None:
    said.kept += len(text) + 10 * PIECE
    if said.kept > MOST_KEPT:
        raise too_large()


def _call(call: Json, signature: str, said: Said) -> Json:
    given, place = _text(call.get("id")), len(said.ids)
    if not given or given in said.ids:
        own = f"{said.answer}/{said.index}/{place}".encode("utf-8", "surrogatepass")
        given = f"call_{sha256(own).hexdigest()[:24]}"
    _keep(said, given)
    said.ids[given] = None
    arguments = json.dumps(call.get("args") or {}, ensure_ascii=False, separators=(",", ":"))
    function = {"name": unspelled(_text(call.get("name"))), "arguments": arguments}
    made: Json = {"index": place, "id": given, "type": "function", "function": function}
    if signature:
        made["thought_signature"] = signature
        made["extra_content"] = {"google": {"thought_signature": signature}}
    return made


def _ended(said: Said) -> tuple[str, str | None]:
    """OpenAI's finish reason, and the refusal of an answer that was not let out."""
    if said.finish in _BROKEN and not said.content:
        why = redact(said.note) or f"The provider could not answer: {said.finish}."
        raise UpstreamError(why, failure_class="server")
    finish = _FINISH.get(said.finish or "", "stop")
    if finish == "content_filter" and not said.content:
        return finish, redact(said.note) or f"The provider withheld the answer: {said.finish}."
    return "tool_calls" if finish == "stop" and said.ids else finish, None


def _logprobs(candidate: Json) -> Json:
    """`logprobs` of a choice. https://ai.google.dev/api/generate-content#LogprobsResult"""
    result = candidate.get("logprobsResult")
    if not isinstance(result, dict):
        return {}
    tops = [_objects(one.get("candidates")) for one in _objects(result.get("topCandidates"))]
    content = [
        {**_token(one), "top_logprobs": [_token(top) for top in (tops[at] if at < len(tops) else ())]}
        for at, one in enumerate(_objects(result.get("chosenCandidates")))
    ]
    return {"logprobs": {"content": content, "refusal": None}}


def _token(one: Json) -> Json:
    token = _text(one.get("token"))
    bytes_ = list(token.encode("utf-8", "surrogatepass"))
    return {"token": token, "logprob": one.get("logProbability") or 0.0, "bytes": bytes_}


def _usage(told: Json) -> Json:
    """Thoughts are output, what tools brought is input; cached tokens are among the prompt's already."""
    thoughts = _count(told, "thoughtsTokenCount")
    prompt = _count(told, "promptTokenCount") + _count(told, "toolUsePromptTokenCount")
    completion = _count(told, "candidatesTokenCount") + thoughts
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": _count(told, "cachedContentTokenCount")},
        "completion_tokens_details": {"reasoning_tokens": thoughts},
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _objects(value: Any) -> list[Json]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _count(told: Json, name: str) -> int:
    value = told.get(name)
    return value if isinstance(value, int) and value > 0 else 0


def _told(body: Any) -> Any:
    """An error with what Google calls it where failure.py looks; anything else as it is."""
    error = body[0] if isinstance(body, list) and body else body
    error = error.get("error") if isinstance(error, dict) else None
    if not isinstance(error, dict):
        return body
    details = _objects(error.get("details"))
    words = [*(one.get("reason") for one in details), error.get("status")]
    known = [_TYPES[word] for word in words if isinstance(word, str) and word in _TYPES]
    if any("PerDay" in str(one.get("violations")) for one in details):  # no waiting helps
        known = ["insufficient_quota"]
    return {"error": {**error, "type": known[0]} if known else error}
