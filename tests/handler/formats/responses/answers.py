"""Completions, and the output items that each becomes."""

from __future__ import annotations

from typing import Any

from handler.errors import Json
from handler.formats.opaque_state import encode_state
from handler.formats.responses.response import derived_id
from tests.handler.formats.responses.events import HEAD, USAGE

DETAIL = {"type": "reasoning.text", "text": "Hm.", "signature": "s", "index": 0, "model": "claude"}
CALL: Json = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
CUSTOM_CALL: Json = {"id": "c2", "type": "custom", "custom": {"name": "patch", "input": "*** a\n"}}
NAMESPACED: Json = {"id": "c3", "type": "function", "function": {"name": "crm__f", "arguments": "{}"}}
CITATION = {"start_index": 0, "end_index": 5, "title": "T", "url": "https://a"}
TOKEN = {"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": []}


def completion(finish_reason: str = "stop", logprobs: Any = None, **message: Any) -> Json:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish_reason}
    if logprobs:
        choice["logprobs"] = {"content": logprobs, "refusal": None}
    return {**HEAD, "object": "chat.completion", "choices": [choice], "usage": USAGE}


def _id(prefix: str, place: int) -> str:
    return derived_id(prefix, HEAD["id"], place)


def text_item(place: int, *parts: Json, status: str = "completed") -> Json:
    ends = {"type": "message", "role": "assistant", "content": list(parts), "status": status}
    return {"id": _id("msg", place), **ends}


def text_part(text: str, **members: Any) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": [], **members}


def reasoning_item(place: int, text: str, **state: Any) -> Json:
    summary = [{"type": "summary_text", "text": text}] if text else []
    ends = {"summary": summary, "encrypted_content": encode_state(state), "status": "completed"}
    return {"id": _id("rs", place), "type": "reasoning", **ends}


def call_item(place: int, call_id: str = "c1", status: str = "completed", **members: Any) -> Json:
    called = {"name": "f", "arguments": '{"a": 1}', **members}
    return {"id": _id("fc", place), "type": "function_call", "call_id": call_id, **called, "status": status}


ANSWERS: dict[str, tuple[Json, list[Json]]] = {
    "a text": (completion(content="Hello"), [text_item(0, text_part("Hello"))]),
    "a text with OpenAI's phase": (
        completion(content="Hello", phase="commentary"),
        [{**text_item(0, text_part("Hello")), "phase": "commentary"}],
    ),
    "nothing": (completion(content=None), []),
    "a text that was cut off": (
        completion("length", content="Hel"),
        [text_item(0, text_part("Hel"), status="incomplete")],
    ),
    "a text that a filter stopped": (
        completion("content_filter", content="Hel"),
        [text_item(0, text_part("Hel"), status="incomplete")],
    ),
    "a refusal": (
        completion(content=None, refusal="No."),
        [text_item(0, {"type": "refusal", "refusal": "No."})],
    ),
    "a text, then a refusal": (
        completion(content="Well.", refusal="No."),
        [text_item(0, text_part("Well."), {"type": "refusal", "refusal": "No."})],
    ),
    "reasoning without state": (
        completion(reasoning_content="Hm.", content="Hello"),
        [reasoning_item(0, "Hm."), text_item(1, text_part("Hello"))],
    ),
    "Claude's thinking": (
        completion(reasoning_content="Hm.", reasoning_details=[DETAIL], content="Hello"),
        [reasoning_item(0, "Hm.", reasoning_details=[DETAIL]), text_item(1, text_part("Hello"))],
    ),
    "thinking that cannot be read": (
        completion(reasoning_details=[{"type": "reasoning.encrypted", "data": "AA=="}], content="Hello"),
        [
            reasoning_item(0, "", reasoning_details=[{"type": "reasoning.encrypted", "data": "AA=="}]),
            text_item(1, text_part("Hello")),
        ],
    ),
    "a call": (completion("tool_calls", content=None, tool_calls=[CALL]), [call_item(0)]),
    "a text and several calls, one of a namespace": (
        completion("tool_calls", content="Well.", tool_calls=[CALL, CUSTOM_CALL, NAMESPACED]),
        [
            text_item(0, text_part("Well.")),
            call_item(1),
            {
                "id": _id("ctc", 2),
                "type": "custom_tool_call",
                "call_id": "c2",
                "name": "patch",
                "input": "*** a\n",
                "status": "completed",
            },
            call_item(3, "c3", namespace="crm", arguments="{}"),
        ],
    ),
    "a call that was cut off": (
        completion("length", content=None, tool_calls=[CALL]),
        [call_item(0, status="incomplete")],
    ),
    "Gemini's signatures": (
        completion(
            "tool_calls",
            content="Well.",
            tool_calls=[{**CALL, "thought_signature": "c2ln"}],
            extra_content={"google": {"thought_signature": "dGV4dA=="}},
        ),
        [
            text_item(0, text_part("Well.")),
            call_item(1),
            reasoning_item(
                2,
                "",
                at_end=True,
                extra_content={"google": {"thought_signature": "dGV4dA=="}},
                calls={"c1": {"thought_signature": "c2ln"}},
            ),
        ],
    ),
    "the client's own tool search": (
        completion(
            "tool_calls",
            content=None,
            tool_calls=[
                {
                    "id": "c1",
                    "type": "function",
                    "function": {"name": "tool_search", "arguments": '{"query":"x"}'},
                }
            ],
        ),
        [
            {
                "id": _id("tsc", 0),
                "type": "tool_search_call",
                "call_id": "c1",
                "execution": "client",
                "arguments": {"query": "x"},
                "status": "completed",
            }
        ],
    ),
    "citations": (
        completion(
            content="Hello",
            annotations=[
                {"type": "url_citation", "url_citation": CITATION},
                {"type": "url_citation", "url_citation": {"url": "https://b"}},
                {"type": "file", "file": {}},
            ],
        ),
        [
            text_item(
                0,
                text_part(
                    "Hello",
                    annotations=[
                        {"type": "url_citation", **CITATION},
                        {
                            "type": "url_citation",
                            "start_index": 0,
                            "end_index": 0,
                            "title": "",
                            "url": "https://b",
                        },
                    ],
                ),
            )
        ],
    ),
    "an image": (
        completion(
            content="Look.",
            images=[{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}],
        ),
        [
            text_item(0, text_part("Look.")),
            {
                "id": _id("ig", 1),
                "type": "image_generation_call",
                "status": "completed",
                "result": "AA==",
                "output_format": "png",
            },
        ],
    ),
}
