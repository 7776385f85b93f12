"""The answers of every fake. They follow from the request alone, so that conversations.json can list them.

Directives in the user's last message change the answer: [talk] calls nothing, [twice] calls in a second step,
[recite] repeats the conversation, [recite all] with thoughts and signatures, [refuse], [fail CLASS].
After [down SERVICE] that service is down until [up SERVICE]. A plan (plans.py) lists the answers itself.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from handler.local.demo.schema_sample import sample
from tests.provider_fakes import plans
from tests.provider_fakes.call import Json, Refusal

REFUSAL = "I cannot help with that."
_SIGNED = " (signed)"
_DIRECTIVES = re.compile(r"\[([a-z]+) ?([a-z_]*)\]")


@dataclass(frozen=True, slots=True)
class Item:
    """A part of the conversation. `role`: system, user, media, assistant, thought, call, result."""

    role: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """A request, whatever its format. `tools`: name to schema, for the tools that may be called."""

    service: str
    items: tuple[Item, ...]
    tools: Mapping[str, Json] = field(default_factory=dict)
    choice: str = "auto"  # or none, any
    parallel: bool = True
    schema: Json | None = None
    json: bool = False
    thinks: bool = False
    stops: tuple[str, ...] = ()
    max_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """`calls`: (name, arguments). `finish`: as OpenAI names it. `stopped`: its stop sequence, if any."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[tuple[str, Json], ...] = ()
    finish: str = "stop"
    stopped: str | None = None
    refusal: str | None = None

    @property
    def tokens(self) -> int:
        return len(split_words(self.text)) + len(split_words(self.reasoning)) + 5 * len(self.calls)


def answer(request: ChatRequest) -> Answer:
    turn = _turn(request.items)
    text = " ".join(item.text for item in turn if item.role == "user")
    directives = dict(_DIRECTIVES.findall(text))
    if "fail" in directives:
        raise Refusal("It failed as directed.", failure_class=directives["fail"])
    if _is_down(request):
        raise Refusal("It is down.", failure_class="overloaded")
    if "refuse" in directives:
        return Answer(refusal=REFUSAL, finish="content_filter")
    reasoning = f"After {len(request.items)} items I think." if request.thinks else ""
    if step := plans.next_step(request):
        finish = "tool_calls" if step.calls else "stop"
        return Answer(step.text, reasoning, step.calls, finish)
    if calls := tuple(_calls(request, turn, directives)):
        return Answer(reasoning=reasoning, calls=calls, finish="tool_calls")
    return _apply_limits(Answer(_text(request, turn, directives), reasoning), request)


def _turn(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """The user's last message, and all that follows it."""
    starts = [
        at
        for at, item in enumerate(items)
        if item.role in ("user", "media") and (at == 0 or items[at - 1].role not in ("user", "media"))
    ]
    return items[starts[-1] :] if starts else items


def _is_down(request: ChatRequest) -> bool:
    everything = "".join(item.text for item in request.items if item.role == "user")
    last = [word for word, service in _DIRECTIVES.findall(everything) if service == request.service]
    return last[-1:] == ["down"]


def _calls(
    request: ChatRequest, turn: tuple[Item, ...], directives: Mapping[str, str]
) -> Iterator[tuple[str, Json]]:
    """One call of each tool; none after results, except once after [twice]."""
    roles = [item.role for item in turn]
    steps = sum(role == "call" and roles[at - 1] != "call" for at, role in enumerate(roles))
    if request.choice == "none" or (
        request.choice == "auto" and (steps > ("twice" in directives) or "talk" in directives)
    ):
        return
    for name in list(request.tools)[: None if request.parallel else 1]:
        yield name, sample(request.tools[name] or {"type": "object"})


def _text(request: ChatRequest, turn: tuple[Item, ...], directives: Mapping[str, str]) -> str:
    if (schema := request.schema or _schema_in(request.items)) is not None:
        return json.dumps(sample(schema), ensure_ascii=False)
    if "recite" in directives:
        return f"{request.service} recites: {_recite(request, everything=directives['recite'] == 'all')}"
    results = [item.text for item in turn if item.role == "result"]
    content = " ".join(item.text for item in turn if item.role in ("user", "media"))
    text = (
        f"{request.service} was told: {'; '.join(results)}"
        if results
        else f"{request.service} heard: {content}"
    )
    return json.dumps({"said": text}, ensure_ascii=False) if request.json else text


def _schema_in(items: tuple[Item, ...]) -> Json | None:
    """The schema in the instructions, or None."""
    text = "".join(item.text for item in items if item.role == "system")
    found = re.search(r"\{.*\}", text, re.DOTALL)
    try:
        schema = json.loads(found[0]) if found else None
    except ValueError:
        return None
    return schema if isinstance(schema, dict) and "type" in schema else None


def _recite(request: ChatRequest, *, everything: bool) -> str:
    items = [item for item in request.items if everything or item.role != "thought"]
    text = " | ".join(f"{item.role}: {item.text}" for item in items)
    return text if everything else text.replace(_SIGNED, "")


def _apply_limits(answer: Answer, request: ChatRequest) -> Answer:
    found = [(at, stop) for stop in request.stops if (at := answer.text.find(stop)) >= 0]
    if found:
        at, stop = min(found)
        answer = replace(answer, text=answer.text[:at], stopped=stop)
    pieces = split_words(answer.text)
    if request.max_tokens is not None and request.max_tokens < len(pieces):
        return replace(answer, text="".join(pieces[: request.max_tokens]), finish="length", stopped=None)
    return answer


def split_words(text: str) -> list[str]:
    """The text in pieces, each a word with the space before it."""
    return re.findall(r"\s*\S+|\s+$", text)


def media(kind: str, data: str) -> Item:
    """An image or a document: its type and a digest of its bytes."""
    digest = hashlib.sha256(base64.b64decode(data, validate=True)).hexdigest()[:8]
    return Item("media", f"({kind} {digest})")


def call(name: str, arguments: object, *, signed: bool = False) -> Item:
    """A call in the history. `signed`: it has its signature."""
    text = json.dumps(arguments, sort_keys=True, ensure_ascii=False)
    return Item("call", f"{name}{text}{_SIGNED if signed else ''}")


def result(name: str, text: str) -> Item:
    return Item("result", f"{name}={text}")
