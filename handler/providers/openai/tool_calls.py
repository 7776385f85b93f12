"""Corrects the tool calls of a stream: indexes from 0, and id, type and name once, in a call's first piece.

Compatible providers give every call the index 0 or none, repeat id and name, or send them late or empty.
"""

from __future__ import annotations

import json

from handler.errors import Json
from handler.providers.openai.answer import normalise_function
from handler.providers.openai.required_members import add_required, missing_tool_name, new_call_id
from handler.providers.translator import answer_too_large
from rules import Fields, fresh

_MAX_BUFFERED = 1_000_000  # characters of a call whose name has not come
_MAX_CALLS = 1000  # of one choice
_MAX_NAME = 10_000  # characters of a name or an id


class ToolCall(Fields):
    """A call of a stream. It is buffered until its name is known, when the client gets its first piece."""

    id: str = ""  # the provider's
    name: str = ""
    index: int | None = None  # among the calls that the client has received
    members: Json = fresh(factory=dict)  # buffered
    function: Json = fresh(factory=dict)  # the members of its function, buffered
    arguments: list[str] = fresh(factory=list)  # pieces, buffered
    size: int = 0  # characters that are buffered
    has_arguments: bool = False
    is_complete: bool = False  # its arguments came in one piece, so the next piece may belong to another call


class ToolCalls:
    """The calls of one choice. `new_ids`: each call gets a new id."""

    def __init__(self, *, new_ids: bool) -> None:
        self.count = 0
        self._new_ids = new_ids
        self._started = 0  # calls whose first piece the client has received
        self._latest: dict[int | None, ToolCall] = {}  # by the provider's index; None: of all
        self._without_arguments: set[int] = set()  # indexes of started calls

    def feed(self, pieces: list[Json]) -> list[Json]:
        """Return the pieces that the client gets for the `tool_calls` of a delta."""
        return [new for piece in pieces if (new := self._feed_piece(piece)) is not None]

    def finish(self, delta: Json) -> Json:
        """Add `{}` to calls without arguments, in the last delta. vLLM and others leave them out.

        Raises UpstreamError if the name of a call never came.
        """
        if self._started < self.count:
            raise missing_tool_name()
        if not self._without_arguments:
            return delta
        calls = {call["index"]: call for call in delta.get("tool_calls") or ()}
        for index in sorted(self._without_arguments):
            call = calls.get(index, {"index": index})
            calls[index] = {**call, "function": {**(call.get("function") or {}), "arguments": "{}"}}
        self._without_arguments.clear()
        return {**delta, "tool_calls": list(calls.values())}

    def _feed_piece(self, piece: Json) -> Json | None:
        call = self._find_call(piece)
        new = self._first_piece(piece, call) if call.index is None else _later_piece(piece)
        if call.index is None or new is None:
            return None
        new = {**new, "index": call.index}
        if (new.get("function") or {}).get("arguments"):
            self._without_arguments.discard(call.index)
        return piece if new == piece else new

    def _find_call(self, piece: Json) -> ToolCall:
        """Return the call of a piece. A new id or name under a known index begins another call."""
        id_, index, function = piece.get("id") or "", piece.get("index"), piece.get("function") or {}
        call, name, arguments = self._latest.get(index), function.get("name"), function.get("arguments")
        if self.count > _MAX_CALLS or max(len(id_), len(str(name or ""))) > _MAX_NAME:
            raise answer_too_large()
        if call is None:
            is_new = True
        elif call.id:
            is_new = bool(id_) and id_ != call.id
        else:
            is_new = bool(name and call.name and (name != call.name or (call.is_complete and arguments)))
        if call is None or is_new:
            call = self._latest[index] = self._latest[None] = ToolCall()
            self.count += 1
        call.id = call.id or id_
        if isinstance(arguments, str) and arguments:
            call.is_complete = not call.has_arguments and not call.id and _is_json(arguments)
            call.has_arguments = True
        return call

    def _first_piece(self, piece: Json, call: ToolCall) -> Json | None:
        """Return the first piece, with all that was buffered; None while the name has not come."""
        function = normalise_function(piece.get("function") or {}, drop_name=False)
        call.arguments.append(function.pop("arguments", None) or "")
        call.members.update(_non_empty(piece) if call.members else piece)
        call.function.update(_non_empty(function) if call.function else function)
        call.name = call.function.get("name") or (call.members.get("custom") or {}).get("name") or ""
        if not call.name:
            call.size += len(json.dumps(piece))
            if call.size > _MAX_BUFFERED:
                raise missing_tool_name()
            return None
        call.index, self._started = self._started, self._started + 1
        new = add_required("call", {**call.members, "id": new_call_id()} if self._new_ids else call.members)
        if new["type"] == "function":
            self._without_arguments.add(call.index)
            new = {**new, "function": {**call.function, "arguments": "".join(call.arguments)}}
        call.members, call.function, call.arguments = {}, {}, []
        return new


def _later_piece(piece: Json) -> Json:
    new = {name: value for name, value in piece.items() if name not in ("id", "type")}
    if "custom" in new:
        return new
    return {**new, "function": normalise_function(piece.get("function") or {}, drop_name=True)}


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _non_empty(members: Json) -> Json:
    return {name: value for name, value in members.items() if value not in (None, "")}
