"""botocore's clients, and the messages of their errors."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError
from botocore.session import Session

from handler.aws.errors import StoreError
from handler.aws.sdk import call_aws, create_client, scan
from handler.settings import Settings


class Failing:
    """A client whose scans raise an error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def scan(self, **_: Any) -> Any:
        raise self.error


def refused(code: str, message: str = "") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Scan")


ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/sluice-rules"

FAILURES = [
    pytest.param(refused("ThrottlingException", "Rate exceeded"), "scan t: throttled", id="throttled"),
    pytest.param(
        refused("ProvisionedThroughputExceededException"), "scan t: throttled", id="throttled by size"
    ),
    pytest.param(
        refused("AccessDeniedException", f"User: {ARN} is not authorized"),
        "scan t: access denied",
        id="access denied",
    ),
    pytest.param(refused("ResourceNotFoundException", ARN), "scan t: there is no such table", id="no table"),
    pytest.param(
        refused("ExpiredTokenException"), "scan t: the AWS credentials have expired", id="expired credentials"
    ),
    pytest.param(refused("SomethingNew", "secret words"), "scan t: SomethingNew", id="an unknown code"),
    pytest.param(
        refused("ValidationException", f"{ARN} of 123456789012: wrong key"),
        "scan t: ... of ...: wrong key",
        id="a validation error without the account",
    ),
    pytest.param(
        ReadTimeoutError(endpoint_url="https://dynamodb.internal"),
        "scan t: no answer (read timeout)",
        id="a read timeout",
    ),
    pytest.param(
        ConnectTimeoutError(endpoint_url="https://dynamodb.internal"),
        "scan t: no answer (connect timeout)",
        id="a connect timeout",
    ),
    pytest.param(
        EndpointConnectionError(endpoint_url="https://dynamodb.internal"),
        "scan t: no answer (endpoint connection)",
        id="a refused connection",
    ),
    pytest.param(NoCredentialsError(), "scan t: no AWS credentials were found", id="no credentials"),
    pytest.param(
        ResponseParserError("<html>"), "scan t: no answer (response parser)", id="an answer that is not JSON"
    ),
    pytest.param(
        ConnectionResetError("peer"), "scan t: no answer (connection reset)", id="a connection reset"
    ),
]


@pytest.mark.parametrize(("error", "text"), FAILURES)
def test_an_error_message_is_plain(error: Exception, text: str) -> None:
    with pytest.raises(StoreError) as failure:
        list(scan(Failing(error), "t"))
    assert str(failure.value) == text
    assert failure.value.__cause__ is error


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> Session:
    """A session on a machine where nothing is configured."""
    for name in (
        "AWS_PROFILE",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    return Session()


@pytest.mark.parametrize(
    ("environment", "region"), [({}, "us-east-1"), ({"AWS_REGION": "eu-west-1"}, "eu-west-1")]
)
def test_a_client_for_loopback_needs_no_configuration(
    bare: Session, environment: dict[str, str], region: str
) -> None:
    settings = Settings(environment={"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:1", **environment})
    client = create_client(settings, session=bare)
    assert client.meta.region_name == region
    with pytest.raises(StoreError, match=r"no answer \(endpoint connection\)"):
        call_aws(client, "scan", {"TableName": "t"})


def test_configured_credentials_are_used_on_loopback_too(
    bare: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "mine")
    settings = Settings(environment={"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:1"})
    client = create_client(settings, session=bare)
    assert client._request_signer._credentials.access_key == "mine"


def test_a_client_for_aws_without_a_region_says_so(bare: Session) -> None:
    with pytest.raises(StoreError, match="dynamodb: no AWS region is configured"):
        create_client(Settings(), session=bare)


@pytest.mark.parametrize(
    ("profile", "environment"),
    [
        pytest.param("unknown", {"AWS_REGION": "eu-west-1"}, id="an unknown profile"),
        pytest.param(None, {"AWS_REGION": "eu-west-1@evil.example"}, id="a region with a host"),
        pytest.param(None, {"AWS_ENDPOINT_URL_DYNAMODB": "http://["}, id="half an address"),
    ],
)
def test_a_configuration_that_cannot_be_is_a_store_error(
    bare: Session, monkeypatch: pytest.MonkeyPatch, profile: str | None, environment: dict[str, str]
) -> None:
    if profile:
        monkeypatch.setenv("AWS_PROFILE", profile)
    with pytest.raises(StoreError, match="dynamodb: "):
        create_client(Settings(environment=environment), session=bare)


def test_a_client_has_short_time_limits(bare: Session) -> None:
    config = create_client(Settings(environment={"AWS_REGION": "eu-west-1"}), session=bare).meta.config
    assert (config.connect_timeout, config.read_timeout) == (1, 2)
    assert config.retries["total_max_attempts"] == 2
