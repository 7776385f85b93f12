"""The calls in a model's message: of tools that Sluice runs, and of the client's own. No I/O.

An answer that calls both goes to the client with its own calls alone, and the others are not run: the client
sends back only what it got, so the model would call them again.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from handler.errors import Json

SEPARATOR = "\n\n"  # between the texts of two answers
# The texts of a message that a client gets of every answer.
TEXTS = ("content", "reasoning_content")
_NOT_SENT_BACK = frozenset({"annotations", "audio", "refusal"})


def message_of(completion: Json) -> Json:
    """Return the message of the only choice."""
    choices = completion.get("choices") or [{}]
    message: Json = choices[0].get("message") or {}
    return message


def calls_to_run(message: Json, tools: Collection[str]) -> list[Json]:
    """Return the calls of a message if all of them are of these tools; none if the client has one to run."""
    calls: list[Json] = message.get("tool_calls") or []
    return calls if all(name_of(call) in tools for call in calls) else []


def details_of(message: Json) -> list[Json]:
    """Return the `reasoning_details` of a message, or of a delta."""
    found = message.get("reasoning_details")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def name_of(call: Json) -> str:
    """Return the name of the function that is called."""
    name = (call.get("function") or {}).get("name")
    return name if isinstance(name, str) else ""


def arguments_of(call: Json) -> Json | None:
    """Return the arguments of a call; None if they are no JSON object."""
    text = (call.get("function") or {}).get("arguments") or "{}"
    try:
        arguments = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return None
    return arguments if isinstance(arguments, dict) else None


def sent_back(message: Json) -> Json:
    """Return a model's message as the next request has it."""
    known = {
        name: value for name, value in message.items() if value is not None and name not in _NOT_SENT_BACK
    }
    return {"content": None, **known, "role": "assistant"}


def result_message(call: Json, text: str) -> Json:
    return {"role": "tool", "tool_call_id": call.get("id") or "", "content": text}


def handed_back(
    completion: Json, tools: Collection[str], earlier: Mapping[str, str], details: Sequence[Json] = ()
) -> Json:
    """Return the last answer for the client: with its own calls only, and the texts of earlier answers.

    details: their `reasoning_details`.
    """
    message = dict(message_of(completion))
    if details:
        every = [*details, *details_of(message)]
        message["reasoning_details"] = [{**one, "index": index} for index, one in enumerate(every)]
    for name in TEXTS:
        text = message.get(name)
        if earlier.get(name) and (text is None or isinstance(text, str)):
            message[name] = joined(earlier[name], text or "")
    changes: dict[str, Any] = {}
    calls = message.get("tool_calls") or []
    own = [call for call in calls if name_of(call) not in tools]
    if own:
        message["tool_calls"] = own
    elif calls:
        del message["tool_calls"]
        changes["finish_reason"] = "length"
    choice = {**(completion.get("choices") or [{}])[0], **changes, "message": message}
    return {**completion, "choices": [choice]}


def joined(first: str, second: str) -> str:
    return SEPARATOR.join(text for text in (first, second) if text)
