"""The URL of a request, by the row's address and the model's surface."""

from __future__ import annotations

import pytest

from handler.errors import Json
from handler.providers.addressing import apply_surface, request_url, unsupported_features
from handler.providers.operations.format import missing_operations
from handler.providers.provider import Provider
from handler.providers.registry import TRANSLATORS, provider_rows
from handler.providers.rows.builtin import PROVIDERS
from rules import Model, load_catalog, read_record
from rules.catalog.catalog import unlisted_model

RESOURCE = "https://name.openai.azure.com"


def recorded(provider: str, base_url: str) -> Provider:
    return provider_rows([read_record({"kind": "provider", "id": provider, "base_url": base_url})])[provider]


def url(row: Provider, model: Model) -> str:
    row = apply_surface(row, model)
    return request_url(row, model, TRANSLATORS[row.dialect].path(model, stream=True))


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        pytest.param(RESOURCE, f"{RESOURCE}/openai/v1/chat/completions", id="the resource alone"),
        pytest.param(
            f"{RESOURCE}/", f"{RESOURCE}/openai/v1/chat/completions", id="the resource with a slash"
        ),
        pytest.param(
            f"{RESOURCE}/openai/v1", f"{RESOURCE}/openai/v1/chat/completions", id="the resource with its path"
        ),
        pytest.param(
            f"{RESOURCE}/openai/v1/",
            f"{RESOURCE}/openai/v1/chat/completions",
            id="the resource with its path and a slash",
        ),
        pytest.param(
            f"{RESOURCE}?api-version=2024-10-21",
            f"{RESOURCE}/openai/deployments/team%20chat/chat/completions?api-version=2024-10-21",
            id="an api-version, with the deployment in the path",
        ),
        pytest.param(
            f"{RESOURCE}/openai/v1?api-version=preview",
            f"{RESOURCE}/openai/v1/chat/completions?api-version=preview",
            id="an api-version after a path",
        ),
    ],
)
def test_the_urls_of_azure(base_url: str, expected: str) -> None:
    assert url(recorded("azure", base_url), unlisted_model("azure", "team chat")) == expected


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        pytest.param(RESOURCE, f"{RESOURCE}/openai/v1/responses", id="the resource alone"),
        pytest.param(
            f"{RESOURCE}?api-version=2025-04-01-preview",
            f"{RESOURCE}/openai/responses?api-version=2025-04-01-preview",
            id="an api-version",
        ),
    ],
)
def test_the_urls_of_models_that_azure_serves_by_responses(base_url: str, expected: str) -> None:
    model = load_catalog().pin("azure", "gpt-5-pro")
    assert model is not None
    assert url(recorded("azure", base_url), model) == expected


TOOLS = {"tools": [{"type": "function", "function": {"name": "look"}}]}


@pytest.mark.parametrize(
    ("name", "chat", "dialect"),
    [
        pytest.param("openai/gpt-5-pro", {}, "responses", id="a model without Chat Completions"),
        pytest.param("openai/gpt-9-codex", {}, "responses", id="an unlisted model of such a family"),
        pytest.param("openai/gpt-5.2", {**TOOLS, "reasoning_effort": "low"}, "openai", id="another model"),
        pytest.param("openrouter/openai/gpt-5-pro", {}, "openai", id="a host without the surface"),
        pytest.param(
            "openai/gpt-5.6",
            {**TOOLS, "reasoning_effort": "low"},
            "responses",
            id="tools and an effort, which Chat Completions refuses",
        ),
        pytest.param("openai/gpt-5.6", TOOLS, "openai", id="tools without an effort"),
        pytest.param("openai/gpt-5.6", {**TOOLS, "reasoning_effort": "none"}, "openai", id="the effort none"),
        pytest.param("openai/gpt-5.6", {"reasoning_effort": "high"}, "openai", id="an effort without tools"),
        pytest.param(
            "openai/gpt-5.6",
            {"functions": [{"name": "look"}], "reasoning_effort": "max"},
            "responses",
            id="functions and an effort",
        ),
    ],
)
def test_the_surface_depends_on_the_model_and_the_request(name: str, chat: Json, dialect: str) -> None:
    provider, name = name.split("/", 1)
    catalog = load_catalog()
    model = catalog.pin(provider, name) or catalog.unlisted(provider, name)
    assert apply_surface(PROVIDERS[provider], model, chat).dialect == dialect


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        pytest.param("amazon.nova-lite-v1:0", "/model/amazon.nova-lite-v1%3A0/converse-stream", id="Nova"),
        pytest.param(
            "us.anthropic.claude-sonnet-4-6",
            "/model/us.anthropic.claude-sonnet-4-6/converse-stream",
            id="Claude",
        ),
        pytest.param("global.anthropic.claude-haiku-5-5", "/anthropic/v1/messages", id="a newer Claude"),
        pytest.param("openai.gpt-oss-120b-1:0", "/openai/v1/chat/completions", id="gpt-oss"),
        pytest.param("global.xai.grok-4.7", "/openai/v1/chat/completions", id="Grok"),
        pytest.param("new.model-v1:0", "/model/new.model-v1%3A0/converse-stream", id="an unknown model"),
    ],
)
@pytest.mark.parametrize(
    "base_url", ["https://bedrock-runtime.us-east-1.amazonaws.com", "https://b.example/x/"]
)
def test_the_urls_of_bedrock(base_url: str, model: str, expected: str) -> None:
    known = load_catalog().pin("bedrock", model) or unlisted_model("bedrock", model)
    assert url(recorded("bedrock", base_url), known) == base_url.rstrip("/") + expected


def test_a_record_of_another_dialect_has_no_surfaces() -> None:
    record = read_record(
        {"kind": "provider", "id": "bedrock", "dialect": "openai", "base_url": "https://b.example/v1"}
    )
    known = load_catalog().pin("bedrock", "global.anthropic.claude-haiku-5-5")
    assert known is not None
    assert url(provider_rows([record])["bedrock"], known) == "https://b.example/v1/chat/completions"


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_other_rows_keep_their_address(name: str) -> None:
    row = PROVIDERS[name]
    if row.base_url and name != "bedrock":
        assert apply_surface(row, unlisted_model(name, "m")) is row
        assert request_url(row, unlisted_model(name, "m"), "/p?alt=sse") == f"{row.base_url}/p?alt=sse"


def test_every_surface_of_the_catalogue_exists() -> None:
    for model in load_catalog().all():
        for rule in model.rules:
            word, _, surface = rule.partition(":")
            if word == "surface":
                known = PROVIDERS[model.provider].surfaces
                assert surface in known or (surface == "responses" and not known), model.id


def test_each_surface_has_its_own_unsupported_features() -> None:
    features = unsupported_features(PROVIDERS.values())
    assert "custom_tools" not in features["bedrock"]
    assert "custom_tools" not in features["bedrock surface:anthropic"]
    assert "custom_tools" in features["bedrock surface:openai"]
    for name, row in PROVIDERS.items():
        assert features[name] == row.quirks.unsupported_features | missing_operations(row)
    assert all({"n", "urls"} <= features[wire] for wire in features if wire.startswith("bedrock"))
