"""The formats of each operation by their names, as a provider's row has them (`Endpoint.format`)."""

from __future__ import annotations

from collections.abc import Mapping

from handler.providers.operations import embeddings, rerank
from handler.providers.operations.format import Format

# An operation and a format that are not here have OpenAI's format, or that of Cohere for a rerank.
FORMATS: Mapping[str, Mapping[str, Format]] = {"embeddings": embeddings.FORMATS, "rerank": rerank.FORMATS}
