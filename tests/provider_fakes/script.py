"""What every service answers: told by the request alone, so that a conversation can be foretold.

Words in brackets in what the user said last change it: [talk] no calls, [twice] a second step of calls,
[recite] what was said, [recite all] with thoughts and signatures, [refuse], [fail CLASS]. Once [down SERVICE]
was said that service is down, until [up SERVICE].
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from handler.local.demo.schema_sample import sample
from tests.provider_fakes.call import Json, Refused

REFUSAL = "I cannot help with that."
_SIGNED = " (signed)"
_WORDS = re.compile(r"\[([a-z]+) ?([a-z_]*)\]")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that was said. `role`: system, user, media, assistant, thought, call, result."""

    role: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request in no service's format. `tools`: name -> schema, of those that may be called."""

    service: str
    items: tuple[Item, ...]
    tools: Mapping[str, Json] = field(default_factory=dict)
    choice: str = "auto"  # or none, any
    parallel: bool = True
    schema: Json | None = None
    json: bool = False
    thinks: bool = False
    stops: tuple[str, ...] = ()
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """`calls`: (name, arguments). `finish`: OpenAI's word for it; `stopped`: by which sequence."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[tuple[str, Json], ...] = ()
    finish: str = "stop"
    stopped: str | None = None
    refusal: str | None = None

    @property
    def tokens(self) -> int:
        return len(words(self.text)) + len(words(self.reasoning)) + 5 * len(self.calls)


def answer(asked: Asked) -> Said:
    turn = _turn(asked.items)
    said = " ".join(item.text for item in turn if item.role == "user")
    told = dict(_WORDS.findall(said))
    if "fail" in told:
        raise Refused("It failed as it was asked to.", failure_class=told["fail"])
    if _is_down(asked):
        raise Refused("It is down.", failure_class="overloaded")
    if "refuse" in told:
        return Said(refusal=REFUSAL, finish="content_filter")
    reasoning = f"After {len(asked.items)} items I think." if asked.thinks else ""
    if calls := tuple(_calls(asked, turn, told)):
        return Said(reasoning=reasoning, calls=calls, finish="tool_calls")
    return _limited(Said(_text(asked, turn, told), reasoning), asked)


def _turn(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """What the user said last, and all that came after it."""
    begins = [
        at
        for at, item in enumerate(items)
        if item.role in ("user", "media") and (at == 0 or items[at - 1].role not in ("user", "media"))
    ]
    return items[begins[-1] :] if begins else items


def _is_down(asked: Asked) -> bool:
    everything = "".join(item.text for item in asked.items if item.role == "user")
    last = [word for word, service in _WORDS.findall(everything) if service == asked.service]
    return last[-1:] == ["down"]


def _calls(asked: Asked, turn: tuple[Item, ...], told: Mapping[str, str]) -> Iterator[tuple[str, Json]]:
    """One call of each tool; once a tool has answered none, unless it was to be done twice."""
    roles = [item.role for item in turn]
    steps = sum(role == "call" and roles[at - 1] != "call" for at, role in enumerate(roles))
    if asked.choice == "none" or (asked.choice == "auto" and (steps > ("twice" in told) or "talk" in told)):
        return
    for name in list(asked.tools)[: None if asked.parallel else 1]:
        yield name, sample(asked.tools[name] or {"type": "object"})


def _text(asked: Asked, turn: tuple[Item, ...], told: Mapping[str, str]) -> str:
    if (schema := asked.schema or _instructed(asked.items)) is not None:
        return json.dumps(sample(schema), ensure_ascii=False)
    if "recite" in told:
        return f"{asked.service} recites: {_recited(asked, everything=told['recite'] == 'all')}"
    results = [item.text for item in turn if item.role == "result"]
    heard = " ".join(item.text for item in turn if item.role in ("user", "media"))
    text = f"{asked.service} was told: {'; '.join(results)}" if results else f"{asked.service} heard: {heard}"
    return json.dumps({"said": text}, ensure_ascii=False) if asked.json else text


def _instructed(items: tuple[Item, ...]) -> Json | None:
    """The schema that the instructions hold, if they do: it does as it is told."""
    said = "".join(item.text for item in items if item.role == "system")
    found = re.search(r"\{.*\}", said, re.DOTALL)
    try:
        schema = json.loads(found[0]) if found else None
    except ValueError:
        return None
    return schema if isinstance(schema, dict) and "type" in schema else None


def _recited(asked: Asked, *, everything: bool) -> str:
    items = [item for item in asked.items if everything or item.role != "thought"]
    said = " | ".join(f"{item.role}: {item.text}" for item in items)
    return said if everything else said.replace(_SIGNED, "")


def _limited(said: Said, asked: Asked) -> Said:
    found = [(at, stop) for stop in asked.stops if (at := said.text.find(stop)) >= 0]
    if found:
        at, stop = min(found)
        said = replace(said, text=said.text[:at], stopped=stop)
    pieces = words(said.text)
    if asked.most is not None and asked.most < len(pieces):
        return replace(said, text="".join(pieces[: asked.most]), finish="length", stopped=None)
    return said


def words(text: str) -> list[str]:
    """The text in pieces of a word and the space before it; joined they are the text."""
    return re.findall(r"\s*\S+|\s+$", text)


def media(kind: str, data: str) -> Item:
    """An image or a document as it was received: its type, and what its bytes come to."""
    digest = hashlib.sha256(base64.b64decode(data, validate=True)).hexdigest()[:8]
    return Item("media", f"({kind} {digest})")


def call(name: str, arguments: object, *, signed: bool = False) -> Item:
    """A call of the history. `signed`: with the signature that it was made with."""
    told = json.dumps(arguments, sort_keys=True, ensure_ascii=False)
    return Item("call", f"{name}{told}{_SIGNED if signed else ''}")


def result(name: str, text: str) -> Item:
    return Item("result", f"{name}={text}")
