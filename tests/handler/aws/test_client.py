"""The client of DynamoDB and Parameter Store: what it sends, how it reads answers, when it calls again."""

from __future__ import annotations

import asyncio
import json
import time
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.credentials import Credentials
from botocore.exceptions import CredentialRetrievalError

from handler.aws.client import JsonClient, create_json_client
from handler.aws.credentials import AwsCredentials
from handler.aws.endpoint import Endpoint, find_endpoint, is_loopback
from handler.aws.errors import StoreError
from handler.aws.sigv4 import Keys
from handler.errors import UpstreamError
from handler.settings import Settings
from handler.upstream.httpx_transport import HttpxTransport
from tests.support.signatures import signature_of

Json = dict[str, Any]
NOON = 1_795_953_600.0  # 2026-11-29T12:00:00Z
DATE = "Sun, 29 Nov 2026 12:00:00 GMT"
KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"}
ENDPOINT = Endpoint("https://dynamodb.eu-west-1.amazonaws.com", "eu-west-1")
ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/sluice-rules"


class Body(httpx.AsyncByteStream):
    def __init__(self, body: bytes) -> None:
        self.body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        middle = len(self.body) // 2
        yield self.body[:middle]
        yield self.body[middle:]


def answer(body: Any = None, status: int = 200, **headers: str) -> httpx.Response:
    data = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, headers=named, stream=Body(data))


def refusal(code: str, message: str = "", *, status: int = 400, **more: Any) -> httpx.Response:
    kind = f"com.amazonaws.dynamodb.v20120810#{code}"
    return answer({"__type": kind, "message": message, **more}, status, date=DATE)


def lost(cause: str) -> UpstreamError:
    return UpstreamError("...", failure_class="network", cause=cause)


class Aws(httpx.AsyncBaseTransport):
    """Gives the answers in turn, the last one again and again, and records requests and pauses."""

    def __init__(self, *answers: Callable[[], httpx.Response] | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.pauses: list[float] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        given = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(given, Exception):
            raise given
        return given()

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def client(self, *, service: str = "dynamodb", attempts: int = 2, now: float = NOON) -> JsonClient:
        return JsonClient(
            service,
            ENDPOINT,
            AwsCredentials(KEYS),
            HttpxTransport(self),
            attempts=attempts,
            now=lambda: now,
            sleep=self.sleep,
        )


@pytest.mark.parametrize(
    ("service", "target", "kind"),
    [
        ("dynamodb", "DynamoDB_20120810.GetItem", "application/x-amz-json-1.0"),
        ("ssm", "AmazonSSM.GetItem", "application/x-amz-json-1.1"),
    ],
)
async def test_a_call_is_a_signed_post(service: str, target: str, kind: str) -> None:
    aws = Aws(lambda: answer({"Item": {"id": {"S": "a"}}}))
    found = await aws.client(service=service).call(
        "get_item", {"TableName": "t", "Key": {"b": {"B": b"\x00"}}}
    )
    assert found == {"Item": {"id": {"S": "a"}}}
    (request,) = aws.requests
    headers = dict(request.headers)
    body = b"".join(request.stream)  # type: ignore[arg-type]
    assert json.loads(body) == {"TableName": "t", "Key": {"b": {"B": "AA=="}}}
    assert (headers["x-amz-target"], headers["content-type"]) == (target, kind)
    assert headers["content-length"] == str(len(body))
    assert headers["x-amz-security-token"] == "token"
    signature = signature_of(str(request.url), headers, body, "secret")
    assert headers["authorization"].endswith(f"Signature={signature}")
    assert request.extensions["public_only"] is False, "an endpoint in a VPC has a private address"


FOREIGN = "an answer that is not AWS's"
# By a sentence: the failure, the text of the error, and how many calls are made.
ERRORS: Mapping[str, tuple[Any, str, int]] = {
    "access denied": (lambda: refusal("AccessDeniedException", f"User: {ARN}"), "access denied", 1),
    "no table": (lambda: refusal("ResourceNotFoundException", ARN), "there is no such table", 1),
    "a validation error without the account": (
        lambda: refusal("ValidationException", f"{ARN} of 123456789012: wrong key"),
        "... of ...: wrong key",
        1,
    ),
    "an unknown code": (lambda: refusal("SomethingNew", "secret words"), "SomethingNew", 1),
    "expired": (lambda: refusal("ExpiredTokenException"), "the AWS credentials have expired", 1),
    "throttled": (lambda: refusal("ThrottlingException"), "throttled", 2),
    "throttled by size": (lambda: refusal("ProvisionedThroughputExceededException"), "throttled", 2),
    "an error of AWS's": (lambda: refusal("InternalServerError", status=500), "InternalServerError", 2),
    "a proxy's error": (lambda: answer(b"<html>", 502), "502", 2),
    "a proxy's refusal": (lambda: answer(b"<html>", 403), "403", 1),
    "a code in the header alone": (
        lambda: answer(b"", 400, x_amzn_errortype="ThrottlingException:http://internal.amazon.com/"),
        "throttled",
        2,
    ),
    "a redirect": (lambda: answer(b"", 307, location="http://169.254.169.254/"), "307", 1),
    "an error that is no object": (lambda: answer(b"[1]", 400), "400", 1),
    "an answer that is no JSON": (lambda: answer(b"<html>"), f"{FOREIGN} (JSONDecodeError)", 2),
    "an answer that is no object": (lambda: answer(b"[]"), f"{FOREIGN} (ValueError)", 2),
    "an empty body": (lambda: answer(b""), f"{FOREIGN} (JSONDecodeError)", 2),
    "deep nesting": (lambda: answer(b"[" * 100_000), f"{FOREIGN} (RecursionError)", 2),
    "a wrong checksum": (lambda: answer({}, x_amz_crc32="1"), f"{FOREIGN} (ValueError)", 2),
    "a checksum that is no number": (lambda: answer({}, x_amz_crc32="x"), f"{FOREIGN} (ValueError)", 2),
    "an endless answer": (lambda: answer(b" " * 20_000_001), "an answer of more than 20,000,000 bytes", 1),
    "a refused connection": (lost("refused"), "no answer (connection refused)", 2),
    "a reset connection": (lost("reset"), "no answer (connection reset)", 2),
    "an unknown host": (lost("dns"), "no answer (dns)", 2),
    "no connection in time": (
        UpstreamError("...", failure_class="timeout_connect"),
        "no answer (connect timeout)",
        2,
    ),
    "silence": (TimeoutError(), "no answer (timeout)", 2),
}


@pytest.mark.parametrize(("failure", "text", "calls"), ERRORS.values(), ids=ERRORS)
async def test_a_failure_is_a_store_error_and_only_what_may_pass_is_tried_again(
    failure: Any, text: str, calls: int
) -> None:
    aws = Aws(failure)
    with pytest.raises(StoreError) as raised:
        await aws.client().call("scan", {"TableName": "t"})
    assert str(raised.value) == f"scan t: {text}"
    assert len(aws.requests) == calls
    assert len(aws.pauses) == calls - 1
    assert all(0 <= pause <= 1 for pause in aws.pauses)


async def test_a_second_attempt_may_succeed() -> None:
    aws = Aws(lost("closed"), lambda: answer({"Items": []}, x_amz_crc32=str(zlib.crc32(b'{"Items": []}'))))
    assert await aws.client().call("scan", {"TableName": "t"}) == {"Items": []}
    assert len(aws.requests) == 2


async def test_an_error_has_its_code_and_details() -> None:
    aws = Aws(lambda: refusal("ConditionalCheckFailedException", Item={"id": {"S": "a"}}))
    with pytest.raises(StoreError, match="another change came first") as raised:
        await aws.client().call("put_item", {"TableName": "t"})
    assert raised.value.code == "ConditionalCheckFailedException"
    assert raised.value.details["Item"] == {"id": {"S": "a"}}


@pytest.mark.parametrize(
    ("ours", "calls"),
    [
        pytest.param(NOON - 3600, 2, id="an hour late"),
        pytest.param(NOON + 3600, 2, id="an hour early"),
        pytest.param(NOON + 60, 1, id="right enough, so that the credentials are wrong"),
    ],
)
async def test_a_wrong_clock_is_corrected(ours: float, calls: int) -> None:
    aws = Aws(lambda: refusal("InvalidSignatureException"), lambda: answer({}))
    client = aws.client(now=ours)
    if calls == 1:
        with pytest.raises(StoreError, match="the AWS credentials were refused"):
            await client.call("scan", {"TableName": "t"})
    else:
        await client.call("scan", {"TableName": "t"})
        await client.call("scan", {"TableName": "t"})
        assert [request.headers["x-amz-date"] for request in aws.requests[1:]] == ["20261129T120000Z"] * 2
    assert len(aws.requests) == (1 if calls == 1 else 3)


async def test_a_wrong_clock_is_corrected_for_all_calls_that_it_failed() -> None:
    """They are on their way when the first of them corrects the clock."""
    calls, sent = 20, asyncio.Barrier(20)

    class Late(Aws):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            self.requests.append(request)
            if request.headers["x-amz-date"] == "20261129T120000Z":
                return answer({})
            await sent.wait()
            return refusal("InvalidSignatureException")

    aws = Late()
    client = aws.client(now=NOON - 3600)
    await asyncio.gather(*(client.call("scan", {"TableName": "t"}) for _ in range(calls)))
    assert len(aws.requests) == 2 * calls


@pytest.mark.parametrize("date", [None, "yesterday", ""])
async def test_without_a_date_the_clock_is_believed(date: str | None) -> None:
    headers = {} if date is None else {"date": date}
    aws = Aws(lambda: answer({"__type": "InvalidSignatureException"}, 400, **headers))
    with pytest.raises(StoreError):
        await aws.client().call("scan", {"TableName": "t"})
    assert len(aws.requests) == 1


class Broken:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def get_frozen_credentials(self) -> Any:
        raise self.error


NOT_RENEWED = "the AWS credentials could not be renewed"


@pytest.mark.parametrize(
    ("found", "text"),
    [
        pytest.param(None, "no AWS credentials were found", id="none"),
        pytest.param(
            Broken(CredentialRetrievalError(provider="x", error_msg="canary")),
            NOT_RENEWED,
            id="none that are valid",
        ),
        pytest.param(Broken(FileNotFoundError("x")), NOT_RENEWED, id="a process that is gone"),
        pytest.param(Broken(KeyError("accessToken")), NOT_RENEWED, id="a file without a token"),
        pytest.param(Broken(RuntimeError()), NOT_RENEWED, id="new ones that have expired"),
    ],
)
async def test_without_credentials_nothing_is_sent(found: Any, text: str) -> None:
    aws = Aws(lambda: answer({}))
    client = JsonClient("dynamodb", ENDPOINT, AwsCredentials({}, lambda: found), HttpxTransport(aws))
    with pytest.raises(StoreError, match=f"scan t: {text}"):
        await client.call("scan", {"TableName": "t"})
    assert aws.requests == []


@pytest.mark.parametrize("credential_process", ["/no/such/program", "echo no JSON", "echo []", "false"])
async def test_a_program_that_gives_no_credentials_is_as_none(
    bare: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, credential_process: str
) -> None:
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {credential_process}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    aws = Aws(lambda: answer({}))
    with pytest.raises(StoreError, match="no AWS credentials were found"):
        await JsonClient("dynamodb", ENDPOINT, AwsCredentials({}), HttpxTransport(aws)).call("scan", {})


async def test_calls_at_once_look_for_credentials_once() -> None:
    searches: list[float] = []

    def find() -> Any:
        searches.append(time.time())
        time.sleep(0.05)
        return Credentials("AKID", "secret")

    credentials = AwsCredentials({}, find)
    calls = [asyncio.ensure_future(credentials.get()) for _ in range(100)]
    await asyncio.sleep(0)
    calls[0].cancel()  # the others go on
    found = await asyncio.gather(*calls[1:])
    assert found == [("AKID", "secret", None)] * 99
    assert len(searches) == 1


async def test_a_default_is_kept_once_no_credentials_were_found() -> None:
    searches: list[None] = []
    credentials = AwsCredentials({}, lambda: searches.append(None), default=Keys("local", "local"))
    assert [await credentials.get() for _ in range(3)] == [("local", "local", None)] * 3
    assert len(searches) == 1


async def test_credentials_that_are_not_in_the_environment_are_those_of_botocore() -> None:
    aws = Aws(lambda: answer({}))
    found = Credentials("AKIDFOUND", "other", None)
    await JsonClient("dynamodb", ENDPOINT, AwsCredentials({}, lambda: found), HttpxTransport(aws)).call(
        "scan", {}
    )
    assert "Credential=AKIDFOUND/" in aws.requests[0].headers["authorization"]


@pytest.mark.parametrize(
    ("environment", "url", "region"),
    [
        pytest.param(
            {"AWS_REGION": "eu-west-1"},
            "https://dynamodb.eu-west-1.amazonaws.com",
            "eu-west-1",
            id="by the pattern",
        ),
        pytest.param(
            {"AWS_DEFAULT_REGION": "us-gov-west-1"},
            "https://dynamodb.us-gov-west-1.amazonaws.com",
            "us-gov-west-1",
            id="for governments",
        ),
        pytest.param(
            {"AWS_REGION": "cn-north-1"},
            "https://dynamodb.cn-north-1.amazonaws.com.cn",
            "cn-north-1",
            id="in China",
        ),
        pytest.param(
            {"AWS_REGION": "us-iso-east-1"},
            "https://dynamodb.us-iso-east-1.c2s.ic.gov",
            "us-iso-east-1",
            id="in another partition, which botocore knows",
        ),
        pytest.param(
            {"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL_DYNAMODB": "http://db:8000/"},
            "http://db:8000",
            "eu-west-1",
            id="the service's own address",
        ),
        pytest.param(
            {"AWS_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "http://aws:4566"},
            "http://aws:4566",
            "eu-west-1",
            id="the address of all services",
        ),
        pytest.param(
            {"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:8000"},
            "http://127.0.0.1:8000",
            "us-east-1",
            id="loopback, without a region",
        ),
    ],
)
def test_the_endpoint(bare: None, environment: Mapping[str, str], url: str, region: str) -> None:
    assert find_endpoint(Settings(environment=environment), "dynamodb") == (url, region)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """A machine where nothing is configured."""
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", *KEYS):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))


REGION = "no endpoint is known for the AWS region"
ADDRESS = "the address in AWS_ENDPOINT_URL is not an http or https URL"


@pytest.mark.parametrize(
    ("environment", "text"),
    [
        pytest.param({"AWS_REGION": "eu-west-1 "}, REGION, id="a region and a space"),
        pytest.param({"AWS_REGION": "eu-west-1\n"}, REGION, id="a region and a line end"),
        pytest.param({"AWS_REGION": "evil.example/"}, REGION, id="a region that is a host"),
        pytest.param({"AWS_REGION": "eu-west-1@evil.example"}, REGION, id="a region before a host"),
        pytest.param({"AWS_REGION": "eu-west-\uff11"}, REGION, id="a digit that is not ASCII"),
        pytest.param({"AWS_ENDPOINT_URL": "localhost:8000"}, ADDRESS, id="an address without a scheme"),
        pytest.param({"AWS_ENDPOINT_URL": "http://"}, ADDRESS, id="an address without a host"),
        pytest.param({"AWS_ENDPOINT_URL": "http://x:99999"}, ADDRESS, id="a port that does not exist"),
    ],
)
def test_an_endpoint_that_cannot_be_is_a_store_error(
    bare: None, environment: Mapping[str, str], text: str
) -> None:
    settings = Settings(environment={"AWS_REGION": "eu-west-1", **environment})
    with pytest.raises(StoreError, match=f"dynamodb: {text}"):
        create_json_client(settings, "dynamodb", HttpxTransport(Aws(lambda: answer({}))))


def test_an_unknown_profile_has_no_region(bare: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "unknown")
    with pytest.raises(StoreError, match="no AWS region is configured"):
        find_endpoint(Settings(), "dynamodb")
    local = Settings(environment={"AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
    assert find_endpoint(local, "dynamodb").region == "us-east-1"


def test_a_client_for_aws_without_a_region_says_so(bare: None) -> None:
    with pytest.raises(StoreError, match="dynamodb: no AWS region is configured"):
        create_json_client(Settings(), "dynamodb", HttpxTransport(Aws(lambda: answer({}))))


async def test_a_client_for_loopback_needs_no_configuration(bare: None) -> None:
    aws = Aws(lambda: answer({}))
    settings = Settings(environment={"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:1"})
    await create_json_client(settings, "dynamodb", HttpxTransport(aws)).call("scan", {"TableName": "t"})
    assert "Credential=local/" in aws.requests[0].headers["authorization"]


@pytest.mark.parametrize(
    ("endpoint", "local"),
    [
        ("http://localhost:8000", True),
        ("http://127.0.0.1:8000", True),
        ("http://[::1]:8000", True),
        ("http://127.0.0.1.example.com", False),
        ("https://dynamodb.eu-west-1.amazonaws.com", False),
        ("http://dynamodb:8000", False),
        (None, False),
    ],
)
def test_is_loopback(endpoint: str | None, local: bool) -> None:
    assert is_loopback(endpoint) is local
