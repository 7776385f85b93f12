"""The captures of the anthropic dialect, read by the official client: so they are not our own opinion.

Runs in the environment of `make sdks`; test_sdks.py starts it. What our request side makes is
request.json (test_contract.py), so it is that which must be what the client's own types allow, and no more.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic  # type: ignore[import-not-found]
import httpx2  # type: ignore[import-not-found]
from anthropic.types import (  # type: ignore[import-not-found]
    ErrorResponse,
    Message,
    RawMessageStreamEvent,
    message_create_params,
)
from pydantic import TypeAdapter

from tests.provider_fakes.request_types import mismatch, strict_reader

CASES = Path(__file__).parent / "wire" / "anthropic"
SAMPLING = ("temperature", "top_p", "top_k")  # taken by the API, and left out of the types since 2.0
UNTYPED = ("request_too_large",)  # documented, but not among the client's types
LATER = ("ping", "content_block_note")  # events that are to be ignored
ASKED = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}


def read(case: Path, name: str) -> Any:
    return json.loads((case / name).read_text(encoding="utf-8"))


def having(name: str) -> Iterator[Path]:
    return (path.parent for path in sorted(CASES.glob(f"*/{name}")))


def client(status: int, body: bytes, kind: str) -> Any:
    """The official client, whose every call is answered so."""
    answer = httpx2.Response(status, content=body, headers={"content-type": kind})
    transport = httpx2.MockTransport(lambda _: answer)
    return anthropic.Anthropic(
        api_key="k", max_retries=0, base_url="http://m", http_client=httpx2.Client(transport=transport)
    )


def check_requests() -> int:
    reader = strict_reader(message_create_params.MessageCreateParams)
    cases = list(having("request.json"))
    for case in cases:
        sent = {name: value for name, value in read(case, "request.json").items() if name not in SAMPLING}
        assert mismatch(reader, sent) is None, case.name
        sent["messages"][0]["content"][0]["unknown"] = 1
        assert mismatch(reader, sent), "an unknown field must not pass, or nothing here is checked"
    return len(cases)


def check_answers() -> int:
    cases = list(having("whole.json"))
    for case in cases:
        body = (case / "whole.json").read_bytes()
        message = client(200, body, "application/json").messages.create(**ASKED)
        assert message.to_dict() == json.loads(body), case.name
        TypeAdapter(Message).validate_python(json.loads(body), strict=True)
    return len(cases)


def check_streams() -> int:
    """Each event is one that the client knows, and what it folds them to is the whole answer."""
    cases = [case for case in having("whole.json") if (case / "stream.sse").exists()]
    for case in cases:
        data = (case / "stream.sse").read_bytes()
        for line in data.decode().splitlines():
            event = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {"type": "ping"}
            if event["type"] not in LATER:
                TypeAdapter(RawMessageStreamEvent).validate_python(event)
        with client(200, data, "text/event-stream").messages.stream(**ASKED) as stream:
            folded = stream.get_final_message().to_dict()
        whole = read(case, "whole.json")
        for name in ("id", "model", "role", "content", "stop_reason", "stop_sequence"):
            assert folded[name] == whole[name], (case.name, folded[name], whole[name])
        assert folded["usage"]["output_tokens"] == whole["usage"]["output_tokens"], case.name
    return len(cases)


def check_errors() -> int:
    cases = list(having("error.json"))
    for case in cases:
        told = read(case, "error.json")
        if isinstance(told["body"], dict) and told["body"]["error"]["type"] not in UNTYPED:
            TypeAdapter(ErrorResponse).validate_python(told["body"])
        body = json.dumps(told["body"]).encode()
        assert refusal(told["status"], body) == told["status"], case.name
    return len(cases)


def refusal(status: int, body: bytes) -> int | None:
    """The status that the client fails with, if it does."""
    try:
        client(status, body, "application/json").messages.create(**ASKED)
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
