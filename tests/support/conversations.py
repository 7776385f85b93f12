"""How a client of each format says a conversation."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.support.converse_conversations import converse_body
from tests.support.talk import Assistant, Media, Result, Talk, Turn, User, known, plain

Json = dict[str, Any]


def _noted(talk: Talk, name: str) -> Json:
    return {"name": name, **known(description=talk.notes.get(name))}


# --- chat -------------------------------------------------------------------------------------------------


def _chat(talk: Talk) -> Json:
    system = [{"role": "system", "content": talk.system}] if talk.system else []
    named: Json = {"type": "function", "function": {"name": talk.choice}}
    choice = {"any": "required"}.get(talk.choice, talk.choice)
    schema = {"name": talk.label, "schema": talk.schema, **known(strict=talk.strict or None)}
    return {
        "messages": [*system, *(one for turn in talk.turns for one in _chat_messages(turn))],
        "max_completion_tokens": talk.max_tokens,
        **known(
            tools=[
                {"type": "function", "function": {**_noted(talk, name), "parameters": schema}}
                for name, schema in talk.tools.items()
            ],
            parallel_tool_calls=None if talk.parallel else False,
            tool_choice=named if talk.choice in talk.tools else choice,
            response_format={"type": "json_schema", "json_schema": schema} if talk.schema else None,
            stop=list(talk.stop),
            reasoning_effort=talk.effort,
            temperature=talk.temperature,
            top_p=talk.top_p,
        ),
    }


def _chat_messages(turn: Turn) -> Iterator[Json]:
    match turn:
        case User(parts):
            yield {"role": "user", "content": plain(parts, _chat_part)}
        case Assistant(text, calls):
            called = [
                {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
                for id, name, given in calls
            ]
            yield {"role": "assistant", "content": text or None, **known(tool_calls=called)}
        case results:
            for one in results:
                content = plain(one.parts, _chat_part)
                failed = {"is_error": True} if one.failed else {}
                yield {"role": "tool", "tool_call_id": one.id, "content": content, **failed}


def _chat_part(part: str | Media) -> Json:
    match part:
        case str():
            return {"type": "text", "text": part}
        case Media("application/pdf"):
            return {"type": "file", "file": {"filename": "a.pdf", "file_data": part.url}}
    return {"type": "image_url", "image_url": {"url": part.url}}


# --- Messages ---------------------------------------------------------------------------------------------


def _messages(talk: Talk) -> Json:
    alone = {} if talk.parallel else {"disable_parallel_tool_use": True}
    choice: Json = {"type": talk.choice or "auto", **alone}
    if talk.choice in talk.tools:
        choice |= {"type": "tool", "name": talk.choice}
    form = {"type": "json_schema", "schema": talk.schema} if talk.schema else None
    return {
        "max_tokens": talk.max_tokens,
        "messages": [_message(turn) for turn in talk.turns],
        **known(
            system=talk.system,
            tools=[{**_noted(talk, name), "input_schema": schema} for name, schema in talk.tools.items()],
            tool_choice=choice if talk.choice or not talk.parallel else None,
            output_config=known(format=form, effort=talk.effort) or None,
            thinking={"type": "adaptive", "display": "summarized"} if talk.effort else None,
            stop_sequences=list(talk.stop),
            temperature=talk.temperature,
            top_p=talk.top_p,
        ),
    }


def _message(turn: Turn) -> Json:
    match turn:
        case User(parts):
            return {"role": "user", "content": plain(parts, _block)}
        case Assistant(text, calls):
            uses = [{"type": "tool_use", "id": id, "name": name, "input": given} for id, name, given in calls]
            return {"role": "assistant", "content": [*([_block(text)] if text else []), *uses]}
        case results:
            return {"role": "user", "content": [_result_block(one) for one in results]}


def _result_block(one: Result) -> Json:
    failed = {"is_error": True} if one.failed else {}
    content = plain(one.parts, _block)
    return {"type": "tool_result", "tool_use_id": one.id, "content": content, **failed}


def _block(part: str | Media) -> Json:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    source = {"type": "base64", "media_type": part.kind, "data": part.data}
    if part.link:
        source = {"type": "url", "url": part.link}
    if part.kind == "application/pdf":
        return {"type": "document", "source": source, "title": "a.pdf"}
    return {"type": "image", "source": source}


# --- Responses --------------------------------------------------------------------------------------------


def _responses(talk: Talk) -> Json:
    function = {"type": "function", "name": talk.choice}
    choice = {"any": "required"}.get(talk.choice, talk.choice)
    named = {"name": talk.label, **known(strict=talk.strict or None)}
    form = {"type": "json_schema", **named, "schema": talk.schema}
    return {
        "store": False,
        "input": [item for turn in talk.turns for item in _items(turn)],
        "max_output_tokens": talk.max_tokens,
        **known(
            instructions=talk.system,
            tools=[
                {"type": "function", **_noted(talk, name), "parameters": schema, "strict": False}
                for name, schema in talk.tools.items()
            ],
            parallel_tool_calls=None if talk.parallel else False,
            tool_choice=function if talk.choice in talk.tools else choice,
            text={"format": form} if talk.schema else None,
            reasoning={"effort": talk.effort} if talk.effort else None,
            temperature=talk.temperature,
            top_p=talk.top_p,
        ),
    }


def _items(turn: Turn) -> Iterator[Json]:
    match turn:
        case User(parts):
            yield {"type": "message", "role": "user", "content": plain(parts, _input_part)}
        case Assistant(text, calls):
            if text:
                part = {"type": "output_text", "text": text, "annotations": []}
                ends = {"role": "assistant", "status": "completed", "content": [part]}
                yield {"type": "message", "id": "msg_1", **ends}
            for id, name, given in calls:
                called = {"call_id": id, "name": name, "arguments": json.dumps(given)}
                yield {"type": "function_call", **called}
        case results:
            for one in results:
                output = plain(one.parts, _input_part)
                yield {"type": "function_call_output", "call_id": one.id, "output": output}


def _input_part(part: str | Media) -> Json:
    match part:
        case str():
            return {"type": "input_text", "text": part}
        case Media("application/pdf"):
            return {"type": "input_file", "filename": "a.pdf", "file_data": part.url}
    return {"type": "input_image", "image_url": part.url, "detail": "auto"}


# --- Gemini -----------------------------------------------------------------------------------------------

_MODES = {"auto": "AUTO", "any": "ANY", "none": "NONE"}


def _gemini(talk: Talk) -> Json:
    functions = [
        {**_noted(talk, name), "parametersJsonSchema": schema} for name, schema in talk.tools.items()
    ]
    chosen = {"allowedFunctionNames": [talk.choice]} if talk.choice in talk.tools else {}
    calling = {"mode": _MODES.get(talk.choice, "ANY"), **chosen}
    thinking = {"thinkingLevel": talk.effort.upper(), "includeThoughts": True} if talk.effort else None
    config = known(
        maxOutputTokens=talk.max_tokens,
        stopSequences=list(talk.stop),
        temperature=talk.temperature,
        topP=talk.top_p,
        thinkingConfig=thinking,
        responseMimeType="application/json" if talk.schema else None,
        responseJsonSchema=talk.schema,
    )
    return {
        "contents": [_content(turn) for turn in talk.turns],
        "generationConfig": config,
        **known(
            systemInstruction={"parts": [{"text": talk.system}]} if talk.system else None,
            tools=[{"functionDeclarations": functions}] if functions else None,
            toolConfig={"functionCallingConfig": calling} if talk.choice else None,
        ),
    }


def _content(turn: Turn) -> Json:
    match turn:
        case User(parts):
            return {"role": "user", "parts": [_part(part) for part in parts]}
        case Assistant(text, calls):
            called = [{"functionCall": {"id": id, "name": name, "args": given}} for id, name, given in calls]
            return {"role": "model", "parts": [*([_part(text)] if text else []), *called]}
        case results:
            return {"role": "user", "parts": [_function_response(one) for one in results]}


def _function_response(one: Result) -> Json:
    text = "".join(part for part in one.parts if isinstance(part, str))
    media = [_part(part) for part in one.parts if isinstance(part, Media)]
    response = {"error" if one.failed else "output": text}
    return {"functionResponse": {"id": one.id, "name": one.name, "response": response, **known(parts=media)}}


def _part(part: str | Media) -> Json:
    if isinstance(part, str):
        return {"text": part}
    if part.link:
        return {"fileData": {"mimeType": part.kind, "fileUri": part.link}}
    named = {"displayName": "a.pdf"} if part.kind == "application/pdf" else {}
    return {"inlineData": {"mimeType": part.kind, "data": part.data, **named}}


_WRITERS: Mapping[str, Callable[[Talk], Json]] = {
    "chat": _chat,
    "messages": _messages,
    "responses": _responses,
    "gemini": _gemini,
    "converse": converse_body,
}


def body_of(format: str, talk: Talk, model: str, *, stream: bool = False) -> Json:
    """Return the request of a client."""
    body = _WRITERS[format](talk)
    if format in ("gemini", "converse"):  # whose paths have the model, and say whether to stream
        return body
    counted = {"stream_options": {"include_usage": True}} if format == "chat" else {}
    return {"model": model, **body, **({"stream": True, **counted} if stream else {})}
