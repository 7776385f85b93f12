"""The operations besides chat, by the path of their endpoint.

https://platform.openai.com/docs/api-reference, https://docs.cohere.com/reference/rerank
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rules import Frozen

if TYPE_CHECKING:
    from handler.wire.multipart import Form


class Operation(Frozen):
    """An endpoint of OpenAI's API, or one like it, which providers of that format have at the same path."""

    name: str  # as the fact `operation` has it
    path: str
    default_model: str | None = None  # where the API has one
    has_chat_parameters: bool = False  # a rule's `set`, `defaults` and `cap` apply


class OperationRequest(Frozen):
    """An operation, and what the client sent besides the JSON that is in `Chat`."""

    operation: Operation
    form: Form | None = None  # a multipart body; the body in `Chat` has its fields then


_ALL = (
    Operation(name="embeddings", path="/embeddings"),
    Operation(name="completion", path="/completions", has_chat_parameters=True),
    Operation(name="rerank", path="/rerank"),
    Operation(name="moderation", path="/moderations", default_model="omni-moderation-latest"),
    Operation(name="image", path="/images/generations"),
    Operation(name="image", path="/images/edits"),
    Operation(name="speech", path="/audio/speech"),
    Operation(name="transcription", path="/audio/transcriptions"),
    Operation(name="transcription", path="/audio/translations"),
)

_BY_PATH = {operation.path: operation for operation in _ALL}
BY_PATH: Mapping[str, Operation] = {**_BY_PATH, "/v2/rerank": _BY_PATH["/rerank"]}  # Cohere's own path
