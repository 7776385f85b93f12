"""A chat's messages as Gemini's `contents` and `systemInstruction`.

Roles are user and model, one content each in turn. The results of a turn's calls follow it at once, all of
them, in the order of the calls and apart from other text. https://ai.google.dev/api/caching#Content
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from handler.errors import UpstreamError
from handler.providers.data_urls import Media, media_of, type_of_name
from handler.providers.google.signatures import base64_text, signature_of, signed
from handler.providers.quirks.needs import UNSIGNED
from handler.providers.translator import Json
from handler.providers.unsupported import unsupported

PACKED = "__thought__"  # where some gateways carry a signature: in the id of the call
_SYSTEM = ("system", "developer")
_BLANK: Json = {"text": " "}  # Gemini wants a text where a client has none
_ESCAPE = "_:"
_VIDEOS = ("www.youtube.com", "youtube.com", "youtu.be")


class Placed(NamedTuple):
    """A message and where it stands, for `param`."""

    message: Json
    where: str


class Call(NamedTuple):
    """A tool call of the history."""

    key: str  # its id, as its result has it
    id: str  # the same for Gemini: once in a turn
    name: str
    arguments: Json
    signature: str | None


def spelled(name: str) -> str:
    """A function's name as Gemini takes it: it begins with a letter or `_`."""
    safe = re.sub(r"[^A-Za-z0-9_.:-]", "_", name)
    return _ESCAPE + safe if not re.match("[A-Za-z_]", safe) or safe.startswith(_ESCAPE) else safe


def unspelled(name: str) -> str:
    return name.removeprefix(_ESCAPE)


def conversation(messages: Sequence[Json], words: Mapping[str, str], *, ids: bool = True) -> Json:
    """`contents`, and `systemInstruction` where something was said at the beginning.

    `words`: what the model's family asks for. `ids`: whether calls have them.
    """
    placed = [Placed(message, f"messages[{place}]") for place, message in enumerate(messages)]
    begin = next((at for at, one in enumerate(placed) if one.message["role"] not in _SYSTEM), len(placed))
    system = [part for one in placed[:begin] for part in _parts(one)]
    opening: list[Json] = []
    if "no_system" in words:
        system, opening = [], system
    elif begin == len(placed):  # it wants to be asked something: the last of them
        system, opening = system[:-1], system[-1:]
    writer = _Writer(words, ids=ids)
    writer.add("user", opening)
    for assistants, others in _rounds(placed[begin:]):
        writer.round(assistants, others)
    if not writer.contents or writer.contents[0]["role"] == "model":
        writer.contents.insert(0, {"role": "user", "parts": [_BLANK]})
    return {**({"systemInstruction": {"parts": system}} if system else {}), "contents": writer.contents}


def _rounds(placed: Sequence[Placed]) -> Iterator[tuple[list[Placed], list[Placed]]]:
    """What the assistant said in one go, and what came after it until it spoke again."""
    assistants: list[Placed] = []
    others: list[Placed] = []
    for one in placed:
        if one.message["role"] != "assistant":
            others.append(one)
            continue
        if others:
            yield assistants, others
            assistants, others = [], []
        assistants.append(one)
    yield assistants, others


class _Writer:
    """The contents so far."""

    def __init__(self, words: Mapping[str, str], *, ids: bool) -> None:
        self.contents: list[Json] = []
        self._words = words
        self._ids = ids

    def add(self, role: str, parts: list[Json]) -> None:
        """At the end of the last content if that is the same one's; results of calls stay by themselves."""
        last = self.contents[-1] if self.contents else None
        if not parts:
            return
        if last and last["role"] == role and "functionResponse" not in last["parts"][0]:
            last["parts"] += parts
        else:
            self.contents.append({"role": role, "parts": list(parts)})

    def round(self, assistants: list[Placed], others: list[Placed]) -> None:
        calls = _calls(assistants)
        self.add("model", [*_said(assistants), *self._called(calls)])
        results: dict[str | None, list[Placed]] = {call.key: [] for call in calls}
        rest: list[Placed] = []
        for one in others:
            mine = results.get(one.message.get("tool_call_id"), rest) if _is_result(one) else rest
            mine.append(one)
        seen: list[Json] = []
        if calls:
            self.contents.append({"role": "user", "parts": self._answered(calls, results, seen)})
            self.add("user", seen)
        for one in rest:
            self.add("user", _orphan(one) if _is_result(one) else _parts(one) or [_BLANK])

    def _called(self, calls: list[Call]) -> Iterator[Json]:
        for place, call in enumerate(calls):
            made = {"name": call.name, "args": call.arguments}
            part: Json = {"functionCall": {"id": call.id, **made} if self._ids and call.id else made}
            unsigned = UNSIGNED if place == 0 and "no_signature" not in self._words else None
            if signature := call.signature or unsigned:
                part["thoughtSignature"] = signature
            yield part

    def _answered(
        self, calls: list[Call], results: Mapping[str | None, list[Placed]], seen: list[Json]
    ) -> list[Json]:
        """One part for each call. What a result holds beside text goes with it, or to what is `seen` next."""
        parts = []
        shared, earlier = Counter(call.key for call in calls), Counter[str]()
        for call in calls:
            mine, at = results[call.key], earlier[call.key]
            earlier[call.key] += 1
            found = mine[at : at + 1] if shared[call.key] > 1 else mine[-1:]
            response: Json = {"name": call.name, "response": _response(found)}
            media = [part for one in found for part in _parts(one) if "text" not in part]
            if media and "no_tool_media" in self._words:
                seen += media
            elif media:
                response["parts"] = media
            known = {"id": call.id} if self._ids and call.id else {}
            parts.append({"functionResponse": {**known, **response}})
        return parts


def _is_result(one: Placed) -> bool:
    return one.message["role"] in ("tool", "function")


def _calls(assistants: list[Placed]) -> list[Call]:
    calls: list[Call] = []
    known = Counter[str]()
    for message, where in assistants:
        for place, call in enumerate(message.get("tool_calls") or ()):
            function = call.get("function")
            if not isinstance(function, dict):
                raise unsupported(f"{where}.tool_calls[{place}]", "this model knows only function calls")
            key = call.get("id") or ""
            id_, _, packed = key.partition(PACKED)
            again = known[key]
            known[key] += 1
            calls.append(
                Call(
                    key=key,
                    id=f"{id_}-{again}" if again else id_,
                    name=spelled(function.get("name") or ""),
                    arguments=_arguments(function.get("arguments")),
                    signature=signature_of(call) or base64_text(packed),
                )
            )
    return calls


def _arguments(text: object) -> Json:
    """An object, whatever a model or a client made of it: its result must not be left without a call."""
    value = _read(text) if isinstance(text, str) else text
    if isinstance(value, dict):
        return value
    if value is None:
        return {"_raw": text} if isinstance(text, str) and text.strip() not in ("", "null") else {}
    return {"value": value}


def _said(assistants: list[Placed]) -> Iterator[Json]:
    """The parts of what the assistant said. Its thoughts are not repeated: signatures stand for them."""
    for one in assistants:
        yield from signed(_parts(one) or _refused(one.message), one.message)


def _refused(message: Json) -> list[Json]:
    refusal = message.get("refusal")
    return [{"text": refusal}] if isinstance(refusal, str) and refusal else []


def _orphan(one: Placed) -> list[Json]:
    """The result of a call that nobody made."""
    id_, parts = one.message.get("tool_call_id") or one.message.get("name"), _parts(one)
    return [{"text": f"[tool result {id_}]"}, *parts]


def _response(found: list[Placed]) -> Json:
    """An object. Gemini reads `output` and `error` of one, else all of it."""
    if not found:
        return {"error": "No result provided"}
    text = "".join(part["text"] for part in _parts(found[0]) if "text" in part)
    value = _read(text) if text[:1] in ("{", "[") and '"$ref"' not in text else None
    if isinstance(value, dict):
        return value
    return {"output": text if value is None else value}


def _read(text: str) -> Any:
    """The JSON in a text; None if it is none, or one that others cannot read."""
    try:
        return json.loads(text, parse_constant=_none)
    except (ValueError, RecursionError):
        return None


def _none(word: str) -> Any:
    raise ValueError(word)


def _parts(one: Placed) -> list[Json]:
    """The parts of one message; empty texts are none."""
    content = one.message.get("content")
    if isinstance(content, str):
        return [{"text": content}] if content else []
    parts = (_part(part, f"{one.where}.content[{place}]") for place, part in enumerate(content or ()))
    return [part for part in parts if part is not None]


def _part(part: Json, where: str) -> Json | None:
    match part:
        case {"type": "text", "text": str(text)} | {"type": "refusal", "refusal": str(text)}:
            return {"text": text} if text else None
        case {"type": "thinking"}:  # another provider's
            return None
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            return _located(url, f"{where}.image_url.url", otherwise="image/jpeg")
        case {"type": "video_url", "video_url": {"url": str(url)}}:
            return _located(url, f"{where}.video_url.url", otherwise="video/mp4")
        case {"type": "input_audio", "input_audio": {"data": str(data), "format": str(kind)}}:
            return _inline(
                f"data:{_audio(kind)};base64,{data.rpartition(',')[2]}", f"{where}.input_audio.data"
            )
        case {"type": "file", "file": dict(file)}:
            return _file(file, f"{where}.file")
    raise unsupported(f"{where}.type", "this model does not take such a part")


def _audio(kind: str) -> str:
    return type_of_name(f".{kind}") or f"audio/{kind}"


def _file(file: Json, where: str) -> Json:
    """Its bytes, or where Google has it. An id is known to the provider that gave it, and to no other."""
    data, name, id_ = file.get("file_data"), file.get("filename") or "", file.get("file_id")
    if isinstance(data, str):
        if _scheme(data) in ("data", "https", "gs"):
            return _located(data, f"{where}.file_data", otherwise=type_of_name(name) or "application/pdf")
        kind = type_of_name(name) or "application/pdf"
        return _inline(f"data:{kind};base64,{data}", f"{where}.file_data")
    if isinstance(id_, str) and _scheme(id_) in ("https", "gs"):
        return _located(id_, f"{where}.file_id", otherwise=type_of_name(name) or "application/pdf")
    raise unsupported(
        f"{where}.file_id", "only files that come with the request, or by an address of Google's"
    )


def _located(url: str, where: str, *, otherwise: str) -> Json:
    """Bytes of a `data:` URL. Another address goes on for Google to fetch, which takes https and gs."""
    scheme = _scheme(url)
    if scheme == "data":
        return _inline(url, where, otherwise=otherwise)
    if scheme not in ("https", "gs"):
        raise unsupported(where, "the provider fetches only https: and gs: addresses, and Sluice none")
    file: Json = {"fileUri": url}
    if urlsplit(url).hostname not in _VIDEOS:
        file = {"mimeType": type_of_name(url) or otherwise, **file}
    return {"fileData": file}


def _scheme(url: str) -> str:
    return url[:16].partition(":")[0].strip().lower()


def _inline(url: str, where: str, *, otherwise: str = "application/octet-stream") -> Json:
    try:
        media: Media = media_of(url.strip(), otherwise=otherwise)
    except ValueError as error:
        raise UpstreamError(
            f"{where}: {error}",
            failure_class="invalid_request",
            status=400,
            type="invalid_request_error",
            code="invalid_value",
            param=where,
        ) from None
    return {"inlineData": {"mimeType": media.type, "data": media.data}}
