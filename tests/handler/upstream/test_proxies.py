"""Tests of handler/upstream/proxies.py, and of requests through a proxy."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from contextlib import aclosing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from handler.errors import UpstreamError
from handler.providers.provider import Provider
from handler.relay.attempts import Relay
from handler.settings import InvalidSetting, Settings, read_settings
from handler.upstream.client import Client
from handler.upstream.connection import Origin
from handler.upstream.pool import create_pool
from handler.upstream.proxies import read_proxies
from tests.fault_injection.provider import self_signed
from tests.support.misframing import MisframingProvider
from tests.support.plain_request import plain_request
from tests.support.proxy import ForwardProxy
from tests.support.running_relay import call

BOTH = {"HTTPS_PROXY": "http://tls.proxy:1", "HTTP_PROXY": "http://plain.proxy:2"}


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        pytest.param({}, "https://api.openai.com", None, id="no proxy"),
        pytest.param(BOTH, "https://api.openai.com", "tls.proxy:1", id="HTTPS_PROXY is for https"),
        pytest.param(BOTH, "http://llm.corp", "plain.proxy:2", id="HTTP_PROXY is for http"),
        pytest.param({"https_proxy": "http://a:3"}, "https://x.org", "a:3", id="a name in lower case"),
        pytest.param(
            {**BOTH, "https_proxy": "http://a:3"},
            "https://x.org",
            "a:3",
            id="a name in lower case takes precedence",
        ),
        pytest.param({"HTTPS_PROXY": "a:3"}, "https://x.org", "a:3", id="a proxy without a scheme"),
        pytest.param({"HTTPS_PROXY": "https://a"}, "https://x.org", "a:443", id="a proxy with TLS"),
        pytest.param({"HTTPS_PROXY": "http://[::1]:3"}, "https://x.org", "::1:3", id="a proxy on loopback"),
        pytest.param({"ALL_PROXY": "http://a:3"}, "https://x.org", None, id="ALL_PROXY is not read"),
        *[
            pytest.param(BOTH, url, None, id=f"never for loopback: {url}")
            for url in (
                *("http://127.0.0.1:8", "https://127.9.9.9", "http://[::1]:8"),
                *("http://localhost:8", "http://LOCALHOST.", "http://ollama.localhost"),
            )
        ],
        *[
            pytest.param({**BOTH, "NO_PROXY": given}, url, proxy, id=f"NO_PROXY {given}: {url}")
            for given, url, proxy in (
                ("*", "https://x.org", None),
                ("x.org", "https://x.org", None),
                ("x.org", "https://api.X.org", None),
                (".x.org", "https://api.x.org", None),
                ("*.x.org", "https://api.x.org", None),
                ("x.org", "https://ax.org", "tls.proxy:1"),
                ("a.b, x.org", "https://x.org", None),
                ("x.org:443", "https://x.org", None),
                ("x.org:8443", "https://x.org", "tls.proxy:1"),
                ("10.0.0.0/8", "http://10.1.2.3", None),
                ("10.0.0.0/8", "http://11.1.2.3", "plain.proxy:2"),
                ("10.1.2.3", "http://10.1.2.3", None),
                ("10.1.2.3:80", "http://10.1.2.3", None),
                ("10.1.2.3:81", "http://10.1.2.3", "plain.proxy:2"),
                ("fd00::/8", "http://[fd00::1]", None),
                ("fd00::1:80", "http://[fd00::1]", "plain.proxy:2"),
                ("[fd00::1]:80", "http://[fd00::1]", None),
                (",", "https://x.org", "tls.proxy:1"),
            )
        ],
    ],
)
def test_the_proxy_of_a_provider(environment: Mapping[str, str], url: str, proxy: str | None) -> None:
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    origin = Origin(tls, parts.hostname or "", parts.port or (443 if tls else 80))
    chosen = read_proxies(environment).for_origin(origin)
    assert (None if chosen is None else str(chosen)) == proxy


@pytest.mark.parametrize(
    "address", ["socks5://a:1", "http://", "http://a:port", "ftp://a", "http://me:secret/word@a", "http://[a"]
)
def test_an_invalid_proxy_stops_the_start(address: str) -> None:
    with pytest.raises(InvalidSetting, match="HTTPS_PROXY: ") as caught:
        create_pool(read_settings({"HTTPS_PROXY": address}))
    assert "secret" not in "".join(traceback.format_exception(caught.value)).replace(address, "")


def test_a_proxys_password_is_not_shown() -> None:
    assert "secret" not in repr(read_proxies({"HTTPS_PROXY": "http://me:secret@a:1"}))


@pytest.mark.parametrize(
    ("file", "message"),
    [
        pytest.param("/nowhere/ca.pem", "/nowhere/ca.pem cannot be read: No such file", id="a missing file"),
        pytest.param("/", "/ cannot be read: ", id="a folder"),
        pytest.param(__file__, "holds no certificates in PEM form", id="a file without certificates"),
    ],
)
@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "AWS_CA_BUNDLE"])
def test_unreadable_certificates_stop_the_start_with_one_line(name: str, file: str, message: str) -> None:
    with pytest.raises(InvalidSetting) as caught:
        create_pool(Settings(environment={name: file}), trust=name)
    assert str(caught.value).startswith(f"{name}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


async def send(environment: Mapping[str, str], url: str, *, public_only: bool = False) -> None:
    """Sends one request by the pool alone."""
    async with aclosing(create_pool(Settings(environment=environment))) as http:
        await http.send(plain_request(url, public_only=public_only))


async def relay_once(environment: Mapping[str, str], url: str, *, private_ok: bool = True) -> None:
    """Relays one call to a provider. Raises GatewayError."""
    async with aclosing(create_pool(Settings(environment=environment))) as http:
        relay = Relay(Client(http, private_ok=private_ok), credential=lambda _: None)
        rows = {"one": Provider(name="one", base_url=url)}
        answer = await relay.complete(call("one/a", retries=0).replaced(rows=rows))
        assert b"an answer to Hi" in answer.body


@pytest.mark.parametrize("user", ["", "me:a%20word@"], ids=["without a password", "with a password"])
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
async def test_a_call_goes_through_the_proxy(tls: bool, user: str, tmp_path: Path) -> None:
    pem = tmp_path / "ca.pem"
    context = self_signed(pem)
    password = "a word" if user else None
    async with (
        MisframingProvider(context if tls else None) as wild,
        ForwardProxy(wild.port, password=password) as proxy,
    ):
        environment = {
            "HTTP_PROXY": f"http://{user}{proxy.address}",
            "HTTPS_PROXY": f"http://{user}{proxy.address}",
            "SSL_CERT_FILE": str(pem),
        }
        url = f"http{'s' if tls else ''}://llm.corp.test/v1"
        await relay_once(environment, url, private_ok=not tls)
        line = "CONNECT llm.corp.test:443" if tls else "POST http://llm.corp.test/v1/chat/completions"
        assert proxy.lines == [f"{line} HTTP/1.1"]
        await relay_once(environment, wild.url)
        assert len(proxy.lines) == 1, "loopback has no proxy"


async def test_an_impossible_name_behind_a_proxy_is_of_class_network() -> None:
    async with MisframingProvider() as wild, ForwardProxy(wild.port) as proxy:
        with pytest.raises(UpstreamError) as caught:
            await send({"HTTPS_PROXY": proxy.address}, f"https://{'a' * 64}.test/v1")
    assert (caught.value.failure_class, caught.value.cause) == ("network", "dns")


@pytest.mark.parametrize("user", ["", "me:wrong@"])
async def test_a_refusal_of_the_proxy_is_of_class_network(user: str) -> None:
    async with ForwardProxy(1, password="a word") as proxy:
        with pytest.raises(UpstreamError) as caught:
            await send({"HTTPS_PROXY": f"http://{user}{proxy.address}"}, "https://llm.corp.test/v1")
    assert (caught.value.failure_class, caught.value.cause) == ("network", "proxy")
    assert caught.value.message.endswith("it answered 407.")


@pytest.mark.parametrize(
    "host", ["10.0.0.1", "[::1]", "169.254.169.254", "db.internal", "printer.local", "intra"]
)
async def test_a_private_host_behind_a_proxy_is_refused(host: str) -> None:
    async with ForwardProxy(1) as proxy:
        with pytest.raises(UpstreamError) as caught:
            await send({"HTTPS_PROXY": proxy.address}, f"https://{host}/v1", public_only=True)
        assert caught.value.failure_class == "permission"
        assert proxy.lines == []
