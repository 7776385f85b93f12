"""A fake of OpenAI's Responses.

https://platform.openai.com/docs/api-reference/responses, .../docs/guides/reasoning
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from openai.types.responses import response_create_params  # type: ignore[import-not-found]

from tests.provider_fakes import openai_validation, script
from tests.provider_fakes import responses_validation as validation
from tests.provider_fakes.call import Call, Json, Refusal, Reply, json_reply, stream_reply
from tests.provider_fakes.request_types import mismatch, strict_reader
from tests.provider_fakes.thought_signatures import sign

_REQUESTS = (
    strict_reader(response_create_params.ResponseCreateParamsNonStreaming),
    strict_reader(response_create_params.ResponseCreateParamsStreaming),
)
_REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}


def serve(call: Call) -> Reply:
    """Reply to a request. Raises Refusal."""
    body = call.body
    if found := mismatch(_REQUESTS[body.get("stream") is True], _as_typed(body)):
        where, problem = found
        raise Refusal(f"Unknown parameter: '{where}': {problem}", where=where, failure_class="unknown")
    validation.check(body)
    answer = script.answer(_read_request(body))
    response = _response(body, answer)
    return stream_reply(_stream(response)) if body.get("stream") else json_reply(response)


def _as_typed(body: Json) -> Json:
    """The body in the library's types: without what only Codex sends, with what only they require."""
    fields = {name: value for name, value in body.items() if name != "client_metadata"}
    if isinstance(body["input"], list):
        fields["input"] = [_typed_item(item) for item in body["input"]]
    return _typed_tools(fields)


def _typed_item(item: Json) -> Json:
    said = item.get("role", "assistant") == "assistant"
    fields = {name: value for name, value in item.items() if value is not None and (said or name != "id")}
    if fields.get("role") == "assistant" and isinstance(fields["content"], list):
        content = [{**_OPTIONAL.get(part["type"], {}), **part} for part in fields["content"]]
        fields = {**_OPTIONAL["message"], **fields, "content": content}
    return _typed_tools(fields)


def _typed_tools(holder: Json) -> Json:
    """The body or the item with the optional fields of its tools."""
    if not holder.get("tools"):
        return holder
    return {**holder, "tools": [{**_OPTIONAL.get(tool["type"], {}), **tool} for tool in holder["tools"]]}


# What the types require, and the service does not: https://github.com/langchain-ai/langchain/pull/32557
_OPTIONAL: Mapping[str, Json] = {
    "function": {"strict": None},
    "message": {"type": "message", "id": "msg_", "status": "completed"},
    "output_text": {"annotations": []},
}


def _read_request(body: Json) -> script.ChatRequest:
    tools = {tool["name"]: tool.get("parameters") or {} for tool in validation.tools(body)}
    choice = body.get("tool_choice") or "auto"
    if isinstance(choice, dict):
        tools = {name: schema for name, schema in tools.items() if name == choice["name"]}
    output = body.get("text", {}).get("format", {"type": "text"})
    return script.ChatRequest(
        service="responses",
        items=tuple(_items(validation.items(body))),
        tools=tools,
        choice={"required": "any"}.get(choice, choice) if isinstance(choice, str) else "any",
        parallel=body.get("parallel_tool_calls") is not False,
        schema=output.get("schema"),
        json=output["type"] == "json_object",
        max_tokens=body.get("max_output_tokens"),
    )


def _items(given: list[Json]) -> Iterator[script.Item]:
    names: dict[str, str] = {}
    for item in given:
        match item:
            case {"role": role, "content": content}:
                for part in validation.parts(content):
                    yield _item(part, "system" if role == "developer" else role)
            case {"type": "function_call", "call_id": id, "name": name, "arguments": arguments}:
                names[id] = name
                yield script.call(name, json.loads(arguments))
            case {"type": "custom_tool_call", "call_id": id, "name": name, "input": text}:
                names[id] = name
                yield script.call(name, text)
            case {
                "type": "function_call_output" | "custom_tool_call_output",
                "call_id": id,
                "output": output,
            }:
                text = "".join(part["text"] for part in validation.parts(output))
                yield script.result(names[id], text)


def _item(part: Json, role: str) -> script.Item:
    url = part.get("image_url") or part.get("file_data")
    if url and (found := openai_validation.data_of(url, "")):
        return script.media(*found)
    return script.Item(role, part["text"])


def _response(body: Json, answer: script.Answer) -> Json:
    if answer.calls and isinstance(body.get("tool_choice"), dict):
        answer = replace(answer, finish="stop")
    family = openai_validation.family_of(body["model"])
    reasons = validation.is_reasoning(body, family)
    output = [*([_reasoning(body)] if reasons else []), *_output(body, answer)]
    read, reasoning = len(script.split_words(str(body["input"]))), 8 if reasons else 0
    reason = _REASONS.get(answer.finish)
    head = {"id": f"resp_{sign(body)[:20]}", "object": "response", "created_at": 1_790_000_000}
    echo: Json = {
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "tools": [],
        "tool_choice": "auto",
    }
    usage = {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": answer.tokens + reasoning,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": read + answer.tokens + reasoning,
    }
    status = "incomplete" if reason else "completed"
    details = {"reason": reason} if reason else None
    more = {"model": body["model"], "status": status, "error": None, "incomplete_details": details}
    return {**head, **echo, **more, "output": output, "usage": usage}


def _reasoning(body: Json) -> Json:
    """A reasoning item, whose encrypted content is a signature of its id."""
    id = f"rs_{sign(body, 'reasoning')[:20]}"
    asked = "reasoning.encrypted_content" in body.get("include", ())
    encrypted = {"encrypted_content": sign("reasoning", id)} if asked else {}
    return {"type": "reasoning", "id": id, "summary": [], **encrypted}


def _output(body: Json, answer: script.Answer) -> Iterator[Json]:
    status = "incomplete" if answer.finish in _REASONS else "completed"
    if answer.text or not answer.calls:
        part: Json = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}
        if answer.refusal:
            part = {"type": "refusal", "refusal": answer.refusal}
        message = {"type": "message", "id": f"msg_{sign(body)[:20]}", "role": "assistant", "status": status}
        yield {**message, "content": [part]}
    tools = {tool["name"]: tool for tool in validation.tools(body)}
    for place, (name, arguments) in enumerate(answer.calls):
        id = sign(body, place).translate({43: "A", 47: "B", 61: "C"})[:24]
        call = {"call_id": f"call_{id}", "name": name}
        if "namespace" in tools[name]:
            call["namespace"] = tools[name]["namespace"]
        if tools[name]["type"] == "custom":
            yield {"type": "custom_tool_call", "id": f"ctc_{id}", **call, "input": arguments["input"]}
        else:
            text = json.dumps(arguments, ensure_ascii=False)
            yield {"type": "function_call", "id": f"fc_{id}", **call, "arguments": text, "status": status}


def _stream(response: Json) -> Iterator[str]:
    events = list(_events(response))
    yield from (_event({**event, "sequence_number": number}) for number, event in enumerate(events))


def _events(response: Json) -> Iterator[Json]:
    begun = {**response, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(response["output"]):
        empty = {name: _EMPTY.get(name, value) for name, value in item.items()}
        yield {"type": "response.output_item.added", "output_index": index, "item": empty}
        at = {"item_id": item["id"], "output_index": index}
        yield from _DELTAS[item["type"]](item, at)
        yield {"type": "response.output_item.done", "output_index": index, "item": item}
    yield {"type": f"response.{response['status']}", "response": response}


_EMPTY: Mapping[str, Any] = {"content": [], "arguments": "", "input": "", "status": "in_progress"}


def _message_deltas(item: Json, at: Json) -> Iterator[Json]:
    at = {**at, "content_index": 0}
    (part,) = item["content"]
    kind = "output_text" if part["type"] == "output_text" else "refusal"
    text = part["text" if kind == "output_text" else "refusal"]
    more: Json = {"logprobs": []} if kind == "output_text" else {}
    yield {"type": "response.content_part.added", **at, "part": part}
    for word in script.split_words(text):
        yield {"type": f"response.{kind}.delta", **at, "delta": word, **more}
    yield {"type": "response.content_part.done", **at, "part": part}


def _call_deltas(item: Json, at: Json) -> Iterator[Json]:
    field = "arguments" if item["type"] == "function_call" else "input"
    for piece in script.split_words(item[field]):
        yield {"type": f"response.{item['type']}_{field}.delta", **at, "delta": piece}
    yield {"type": f"response.{item['type']}_{field}.done", **at, field: item[field]}


_DELTAS: Mapping[str, Callable[[Json, Json], Iterator[Json]]] = {
    "message": _message_deltas,
    "function_call": _call_deltas,
    "custom_tool_call": _call_deltas,
    "reasoning": lambda item, at: iter(()),
}


def _event(event: Json) -> str:
    return f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n"
