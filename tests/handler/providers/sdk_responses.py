"""The cases of the responses dialect in wire/, checked by the official client and its types.

test_sdks.py runs this in the environment of `make sdks`. A request.json is what our translator produces
(test_contract.py).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai  # type: ignore[import-not-found]
from openai.types.responses import (  # type: ignore[import-not-found]
    Response,
    ResponseStreamEvent,
    response_create_params,
)
from pydantic import TypeAdapter

from tests.provider_fakes.request_types import mismatch, strict_reader

CASES = Path(__file__).parent / "wire" / "responses"
REQUEST = {"model": "m", "input": "Hi"}


def read(case: Path, name: str) -> Any:
    return json.loads((case / name).read_text(encoding="utf-8"))


def captures_with(name: str) -> Iterator[Path]:
    return (path.parent for path in sorted(CASES.glob(f"*/{name}")))


def client(status: int, body: bytes, kind: str) -> Any:
    """Return the official client with a transport that gives every request the same answer."""
    answer = httpx2.Response(status, content=body, headers={"content-type": kind})
    transport = httpx2.MockTransport(lambda _: answer)
    http = httpx2.Client(transport=transport)
    return openai.OpenAI(api_key="k", max_retries=0, base_url="http://m", http_client=http)


def check_requests() -> int:
    readers = [
        strict_reader(response_create_params.ResponseCreateParamsNonStreaming),
        strict_reader(response_create_params.ResponseCreateParamsStreaming),
    ]
    cases = list(captures_with("request.json"))
    for case in cases:
        sent = read(case, "request.json")
        reader = readers["stream" in sent]
        assert mismatch(reader, sent) is None, (case.name, mismatch(reader, sent))
        sent["input"][0]["unknown"] = 1
        assert mismatch(reader, sent), "an unknown field is not detected"
    return len(cases)


def check_answers() -> int:
    cases = list(captures_with("whole.json"))
    for case in cases:
        body = (case / "whole.json").read_bytes()
        response = client(200, body, "application/json").responses.create(**REQUEST)
        assert response.to_dict() == json.loads(body), case.name
        TypeAdapter(Response).validate_python(json.loads(body), strict=True)
    return len(cases)


def check_streams() -> int:
    """The client knows each event, and accumulates the same response as the whole answer."""
    cases = list(captures_with("stream.sse"))
    for case in cases:
        data = (case / "stream.sse").read_bytes()
        for number, event in enumerate(events_of(data)):
            assert event["sequence_number"] == number, case.name
            if "error" not in event:
                TypeAdapter(ResponseStreamEvent).validate_python(event, strict=True)
        if not (case / "whole.json").exists():
            continue
        whole = read(case, "whole.json")
        with client(200, data, "text/event-stream").responses.stream(**REQUEST) as stream:
            events = list(stream)
        text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
        assert text == Response.model_validate(whole).output_text, case.name
        if whole["status"] == "completed":
            accumulated = stream.get_final_response().to_dict()
            assert accumulated["id"] == whole["id"], case.name
            assert accumulated["usage"] == whole["usage"], case.name
    return len(cases)


def events_of(data: bytes) -> list[Any]:
    lines = data.decode().splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]


def check_errors() -> int:
    cases = list(captures_with("error.json"))
    for case in cases:
        error = read(case, "error.json")
        body = json.dumps(error["body"]).encode()
        assert raised(error["status"], body) == (error["status"], error["body"]["error"]["code"]), case.name
    return len(cases)


def raised(status: int, body: bytes) -> tuple[int, str | None] | None:
    """Return the status and the code of the error that the client raises, None if it raises none."""
    try:
        client(status, body, "application/json").responses.create(**REQUEST)
    except openai.APIStatusError as error:
        return int(error.status_code), error.code
    return None


def main() -> None:
    for check in (check_requests, check_answers, check_streams, check_errors):
        count = check()
        assert count, check.__name__
        sys.stdout.write(f"{check.__name__}: {count}\n")


if __name__ == "__main__":
    main()
