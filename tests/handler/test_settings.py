"""Tests of handler/settings.py."""

from __future__ import annotations

import pytest

from handler.settings import InvalidSetting, Settings, read_settings


def test_without_variables_every_setting_has_its_default() -> None:
    assert read_settings({"SLUICE_RULES_TTL": " "}) == Settings(environment={"SLUICE_RULES_TTL": " "})


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        pytest.param("SLUICE_RULES_TTL", "0.5", "rules_ttl", 0.5, id="a number"),
        pytest.param("SLUICE_PROVIDERS", "ollama, bedrock", "providers", {"ollama", "bedrock"}, id="names"),
        pytest.param(
            "SLUICE_CORS_ORIGINS",
            "https://a https://b",
            "cors_origins",
            ("https://a", "https://b"),
            id="a list",
        ),
        pytest.param("SLUICE_PRIVATE_UPSTREAMS", "1", "private_upstreams", True, id="a switch"),
        pytest.param(
            "SLUICE_OTLP_ENDPOINT", "https://a.example/x", "otlp_endpoint", "https://a.example/x", id="https"
        ),
        pytest.param(
            "SLUICE_OTLP_ENDPOINT",
            "http://localhost:4318",
            "otlp_endpoint",
            "http://localhost:4318",
            id="http on this machine",
        ),
        pytest.param(
            "SLUICE_OTLP_HEADERS",
            "Authorization=Basic%20YTo9, x-team=a=b",
            "otlp_headers",
            (("authorization", "Basic YTo9"), ("x-team", "a=b")),
            id="headers",
        ),
        pytest.param("SLUICE_LOG_LEVEL", "debug", "log_level", "DEBUG", id="a word in lower case"),
    ],
)
def test_a_setting_is_read(name: str, text: str, field: str, value: object) -> None:
    assert getattr(read_settings({name: text}), field) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("SLUICE_MAX_BODY", "inf", id="infinity"),
        pytest.param("SLUICE_MAX_N", "nan", id="not a number"),
        pytest.param("SLUICE_RULES_TTL", "-1", id="below zero"),
        pytest.param("SLUICE_KEY_TTL", "soon", id="a word for a number"),
        pytest.param("SLUICE_DEFAULT_ACCESS", "maybe", id="not one of the choices"),
        pytest.param("SLUICE_PRIVATE_UPSTREAMS", "yes", id="another word for a switch"),
        pytest.param("SLUICE_OTLP_SAMPLE", "1.1", id="more than all"),
        pytest.param("SLUICE_OTLP_ENDPOINT", "http://collector.example", id="http to another machine"),
        pytest.param("SLUICE_OTLP_ENDPOINT", "https://user:canary@host", id="a user in an address"),
        pytest.param("SLUICE_OTLP_ENDPOINT", "https://[", id="no address"),
        pytest.param("SLUICE_OTLP_HEADERS", "canary", id="a header without a value"),
        pytest.param("SLUICE_OTLP_HEADERS", "a=b%0Ac", id="a header with a line end"),
        pytest.param("SLUICE_OTLP_HEADERS", "a=%E2%82%AC", id="a header that is not ASCII"),
    ],
)
def test_an_invalid_setting_is_named(name: str, text: str) -> None:
    with pytest.raises(InvalidSetting, match=name) as raised:
        read_settings({name: text})
    assert "canary" not in str(raised.value)


def test_the_environment_is_not_shown() -> None:
    assert "canary" not in repr(read_settings({"OPENAI_API_KEY": "canary"}))
