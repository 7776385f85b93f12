"""The demo model over HTTP, and its failures."""

from __future__ import annotations

import json
from typing import Any

import pytest

from handler.local.demo.server import BEHAVIOURS, create_demo

Json = dict[str, Any]

HELLO: list[Json] = [{"role": "user", "content": "hello there"}]
HEARD = "local/echo heard: hello there"


async def call(method: str, path: str, body: bytes = b"") -> tuple[int, dict[str, str], bytes, bool]:
    """Send a request. Returns status, headers and body, and True if the response is complete."""
    sent: list[Any] = []
    pieces = [body[:5], body[5:]]

    async def receive() -> Json:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    async def send(message: Any) -> None:
        sent.append(message)

    await create_demo(pause=0)({"type": "http", "method": method, "path": path}, receive, send)
    head, *rest = sent
    headers = {name.decode(): value.decode() for name, value in head["headers"]}
    return head["status"], headers, b"".join(part["body"] for part in rest), not rest[-1]["more_body"]


async def chat(**fields: Any) -> tuple[int, dict[str, str], bytes, bool]:
    body = json.dumps({"messages": HELLO, **fields}).encode()
    return await call("POST", "/v1/chat/completions", body)


async def test_a_whole_answer_over_http() -> None:
    status, headers, body, _ = await chat(model="echo")
    answer = json.loads(body)
    assert (status, headers["content-type"], answer["model"]) == (200, "application/json", "echo")
    assert answer["choices"][0]["message"]["content"] == HEARD


async def test_a_stream_over_http_has_one_id_and_ends_with_done() -> None:
    status, headers, body, _ = await chat(model="echo", stream=True)
    *events, last, nothing = body.decode().split("\n\n")
    assert (status, headers["content-type"], last, nothing) == (200, "text/event-stream", "data: [DONE]", "")
    assert len({json.loads(event.removeprefix("data: "))["id"] for event in events}) == 1


async def test_half_a_surrogate_pair_is_returned_as_it_was_sent() -> None:
    _, _, body, _ = await chat(model="echo", messages=[{"role": "user", "content": "\ud83d"}], stream=True)
    assert b'"\\ud83d"' in body.replace(b" ", b"")


@pytest.mark.parametrize(
    ("model", "status"),
    [pytest.param(name, one.status, id=name) for name, one in BEHAVIOURS.items() if one.status != 200],
)
async def test_a_model_that_fails(model: str, status: int) -> None:
    found, headers, body, _ = await chat(model=model, stream=True)
    error = json.loads(body)["error"]
    assert (found, set(error)) == (status, {"message", "type", "param", "code"})
    assert headers.get("retry-after") == BEHAVIOURS[model].retry_after


async def test_a_stream_that_ends_in_an_error() -> None:
    _, _, body, complete = await chat(model="echo-error", stream=True)
    assert complete
    assert (
        json.loads(body.decode().split("\n\n")[-2].removeprefix("data: "))["error"]["type"] == "server_error"
    )


async def test_a_stream_whose_connection_drops() -> None:
    _, _, body, complete = await chat(model="echo-cut", stream=True)
    assert not complete
    assert b"[DONE]" not in body
    assert body.count(b"data: ") == 4


@pytest.mark.parametrize("model", ["echo-cut", "echo-error"])
async def test_a_model_that_breaks_streams_fails_whole_answers(model: str) -> None:
    assert (await chat(model=model))[0] == 500


async def test_it_lists_its_models() -> None:
    _, _, body, _ = await call("GET", "/v1/models")
    assert [model["id"] for model in json.loads(body)["data"]] == list(BEHAVIOURS)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        pytest.param("GET", "/v1/chat/completions", b"", 404, id="a wrong method"),
        pytest.param("POST", "/v1/embeddings", b"{}", 404, id="an unknown path"),
        pytest.param("POST", "/v1/chat/completions", b"{nonsense", 400, id="broken JSON"),
        pytest.param("POST", "/v1/chat/completions", b"\xff\xfe", 400, id="broken UTF-8"),
        pytest.param("POST", "/v1/chat/completions", b"[1, 2, 3]", 404, id="a list, which has no model"),
        pytest.param("POST", "/v1/chat/completions", b'{"model": "other"}', 404, id="an unknown model"),
    ],
)
async def test_a_request_that_is_refused(method: str, path: str, body: bytes, status: int) -> None:
    found, _, answer, _ = await call(method, path, body)
    assert (found, "message" in json.loads(answer)["error"]) == (status, True)
