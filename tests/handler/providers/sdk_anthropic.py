"""The cases of the anthropic dialect in wire/, checked by the official client and its types.

test_sdks.py runs this in the environment of `make sdks`. A request.json is what our translator produces
(test_contract.py).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic  # type: ignore[import-not-found]
import httpx2
from anthropic.types import (  # type: ignore[import-not-found]
    ErrorResponse,
    Message,
    RawMessageStreamEvent,
    message_create_params,
)
from pydantic import TypeAdapter

from tests.provider_fakes.request_types import mismatch, strict_reader

CASES = Path(__file__).parent / "wire" / "anthropic"
SAMPLING = ("temperature", "top_p", "top_k")  # accepted by the API, but not in the types since 2.0
UNTYPED_ERRORS = ("request_too_large",)  # documented, but not among the client's types
IGNORED_EVENTS = ("ping", "content_block_note")
REQUEST = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}


def read(case: Path, name: str) -> Any:
    return json.loads((case / name).read_text(encoding="utf-8"))


def captures_with(name: str) -> Iterator[Path]:
    return (path.parent for path in sorted(CASES.glob(f"*/{name}")))


def client(status: int, body: bytes, kind: str) -> Any:
    """Return the official client with a transport that gives every request the same answer."""
    answer = httpx2.Response(status, content=body, headers={"content-type": kind})
    transport = httpx2.MockTransport(lambda _: answer)
    return anthropic.Anthropic(
        api_key="k", max_retries=0, base_url="http://m", http_client=httpx2.Client(transport=transport)
    )


def check_requests() -> int:
    reader = strict_reader(message_create_params.MessageCreateParams)
    cases = list(captures_with("request.json"))
    for case in cases:
        sent = {name: value for name, value in read(case, "request.json").items() if name not in SAMPLING}
        assert mismatch(reader, sent) is None, case.name
        sent["messages"][0]["content"][0]["unknown"] = 1
        assert mismatch(reader, sent), "an unknown field is not detected"
    return len(cases)


def check_answers() -> int:
    cases = list(captures_with("whole.json"))
    for case in cases:
        body = (case / "whole.json").read_bytes()
        message = client(200, body, "application/json").messages.create(**REQUEST)
        assert message.to_dict() == json.loads(body), case.name
        TypeAdapter(Message).validate_python(json.loads(body), strict=True)
    return len(cases)


def check_streams() -> int:
    """The client knows each event, and accumulates the same message as the whole answer."""
    cases = [case for case in captures_with("whole.json") if (case / "stream.sse").exists()]
    for case in cases:
        data = (case / "stream.sse").read_bytes()
        for line in data.decode().splitlines():
            event = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {"type": "ping"}
            if event["type"] not in IGNORED_EVENTS:
                TypeAdapter(RawMessageStreamEvent).validate_python(event)
        with client(200, data, "text/event-stream").messages.stream(**REQUEST) as stream:
            accumulated = stream.get_final_message().to_dict()
        whole = read(case, "whole.json")
        for name in ("id", "model", "role", "content", "stop_reason", "stop_sequence"):
            assert accumulated[name] == whole[name], (case.name, accumulated[name], whole[name])
        assert accumulated["usage"]["output_tokens"] == whole["usage"]["output_tokens"], case.name
    return len(cases)


def check_errors() -> int:
    cases = list(captures_with("error.json"))
    for case in cases:
        error = read(case, "error.json")
        if isinstance(error["body"], dict) and error["body"]["error"]["type"] not in UNTYPED_ERRORS:
            TypeAdapter(ErrorResponse).validate_python(error["body"])
        body = json.dumps(error["body"]).encode()
        assert raised_status(error["status"], body) == error["status"], case.name
    return len(cases)


def raised_status(status: int, body: bytes) -> int | None:
    """Return the status of the error that the client raises, None if it raises none."""
    try:
        client(status, body, "application/json").messages.create(**REQUEST)
    except anthropic.APIStatusError as error:
        return int(error.status_code)
    return None


def main() -> None:
    for check in (check_requests, check_answers, check_streams, check_errors):
        count = check()
        assert count, check.__name__
        sys.stdout.write(f"{check.__name__}: {count}\n")


if __name__ == "__main__":
    main()
