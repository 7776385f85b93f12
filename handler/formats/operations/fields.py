"""Tables of the fields of each operation. Unknown fields are accepted; docs/api.md lists the checked ones.

https://platform.openai.com/docs/api-reference, https://docs.cohere.com/reference/rerank
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handler.formats.chat.fields import OWN_FIELDS, model
from handler.formats.validators import (
    Check,
    InvalidValue,
    an_object,
    boolean,
    by_type,
    choice,
    integer,
    list_of,
    shape,
    text,
    unexpected,
)

MAX_INPUTS = 2048  # of embeddings, https://platform.openai.com/docs/api-reference/embeddings/create
MAX_DOCUMENTS = 10_000  # of a rerank, https://docs.cohere.com/reference/rerank

# The fields that Sluice reads in every request.
_COMMON: dict[str, Check] = {
    **OWN_FIELDS,
    "model": model,
    "max_tokens": integer(0),
    "max_completion_tokens": integer(0),
    "metadata": an_object,
    "n": integer(1),
    "store": boolean,
    "stream": boolean,
    "stream_options": an_object,
    "user": text,
}
_token = integer(0, 2**31)


def _input(value: Any) -> None:
    """One item of a list of inputs: a text, the ids of its tokens, or what a provider has besides."""
    match value:
        case str() | dict():
            pass
        case list():
            list_of(_token, least=1)(value)
        case _:
            raise unexpected("text or a list of token ids", value)


def _inputs(value: Any) -> None:
    if value and type(value[0]) is int:
        list_of(_token)(value)
    else:
        list_of(_input, least=1, most=MAX_INPUTS)(value)


def _not_empty(value: Any) -> None:
    if not value:
        raise InvalidValue("expected text that is not empty")


def _document(value: Any) -> None:
    if not isinstance(value, str | dict):
        raise unexpected("text or an object", value)


_prompt = by_type(text=lambda _: None, list=_inputs)

# By operation. A form of files has the same fields.
FIELDS: Mapping[str, Check] = {
    "embeddings": shape(
        {
            **_COMMON,
            "input": by_type(text=_not_empty, list=_inputs),
            "encoding_format": choice("float", "base64"),
            "dimensions": integer(1),
        },
        ["input"],
    ),
    "completion": shape({**_COMMON, "prompt": _prompt, "suffix": text}, ["prompt"]),
    "rerank": shape(
        {
            **_COMMON,
            "query": by_type(text=_not_empty, object=lambda _: None),
            "documents": list_of(_document, least=1, most=MAX_DOCUMENTS),
            "top_n": integer(1),
            "return_documents": boolean,
        },
        ["query", "documents"],
    ),
    "moderation": shape(
        {**_COMMON, "input": by_type(text=lambda _: None, list=list_of(_document))}, ["input"]
    ),
    "image": shape({**_COMMON, "prompt": text}, ["prompt"]),
    "speech": shape({**_COMMON, "input": text, "instructions": text}, ["input"]),
    "transcription": shape({**_COMMON, "prompt": text}),
}
