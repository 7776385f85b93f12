"""A fake of Bedrock's Converse and ConverseStream. It takes a Bedrock API key.

Shapes, patterns and messages are those of botocore's model of the service.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

import botocore.session
from botocore.validate import ParamValidator

from tests.provider_fakes import bedrock_validation as validation
from tests.provider_fakes import script
from tests.provider_fakes.bedrock_validation import thinking_of, tools_of
from tests.provider_fakes.call import KEY, Call, Json, Refusal, Reply, json_reply, split_unevenly
from tests.provider_fakes.thought_signatures import sign
from tests.support.event_stream import frames

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
            raise Refusal("The security token included in the request is invalid.", failure_class="auth")
        if found is None:
            raise Refusal("Not found", failure_class="not_found")
        model = unquote(found[1])
        _check_types(call.body)
        validation.check(model, call.body)
        answer = script.answer(_read_request(call.body))
        return (
            _stream_reply(call.body, answer)
            if found[2] == "converse-stream"
            else _json_reply(call.body, answer)
        )
    except Refusal as refusal:
        status, exception = _ERRORS[refusal.failure_class]
        message = (
            "Input is too long for requested model."
            if refusal.failure_class == "context_length"
            else str(refusal)
        )
        soon = {"retry-after": "25"} if status == 429 or refusal.failure_class == "quota" else {}
        headers = {"x-amzn-errortype": f"{exception}:http://amazon.com/", **soon}
        return json_reply({"message": message}, status, headers)


def _check_types(body: Json) -> None:
    problems = list(_type_problems(body, _SHAPE, "body"))
    found = ParamValidator().validate({"modelId": "m", **_decoded(body, _SHAPE)}, _SHAPE)
    if problems or found.has_errors():
        raise Refusal("; ".join(problems) or found.generate_report())


def _type_problems(value: Any, shape: Any, where: str) -> Iterator[str]:
    """Problems that botocore's validator leaves to the service: patterns, enums, lengths of texts."""
    match shape.type_name, value:
        case "structure", dict():
            if not shape.is_document_type:
                for name in value.keys() & shape.members.keys():
                    yield from _type_problems(value[name], shape.members[name], f"{where}.{name}")
        case "list", list():
            for at, one in enumerate(value):
                yield from _type_problems(one, shape.member, f"{where}.{at}")
        case "string", str():
            enum, pattern = shape.metadata.get("enum"), shape.metadata.get("pattern")
            if enum and value not in enum:
                yield f"{where}: {value} is not in {enum}"
            if pattern and not re.fullmatch(pattern, value):
                yield f"{where}: Member must satisfy regular expression pattern: {pattern}"
            if len(value) > shape.metadata.get("max", len(value)):
                yield f"{where}: longer than {shape.metadata['max']}"


def _decoded(value: Any, shape: Any) -> Any:
    """The value as botocore takes it: base64 as bytes."""
    match shape.type_name, value:
        case "structure", dict() if not shape.is_document_type:
            known = shape.members
            return {name: _decoded(one, known[name]) if name in known else one for name, one in value.items()}
        case "list", list():
            return [_decoded(one, shape.member) for one in value]
        case "blob", str():
            return base64.b64decode(value, validate=True)
    return value


def _read_request(body: Json) -> script.ChatRequest:
    config, choice = body.get("inferenceConfig", {}), body.get("toolConfig", {}).get("toolChoice", {})
    tools = {tool["name"]: tool["inputSchema"]["json"] for tool in tools_of(body)}
    if "tool" in choice:
        tools = {choice["tool"]["name"]: tools[choice["tool"]["name"]]}
    system = json.dumps(body.get("system", ""))
    form = body.get("outputConfig", {}).get("textFormat")
    return script.ChatRequest(
        service="bedrock",
        items=tuple(_items(body)),
        tools=tools,
        choice="any" if choice.keys() & {"any", "tool"} else "none" if "Do not call" in system else "auto",
        schema=json.loads(form["structure"]["jsonSchema"]["schema"]) if form else None,
        json="JSON" in system,
        thinks=thinking_of(body)["type"] != "disabled",
        stops=tuple(config.get("stopSequences", ())),
        max_tokens=config.get("maxTokens"),
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


def _json_reply(body: Json, answer: script.Answer) -> Reply:
    message = {"role": "assistant", "content": list(_blocks(body, answer))}
    ended = {"stopReason": _stop_reason(answer), "usage": _usage(body, answer), "metrics": {"latencyMs": 7}}
    return json_reply({"output": {"message": message}, **ended})


def _stop_reason(answer: script.Answer) -> str:
    return "stop_sequence" if answer.stopped else _STOPS[answer.finish]


def _usage(body: Json, answer: script.Answer) -> Json:
    input_tokens, output_tokens = len(script.split_words(str(body["messages"]))), answer.tokens + 1
    return {
        "inputTokens": input_tokens,
        "outputTokens": output_tokens,
        "totalTokens": input_tokens + output_tokens,
    }


def _blocks(body: Json, answer: script.Answer) -> Iterator[Json]:
    """The content blocks. The message of a guardrail is text."""
    if answer.reasoning:
        text = {"text": answer.reasoning, "signature": sign("bedrock", answer.reasoning)}
        yield {"reasoningContent": {"reasoningText": text}}
    if answer.text or answer.refusal:
        yield {"text": answer.text or answer.refusal}
    for place, (name, arguments) in enumerate(answer.calls):
        id = "tooluse_" + sign(body, place).translate({43: "A", 47: "B", 61: "C"})[:22]
        yield {"toolUse": {"toolUseId": id, "name": name, "input": arguments}}


def _stream_reply(body: Json, answer: script.Answer) -> Reply:
    data = frames({name: {**event, "p": "abcdefgh"}} for name, event in _events(body, answer))
    return Reply(tuple(split_unevenly(data)), 200, {"content-type": "application/vnd.amazon.eventstream"})


def _events(body: Json, answer: script.Answer) -> Iterator[tuple[str, Json]]:
    """The events. Only a call has a start, and the usage follows the end."""
    yield "messageStart", {"role": "assistant"}
    for at, block in enumerate(_blocks(body, answer)):
        index = {"contentBlockIndex": at}
        if call := block.get("toolUse"):
            start = {"toolUseId": call["toolUseId"], "name": call["name"]}
            yield "contentBlockStart", {"start": {"toolUse": start}, **index}
        for delta in _deltas(block):
            yield "contentBlockDelta", {"delta": delta, **index}
        yield "contentBlockStop", index
    yield "messageStop", {"stopReason": _stop_reason(answer)}
    yield "metadata", {"usage": _usage(body, answer), "metrics": {"latencyMs": 7}}


def _deltas(block: Json) -> Iterator[Json]:
    match block:
        case {"text": text}:
            yield from ({"text": word} for word in script.split_words(text))
        case {"reasoningContent": {"reasoningText": {"text": text, "signature": signature}}}:
            yield from ({"reasoningContent": {"text": word}} for word in script.split_words(text))
            yield {"reasoningContent": {"signature": signature}}
        case {"toolUse": {"input": input}}:
            pieces = script.split_words(json.dumps(input, ensure_ascii=False)) if input else []
            yield from ({"toolUse": {"input": piece}} for piece in pieces)
