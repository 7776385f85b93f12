"""Converts chat messages to turns of content blocks. Roles alternate, and the next turn answers every call.

The blocks have the shape of Anthropic's Messages; Bedrock's messages are made from them. docs/providers.md,
"Anthropic", lists what each message becomes.
https://platform.claude.com/docs/en/api/messages, .../build-with-claude/mid-conversation-system-messages
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from handler.errors import Json
from handler.providers.content_blocks.blocks import PartConverter, cache_mark, content_blocks, text_block
from handler.providers.content_blocks.names import encode_name
from handler.providers.content_blocks.reasoning_details import thinking_blocks
from handler.providers.unsupported import unsupported

THINKING = frozenset({"thinking", "redacted_thinking"})
_PLACEHOLDER = "."  # the text of a turn that must exist but has no content


class BlockFormat(NamedTuple):
    """The differences between the formats that use these turns."""

    converters: Mapping[str, PartConverter]  # by the type of a part that is not text
    call_id: Callable[[str], str]  # makes the id of a call valid
    max_name_length: int  # of a tool, in characters


@dataclass(slots=True)
class Turn:
    role: str  # user or assistant; system only in the middle of a conversation
    blocks: list[Json] = field(default_factory=list)
    calls: list[tuple[str, Json]] = field(default_factory=list)  # the client's id and block of each tool_use
    call_ids: set[str] = field(default_factory=set)  # the client's ids of those calls
    results: list[tuple[str, Json]] = field(default_factory=list)  # the same for each tool_result

    def body(self) -> Json:
        return {"role": self.role, "content": self.blocks}

    def has_thinking(self) -> bool:
        return any(block["type"] in THINKING for block in self.blocks)


class Conversation:
    """The system blocks and the turns of a chat.

    `system_turns`: the model accepts system messages between other turns. Raises Unsupported for a message
    that the format cannot represent.
    """

    def __init__(
        self, messages: list[Json], block_format: BlockFormat, *, model: str, system_turns: bool
    ) -> None:
        self.system: list[Json] = []
        self.turns: list[Turn] = []
        self.format = block_format
        self._model = model
        self._system_turns = system_turns
        self._call_ids: set[str] = set()  # as sent to the provider, which refuses duplicates
        self._next_suffix: dict[str, int] = {}  # by the client's id, for ids that repeat
        for index, message in enumerate(messages):
            _ROLES[message["role"]](self, message, f"messages[{index}]")
        self._complete()

    @property
    def prefilled(self) -> bool:
        """True if the last turn is the beginning of the answer."""
        return self.turns[-1].role == "assistant"

    @property
    def called_tools(self) -> list[str]:
        """The names of the tools that were called, as sent to the provider."""
        return list(dict.fromkeys(block["name"] for turn in self.turns for _, block in turn.calls))

    def has_thinking(self) -> bool:
        return any(turn.has_thinking() for turn in self.turns)

    def remove_thinking(self) -> None:
        for turn in self.turns:
            turn.blocks = [block for block in turn.blocks if block["type"] not in THINKING]

    def continues_without_thinking(self) -> bool:
        """Return True if the last turn answers calls, and the turn of the calls begins without thinking."""
        return any(turn.calls and turn.blocks[0]["type"] not in THINKING for turn in self.turns[-2:-1])

    def add_instruction(self, text: str) -> None:
        """Append a system block. The blocks before it stay in the provider's cache."""
        self.system.append(text_block(text))

    def _turn(self, role: str) -> Turn:
        """Return the last turn if it has this role, else a new one."""
        last = self.turns[-1] if self.turns else None
        if last is not None and last.role == role:
            return last
        if last is not None and last.role == "system" and role == "user":
            self.turns.pop()  # a system turn is allowed only before an answer
            turn = self._turn("user")
            turn.blocks += _tag_as_system(last.blocks)
            return turn
        self.turns.append(Turn(role))
        return self.turns[-1]

    def _blocks(self, content: Any, where: str) -> list[Json]:
        return content_blocks(content, where, self.format.converters)

    def _add_system(self, message: Json, where: str) -> None:
        blocks = _mark_last(self._blocks(message.get("content"), where), message)
        if not self.turns:
            self.system += blocks
        elif blocks and self._system_turns and self.turns[-1].role in ("user", "system"):
            self._turn("system").blocks += blocks
        else:
            self._turn("user").blocks += _tag_as_system(blocks)

    def _add_user(self, message: Json, where: str) -> None:
        self._turn("user").blocks += _mark_last(self._blocks(message.get("content"), where), message)

    def _add_assistant(self, message: Json, where: str) -> None:
        texts = self._blocks(message.get("content"), where) or self._blocks(message.get("refusal"), where)
        calls = [(call["id"], self._call(call, where)) for call in message.get("tool_calls") or ()]
        blocks = [*texts, *(block for _, block in calls)]
        if not blocks:
            return  # providers refuse a turn without content, and one that is only thinking
        turn = self._turn("assistant")
        turn.blocks += [*thinking_blocks(message, self._model), *_mark_last(blocks, message)]
        if calls:
            turn.calls += calls
            turn.call_ids.update([id for id, _ in calls])

    def _call(self, call: Json, where: str) -> Json:
        name, input = _name_and_input(call, where)
        valid, id = self.format.call_id, call["id"]
        unique = valid(id)
        suffix = max(self._next_suffix.get(id, 0), len(self._call_ids))
        while unique in self._call_ids:
            unique = valid(f"{valid(id)}_{suffix}")
            suffix += 1
        self._next_suffix[id] = suffix
        self._call_ids.add(unique)
        return {"type": "tool_use", "id": unique, "name": name[: self.format.max_name_length], "input": input}

    def _add_tool(self, message: Json, where: str) -> None:
        id, content = message["tool_call_id"], message.get("content")
        caller = next((turn for turn in self.turns[:-3:-1] if turn.role == "assistant"), None)
        blocks = self._blocks(content, where)
        if caller is None or id not in caller.call_ids:
            self._turn("user").blocks += [text_block(f"[tool result {id}]"), *blocks]
            return
        marks = [block.pop("cache_control") for block in blocks if "cache_control" in block]
        mark = cache_mark(message) or ({"cache_control": marks[-1]} if marks else {})
        error = {"is_error": True} if message.get("is_error") is True else {}
        if error:  # an error may contain only text, so its images follow in the same turn
            self._turn("user").blocks += [block for block in blocks if block["type"] != "text"]
            blocks = [block for block in blocks if block["type"] == "text"]
        output = {"content": content if isinstance(content, str) else blocks} if blocks else {}
        self._turn("user").results.append((id, {"type": "tool_result", **output, **error, **mark}))

    def _complete(self) -> None:
        """Answer every call, begin with a user, and fill empty turns."""
        if self.turns and self.turns[-1].calls:
            self.turns.append(Turn("user"))
        for turn, answers in pairwise(self.turns):
            if turn.calls:
                answers.blocks = [*_ordered_results(turn.calls, answers.results), *answers.blocks]
        if not self.turns and self.system:
            self.turns = [Turn("user", [self.system.pop()])]
        if not self.turns or self.turns[0].role == "assistant":
            self.turns.insert(0, Turn("user"))
        for turn in self.turns:
            turn.blocks = turn.blocks or [text_block(_PLACEHOLDER)]
        if self.prefilled and (last := self.turns[-1].blocks[-1])["type"] == "text":
            last["text"] = last["text"].rstrip()  # trailing whitespace is refused in a prefill


_ROLES: Mapping[str, Callable[[Conversation, Json, str], None]] = {
    "system": Conversation._add_system,
    "developer": Conversation._add_system,
    "user": Conversation._add_user,
    "assistant": Conversation._add_assistant,
    "tool": Conversation._add_tool,
}


def _tag_as_system(blocks: list[Json]) -> list[Json]:
    """Tag a system message that becomes a user's. It keeps its place, so the text before stays cached."""
    return [{**block, "text": f"<system>\n{block['text']}\n</system>"} for block in blocks]


def _mark_last(blocks: list[Json], message: Json) -> list[Json]:
    if blocks and (mark := cache_mark(message)):
        blocks[-1] |= mark
    return blocks


def _ordered_results(calls: list[tuple[str, Json]], results: list[tuple[str, Json]]) -> list[Json]:
    """Return one result for each call, in their order. The last of several results for one call counts."""
    if len(calls) == len(results) == 1 and calls[0][0] == results[0][0]:
        return [{"type": "tool_result", "tool_use_id": calls[0][1]["id"], **results[0][1]}]
    by_id: dict[str, deque[Json]] = {}
    for id, result in results:
        by_id.setdefault(id, deque()).append(result)
    remaining = Counter(id for id, _ in calls)
    ordered = []
    for id, call in calls:
        remaining[id] -= 1
        found = by_id.get(id)
        result = (found.popleft() if remaining[id] else found[-1]) if found else _missing_result()
        ordered.append({"type": "tool_result", "tool_use_id": call["id"], **result})
    return ordered


def _missing_result() -> Json:
    return {"type": "tool_result", "content": "No result provided.", "is_error": True}


def _name_and_input(call: Json, where: str) -> tuple[str, Json]:
    match call.get("custom"):
        case {"name": str(custom), "input": str(text)}:
            return encode_name(custom, custom=True), {"input": text}
    function = call.get("function")
    if isinstance(function, dict) and isinstance(name := function.get("name"), str):
        return encode_name(name), _input(function.get("arguments"))
    raise unsupported(f"{where}.tool_calls", "only calls of function and custom tools are supported")


def _input(arguments: Any) -> Json:
    """Return the arguments as an object, the only type that is accepted. Text that is not JSON is wrapped."""
    if isinstance(arguments, str) and arguments.strip():
        try:
            arguments = _decode(arguments)
        except (ValueError, RecursionError):
            return {"_raw": arguments}
    elif not isinstance(arguments, dict):
        return {}
    return arguments if isinstance(arguments, dict) else {"value": arguments}


def _refuse_constant(constant: str) -> float:
    raise ValueError(constant)  # NaN and Infinity are not JSON


_decode = json.JSONDecoder(parse_constant=_refuse_constant).decode
