"""A built-in credential is only sent to the hosts of its row."""

from __future__ import annotations

import pytest

from handler.providers.credential_hosts import credential_allowed, may_be_sent
from handler.providers.provider import Provider
from handler.providers.rows.builtin import PROVIDERS


@pytest.mark.parametrize("row", [row for row in PROVIDERS.values() if row.base_url], ids=lambda row: row.name)
def test_a_built_in_row_may_use_its_own_credential(row: Provider) -> None:
    assert credential_allowed(row)


@pytest.mark.parametrize(
    ("base_url", "credential", "allowed"),
    [
        pytest.param("https://api.openai.com/v1", "OPENAI_API_KEY", True, id="the row's own host"),
        pytest.param("https://eu.api.openai.com/v1", "OPENAI_API_KEY", True, id="another of the row's hosts"),
        pytest.param("https://api.openai.com:443/v1", "OPENAI_API_KEY", True, id="the default port"),
        pytest.param("https://API.OpenAI.com/v1", "OPENAI_API_KEY", True, id="the host in capitals"),
        pytest.param(
            "https://x.openai.azure.com/openai/v1", "AZURE_OPENAI_API_KEY", True, id="a customer's host"
        ),
        pytest.param(
            "https://evil.example/v1", "ACME_API_KEY", True, id="a credential that no built-in row uses"
        ),
        pytest.param("https://evil.example/v1", None, True, id="no credential"),
        pytest.param("https://evil.example/v1", "OPENAI_API_KEY", False, id="another host"),
        pytest.param(
            "https://api.openai.com.evil.example/v1",
            "OPENAI_API_KEY",
            False,
            id="a host with the same beginning",
        ),
        pytest.param("https://evilapi.openai.com/v1", "OPENAI_API_KEY", False, id="a host with the same end"),
        pytest.param(
            "https://api.openai.com@evil.example/v1", "OPENAI_API_KEY", False, id="the host as the user name"
        ),
        pytest.param(
            "https://evil.example/https://api.openai.com", "OPENAI_API_KEY", False, id="the host in the path"
        ),
        pytest.param("http://api.openai.com/v1", "OPENAI_API_KEY", False, id="plain http"),
        pytest.param("https://api.openai.com:8443/v1", "OPENAI_API_KEY", False, id="another port"),
        pytest.param("https://api.openai.com:x/v1", "OPENAI_API_KEY", False, id="an invalid port"),
        pytest.param("https://api.openai.com./v1", "OPENAI_API_KEY", False, id="a host with a trailing dot"),
        pytest.param("https://api.mistral.ai/v1", "OPENAI_API_KEY", False, id="another provider's host"),
        pytest.param(
            "https://openai.azure.com/v1",
            "AZURE_OPENAI_API_KEY",
            False,
            id="a parent of the customers' hosts",
        ),
        pytest.param("https://[::1/v1", "OPENAI_API_KEY", False, id="an invalid URL"),
        pytest.param(None, "OPENAI_API_KEY", False, id="no base_url"),
    ],
)
def test_a_credential_is_only_allowed_at_its_own_hosts(
    base_url: str | None, credential: str | None, allowed: bool
) -> None:
    row = Provider(name="acme", base_url=base_url, credential=credential)
    assert credential_allowed(row) is allowed


@pytest.mark.parametrize(
    ("credential", "url", "allowed"),
    [
        ("TOOLS_TOKEN", "https://tools.example/mcp", True),
        ("OPENAI_API_KEY", "https://tools.example/mcp", False),
        ("OPENAI_API_KEY", "https://api.openai.com/v1/mcp", True),
        ("OPENAI_API_KEY", "http://api.openai.com/v1/mcp", False),
        ("AWS_BEARER_TOKEN_BEDROCK", "https://tools.example/mcp", False),
    ],
)
def test_a_tool_server_gets_no_credential_of_a_provider(credential: str, url: str, allowed: bool) -> None:
    assert may_be_sent(credential, url) is allowed
