"""Tables of the messages of a chat request: the roles, and the content parts (docs/api.md).

https://platform.openai.com/docs/api-reference/chat/create#chat-create-messages
"""

from __future__ import annotations

from typing import Any

from handler.formats.validators import Check, anything, by_type, list_of, missing, shape, tagged, text

PARTS: dict[str, Check] = {
    "text": shape({"text": text}, ["text"]),
    "refusal": shape({"refusal": text}, ["refusal"]),
    "thinking": anything,  # part of Mistral's answers, which clients send back
    "image_url": shape({"image_url": shape({"url": text, "detail": text}, ["url"])}, ["image_url"]),
    "video_url": shape({"video_url": shape({"url": text}, ["url"])}, ["video_url"]),  # vLLM, Qwen, OpenRouter
    "input_audio": shape(
        {"input_audio": shape({"data": text, "format": text}, ["data", "format"])}, ["input_audio"]
    ),
    "file": shape({"file": shape({"file_data": text, "file_id": text, "filename": text})}, ["file"]),
}


def content(*parts: str) -> Check:
    return by_type(text=anything, list=list_of(tagged({part: PARTS[part] for part in parts})))


_CALL = shape({"name": text, "arguments": text}, ["name", "arguments"])
_TOOL_CALL = tagged(
    {
        "function": shape({"id": text, "function": _CALL, "thought_signature": text}, ["id", "function"]),
        "custom": shape(
            {"id": text, "custom": shape({"name": text, "input": text}, ["name", "input"])}, ["id", "custom"]
        ),
    },
    otherwise=shape({"id": text}),  # a provider's own
)
_INSTRUCTIONS = shape({"content": content("text"), "name": text}, ["content"])
_INSTEAD_OF_CONTENT = ("tool_calls", "function_call", "refusal", "audio")
_ASSISTANT = shape(
    {
        "content": content("text", "refusal", "thinking"),
        "refusal": text,
        "reasoning_content": text,
        "name": text,
        "audio": shape({"id": text}, ["id"]),
        "tool_calls": list_of(_TOOL_CALL),
        "function_call": _CALL,
    }
)


def assistant(value: Any) -> None:
    """An assistant message. It needs no content where it has a call, a refusal or audio, as OpenAI's have."""
    _ASSISTANT(value)
    if value.get("content") is None and not any(value.get(name) for name in _INSTEAD_OF_CONTENT):
        raise missing("content")


_MESSAGE = tagged(
    {
        "developer": _INSTRUCTIONS,
        "system": _INSTRUCTIONS,
        "user": shape(
            {"content": content("text", "image_url", "input_audio", "file", "video_url"), "name": text},
            ["content"],
        ),
        "assistant": assistant,
        "tool": shape(
            {"content": content("text", "image_url", "file"), "tool_call_id": text, "name": text},
            ["content", "tool_call_id"],
        ),
        "function": shape({"content": content("text"), "name": text}, ["name"]),
    },
    by="role",
)
_TEXT_ROLES = frozenset({"developer", "system", "user", "assistant"})


def message(value: Any) -> None:
    """A message of any role. Most have one text, and nothing else that could be wrong."""
    if type(value) is dict and type(value.get("content")) is str and type(role := value.get("role")) is str:
        if len(value) == 2 and role in _TEXT_ROLES:
            return
        if len(value) == 3 and role == "tool" and type(value.get("tool_call_id")) is str:
            return
    _MESSAGE(value)
