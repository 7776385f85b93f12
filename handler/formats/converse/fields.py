"""Tables of the fields of a Converse request. Unknown fields and blocks are accepted.

They refuse only what no chat can be made of, and addresses in S3, which Bedrock would read with the role of
the gateway.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from handler.formats.chat.fields import OWN_FIELDS, function_name, schema
from handler.formats.validators import (
    Check,
    InvalidValue,
    an_object,
    anything,
    boolean,
    choice,
    integer,
    list_of,
    map_of,
    matching,
    number,
    shape,
    text,
)


def members(value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the members of an object. A null counts as absent."""
    return ((name, one) for name, one in value.items() if one is not None)


def union(checks: Mapping[str, Check]) -> Check:
    """An object with exactly one member, which may be one that is not in `checks`."""
    check_members = shape(checks)

    def check(value: Any) -> None:
        check_members(value)
        if len(found := [name for name, _ in members(value)]) != 1:
            raise InvalidValue(f"expected one member, got {len(found)}")

    return check


def _in_s3(value: Any) -> None:
    raise InvalidValue("not accepted here: Bedrock would read it with the role of the gateway; send the data")


def _source(more: Mapping[str, Check] = {}) -> Check:
    return union({"bytes": text, "s3Location": _in_s3, **more})


def _media(more: Mapping[str, Check] = {}) -> Check:
    return shape({"format": _FORMAT, "source": _source(), **more}, ["format", "source"])


_FORMAT = matching(r"[A-Za-z0-9_.-]{1,40}", "the name of a format")
_CITATIONS = shape({"enabled": boolean})
_TEXT = shape({"text": text}, ["text"])
_CACHE_POINT = shape({"type": text, "ttl": text})
_DOCUMENT = shape(
    {
        "format": _FORMAT,
        "name": text,
        "source": _source({"text": text, "content": list_of(_TEXT)}),
        "context": text,
        "citations": _CITATIONS,
    },
    ["source"],
)
_SEARCH_RESULT = shape(
    {"source": text, "title": text, "content": list_of(_TEXT), "citations": _CITATIONS},
    ["source", "title", "content"],
)
_GUARDED = union({"text": _TEXT, "image": _media()})
_RESULT: dict[str, Check] = {
    "text": text,
    "image": _media(),
    "document": _DOCUMENT,
    "video": _media(),
    "searchResult": _SEARCH_RESULT,
}
_BLOCK = union(
    {
        **_RESULT,
        "audio": _media(),
        "guardContent": _GUARDED,
        "cachePoint": _CACHE_POINT,
        "toolUse": shape(
            {"toolUseId": text, "name": text, "input": anything, "type": text}, ["toolUseId", "name", "input"]
        ),
        "toolResult": shape(
            {
                "toolUseId": text,
                "content": list_of(union({**_RESULT, "json": anything})),
                "status": choice("success", "error"),
                "type": text,
            },
            ["toolUseId", "content"],
        ),
        "reasoningContent": union(
            {
                "reasoningText": shape({"text": text, "signature": text}, ["text"]),
                "redactedContent": text,
            }
        ),
        "citationsContent": shape(
            {"content": list_of(union({"text": text})), "citations": list_of(an_object)}
        ),
    }
)
_MESSAGE = shape(
    {"role": choice("user", "assistant", "system"), "content": list_of(_BLOCK)}, ["role", "content"]
)
_TOOL_SPEC = shape(
    {
        "name": function_name,
        "description": text,
        "inputSchema": union({"json": schema}),
        "strict": boolean,
    },
    ["name", "inputSchema"],
)
_OUTPUT_FORMAT = shape(
    {
        "type": choice("json_schema"),
        "structure": union(
            {"jsonSchema": shape({"schema": text, "name": text, "description": text}, ["schema"])}
        ),
    },
    ["type", "structure"],
)
REQUEST: dict[str, Check] = {
    "messages": list_of(_MESSAGE, least=1),
    "system": list_of(union({"text": text, "guardContent": _GUARDED, "cachePoint": _CACHE_POINT})),
    "inferenceConfig": shape(
        {
            "maxTokens": integer(1),
            "temperature": number(0, 2),
            "topP": number(0, 1),
            "stopSequences": list_of(text),
        }
    ),
    "toolConfig": shape(
        {
            "tools": list_of(
                union({"toolSpec": _TOOL_SPEC, "cachePoint": _CACHE_POINT, "systemTool": an_object})
            ),
            "toolChoice": union(
                {"auto": an_object, "any": an_object, "tool": shape({"name": text}, ["name"])}
            ),
        }
    ),
    "outputConfig": shape({"textFormat": _OUTPUT_FORMAT, "effort": text}),
    "additionalModelRequestFields": an_object,
    "requestMetadata": map_of(text),
    "serviceTier": shape({"type": text}, ["type"]),
    "performanceConfig": shape({"latency": text}),
}
check_request = shape({**REQUEST, **OWN_FIELDS}, ["messages"])
