"""The banner of a local run, whose commands can be pasted."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from handler.access.keys import generate_key
from handler.local.banner import EMBEDDED_BUCKET, Run, banner, base_url
from handler.local.seeding import SeedResult
from handler.settings import Settings

Json = dict[str, Any]


def run_of(**fields: Any) -> Run:
    environment = {"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:4566", **fields.pop("environment", {})}
    seeded = SeedResult(rules=7, keys=1, new_key=generate_key())
    given: Json = {"embedded": True, "region": "us-east-1", "seeded": seeded}
    given |= {"available": frozenset({"local"})}
    return Run(
        **{
            "settings": Settings(environment=environment),
            "base_url": "http://127.0.0.1:1/v1",
            **given,
            **fields,
        }
    )


def test_the_banner_of_an_embedded_run_can_be_pasted() -> None:
    run = run_of()
    text = banner(run)
    assert f"Bearer {run.seeded.new_key}" in text
    assert "forgotten at exit" in text
    assert "http://127.0.0.1:1/console" in text
    assert (
        "aws dynamodb scan --table-name sluice-rules --endpoint-url http://127.0.0.1:4566 --region us-east-1"
        in text
    )
    assert "AWS_ACCESS_KEY_ID=local" in text
    assert "with the package openai" in text
    compile(text[text.index("from openai") :], "banner", "exec")


def test_the_banner_of_an_embedded_bucket_has_the_command_that_reads_it() -> None:
    environment = {"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:4566"}
    text = banner(run_of(settings=Settings(bucket=EMBEDDED_BUCKET, environment=environment)))
    assert "AWS_ENDPOINT_URL_S3=http://127.0.0.1:4566 SLUICE_BUCKET=sluice-content" in text
    assert "logs export" not in banner(run_of(settings=Settings(bucket="ours", environment=environment)))


def test_the_banner_of_a_given_dynamodb_says_that_nothing_was_deleted() -> None:
    text = banner(run_of(embedded=False, seeded=SeedResult(rules=2, keys=0)))
    assert "nothing deleted" in text
    assert "keys create" in text
    assert "$SLUICE_KEY" in text
    assert "AWS_ACCESS_KEY_ID" not in text
    compile(text[text.index("import os") :], "banner", "exec")


def test_the_banner_names_live_providers_and_no_credential() -> None:
    environment = {"GROQ_API_KEY": "gsk-canary"}
    text = banner(run_of(environment=environment, available=frozenset({"local", "ours", "groq"})))
    assert "local/echo, which echoes, and those of groq, ours\n" in text
    assert "canary" not in text


def test_the_banner_names_the_proxies_and_no_password() -> None:
    proxies = {"HTTPS_PROXY": "http://me:canary@proxy.corp:3128", "NO_PROXY": ".corp, 10.0.0.0/8"}
    text = banner(run_of(environment=proxies))
    assert "providers by https through proxy.corp:3128, except loopback, .corp, 10.0.0.0/8\n" in text
    assert "canary" not in text
    assert "proxy" not in banner(run_of())


@pytest.mark.parametrize(
    ("host", "url"),
    [
        pytest.param("127.0.0.1", "http://127.0.0.1:{}/v1", id="loopback"),
        pytest.param("0.0.0.0", "http://127.0.0.1:{}/v1", id="any address is called on loopback"),
        pytest.param("::1", "http://[::1]:{}/v1", id="an IPv6 address in brackets"),
    ],
)
def test_the_base_url_can_be_called(host: str, url: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        assert base_url(listener) == url.format(listener.getsockname()[1])
