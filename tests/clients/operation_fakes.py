"""A provider of the operations besides chat, on a loopback port: OpenAI's format, and that of Titan."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from tests.support.gateways import Json, model, provider

VECTOR = [0.5, -1.0, 0.25]
AUDIO = bytes(range(256)) * 40


class _Provider(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        media_type, answer = "application/json", b""
        match self.path.rsplit("/", 1)[-1]:
            case "embeddings":
                answer = json.dumps(_embeddings(json.loads(body))).encode()
            case "invoke":
                answer = json.dumps({"embedding": VECTOR, "inputTextTokenCount": 2}).encode()
            case "completions":
                choice = {"index": 0, "text": "of course", "finish_reason": "stop", "logprobs": None}
                made = {
                    "id": "cmpl-1",
                    "object": "text_completion",
                    "created": 1,
                    "model": "m",
                    "choices": [choice],
                }
                answer = json.dumps({**made, "usage": _usage(2, 3)}).encode()
                if json.loads(body).get("stream"):
                    media_type = "text/event-stream"
                    answer = b"data: %b\n\ndata: [DONE]\n\n" % json.dumps(made).encode()
            case "rerank":
                results = [{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": 0.1}]
                meta = {"billed_units": {"search_units": 1}}
                answer = json.dumps({"id": "1", "results": results, "meta": meta}).encode()
            case "moderations":
                answer = json.dumps({"id": "1", "model": "m", "results": [_MODERATION]}).encode()
            case "generations" | "edits":
                answer = json.dumps({"created": 1, "data": [{"b64_json": "AA=="}]}).encode()
            case "speech":
                media_type, answer = "audio/mpeg", AUDIO
            case "transcriptions" | "translations":
                assert AUDIO in body, "the file is not as the client sent it"
                answer = json.dumps({"text": "hello", "usage": {"type": "duration", "seconds": 2}}).encode()
        self.send_response(200 if answer else 404)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        pass


_MODERATION = {"flagged": False, "categories": {}, "category_scores": {}, "category_applied_input_types": {}}


def _usage(input: int, output: int = 0) -> Json:
    return {"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output}


def _embeddings(body: Json) -> Json:
    """Answer with numbers, whatever `encoding_format` asks for, as many hosts do."""
    count = 1 if isinstance(body["input"], str) else len(body["input"])
    data = [{"object": "embedding", "index": index, "embedding": VECTOR} for index in range(count)]
    return {
        "object": "list",
        "data": data,
        "model": body["model"],
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    }


@contextmanager
def serve_operations() -> Iterator[list[Json]]:
    """Serve the provider, and yield the records of its models."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Provider)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    named = {
        "embed": "embeddings",
        "complete": "completion",
        "rank": "rerank",
        "guard": "moderation",
        "draw": "image",
        "speak": "speech",
        "listen": "transcription",
    }
    price = {"input": 1, "output": 2}
    try:
        yield [
            provider(f"{url}/v1"),
            provider(url, id="aws", dialect="bedrock", auth="bearer"),
            *(model(f"up/{name}", can=[operation], price=price) for name, operation in named.items()),
            model("aws/amazon.titan-embed-text-v2:0", can=["embeddings"], price=price),
        ]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
