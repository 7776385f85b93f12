"""Translates the messages of a chat into Gemini's `contents` and `systemInstruction`.

Contents of the roles `user` and `model` alternate. The results of a turn's calls follow it directly: all of
them in one content, in the order of the calls, without other text. https://ai.google.dev/api/caching#Content
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from handler.errors import Json
from handler.providers.google.media import media_part
from handler.providers.google.names import encode_name
from handler.providers.google.signatures import add_signatures, base64_text, signature_of
from handler.providers.quirks.model_rules import PLACEHOLDER_SIGNATURE
from handler.providers.unsupported import unsupported

ID_SEPARATOR = "__thought__"  # some gateways put the signature into a call's id, after this
_SYSTEM = ("system", "developer")
_BLANK: Json = {"text": " "}  # for a content without text, which Gemini refuses


class HistoryMessage(NamedTuple):
    """A message of the chat, and its path in the request for `param`."""

    message: Json
    where: str

    @property
    def is_result(self) -> bool:
        return self.message["role"] in ("tool", "function")


class HistoryToolCall(NamedTuple):
    """A tool call of an assistant message."""

    key: str  # its id in the chat, which its result has too
    id: str  # its id at Gemini, unique in a turn
    name: str
    arguments: Json
    signature: str | None


def contents_of(messages: Sequence[Json], model_rules: Mapping[str, str], *, call_ids: bool = True) -> Json:
    """`contents`, and `systemInstruction` if the chat begins with instructions.

    `model_rules`: the names of the model's rules, with their arguments. `call_ids`: calls have an id.
    """
    history = [HistoryMessage(message, f"messages[{place}]") for place, message in enumerate(messages)]
    begin = next((at for at, one in enumerate(history) if one.message["role"] not in _SYSTEM), len(history))
    system = [part for one in history[:begin] for part in _parts(one)]
    opening: list[Json] = []
    if "no_system" in model_rules:
        system, opening = [], system
    elif begin == len(history):  # without contents the request would be refused
        system, opening = system[:-1], system[-1:]
    builder = _ContentsBuilder(model_rules, call_ids=call_ids)
    builder.add("user", opening)
    for assistants, others in _turns(history[begin:]):
        builder.add_turn(assistants, others)
    if not builder.contents or builder.contents[0]["role"] == "model":
        builder.contents.insert(0, {"role": "user", "parts": [_BLANK]})
    return {**({"systemInstruction": {"parts": system}} if system else {}), "contents": builder.contents}


def _turns(history: Sequence[HistoryMessage]) -> Iterator[tuple[list[HistoryMessage], list[HistoryMessage]]]:
    """Yield successive assistant messages, with all messages from there to the next assistant message."""
    assistants: list[HistoryMessage] = []
    others: list[HistoryMessage] = []
    for one in history:
        if one.message["role"] != "assistant":
            others.append(one)
            continue
        if others:
            yield assistants, others
            assistants, others = [], []
        assistants.append(one)
    yield assistants, others


class _ContentsBuilder:
    """Builds the contents turn by turn."""

    def __init__(self, model_rules: Mapping[str, str], *, call_ids: bool) -> None:
        self.contents: list[Json] = []
        self._model_rules = model_rules
        self._call_ids = call_ids

    def add(self, role: str, parts: list[Json]) -> None:
        """Add parts to the last content if it has this role and holds no results, else to a new content."""
        last = self.contents[-1] if self.contents else None
        if not parts:
            return
        if last and last["role"] == role and "functionResponse" not in last["parts"][0]:
            last["parts"] += parts
        else:
            self.contents.append({"role": role, "parts": list(parts)})

    def add_turn(self, assistants: list[HistoryMessage], others: list[HistoryMessage]) -> None:
        calls = _tool_calls(assistants)
        self.add("model", [*_assistant_parts(assistants), *self._call_parts(calls)])
        results: dict[str | None, list[HistoryMessage]] = {call.key: [] for call in calls}
        rest: list[HistoryMessage] = []
        for one in others:
            of_call = results.get(one.message.get("tool_call_id"), rest) if one.is_result else rest
            of_call.append(one)
        if calls:
            media: list[Json] = []
            self.contents.append({"role": "user", "parts": self._result_parts(calls, results, media)})
            self.add("user", media)
        for one in rest:
            self.add("user", _orphaned_result(one) if one.is_result else _parts(one) or [_BLANK])

    def _call_parts(self, calls: list[HistoryToolCall]) -> Iterator[Json]:
        for place, call in enumerate(calls):
            function = {"name": call.name, "args": call.arguments}
            part: Json = {"functionCall": {**self._id(call), **function}}
            signature = call.signature
            if signature is None and place == 0 and "no_signature" not in self._model_rules:
                signature = PLACEHOLDER_SIGNATURE
            if signature:
                part["thoughtSignature"] = signature
            yield part

    def _result_parts(
        self,
        calls: list[HistoryToolCall],
        results: Mapping[str | None, list[HistoryMessage]],
        media: list[Json],
    ) -> list[Json]:
        """Return a part for each call, and add to `media` the images that the model refuses in a result."""
        parts = []
        uses, earlier = Counter([call.key for call in calls]), dict[str, int]()
        for call in calls:
            candidates, at = results[call.key], earlier.get(call.key, 0)
            earlier[call.key] = at + 1
            found = candidates[at : at + 1] if uses[call.key] > 1 else candidates[-1:]
            contents = _parts(found[0]) if found else []
            response: Json = {"name": call.name, "response": _response(found, contents)}
            images = [part for part in contents if "text" not in part]
            if images and "no_tool_media" in self._model_rules:
                media += images
            elif images:
                response["parts"] = images
            parts.append({"functionResponse": {**self._id(call), **response}})
        return parts

    def _id(self, call: HistoryToolCall) -> Json:
        return {"id": call.id} if self._call_ids and call.id else {}


def _tool_calls(assistants: list[HistoryMessage]) -> list[HistoryToolCall]:
    calls: list[HistoryToolCall] = []
    uses: dict[str, int] = {}
    for message, where in assistants:
        for place, call in enumerate(message.get("tool_calls") or ()):
            function = call.get("function")
            if not isinstance(function, dict):
                raise unsupported(f"{where}.tool_calls[{place}]", "this model takes only function calls")
            key = call.get("id") or ""
            id_, _, signature = key.partition(ID_SEPARATOR)
            uses[key] = (earlier := uses.get(key, 0)) + 1
            calls.append(
                HistoryToolCall(
                    key=key,
                    id=f"{id_}-{earlier}" if earlier else id_,
                    name=encode_name(function.get("name") or ""),
                    arguments=_arguments(function.get("arguments")),
                    signature=signature_of(call) or (base64_text(signature) if signature else None),
                )
            )
    return calls


def _arguments(text: object) -> Json:
    """The arguments as an object. Text that is not JSON stays in it, since the call must have a part."""
    value = _parse_json(text) if isinstance(text, str) else text
    if isinstance(value, dict):
        return value
    if value is None:
        return {"_raw": text} if isinstance(text, str) and text.strip() not in ("", "null") else {}
    return {"value": value}


def _assistant_parts(assistants: list[HistoryMessage]) -> Iterator[Json]:
    """Yield the texts of assistant messages. Thoughts are left out, since signatures replace them."""
    for one in assistants:
        yield from add_signatures(_parts(one) or _refusal(one.message), one.message)


def _refusal(message: Json) -> list[Json]:
    refusal = message.get("refusal")
    return [{"text": refusal}] if isinstance(refusal, str) and refusal else []


def _orphaned_result(one: HistoryMessage) -> list[Json]:
    """A result without its call, as text."""
    id_, parts = one.message.get("tool_call_id") or one.message.get("name"), _parts(one)
    return [{"text": f"[tool result {id_}]"}, *parts]


def _response(found: list[HistoryMessage], parts: list[Json]) -> Json:
    """The `response` of a result, an object. Gemini reads its `output` or `error`, else the whole object."""
    if not found:
        return {"error": "No result provided"}
    text = "".join(part["text"] for part in parts if "text" in part)
    if found[0].message.get("is_error") is True:
        return {"error": text}
    value = _parse_json(text) if text[:1] in ("{", "[") and '"$ref"' not in text else None
    if isinstance(value, dict):
        return value
    return {"output": text if value is None else value}


def _parse_json(text: str) -> Any:
    """The value of a JSON text; None if it is not JSON."""
    try:
        return _decode(text)
    except (ValueError, RecursionError):
        return None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


_decode = json.JSONDecoder(parse_constant=_refuse_constant).decode


def _parts(one: HistoryMessage) -> list[Json]:
    """The parts for one message's content, without empty texts and other providers' thoughts."""
    content = one.message.get("content")
    if isinstance(content, str):
        return [{"text": content}] if content else []
    parts: list[Json] = []
    for place, part in enumerate(content or ()):
        match part:
            case {"type": "text", "text": str(text)} | {"type": "refusal", "refusal": str(text)}:
                parts += [{"text": text}] if text else []
            case {"type": "thinking"}:
                pass
            case _:
                parts.append(media_part(part, f"{one.where}.content[{place}]"))
    return parts
