"""A caller's text breaks no response and controls no terminal, wherever it is parsed, echoed or logged."""

from __future__ import annotations

import io
import json
import re
from collections.abc import AsyncIterator

import pytest

from handler.local.terminal_log import terminal_log
from handler.log import json_lines
from tests.support.asgi import Response, call
from tests.support.canned_answers import chunk, completion, finish, role, stream, whole
from tests.support.gateways import KEY, MANAGE, RunningGateway, model, provider, start_gateway
from tests.support.upstream import Upstream

# As JSON text: half a surrogate pair, control characters, colours, a forged line, a change of direction.
TEXTS = {
    "half a surrogate pair": r"\ud83d",
    "a NUL": r"a\u0000b",
    "an escape sequence": r"\u001b]0;mine\u0007\u001b[2J",
    "a line of its own": r"a\r\n07:00:00  200  forged",
    "a change of direction": r"\u202egnp.exe",
    "spaces at its ends": "  a ",
    "text outside ASCII": "règle 雨 😀",
    "a single space": " ",
    "a long text": "x" * 5_000,
    "a per cent sign": "100% %0a",
}
NUMBERS = ["1e999", "-1e999", "9" * 4_000, "-" + "9" * 4_000, "1e308", "0.1e-999", "1E400"]
FIELDS = {
    "model": '"model":"%s"',
    "a pin": '"model":"up/%s"',
    "user": '"model":"up/m","user":"%s"',
    "a tag": '"model":"up/m","tags":{"a":"%s"}',
    "a tag's name": '"model":"up/m","tags":{"%s":"a"}',
    "metadata": '"model":"up/m","metadata":{"a":"%s"}',
    "an unknown field": '"model":"up/m","%s":1',
    "an unknown field's value": '"model":"up/m","x":{"%s":"%s"}',
    "reasoning_effort": '"model":"up/m","reasoning_effort":"%s"',
    "a preference": '"route":{"prefer":"%s"}',
    "a fallback": '"model":"up/m","fallback_models":["%s"]',
    "an unsupported field": '"model":"an/claude","x%s":1',
    "a tool's name": '"model":"up/m","tools":[{"type":"function","function":{"name":"%s"}}]',
    "a type of tool": '"model":"up/m","tools":[{"type":"%s"}]',
    "response_format": '"model":"up/m","response_format":{"type":"%s"}',
    "a type of part": '"model":"up/m","messages":[{"role":"user","content":[{"type":"%s"}]}]',
}
COUNTED = ("max_tokens", "seed", "n", "top_logprobs", "temperature", "x", "tags", "logit_bias", "metadata")
HEADERS = (
    *("x-sluice-function", "x-sluice-tags", "op-tags", "x-sluice-prefer", "x-request-id", "traceparent"),
    *("x-opper-trace-id", "idempotency-key", "accept-language", "anthropic-beta", "content-length", "origin"),
    *(
        "access-control-request-headers",
        "content-encoding",
        "authorization",
        "user-agent",
        "x-sluice-explain",
    ),
)
CLAUDE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
LEGAL = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?")


@pytest.fixture
async def gateway() -> AsyncIterator[RunningGateway]:
    async with Upstream() as upstream:
        upstream.script("m", whole(completion()))
        upstream.script("claude", whole(CLAUDE))
        unpriced = model("up/unpriced", name="m", max_output=None)
        rule = {
            "kind": "route",
            "id": "r\u00e8gle\x1b 1",
            "when": {"tags.a": {"exists": True}},
            "model": "up/m",
        }
        dear = {"input": 1e6, "output": 1e6}
        found = start_gateway(
            [
                *(provider(upstream.url, unlisted="pass"), unpriced, model("up/m", price=dear), rule),
                provider(upstream.url, "an", dialect="anthropic"),
            ]
        )
        yield found
        await found.gateway.aclose()


def body(more: str) -> bytes:
    messages = "" if '"messages"' in more else '"messages":[{"role":"user","content":"hi"}],'
    return ("{" + messages + more + "}").encode()


def console_output(gateway: RunningGateway) -> str:
    """The console output of all requests. Checks their log lines."""
    screen, lines = io.StringIO(), list[str]()
    shown, log = terminal_log(screen, colour=False), json_lines(lines.append)
    for line in gateway.lines:
        shown(line)
        log(line)
    assert all(line.count("\n") == 1 and line.isascii() for line in lines)
    return screen.getvalue()


def check_response(response: Response) -> None:
    assert response.status
    assert response.status != 500, response.body
    json.loads(response.body.decode("utf-8"))
    assert all(LEGAL.fullmatch(value) for value in response.headers.values()), response.headers


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/explain"])
@pytest.mark.parametrize("text", TEXTS)
async def test_no_text_of_a_field_breaks_a_response_or_a_log(
    gateway: RunningGateway, path: str, text: str
) -> None:
    for template in FIELDS.values():
        more = template.replace("%s", TEXTS[text])
        for key in (KEY, MANAGE):
            check_response(await gateway.post(path, body(more), key=key, x_sluice_explain="1"))
    screen = console_output(gateway)
    assert screen.count("\n") == len(gateway.lines)
    assert all(line.isprintable() for line in screen.splitlines())


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/explain"])
@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number[:6])
async def test_no_number_breaks_a_response(gateway: RunningGateway, path: str, number: str) -> None:
    for field in COUNTED:
        value = f'{{"a":{number}}}' if field in ("tags", "logit_bias", "metadata") else number
        for name in ("up/m", "up/unpriced"):
            check_response(await gateway.post(path, body(f'"model":"{name}","{field}":{value}')))
    console_output(gateway)


@pytest.mark.parametrize(
    "text", ["\ud83d", "a\x1b[2J", "é", " a ", "x" * 5_000, "9" * 5_000, "a,b:c", "%", "\x00"]
)
async def test_no_header_and_no_path_breaks_a_response(gateway: RunningGateway, text: str) -> None:
    raw = text.encode("utf-8", "surrogatepass").decode("latin-1")
    for name in HEADERS:
        headers = {"authorization": f"Bearer {KEY}", name: raw}
        for method in ("POST", "OPTIONS"):
            response = await call(
                gateway.app, method, "/v1/chat/completions", headers=headers, body=body('"model":"up/m"')
            )
            assert response.status not in (0, 500)
            assert all(LEGAL.fullmatch(value) for value in response.headers.values())
    for method, path in (("GET", f"/v1/models/{text}"), ("POST", f"/{text}"), ("PUT", f"/v1/{text}/x")):
        scope = {"path": path, "raw_path": b"/"}
        response = await call(
            gateway.app, method, "/", headers={"authorization": f"Bearer {KEY}"}, extra=scope
        )
        assert response.status in (404, 405)
        json.loads(response.body)
    assert console_output(gateway).count("\n") == len(gateway.lines)


@pytest.mark.parametrize(
    ("field", "dropped"),
    [("foo ", "foo%20"), (" ", "%20"), ("é\n", "%C3%A9%0A"), ("x" * 2_000, "x" * 997 + "...")],
)
async def test_no_name_of_a_field_breaks_a_paid_answer(
    gateway: RunningGateway, field: str, dropped: str
) -> None:
    response = await gateway.post("/v1/chat/completions", body(f'"model":"an/claude",{json.dumps(field)}:1'))
    assert (response.status, response.headers["x-sluice-dropped"]) == (200, dropped)


async def test_the_header_that_names_a_rule_is_legal_for_any_id(gateway: RunningGateway) -> None:
    response = await gateway.chat(tags={"a": "b"})
    assert (response.status, response.headers["x-sluice-rule"]) == (200, "r%C3%A8gle%1B 1")


@pytest.mark.parametrize(("text", "tokens"), [("雨" * 80, 60), ("a" * 80, 20), ("é😀 x" * 16, 32)])
async def test_missing_usage_is_estimated_the_same_whole_and_streamed(text: str, tokens: int) -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    called = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    answer = completion(text) | {"usage": None}
    thought = completion("") | {"usage": None}
    thought["choices"][0]["message"] |= {"tool_calls": [called], "reasoning_content": text}
    pieces = [text[at : at + 3] for at in range(0, len(text), 3)]
    thinking = (chunk(None, reasoning_content=piece) for piece in pieces)
    async with Upstream() as upstream:
        upstream.script("m", whole(answer), stream(role(), *map(chunk, pieces), finish()))
        upstream.script(
            "c", whole(thought), stream(role(), *thinking, chunk(None, tool_calls=[called]), finish())
        )
        gateway = start_gateway([provider(upstream.url)])
        for name in ("m", "c"):
            for streamed in (False, True):
                await gateway.chat(model=f"up/{name}", stream=streamed, tools=tools)
        await gateway.gateway.aclose()
    used = [line["usage"]["output"] for line in gateway.lines]
    assert used == [tokens, tokens, tokens + 1, tokens + 1]
