"""How a client of Bedrock's Converse says a conversation."""

from __future__ import annotations

import json
from typing import Any

from tests.support.talk import Assistant, Media, Result, Talk, Turn, User, known

Json = dict[str, Any]


def converse_body(talk: Talk) -> Json:
    named = {"tool": {"name": talk.choice}} if talk.choice in talk.tools else {talk.choice: {}}
    thinking = {"thinking": {"type": "adaptive"}, "output_config": {"effort": talk.effort}}
    return {
        "messages": [_message(turn) for turn in talk.turns],
        **known(
            system=[{"text": talk.system}] if talk.system else None,
            toolConfig={"tools": _tools(talk), **known(toolChoice=named if talk.choice else None)}
            if talk.tools
            else None,
            outputConfig={"textFormat": _form(talk)} if talk.schema else None,
            additionalModelRequestFields=thinking if talk.effort else None,
        ),
        "inferenceConfig": {
            "maxTokens": talk.max_tokens,
            **known(stopSequences=list(talk.stop), temperature=talk.temperature, topP=talk.top_p),
        },
    }


def _tools(talk: Talk) -> list[Json]:
    return [
        {
            "toolSpec": {
                "name": name,
                **known(description=talk.notes.get(name)),
                "inputSchema": {"json": schema},
            }
        }
        for name, schema in talk.tools.items()
    ]


def _form(talk: Talk) -> Json:
    named = {"name": talk.label, "schema": json.dumps(talk.schema)}
    return {"type": "json_schema", "structure": {"jsonSchema": named}}


def _message(turn: Turn) -> Json:
    match turn:
        case User(parts):
            return {"role": "user", "content": [_block(part) for part in parts]}
        case Assistant(text, calls):
            uses = [{"toolUse": {"toolUseId": id, "name": name, "input": given}} for id, name, given in calls]
            return {"role": "assistant", "content": [*([_block(text)] if text else []), *uses]}
        case results:
            return {"role": "user", "content": [_result(one) for one in results]}


def _result(one: Result) -> Json:
    failed = {"status": "error"} if one.failed else {}
    return {"toolResult": {"toolUseId": one.id, "content": [_block(part) for part in one.parts], **failed}}


def _block(part: str | Media) -> Json:
    if isinstance(part, str):
        return {"text": part}
    kind, format = part.kind.split("/")
    source = {"bytes": part.data}
    if kind == "image":
        return {"image": {"format": format, "source": source}}
    return {"document": {"format": format, "name": "a", "source": source}}
