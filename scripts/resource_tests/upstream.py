"""A provider on loopback that accepts whatever Sluice sends it, and answers in the format of the path."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from scripts.resource_tests import gemini

Json = dict[str, Any]
Answer = Json | bytes | list[Json]  # an object, other bytes, or the events of a stream

_CHAT_USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
_DETAILS = {"input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}}
_RESPONSES_USAGE = {
    "input_tokens": 1,
    "output_tokens": 1,
    "total_tokens": 2,
    **_DETAILS,
    "output_tokens_details": {"reasoning_tokens": 0},
}
_RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "status": "completed",
    "model": "gpt-6-astra",
    "output": [],
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
    "metadata": {},
    "usage": _RESPONSES_USAGE,
}
_MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-5-5",
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
    "content": [{"type": "text", "text": "Hello."}],
}
_FLAGS = ("harassment", "hate", "illicit", "self-harm", "sexual", "violence")
_CATEGORIES = (
    *_FLAGS,
    *("harassment/threatening", "hate/threatening", "illicit/violent", "self-harm/instructions"),
    *("self-harm/intent", "sexual/minors", "violence/graphic"),
)
_MODERATION = {
    "flagged": False,
    "categories": dict.fromkeys(_CATEGORIES, False),
    "category_scores": dict.fromkeys(_CATEGORIES, 0.0),
    "category_applied_input_types": {name: ["text"] for name in _CATEGORIES},
}


def _chat(body: Json) -> Answer:
    head = {"id": "chatcmpl-1", "created": 1, "model": "gpt-6-astra"}
    said = {"role": "assistant", "content": "Hello."}
    if body.get("stream"):
        choice = {"index": 0, "delta": said, "finish_reason": "stop"}
        return [{**head, "object": "chat.completion.chunk", "choices": [choice], "usage": _CHAT_USAGE}]
    choice = {"index": 0, "message": {**said, "refusal": None}, "finish_reason": "stop", "logprobs": None}
    return {**head, "object": "chat.completion", "choices": [choice], "usage": _CHAT_USAGE}


def _responses(body: Json) -> Answer:
    if not body.get("stream"):
        return _RESPONSE
    events = ({"type": "response.created"}, {"type": "response.completed"})
    return [{**event, "sequence_number": n, "response": _RESPONSE} for n, event in enumerate(events)]


def _messages(body: Json) -> Answer:
    if not body.get("stream"):
        return _MESSAGE
    return [
        {"type": "message_start", "message": {**_MESSAGE, "content": [], "stop_reason": None}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello."}},
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 1},
        },
        {"type": "message_stop"},
    ]


def _completion(body: Json) -> Answer:
    choice = {"index": 0, "text": "Hello.", "finish_reason": "stop", "logprobs": None}
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m", "choices": [choice]}
    return [head] if body.get("stream") else {**head, "usage": _CHAT_USAGE}


def _embeddings(body: Json) -> Answer:
    data = [{"object": "embedding", "index": 0, "embedding": [0.5, -1.0]}]
    usage = {"prompt_tokens": 1, "total_tokens": 1}
    return {"object": "list", "data": data, "model": "m", "usage": usage}


_COMPACTED = {
    "id": "cmp_1",
    "object": "response.compaction",
    "created_at": 1,
    "output": [],
    "usage": _RESPONSES_USAGE,
}
_ANSWERS: dict[str, Callable[[Json], Answer] | Answer] = {  # by the end of the path
    "chat/completions": _chat,
    "v1/completions": _completion,
    "v1/responses": _responses,
    "v1/messages": _messages,
    "v1/embeddings": _embeddings,
    "responses/input_tokens": {"object": "response.input_tokens", "input_tokens": 1},
    "models/model:generateContent": gemini.whole,
    "models/model:streamGenerateContent": gemini.stream,
    "models/model:countTokens": {"totalTokens": 1},
    "messages/count_tokens": {"input_tokens": 1},
    "responses/compact": _COMPACTED,
    "v1/moderations": {"id": "1", "model": "m", "results": [_MODERATION]},
    "images/generations": {"created": 1, "data": [{"b64_json": "AA=="}]},
    "images/edits": {"created": 1, "data": [{"b64_json": "AA=="}]},
    "audio/speech": b"sound",
    "audio/transcriptions": {"text": "Hello."},
    "audio/translations": {"text": "Hello."},
}


def answer(path: str, body: Json) -> Answer:
    """The answer to a request, empty at an unknown path. `body` is empty for a form."""
    found = _ANSWERS.get("/".join(path.partition("?")[0].split("/")[-2:]), b"")
    return found(body) if callable(found) else found


class _Provider(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["content-length"]))
        form = "json" not in self.headers["content-type"]
        media_type, content = _serialize(answer(self.path, {} if form else json.loads(sent)))
        self.send_response(200 if content else 404)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        pass


def _serialize(answer: Answer) -> tuple[str, bytes]:
    match answer:
        case bytes():
            return "audio/mpeg", answer
        case list():
            end = b"" if "candidates" in answer[0] else b"data: [DONE]\n\n"
            return "text/event-stream", b"".join(map(_event, answer)) + end
    return "application/json", json.dumps(answer).encode()


def _event(event: Json) -> bytes:
    name = f"event: {event['type']}\n" if "type" in event else ""
    return f"{name}data: {json.dumps(event)}\n\n".encode()


@contextmanager
def serve_upstream() -> Iterator[str]:
    """Yields the provider's address while it serves."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Provider)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
