"""Tests of handler/upstream/signing.py."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import re
from typing import Any

import pytest
from botocore.credentials import Credentials, RefreshableCredentials
from botocore.exceptions import CredentialRetrievalError

from handler.aws.credentials import AwsCredentials, find_credentials
from handler.errors import UpstreamError
from handler.upstream.request import UpstreamRequest
from handler.upstream.signing import Signer
from tests.support.signatures import signature_of

URL = "https://bedrock-runtime.eu-west-1.amazonaws.com/model/amazon.nova-lite-v1%3A0/converse"
OURS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "canary-token")


def request(url: str = URL, body: bytes = b'{"messages": []}', *more: tuple[bytes, bytes]) -> UpstreamRequest:
    headers = [(b"content-type", b"application/json"), (b"accept", b"application/json"), *more]
    return UpstreamRequest(url=url, headers=headers, body=body, dropped=(), secrets=())


async def sign(unsigned: UpstreamRequest, credentials: Any = OURS) -> dict[str, str]:
    sent = await Signer(AwsCredentials({}, lambda: credentials)).sign(unsigned)
    return {name.decode(): value.decode() for name, value in sent.headers}


async def test_parts_of_the_signature_are_removed_from_an_error() -> None:
    ours = Credentials("AKIAIOSFODNN7EXAMPLE", OURS.secret_key, OURS.token)
    sent = await Signer(AwsCredentials({}, lambda: ours)).sign(request())
    signature = dict(sent.headers)[b"authorization"].decode()[-64:]
    error = UpstreamError(
        f"Not {ours.access_key}, {ours.secret_key}, {ours.token} or {signature}.", failure_class="auth"
    )
    sent.redact_credential(error)
    assert error.message == "Not [redacted], [redacted], [redacted] or [redacted]."


async def test_the_signature_is_valid() -> None:
    headers = await sign(request())
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert (
        "/eu-west-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date"
        in headers["authorization"]
    )
    assert headers["x-amz-security-token"] == "canary-token"
    assert headers["accept"] == "application/json"
    assert signature_of(URL, headers, b'{"messages": []}', OURS.secret_key) == signature_in(headers)


def signature_in(headers: dict[str, str]) -> str:
    match = re.search(r"Signature=([0-9a-f]{64})$", headers["authorization"])
    assert match
    return match[1]


def test_the_derivation_of_the_key_is_the_published_one() -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html gives this key."""
    key = b"AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    for part in ("20150830", "us-east-1", "iam", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    assert key.hex() == "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"


@pytest.mark.parametrize(
    ("url", "body", "header"),
    [
        pytest.param(URL, b'{"messages": [ ]}', {}, id="the body"),
        pytest.param(URL + "-stream", b'{"messages": []}', {}, id="the path"),
        pytest.param(URL, b'{"messages": []}', {"content-type": "text/plain"}, id="the type of the body"),
        pytest.param(URL, b'{"messages": []}', {"x-amz-security-token": "other"}, id="the token"),
        pytest.param(URL.replace("eu-west-1", "us-east-1"), b'{"messages": []}', {}, id="the host"),
    ],
)
async def test_the_signature_covers(url: str, body: bytes, header: dict[str, str]) -> None:
    headers = await sign(request())
    assert signature_of(url, {**headers, **header}, body, OURS.secret_key) != signature_in(headers)


async def test_an_encoded_path_is_encoded_again_to_be_signed() -> None:
    """Otherwise AWS answers 403 SignatureDoesNotMatch."""
    url = URL.replace("amazon.nova-lite-v1%3A0", "arn%3Aaws%3Abedrock%3A%2Fx")
    headers = await sign(request(url))
    assert signature_of(url, headers, b'{"messages": []}', OURS.secret_key) == signature_in(headers)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://evil.example/model/x/converse", id="another host"),
        pytest.param(
            "https://bedrock-runtime.eu-west-1.amazonaws.com.evil/x", id="a host with the same beginning"
        ),
        pytest.param("https://evil/bedrock-runtime.eu-west-1.amazonaws.com/", id="the host in the path"),
        pytest.param("https://evil.example#.bedrock-runtime.eu-west-1.amazonaws.com/", id="in the fragment"),
        pytest.param("https://bedrock-runtime.eu-west-1.amazonaws.com@evil.example/", id="as a user"),
        pytest.param("http://bedrock-runtime.eu-west-1.amazonaws.com/x", id="without encryption"),
    ],
)
async def test_a_request_to_another_host_is_not_signed(url: str) -> None:
    with pytest.raises(UpstreamError) as raised:
        await sign(request(url))
    assert raised.value.failure_class == "auth"


async def test_without_credentials_the_failure_is_of_class_auth() -> None:
    with pytest.raises(UpstreamError) as raised:
        await sign(request(), None)
    assert raised.value.failure_class == "auth"


async def test_credentials_are_found_once_and_renewed_before_they_expire() -> None:
    issued: list[str] = []

    def renewed() -> dict[str, str]:
        issued.append(f"AKID{len(issued)}")
        soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(
            seconds=60 if len(issued) == 1 else 7200
        )
        return {
            "access_key": issued[-1],
            "secret_key": "s",
            "token": "t",
            "expiry_time": soon.isoformat(),
        }

    searches: list[int] = []

    def find() -> Any:
        searches.append(1)
        return RefreshableCredentials.create_from_metadata(renewed(), renewed, method="test")

    credentials = AwsCredentials({}, find)
    assert credentials.are_there()
    signer = Signer(credentials)
    sent = [await signer.sign(request()) for _ in range(2)]
    assert [b"Credential=AKID1/" in dict(one.headers)[b"authorization"] for one in sent] == [True, True]
    assert (len(issued), len(searches)) == (2, 1)


def test_an_unknown_profile_has_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    assert find_credentials() is None


async def test_credentials_that_come_later_are_found() -> None:
    answers = iter([None, OURS])
    credentials = AwsCredentials({}, lambda: next(answers))
    assert [credentials.are_there() for _ in range(3)] == [False, True, True]


async def test_a_failed_renewal_is_of_class_auth() -> None:
    class Broken:
        def get_frozen_credentials(self) -> Any:
            raise CredentialRetrievalError(provider="x", error_msg="canary")

    with pytest.raises(UpstreamError) as raised:
        await sign(request(), Broken())
    assert raised.value.failure_class == "auth"
    assert "canary" not in str(raised.value)


async def test_a_renewal_with_expired_credentials_is_of_class_auth() -> None:
    def renewed() -> dict[str, str]:
        past = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)
        return {"access_key": "AKID", "secret_key": "s", "token": "t", "expiry_time": past.isoformat()}

    old = RefreshableCredentials.create_from_metadata(renewed(), renewed, method="test")
    with pytest.raises(UpstreamError) as raised:
        await sign(request(), old)
    assert raised.value.failure_class == "auth"


async def test_the_token_is_removed_from_an_error_and_not_shown() -> None:
    sent = await Signer(AwsCredentials({}, lambda: OURS)).sign(request())
    error = UpstreamError("You sent canary-token.", failure_class="auth")
    sent.redact_credential(error)
    assert "canary" not in str(error)
    assert "canary" not in repr(sent)
    assert "Signature" not in repr(sent)
