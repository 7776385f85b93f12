"""Parts of a chat's answer as Responses has them: citations, probabilities, images, details of reasoning."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from handler.errors import Json

_CITATIONS: dict[str, Json] = {  # the members that OpenAI's clients require, with their defaults
    "url_citation": {"start_index": 0, "end_index": 0, "title": "", "url": ""},
    "file_citation": {"file_id": "", "filename": "", "index": 0},
    "container_file_citation": {
        "container_id": "",
        "file_id": "",
        "filename": "",
        "start_index": 0,
        "end_index": 0,
    },
    "file_path": {"file_id": "", "index": 0},
}
_DATA_URL = re.compile(r"data:image/([A-Za-z0-9.+-]{1,20});base64,")
_GROWING = ("text", "summary", "data")  # members of a detail that come in pieces


def citations(annotations: Any) -> Iterator[Json]:
    """Yield the annotations of a chat message as Responses has them; other kinds are left out."""
    for given in annotations if isinstance(annotations, list) else ():
        kind = given.get("type") if isinstance(given, dict) else None
        if isinstance(kind, str) and (defaults := _CITATIONS.get(kind)):
            members = given[kind] if isinstance(given.get(kind), dict) else given
            found = {
                name: value for name, value in members.items() if type(value) is type(defaults.get(name))
            }
            yield {"type": kind, **defaults, **found}


def token_logprobs(logprobs: Any) -> list[Json]:
    """Return the probabilities of a choice's tokens with all members that clients require."""
    tokens = logprobs.get("content") if isinstance(logprobs, dict) else None
    return [
        {**_token(token), "top_logprobs": [_token(one) for one in token.get("top_logprobs") or ()]}
        for token in tokens or ()
    ]


def _token(token: Json) -> Json:
    return {name: token.get(name) for name in ("token", "logprob")} | {"bytes": token.get("bytes") or []}


def generated_image(image: Any) -> Json | None:
    """Return the members of an image_generation_call for an image of an answer; None for a URL."""
    match image:
        case {"image_url": {"url": str(url)}} if found := _DATA_URL.match(url):
            return {"result": url[found.end() :], "output_format": found[1]}
    return None


class ReasoningDetails:
    """Joins the pieces of `reasoning_details`: those with the same index and type belong together."""

    def __init__(self) -> None:
        self._found: dict[Any, Json] = {}
        self._pieces: dict[Any, dict[str, list[str]]] = {}

    def add(self, details: Any) -> None:
        for detail in details if isinstance(details, list) else ():
            if isinstance(detail, dict):
                self._add(detail)

    def _add(self, detail: Json) -> None:
        index = detail.get("index")
        key = (index, str(detail.get("type"))) if type(index) is int else len(self._found)
        new = {name: value for name, value in detail.items() if value is not None}
        pieces = self._pieces.setdefault(key, {})
        for name in _GROWING:
            if isinstance(text := new.get(name), str):
                pieces.setdefault(name, []).append(text)
        self._found[key] = {**self._found.get(key, {}), **new}

    def take(self) -> list[Json]:
        """Return the details since the last call."""
        joined = [
            {**detail, **{name: "".join(texts) for name, texts in self._pieces[key].items()}}
            for key, detail in self._found.items()
        ]
        self._found, self._pieces = {}, {}
        return joined

    def __bool__(self) -> bool:
        return bool(self._found)
