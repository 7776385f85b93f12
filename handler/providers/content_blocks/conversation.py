"""Chat messages as turns of blocks: one of a role after the other, each call answered in the very next one.

The blocks have the form of Anthropic's Messages; Bedrock's are made of them. docs/providers.md, "Anthropic",
says what becomes of each message.
https://platform.claude.com/docs/en/api/messages, .../build-with-claude/mid-conversation-system-messages
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from handler.providers.content_blocks.blocks import Part, blocks_of, marked, thoughts_of
from handler.providers.content_blocks.names import spelled
from handler.providers.translator import Json
from handler.providers.unsupported import unsupported

THINKING = frozenset({"thinking", "redacted_thinking"})
_NOTHING = {"type": "text", "text": "."}  # where a turn must be and nothing was said


class Manner(NamedTuple):
    """Where the formats that have such turns differ."""

    parts: Mapping[str, Part]  # what a part that is no text becomes, by its type
    fitting: Callable[[str], str]  # the id of a call as it is taken there
    longest_name: int  # characters of a tool's name


@dataclass(slots=True)
class Turn:
    role: str  # user, assistant, or system in the middle
    blocks: list[Json] = field(default_factory=list)
    calls: list[tuple[str, Json]] = field(default_factory=list)  # the client's id of each tool_use
    ids: set[str] = field(default_factory=set)  # those ids
    results: list[tuple[str, Json]] = field(default_factory=list)  # and of each tool_result

    def body(self) -> Json:
        return {"role": self.role, "content": self.blocks}

    def thinks(self) -> bool:
        return any(block["type"] in THINKING for block in self.blocks)


class Conversation:
    """The system blocks and the turns of a chat. `system_turns`: the model takes system messages in place."""

    def __init__(self, messages: list[Json], manner: Manner, *, model: str, system_turns: bool) -> None:
        self.system: list[Json] = []
        self.turns: list[Turn] = []
        self.manner = manner
        self._model = model
        self._system_turns = system_turns
        self._ids: set[str] = set()  # of calls: no two may have the same
        self._again: Counter[str] = Counter()  # the number that comes next behind each of the client's ids
        for at, message in enumerate(messages):
            _ROLES[message["role"]](self, message, f"messages[{at}]")
        self._complete()

    @property
    def prefilled(self) -> bool:
        """Whether the answer is to go on from where the last turn breaks off."""
        return self.turns[-1].role == "assistant"

    @property
    def names(self) -> list[str]:
        """The tools that were called, by the names they go under."""
        return list(dict.fromkeys(block["name"] for turn in self.turns for _, block in turn.calls))

    def thinks(self) -> bool:
        return any(turn.thinks() for turn in self.turns)

    def forget_thoughts(self) -> None:
        for turn in self.turns:
            turn.blocks = [block for block in turn.blocks if block["type"] not in THINKING]

    def thoughtless_calls(self) -> bool:
        """Whether the calls that the last turn answers were made without a thought that we can show."""
        return any(turn.calls and turn.blocks[0]["type"] not in THINKING for turn in self.turns[-2:-1])

    def say(self, instruction: str) -> None:
        """One more system block, the last: what stands before it stays cached."""
        self.system.append({"type": "text", "text": instruction})

    def _turn(self, role: str) -> Turn:
        """The last turn if it is of this role, else a new one."""
        last = self.turns[-1] if self.turns else None
        if last is not None and last.role == role:
            return last
        if last is not None and last.role == "system" and role == "user":
            self.turns.pop()  # it may stand only before an answer
            turn = self._turn("user")
            turn.blocks += _wrapped(last.blocks)
            return turn
        self.turns.append(Turn(role))
        return self.turns[-1]

    def _blocks(self, content: Any, where: str) -> list[Json]:
        return blocks_of(content, where, self.manner.parts)

    def _add_system(self, message: Json, where: str) -> None:
        blocks = _marked_last(self._blocks(message.get("content"), where), message)
        if not self.turns:
            self.system += blocks
        elif blocks and self._system_turns and self.turns[-1].role in ("user", "system"):
            self._turn("system").blocks += blocks
        else:
            self._turn("user").blocks += _wrapped(blocks)

    def _add_user(self, message: Json, where: str) -> None:
        self._turn("user").blocks += _marked_last(self._blocks(message.get("content"), where), message)

    def _add_assistant(self, message: Json, where: str) -> None:
        texts = self._blocks(message.get("content"), where) or self._blocks(message.get("refusal"), where)
        calls = [(call["id"], self._call(call, where)) for call in message.get("tool_calls") or ()]
        blocks = [*texts, *(block for _, block in calls)]
        if not blocks:
            return  # nothing was said; its thoughts alone are no turn
        turn = self._turn("assistant")
        turn.blocks += [*thoughts_of(message, self._model), *_marked_last(blocks, message)]
        turn.calls += calls
        turn.ids |= {id for id, _ in calls}

    def _call(self, call: Json, where: str) -> Json:
        name, input = _called(call, where)
        fitting, id = self.manner.fitting, call["id"]
        unique = fitting(id)
        number = max(self._again[id], len(self._ids))
        while unique in self._ids:
            unique = fitting(f"{fitting(id)}_{number}")
            number += 1
        self._again[id] = number
        self._ids.add(unique)
        return {"type": "tool_use", "id": unique, "name": name[: self.manner.longest_name], "input": input}

    def _add_tool(self, message: Json, where: str) -> None:
        id, content = message["tool_call_id"], message.get("content")
        asked = next((turn for turn in self.turns[:-3:-1] if turn.role == "assistant"), None)
        blocks = self._blocks(content, where)
        if asked is None or id not in asked.ids:
            result = {"type": "text", "text": f"[tool result {id}]"}
            self._turn("user").blocks += [result, *blocks]
            return
        marks = [block.pop("cache_control") for block in blocks if "cache_control" in block]
        mark = marked(message) or ({"cache_control": marks[-1]} if marks else {})
        failed = {"is_error": True} if message.get("is_error") is True else {}
        if failed:  # an error is text alone, so its images follow in the same turn
            self._turn("user").blocks += [block for block in blocks if block["type"] != "text"]
            blocks = [block for block in blocks if block["type"] == "text"]
        said = {"content": content if isinstance(content, str) else blocks} if blocks else {}
        self._turn("user").results.append((id, {"type": "tool_result", **said, **failed, **mark}))

    def _complete(self) -> None:
        """Every call answered, a user first, nothing empty."""
        if self.turns and self.turns[-1].calls:
            self.turns.append(Turn("user"))
        for turn, answers in pairwise(self.turns):
            if turn.calls:
                answers.blocks = [*_results(turn.calls, answers.results), *answers.blocks]
        if not self.turns and self.system:
            self.turns = [Turn("user", [self.system.pop()])]
        if not self.turns or self.turns[0].role == "assistant":
            self.turns.insert(0, Turn("user"))
        for turn in self.turns:
            turn.blocks = turn.blocks or [_NOTHING]
        if self.prefilled and (last := self.turns[-1].blocks[-1])["type"] == "text":
            last["text"] = last["text"].rstrip()  # refused at the end of a prefill


_ROLES: Mapping[str, Callable[[Conversation, Json, str], None]] = {
    "system": Conversation._add_system,
    "developer": Conversation._add_system,
    "user": Conversation._add_user,
    "assistant": Conversation._add_assistant,
    "tool": Conversation._add_tool,
}


def _wrapped(blocks: list[Json]) -> list[Json]:
    """A system message where only a user may speak: in its place, so that what is before it stays cached."""
    return [{**block, "text": f"<system>\n{block['text']}\n</system>"} for block in blocks]


def _marked_last(blocks: list[Json], message: Json) -> list[Json]:
    if blocks and (mark := marked(message)):
        blocks[-1] |= mark
    return blocks


def _results(calls: list[tuple[str, Json]], given: list[tuple[str, Json]]) -> list[Json]:
    """A result for each call, in their order. Of several for one call the last counts."""
    waiting: dict[str, deque[Json]] = {}
    for id, result in given:
        waiting.setdefault(id, deque()).append(result)
    left = Counter(id for id, _ in calls)
    results = []
    for id, call in calls:
        left[id] -= 1
        mine = waiting.get(id)
        said = (mine.popleft() if left[id] else mine[-1]) if mine else _missing()
        results.append({"type": "tool_result", "tool_use_id": call["id"], **said})
    return results


def _missing() -> Json:
    return {"type": "tool_result", "content": "No result provided.", "is_error": True}


def _called(call: Json, where: str) -> tuple[str, Json]:
    """The name and the input of a call in the history."""
    match call:
        case {"custom": {"name": str(name), "input": str(text)}}:
            return spelled(name, custom=True), {"input": text}
        case {"function": {"name": str(name)} as function}:
            return spelled(name), _input(function.get("arguments"))
        case _:
            raise unsupported(f"{where}.tool_calls", "the model knows calls of functions and of custom tools")


def _input(arguments: Any) -> Json:
    """The arguments as an object, which they must be. What is no JSON is shown as it is."""
    if isinstance(arguments, str) and arguments.strip():
        try:
            arguments = json.loads(arguments, parse_constant=_refused)
        except (ValueError, RecursionError):
            return {"_raw": arguments}
    elif not isinstance(arguments, dict):
        return {}
    return arguments if isinstance(arguments, dict) else {"value": arguments}


def _refused(constant: str) -> float:
    raise ValueError(constant)  # NaN and Infinity are no JSON
