"""Which provider has which operation, and in which format."""

from __future__ import annotations

import pytest

from handler.providers.operations.format import endpoints_of, missing_operations
from handler.providers.operations.formats import FORMATS
from handler.providers.provider import Provider
from handler.providers.rows.builtin import PROVIDERS
from rules import OPERATIONS, load_catalog


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_operations_and_formats_of_a_row_exist(name: str) -> None:
    for operation, endpoint in endpoints_of(PROVIDERS[name]).items():
        assert operation in OPERATIONS
        assert endpoint.format == "openai" or endpoint.format in FORMATS[operation]
        assert (PROVIDERS[name].base_url or "").endswith(endpoint.remove)


def test_every_model_of_the_catalogue_is_at_a_provider_that_has_its_operation() -> None:
    for model in load_catalog().all():
        missing = missing_operations(PROVIDERS[model.provider])
        assert model.operations.isdisjoint(missing), model.id


EVERYTHING = {*OPERATIONS, "prompts"}


@pytest.mark.parametrize(
    ("row", "missing"),
    [
        pytest.param(Provider(name="new"), {"prompts"}, id="a new host of OpenAI's format"),
        pytest.param(Provider(name="new", dialect="anthropic"), EVERYTHING - {"chat"}, id="Anthropic's"),
        pytest.param(PROVIDERS["vllm"], set(), id="one that takes prompts for chat models"),
        pytest.param(PROVIDERS["voyage"], EVERYTHING - {"embeddings", "rerank"}, id="no chat"),
    ],
)
def test_what_a_provider_does_not_have(row: Provider, missing: set[str]) -> None:
    assert missing_operations(row) == missing
