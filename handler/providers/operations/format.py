"""The interface of a provider's format for an operation besides chat, and which operations it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from handler.errors import Json
from handler.providers.provider import Endpoint, Provider
from rules import OPERATIONS, Model


class Part(NamedTuple):
    """One request to a provider. Some providers take a list of texts in several requests."""

    body: Json
    path: str = ""  # "": the operation's own


class Reply(NamedTuple):
    """The answer to one part."""

    body: Json
    headers: Mapping[str, str]


class Format(NamedTuple):
    """The format that a provider has for an operation, which is not OpenAI's.

    `request` returns the parts, and the fields that it leaves out. It raises Unsupported for what the format
    cannot carry. `answer` returns the answer in the operation's own format, with `usage` if it is reported.
    """

    request: Callable[[Json, Model], tuple[Sequence[Part], tuple[str, ...]]]
    answer: Callable[[Sequence[Reply], Json, Model], Json]


_ONLY_CHAT = {"chat": Endpoint()}
# Of a provider that does not list its operations, by dialect: the format of each.
_BY_DIALECT: Mapping[str, Mapping[str, Endpoint]] = {
    "openai": dict.fromkeys(OPERATIONS, Endpoint()),
    "google": {"chat": Endpoint(), "embeddings": Endpoint("google")},
    "bedrock": {"chat": Endpoint(), "embeddings": Endpoint("bedrock"), "rerank": Endpoint("bedrock")},
}


def endpoints_of(row: Provider) -> Mapping[str, Endpoint]:
    """Return where a provider serves each operation that it has."""
    return _BY_DIALECT.get(row.dialect, _ONLY_CHAT) if row.operations is None else row.operations


def missing_operations(row: Provider) -> frozenset[str]:
    """Return the operations that a provider does not have, as the rules name them (rules/admission.py)."""
    missing = frozenset(OPERATIONS) - endpoints_of(row).keys()
    return missing if row.prompts else missing | {"prompts"}
