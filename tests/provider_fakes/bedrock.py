"""Bedrock's Converse and ConverseStream, as they check what they are sent and answer.

Shapes, patterns and words are those of botocore's model of the service. A Bedrock API key signs.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
"""

from __future__ import annotations

import base64
import json
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import botocore.session
from botocore.validate import ParamValidator

from tests.provider_fakes import bedrock_validation as bedrock_rules
from tests.provider_fakes import script
from tests.provider_fakes.bedrock_validation import thinking_of, tools_of
from tests.provider_fakes.call import KEY, Call, Json, Refused, Reply, cut, whole
from tests.provider_fakes.sealed import seal

_SHAPE: Any = (
    botocore.session.Session().get_service_model("bedrock-runtime").operation_model("Converse").input_shape
)
_PATH = re.compile(r"model/([^/]+)/(converse|converse-stream)")
# class -> status, exception. https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html
_ERRORS: Mapping[str, tuple[int, str]] = {
    "invalid_request": (400, "ValidationException"),
    "context_length": (400, "ValidationException"),
    "auth": (403, "UnrecognizedClientException"),
    "permission": (403, "AccessDeniedException"),
    "not_found": (404, "ResourceNotFoundException"),
    "rate_limit": (429, "ThrottlingException"),
    "quota": (400, "ServiceQuotaExceededException"),
    "server": (500, "InternalServerException"),
    "overloaded": (503, "ServiceUnavailableException"),
}
_STOPS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "guardrail_intervened",
}
_MEDIA = {"png": "image/png", "jpeg": "image/jpeg", "pdf": "application/pdf"}


def serve(call: Call) -> Reply:
    try:
        found = _PATH.fullmatch(call.path)
        if call.headers.get("authorization") != f"Bearer {KEY}":
            raise Refused("The security token included in the request is invalid.", failure_class="auth")
        if found is None:
            raise Refused("Not found", failure_class="not_found")
        model = unquote(found[1])
        _typed(call.body)
        bedrock_rules.check(model, call.body)
        said = script.answer(_asked(call.body))
        return _streamed(call.body, said) if found[2] == "converse-stream" else _whole(call.body, said)
    except Refused as refused:
        status, exception = _ERRORS[refused.failure_class]
        told = f"{refused.where}: {refused.message}" if refused.where else refused.message
        message = (
            "Input is too long for requested model." if refused.failure_class == "context_length" else told
        )
        soon = (
            {"retry-after": "25"} if status == 429 or refused.failure_class == "quota" else {}
        )  # nobody waits so long
        headers = {"x-amzn-errortype": f"{exception}:http://amazon.com/", **soon}
        return whole({"message": message}, status, headers)


def _typed(body: Json) -> None:
    problems = list(_wrong(body, _SHAPE, "body"))
    found = ParamValidator().validate({"modelId": "m", **_decoded(body, _SHAPE)}, _SHAPE)
    if problems or found.has_errors():
        raise Refused("; ".join(problems) or found.generate_report())


def _wrong(value: Any, shape: Any, where: str) -> Iterator[str]:
    """What botocore's validator leaves to the service: patterns, enums, the length of texts."""
    match shape.type_name, value:
        case "structure", dict():
            if not shape.is_document_type:
                for name in value.keys() & shape.members.keys():
                    yield from _wrong(value[name], shape.members[name], f"{where}.{name}")
        case "list", list():
            for at, one in enumerate(value):
                yield from _wrong(one, shape.member, f"{where}.{at}")
        case "string", str():
            enum, pattern = shape.metadata.get("enum"), shape.metadata.get("pattern")
            if enum and value not in enum:
                yield f"{where}: {value} is none of {enum}"
            if pattern and not re.fullmatch(pattern, value):
                yield f"{where}: Member must satisfy regular expression pattern: {pattern}"
            if len(value) > shape.metadata.get("max", len(value)):
                yield f"{where}: longer than {shape.metadata['max']}"


def _decoded(value: Any, shape: Any) -> Any:
    """JSON as botocore takes it: bytes for base64."""
    match shape.type_name, value:
        case "structure", dict() if not shape.is_document_type:
            known = shape.members
            return {name: _decoded(one, known[name]) if name in known else one for name, one in value.items()}
        case "list", list():
            return [_decoded(one, shape.member) for one in value]
        case "blob", str():
            return base64.b64decode(value, validate=True)
    return value


def _asked(body: Json) -> script.Asked:
    config, choice = body.get("inferenceConfig", {}), body.get("toolConfig", {}).get("toolChoice", {})
    tools = {tool["name"]: tool["inputSchema"]["json"] for tool in tools_of(body)}
    if "tool" in choice:
        tools = {choice["tool"]["name"]: tools[choice["tool"]["name"]]}
    told = json.dumps(body.get("system", ""))
    form = body.get("outputConfig", {}).get("textFormat")
    return script.Asked(
        service="bedrock",
        items=tuple(_items(body)),
        tools=tools,
        choice="any" if choice.keys() & {"any", "tool"} else "none" if "Do not call" in told else "auto",
        schema=json.loads(form["structure"]["jsonSchema"]["schema"]) if form else None,
        json="JSON" in told,
        thinks=thinking_of(body)["type"] != "disabled",
        stops=tuple(config.get("stopSequences", ())),
        most=config.get("maxTokens"),
    )


def _items(body: Json) -> Iterator[script.Item]:
    names: dict[str, str] = {}
    for message in ({"role": "system", "content": body.get("system", [])}, *body["messages"]):
        for block in message["content"]:
            match block:
                case {"text": text}:
                    yield script.Item(message["role"], text)
                case {"reasoningContent": {"reasoningText": {"text": text}}}:
                    yield script.Item("thought", text)
                case {"toolUse": {"toolUseId": id, "name": name, "input": input}}:
                    names[id] = name
                    yield script.call(name, input)
                case {"toolResult": {"toolUseId": id, "content": content}}:
                    yield script.result(names[id], "".join(one.get("text", "") for one in content))
                    yield from _media(content)
                case _:
                    yield from _media([block])


def _media(blocks: list[Json]) -> Iterator[script.Item]:
    for block in blocks:
        for kind in block.keys() & {"image", "document"}:
            one = block[kind]
            yield script.media(_MEDIA[one["format"]], one["source"]["bytes"])


def _whole(body: Json, said: script.Said) -> Reply:
    message = {"role": "assistant", "content": list(_blocks(body, said))}
    ended = {"stopReason": _stopped(said), "usage": _usage(body, said), "metrics": {"latencyMs": 7}}
    return whole({"output": {"message": message}, **ended})


def _stopped(said: script.Said) -> str:
    return "stop_sequence" if said.stopped else _STOPS[said.finish]


def _usage(body: Json, said: script.Said) -> Json:
    asked, told = len(script.words(str(body["messages"]))), said.tokens + 1
    return {"inputTokens": asked, "outputTokens": told, "totalTokens": asked + told}


def _blocks(body: Json, said: script.Said) -> Iterator[Json]:
    """A guardrail's words are the text."""
    if said.reasoning:
        text = {"text": said.reasoning, "signature": seal("bedrock", said.reasoning)}
        yield {"reasoningContent": {"reasoningText": text}}
    if said.text or said.refusal:
        yield {"text": said.text or said.refusal}
    for place, (name, arguments) in enumerate(said.calls):
        id = "tooluse_" + seal(body, place).translate({43: "A", 47: "B", 61: "C"})[:22]
        yield {"toolUse": {"toolUseId": id, "name": name, "input": arguments}}


def _streamed(body: Json, said: script.Said) -> Reply:
    data = b"".join(_frame(name, event) for name, event in _events(body, said))
    return Reply(tuple(cut(data)), 200, {"content-type": "application/vnd.amazon.eventstream"})


def _events(body: Json, said: script.Said) -> Iterator[tuple[str, Json]]:
    """Only a call has a start; the usage comes after the end."""
    yield "messageStart", {"role": "assistant"}
    for at, block in enumerate(_blocks(body, said)):
        index = {"contentBlockIndex": at}
        if call := block.get("toolUse"):
            start = {"toolUseId": call["toolUseId"], "name": call["name"]}
            yield "contentBlockStart", {"start": {"toolUse": start}, **index}
        for delta in _deltas(block):
            yield "contentBlockDelta", {"delta": delta, **index}
        yield "contentBlockStop", index
    yield "messageStop", {"stopReason": _stopped(said)}
    yield "metadata", {"usage": _usage(body, said), "metrics": {"latencyMs": 7}}


def _deltas(block: Json) -> Iterator[Json]:
    match block:
        case {"text": text}:
            yield from ({"text": word} for word in script.words(text))
        case {"reasoningContent": {"reasoningText": {"text": text, "signature": signature}}}:
            yield from ({"reasoningContent": {"text": word}} for word in script.words(text))
            yield {"reasoningContent": {"signature": signature}}
        case {"toolUse": {"input": input}}:
            pieces = script.words(json.dumps(input, ensure_ascii=False)) if input else []
            yield from ({"toolUse": {"input": piece}} for piece in pieces)


def _frame(name: str, event: Json) -> bytes:
    """https://smithy.io/2.0/aws/amazon-eventstream.html"""
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    packed = b"".join(
        struct.pack(f"!B{len(key)}sBH{len(value)}s", len(key), key.encode(), 7, len(value), value.encode())
        for key, value in headers.items()
    )
    payload = json.dumps({**event, "p": "abcdefgh"}, ensure_ascii=False).encode()
    prelude = struct.pack("!II", 16 + len(packed) + len(payload), len(packed))
    frame = prelude + struct.pack("!I", zlib.crc32(prelude)) + packed + payload
    return frame + struct.pack("!I", zlib.crc32(frame))
