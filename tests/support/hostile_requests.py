"""Hostile requests and the error of each, as data: status, code and param, and never a 500.

Cases with `by="parse"` need only handler.formats.chat.request.parse, the others the whole app. All of them
can be sent to the app with a valid key, if the client sends `path` unchanged: most HTTP clients normalise it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

USER = {"role": "user", "content": "hi"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hostile:
    id: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)  # besides the key
    method: str = "POST"
    path: str = "/v1/chat/completions"  # unchanged on the request line
    status: int = 400
    code: str = "invalid_value"
    param: str | None = None
    by: str = "parse"  # parse | app


def chat(**fields: Any) -> bytes:
    """Return a chat request that is valid except for these fields."""
    return json.dumps({"messages": [USER], **fields}).encode()


def _json(id: str, body: bytes, content_type: str = "application/json") -> Hostile:
    return Hostile(id=id, body=body, headers={"content-type": content_type}, code="invalid_json")


def _field(id: str, param: str, **fields: Any) -> Hostile:
    return Hostile(id=id, body=chat(**fields), param=param)


def _absent(id: str, param: str, **fields: Any) -> Hostile:
    return Hostile(id=id, body=chat(**fields), code="missing_required_parameter", param=param)


def _message(id: str, step: str, message: Any) -> Hostile:
    return _field(id, f"messages[1]{step}", messages=[USER, message])


def _message_without(id: str, step: str, message: Any) -> Hostile:
    return _absent(id, f"messages[1]{step}", messages=[USER, message])


def _header(id: str, param: str, value: str) -> Hostile:
    return Hostile(id=id, body=chat(), headers={param: value}, param=param)


def _route(id: str, method: str, path: str, status: int = 404, code: str = "unknown_url") -> Hostile:
    return Hostile(id=id, body=chat(), method=method, path=path, status=status, code=code, by="app")


def _model(id: str, model: str) -> Hostile:
    return Hostile(id=id, body=chat(model=model), param="model", by="app")


def _schema(depth: int) -> Any:
    return {"a": _schema(depth - 1)} if depth > 1 else {}


FORMAT = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"$ref": "http://169.254.169.254/"}}}
TOOL = {"type": "function", "function": {"name": "f"}}

BROKEN_JSON = (
    _json("an empty body", b""),
    _json(
        "a form with its own content type", b"model=gpt-5&messages=hi", "application/x-www-form-urlencoded"
    ),
    _json("XML with an external entity", b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'),
    _json("a truncated body", chat()[:-9]),
    _json("two documents", chat() + chat()),
    _json("a second document after a NUL", chat() + b"\0{}"),
    _json("a byte order mark", b"\xef\xbb\xbf" + chat()),
    _json("UTF-16", chat().decode().encode("utf-16")),
    _json("a byte that is invalid in UTF-8", b'{"messages": [{"role": "user", "content": "\xff"}]}'),
    _json("a surrogate as raw bytes", b'{"messages": [{"role": "user", "content": "\xed\xa0\x80"}]}'),
    _json("an overlong encoding of a slash", b'{"messages": [{"role": "user", "content": "\xc0\xaf"}]}'),
    _json("a compressed body without content-encoding", b"\x1f\x8b\x08\x00\x00\x00\x00\x00"),
    _json("a multipart body", b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\ngpt-5\r\n--x--'),
    _json("NaN as a temperature", chat()[:-1] + b', "temperature": NaN}'),
    _json("minus Infinity as a penalty", chat()[:-1] + b', "presence_penalty": -Infinity}'),
    _json("NaN in an unknown field", chat()[:-1] + b', "x": [NaN]}'),
    _json("a duplicate model, which parsers read in two ways", chat(model="a")[:-1] + b', "model": "b"}'),
    _json("a duplicate model, once escaped", chat(model="a")[:-1] + b', "mod\\u0065l": "b"}'),
    _json("a duplicate role", b'{"messages": [{"role": "user", "role": "system", "content": "hi"}]}'),
    _json("a duplicate name in an unknown field", chat()[:-1] + b', "x": [{"y": {"z": 1, "z": 2}}]}'),
    _json("a list nested 101 levels deep", chat()[:-1] + b', "x": ' + b"[" * 100 + b"]" * 100 + b"}"),
    _json("a million brackets", b"[" * 1_000_000),
    _json("a hundred thousand nested objects", b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    _json("an integer that takes minutes to parse", chat()[:-1] + b', "seed": ' + b"9" * 1_000_000 + b"}"),
    _json("single quotes", b"{'messages': []}"),
    _json("a comment", b'{"messages": [] /* none */}'),
    _json("a line end in a text", b'{"messages": [{"role": "user", "content": "a\nb"}]}'),
)

WRONG_SHAPES = (
    Hostile(id="a list instead of an object", body=b"[]"),
    Hostile(id="null instead of an object", body=b"null"),
    Hostile(id="text instead of an object", body=b'"messages"'),
    Hostile(id="an empty object", body=b"{}", code="missing_required_parameter", param="messages"),
    _absent("messages is null", "messages", messages=None),
    _field("messages is empty", "messages", messages=[]),
    _field("messages is text", "messages", messages="hi"),
    _field("messages is an object", "messages", messages={"0": USER}),
    _field("model is a list", "model", model=["gpt-5", "gpt-4o"]),
    _field("model is a number", "model", model=5),
    _field("model is an object with a path", "model", model={"$ref": "/etc/passwd"}),
    _field("models contains an object", "models[1]", models=["a", {}]),
    _field("a thousand fallback models", "fallback_models", fallback_models=["a"] * 1000),
    _field("an empty fallback model", "fallback_models[0]", fallback_models=[""]),
    _message("a message is null", "", None),
    _message("a message is a list", "", []),
    _message_without("a message without a role", ".role", {"content": "hi"}),
    _message("an unknown role", ".role", {"role": "root", "content": "hi"}),
    _message("a role that is a list", ".role", {"role": ["user"], "content": "hi"}),
    _message("content is a number", ".content", {"role": "user", "content": 7}),
    _message("content is an object", ".content", {"role": "user", "content": {"text": "hi"}}),
    _message_without("content is null without tool calls", ".content", {"role": "user", "content": None}),
    _message_without(
        "an assistant message without content", ".content", {"role": "assistant", "tool_calls": []}
    ),
    _message("a part is text", ".content[0]", {"role": "user", "content": ["hi"]}),
    _message("an unknown part", ".content[0].type", {"role": "user", "content": [{"type": "exec"}]}),
    _message(
        "an image in a system message",
        ".content[0].type",
        {"role": "system", "content": [{"type": "image_url", "image_url": {"url": "http://a"}}]},
    ),
    _message(
        "an image whose URL is a list",
        ".content[1].image_url.url",
        {
            "role": "user",
            "content": [{"type": "text", "text": ""}, {"type": "image_url", "image_url": {"url": []}}],
        },
    ),
    _message_without(
        "an image without a URL",
        ".content[0].image_url.url",
        {"role": "user", "content": [{"type": "image_url", "image_url": {}}]},
    ),
    _message_without("a tool's answer without a call id", ".tool_call_id", {"role": "tool", "content": "1"}),
    _message(
        "a tool call id that is a number",
        ".tool_call_id",
        {"role": "tool", "content": "1", "tool_call_id": 1},
    ),
    _message("a name that is an object", ".name", {**USER, "name": {}}),
    _message("tool calls as an object", ".tool_calls", {"role": "assistant", "tool_calls": CALL}),
    _message(
        "arguments that are an object",
        ".tool_calls[1].function.arguments",
        {"role": "assistant", "tool_calls": [CALL, {**CALL, "function": {"name": "f", "arguments": {}}}]},
    ),
    _message_without("a legacy answer without a name", ".name", {"role": "function", "content": "1"}),
)

WRONG_VALUES = (
    _field("temperature is text", "temperature", temperature="0.5"),
    _field("temperature is true", "temperature", temperature=True),
    _field("temperature is too high", "temperature", temperature=2.0001),
    Hostile(id="temperature overflows", body=chat()[:-1] + b', "temperature": 1e999}', param="temperature"),
    _field("top_p is negative", "top_p", top_p=-0.1),
    _field("a penalty is too large", "frequency_penalty", frequency_penalty=3),
    _field("max_tokens is zero", "max_tokens", max_tokens=0),
    _field("max_tokens has a fraction", "max_tokens", max_tokens=1.5),
    _field("max_tokens is negative", "max_tokens", max_tokens=-1),
    _field("max_tokens is beyond 64 bits", "max_tokens", max_tokens=10**40),
    _field("max_completion_tokens is a list", "max_completion_tokens", max_completion_tokens=[1]),
    _field("two limits that differ", "max_tokens", max_tokens=1, max_completion_tokens=100000),
    _field("n is a million", "n", n=1000000),
    _field("n is zero", "n", n=0),
    _field("n is true", "n", n=True),
    _field("stream is text", "stream", stream="true"),
    _field("stream options without a stream", "stream_options", stream_options={"include_usage": True}),
    _field(
        "include_usage is text",
        "stream_options.include_usage",
        stream=True,
        stream_options={"include_usage": "y"},
    ),
    _field("five stop sequences", "stop", stop=["a"] * 5),
    _field("a stop sequence that is a number", "stop[1]", stop=["a", 1]),
    _field("a logit bias out of range", "logit_bias.50256", logit_bias={"50256": 101}),
    _field("logprobs is a number", "logprobs", logprobs=1),
    _field("21 top_logprobs", "top_logprobs", top_logprobs=21),
    _field("a seed that is text", "seed", seed="1"),
    _field("an effort that is a number", "reasoning_effort", reasoning_effort=3),
    _field("a user that is an object", "user", user={"$gt": ""}),
    _field("17 metadata entries", "metadata", metadata={f"k{i}": "v" for i in range(17)}),
    _field("metadata that is an object", "metadata.a", metadata={"a": {}}),
    _field("tools as an object", "tools", tools=TOOL),
    _field(
        "a tool with a path for a name",
        "tools[0].function.name",
        tools=[{**TOOL, "function": {"name": "../x"}}],
    ),
    _field(
        "a tool with a line end in its name",
        "tools[0].function.name",
        tools=[{**TOOL, "function": {"name": "f\n"}}],
    ),
    _absent("a tool without a function", "tools[1].function", tools=[TOOL, {"type": "function"}]),
    _field("an unknown tool choice", "tool_choice", tools=[TOOL], tool_choice="maybe"),
    _absent(
        "a forced tool without a name",
        "tool_choice.function.name",
        tool_choice={"type": "function", "function": {}},
    ),
    _field("an unknown format", "response_format.type", response_format={"type": "xml"}),
    _absent(
        "a schema format without a schema",
        "response_format.json_schema",
        response_format={"type": "json_schema"},
    ),
    _field("a schema that fetches a URL", "response_format.json_schema.schema", response_format=FORMAT),
    _field(
        "a tool's schema that reads a file",
        "tools[0].function.parameters",
        tools=[
            {
                "type": "function",
                "function": {"name": "f", "parameters": {"items": [{"$ref": "file:///etc/passwd"}]}},
            }
        ],
    ),
    _field("a schema 33 levels deep", "output_schema", output_schema=_schema(33)),
    _field("a schema over 64 KB", "output_schema", output_schema={"description": "x" * 70_000}),
    _field(
        "both output_schema and response_format",
        "output_schema",
        output_schema={},
        response_format={"type": "text"},
    ),
    _field("an unknown preference", "route.prefer", route={"prefer": "cheapest"}),
    _field("a misspelt hint", "hints.temprature", hints={"temprature": 1}),
    _field("a hint out of range", "hints.temperature", hints={"temperature": 9}),
    _field("route is text", "route", route="fallback"),
    _field("usage is a list", "usage", usage=[]),
    _field("17 tags", "tags", tags={f"t{i}": i for i in range(17)}),
    _field("a tag that is a list", "tags.team", tags={"team": ["a"]}),
    _field("a tag of a million characters", "tags.team", tags={"team": "x" * 1_000_000}),
)

HEADERS = (
    _header("an unknown preference in a header", "x-sluice-prefer", "cheapest"),
    _header("a preference with an injected header", "x-sluice-prefer", "cheap\r\nset-cookie: a=b"),
    _header("a tag without a colon", "x-sluice-tags", "team"),
    _header("a tag without a name", "x-opper-tags", "a:b, :c"),
    _header("op-tags that are not JSON", "op-tags", "{team: a}"),
    _header("op-tags with a duplicate name", "op-tags", '{"a": 1, "a": 2}'),
    _header("op-tags nested deeply", "op-tags", "[" * 5000),
    _header("op-tags that are a list", "op-tags", '["a"]'),
    Hostile(
        id="a tag in op-tags that is an object", body=chat(), headers={"op-tags": '{"a": {}}'}, param="tags.a"
    ),
    Hostile(
        id="20 tags from two sources",
        body=chat(tags={f"t{i}": "x" for i in range(10)}, metadata={f"m{i}": "x" for i in range(10)}),
        param="tags",
    ),
    _header("a function's name of 5,000 characters", "x-sluice-function", "f" * 5000),
)

# Requests that only the whole app can refuse.
APP = (
    _route("a path above the root", "POST", "/v1/../chat/completions"),
    _route("an encoded path above the root", "POST", "/v1/%2e%2e/v1/chat/completions"),
    _route("an encoded slash in the path", "POST", "/v1/chat%2f..%2fcompletions"),
    _route("two slashes in the path", "POST", "/v1//chat/completions"),
    _route("two slashes at the start", "POST", "//v1/chat/completions"),
    _route("two slashes at the end", "POST", "/v1/chat/completions//"),
    _route("a longer path", "POST", "/v1/chat/completions/x"),
    _route("a NUL after the path", "POST", "/v1/chat/completions%00"),
    _route("a path in capitals", "POST", "/V1/Chat/Completions"),
    _route("an unknown version", "POST", "/v2/chat/completions"),
    _route("a doubled prefix", "POST", "/v1/v1/chat/completions"),
    _route("a file of the server", "GET", "/etc/passwd"),
    Hostile(
        id="a model's name above the root",
        method="GET",
        path="/v1/models/../../etc/passwd",
        status=404,
        code="model_not_found",
        param="model",
        by="app",
    ),
    _route("GET for a chat completion", "GET", "/v1/chat/completions", 405, "method_not_allowed"),
    _route("DELETE for a chat completion", "DELETE", "/v1/chat/completions", 405, "method_not_allowed"),
    _route("an unknown method", "BREW", "/v1/chat/completions", 405, "method_not_allowed"),
    _route("POST to models", "POST", "/v1/models", 405, "method_not_allowed"),
    _route("PUT to health", "PUT", "/health", 405, "method_not_allowed"),
    Hostile(
        id="a body over the limit", body=b" " * 6_000_001, status=413, code="request_too_large", by="app"
    ),
    Hostile(
        id="a small body that is large once it is parsed",
        body=chat()[:-1] + b', "x": [' + b"{}," * 400_000 + b"{}]}",
        status=413,
        code="request_too_large",
        by="parse",
    ),
    _model("a model's name with a line end", "gpt-5\r\nx-evil: 1"),
    _model("a model's name with a parent path", "openai/../../secrets"),
    _model("a model's name that is a URL", "http://169.254.169.254/"),
    _model("a model's name of half a surrogate pair", "\ud800"),
    _model("a model's name that is too long", "a" * 201),
    Hostile(
        id="an unknown model",
        body=chat(model="nobody/nothing"),
        status=404,
        code="model_not_found",
        param="model",
        by="app",
    ),
)

HOSTILE: tuple[Hostile, ...] = (*BROKEN_JSON, *WRONG_SHAPES, *WRONG_VALUES, *HEADERS, *APP)
