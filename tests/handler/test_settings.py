"""Settings: each read from its variable, an unreadable one named."""

from __future__ import annotations

import pytest

from handler.settings import InvalidSetting, Settings, settings_from


def test_nothing_set_is_the_default() -> None:
    assert settings_from({"SLUICE_RULES_TTL": " "}) == Settings(environment={"SLUICE_RULES_TTL": " "})


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
        pytest.param("SLUICE_LOG_LEVEL", "debug", "log_level", "DEBUG", id="a word in small letters"),
    ],
)
def test_a_setting_is_read(name: str, text: str, field: str, value: object) -> None:
    assert getattr(settings_from({name: text}), field) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("SLUICE_MAX_BODY", "inf", id="no end"),
        pytest.param("SLUICE_MAX_N", "nan", id="no number"),
        pytest.param("SLUICE_RULES_TTL", "-1", id="before zero"),
        pytest.param("SLUICE_KEY_TTL", "soon", id="a word for a number"),
        pytest.param("SLUICE_DEFAULT_ACCESS", "maybe", id="none of the choices"),
        pytest.param("SLUICE_PRIVATE_UPSTREAMS", "yes", id="a switch spelt otherwise"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named(name: str, text: str) -> None:
    with pytest.raises(InvalidSetting, match=name):
        settings_from({name: text})


def test_the_environment_is_not_shown() -> None:
    assert "canary" not in repr(settings_from({"OPENAI_API_KEY": "canary"}))
