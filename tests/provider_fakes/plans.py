"""A plan in the user's prompt: the answers that the fakes give, one after another, whatever the format.

A step waits for what it needs: the answer after a call checks that the client sent the call's result back.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from tests.provider_fakes.call import Json, Refusal

if TYPE_CHECKING:
    from tests.provider_fakes.script import ChatRequest, Item

_PLAN = re.compile(r"\[plan ([\w-]+=*)\]")
_ANSWERS = ("assistant", "thought", "call")


@dataclass(frozen=True, slots=True)
class Step:
    """One answer: text, then calls of tools. `shows`: what the client's next request must contain."""

    text: str
    calls: tuple[tuple[str, Json], ...] = ()
    shows: tuple[str, ...] = ()


def encode(steps: Iterable[Step]) -> str:
    """The words of a prompt that make the fakes follow these steps."""
    data = json.dumps([asdict(step) for step in steps]).encode()
    return f"[plan {base64.urlsafe_b64encode(data).decode()}]"


def _decode(text: str) -> list[Step]:
    found = _PLAN.search(text)
    steps = json.loads(base64.urlsafe_b64decode(found[1])) if found else []
    return [
        Step(
            step["text"], tuple((name, arguments) for name, arguments in step["calls"]), tuple(step["shows"])
        )
        for step in steps
    ]


def next_step(request: ChatRequest) -> Step | None:
    """The step that follows the conversation; None without a plan, or for a request without its tools.

    Raises Refusal if the conversation lacks what the step before must have shown.
    """
    places = [at for at, item in enumerate(request.items) if item.role == "user" and _PLAN.search(item.text)]
    if not places:
        return None
    begin = places[-1]
    steps = _decode(request.items[begin].text)
    if any(step.calls for step in steps) and not request.tools:
        return None  # a title or a summary
    number = _count_given(steps, request.items[begin + 1 :])
    if number >= len(steps):
        raise Refusal(f"the plan has {len(steps)} steps, and the client asks for more")
    if number:
        _check_shown(steps[number - 1], request.items, number)
    step = steps[number]
    calls = tuple((_offered_name(name, request.tools), arguments) for name, arguments in step.calls)
    return replace(step, calls=calls)


def _count_given(steps: Sequence[Step], items: Sequence[Item]) -> int:
    """The number of steps that the conversation holds. A client may add answers of its own."""
    number = 0
    for is_answer, group in groupby(items, lambda item: item.role in _ANSWERS):
        if is_answer and number < len(steps):
            answer, step = list(group), steps[number]
            has_calls = any(item.role == "call" for item in answer)
            number += has_calls if step.calls else any(step.text.strip() in item.text for item in answer)
    return number


def _check_shown(step: Step, items: Sequence[Item], number: int) -> None:
    """Looks through the whole conversation: a client may put a file before the prompt."""
    everything = "\n".join(item.text for item in items if item.role not in _ANSWERS)
    for text in step.shows:
        if text not in everything:
            raise Refusal(f"after answer {number} {text!r} is missing in: ... {everything[-500:]}")


def _offered_name(name: str, tools: Mapping[str, Json]) -> str:
    """The name of the tool in the request: Sluice marks tools that the format does not have with a prefix."""
    found = [tool for tool in tools if tool == name] or [tool for tool in tools if tool.endswith(f"_{name}")]
    if not found:
        raise Refusal(f"the tool {name} is not offered, but: {', '.join(tools)}")
    return found[0]
