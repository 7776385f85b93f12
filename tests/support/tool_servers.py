"""Tool servers and a model without sockets: an httpx transport that asks a function for each host.

web = Web({"up": Model(calls(("search__find", {"q": "x"})), says("Done.")), "tools": ToolServer(TOOL)})
gateway = start_gateway([provider("http://up/v1"), ...], upstream=web)
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import httpx

from tests.support.canned_answers import HEAD, USAGE, completion, text_of

Json = dict[str, Any]
Host = Callable[[httpx.Request], Awaitable[httpx.Response]]


class Web(httpx.AsyncBaseTransport):
    """Every host that can be reached."""

    def __init__(self, hosts: Mapping[str, Host]) -> None:
        self.hosts = dict(hosts)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self.hosts[request.url.host](request)


class Body(httpx.AsyncByteStream):
    """The pieces of a body, and pauses in seconds between them."""

    def __init__(self, pieces: Sequence[bytes | float]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, bytes):
                yield piece
            else:
                await asyncio.sleep(piece)


def response(body: Json | bytes | list[Any] = b"", status: int = 200, **headers: str) -> httpx.Response:
    """A response of JSON, of bytes, or of a list of pieces."""
    pieces = body if isinstance(body, list) else [body if isinstance(body, bytes) else text_of(body).encode()]
    given = {name.replace("_", "-"): each for name, each in headers.items()}
    named = {"content-type": "application/json", **given}
    return httpx.Response(status, headers=named, stream=Body(pieces))


# A model, as a provider of the chat format.


def says(text: str, **message: Any) -> Json:
    """The answer of a model that calls nothing."""
    answer = completion(text)
    answer["choices"][0]["message"] |= message
    return answer


def calls(*made: tuple[str, Any], text: str | None = None) -> Json:
    """The answer of a model that calls functions: their names, and their arguments."""
    listed = [
        {
            "id": f"call_{place}",
            "type": "function",
            "function": {"name": name, "arguments": given if isinstance(given, str) else json.dumps(given)},
        }
        for place, (name, given) in enumerate(made)
    ]
    answer = completion(text or "")
    answer["choices"][0] |= {
        "message": {"role": "assistant", "content": text, "tool_calls": listed},
        "finish_reason": "tool_calls",
    }
    return answer


class Model:
    """A model that gives these answers in turn, the last one again and again; whole, or as streams."""

    def __init__(self, *answers: Json | httpx.Response | Callable[[Json], Json]) -> None:
        self._answers = list(answers)
        self.requests: list[Json] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(await request.aread())
        self.requests.append(body)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, httpx.Response):
            return answer
        if not isinstance(answer, dict):
            answer = answer(body)
        if not body.get("stream"):
            return response(answer)
        usage = (body.get("stream_options") or {}).get("include_usage")
        return response([*_frames(answer, usage=bool(usage))], content_type="text/event-stream")


def _frames(answer: Json, *, usage: bool) -> list[bytes]:
    """An answer as a stream: text in two pieces, arguments of calls in two, then the end."""
    choice = answer["choices"][0]
    message = choice["message"]
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    if text := message.get("content"):
        deltas += [{"content": text[:3]}, {"content": text[3:]}]
    for index, call in enumerate(message.get("tool_calls") or ()):
        function = call["function"]
        start = {**call, "index": index, "function": {"name": function["name"], "arguments": ""}}
        deltas += [{"tool_calls": [start]}]
        for part in (function["arguments"][:2], function["arguments"][2:]):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": part}}]})
    chunks: list[Json] = [
        {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
    ]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})
    if usage:
        chunks.append({"choices": [], "usage": USAGE})
    return [f"data: {json.dumps({**HEAD, **chunk})}\n\n".encode() for chunk in chunks] + [b"data: [DONE]\n\n"]


# A tool server.


def tool(name: str, **fields: Any) -> Json:
    return {"name": name, "description": f"Does {name}.", "inputSchema": {"type": "object"}, **fields}


def text_result(text: str, **fields: Any) -> Json:
    return {"content": [{"type": "text", "text": text}], **fields}


Method = Callable[[Json], Any]  # the result, an httpx.Response, or a coroutine of either


class ToolServer:
    """A scripted server of the handshake's time. `methods` replace what it does by default."""

    def __init__(self, *tools: Json, **methods: Method) -> None:
        self.tools = list(tools)
        self.requests: list[httpx.Request] = []
        self.messages: list[Json] = []
        self._methods: dict[str, Method] = {
            "initialize": lambda params: {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "scripted", "version": "1"},
            },
            "tools/list": lambda params: {"tools": self.tools},
            "tools/call": lambda params: text_result(f"{params['name']} {json.dumps(params['arguments'])}"),
            **{name.replace("_", "/"): method for name, method in methods.items()},
        }

    @property
    def called(self) -> list[str]:
        """The names of the tools that were called."""
        return [each["params"]["name"] for each in self.messages if each.get("method") == "tools/call"]

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.method != "POST":
            return response(status=204 if request.method == "DELETE" else 405)
        message = json.loads(await request.aread())
        self.messages.append(message)
        if "id" not in message or "method" not in message:
            return response(status=202)
        method = self._methods.get(message["method"])
        if method is None:
            error = {"code": -32601, "message": "no such method"}
            return response({"jsonrpc": "2.0", "id": message["id"], "error": error})
        result = method(message.get("params") or {})
        if asyncio.iscoroutine(result):
            result = await result
        if isinstance(result, httpx.Response):
            return result
        return response({"jsonrpc": "2.0", "id": message["id"], "result": result}, mcp_session_id="s1")


def events(*messages: Json | bytes | float) -> httpx.Response:
    """A response that streams messages."""
    pieces = [
        each if isinstance(each, bytes | float) else f"data: {json.dumps(each)}\n\n".encode()
        for each in messages
    ]
    return response(pieces, content_type="text/event-stream")
