"""The parts of an answer in the wire formats of the provider: OpenAI's Chat Completions and its Responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tests.support.canned_answers import chunk, completion, finish, role, usage

Json = dict[str, Any]


class Wire(NamedTuple):
    """Events of a stream, and whole answers.

    `between`: text within each event with content, before which a line may end.
    """

    head: Callable[[], Json]
    text: Callable[[str], Json]
    begun_call: Callable[[], list[Json]]  # a call whose arguments are not complete
    last: Callable[[str], list[Json]]  # the end of a stream with this text
    whole: Callable[[str], Json]
    unfinished: Callable[[str], Json]  # a whole answer that does not say why it ends
    error: Callable[[], Json]
    malformed: str  # an event without content that is not JSON
    between: str
    done: bool  # `[DONE]` ends the stream


_CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"wh'}}
_ERROR = {"message": "The server had an error.", "type": "server_error", "code": 500}


def _without_reason(text: str) -> Json:
    body = completion(text)
    return {**body, "choices": [{**body["choices"][0], "finish_reason": None}]}


CHAT = Wire(
    head=role,
    text=chunk,
    begun_call=lambda: [chunk(None, tool_calls=[_CALL])],
    last=lambda _: [finish(), usage()],
    whole=completion,
    unfinished=_without_reason,
    error=lambda: {"error": _ERROR},
    malformed='{"choices":[{"delta":',
    between=',"choices"',
    done=True,
)

_PLACE = {"item_id": "msg_1", "output_index": 0}
_LOOK = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "look", "arguments": ""}


def _response(text: str | None = None, **fields: Any) -> Json:
    """A response. Without a text it is not complete."""
    head: Json = {"id": "resp_1", "object": "response", "created_at": 1763600000, "model": "m", "error": None}
    if text is None:
        return {**head, "status": "in_progress", "output": [], "usage": None}
    part: Json = {"type": "output_text", "annotations": [], "logprobs": [], "text": text}
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}
    counts = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}
    return {**head, "status": "completed", "output": [item], "usage": counts, **fields}


def _completed(text: str) -> list[Json]:
    return [{"type": "response.completed", "response": _response(text)}]


RESPONSES = Wire(
    head=lambda: {"type": "response.created", "response": _response()},
    text=lambda text: {"type": "response.output_text.delta", **_PLACE, "content_index": 0, "delta": text},
    begun_call=lambda: [
        {"type": "response.output_item.added", "output_index": 0, "item": _LOOK},
        {"type": "response.function_call_arguments.delta", **_PLACE, "delta": '{"wh'},
    ],
    last=_completed,
    whole=_response,
    unfinished=lambda text: _response(text, status=None),
    error=lambda: {"type": "error", "error": _ERROR},
    malformed='{"type":"response.in_progress","response":{',
    between=',"delta"',
    done=False,
)

WIRES: Mapping[str, Wire] = {"openai": CHAT, "responses": RESPONSES}  # by dialect
