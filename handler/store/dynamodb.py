"""Calls DynamoDB and other AWS services through botocore, and turns every failure into a StoreError.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB.html
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from handler.settings import Settings
from handler.wire.address import is_loopback_host

# Plain words for the errors of AWS and botocore, whose own messages may name accounts and addresses.
_DESCRIPTIONS = {
    "AccessDenied": "access denied",
    "AccessDeniedException": "access denied",
    "ConditionalCheckFailedException": "another change came first",
    "ExpiredToken": "the AWS credentials have expired",
    "ExpiredTokenException": "the AWS credentials have expired",
    "InvalidAccessKeyId": "the AWS credentials were refused",
    "InvalidSignatureException": "the AWS credentials were refused",
    "NoCredentialsError": "no AWS credentials were found",
    "NoRegionError": "no AWS region is configured",
    "NoSuchBucket": "there is no such bucket",
    "ProvisionedThroughputExceededException": "throttled",
    "ResourceNotFoundException": "there is no such table",
    "SignatureDoesNotMatch": "the AWS credentials were refused",
    "SlowDown": "throttled",
    "ThrottlingException": "throttled",
    "TransactionCanceledException": "the transaction was cancelled",
    "UnrecognizedClientException": "the AWS credentials were refused",
}
_VALIDATION = ("ValidationException", "ValidationError")  # here AWS's message says what to correct
_PRIVATE = re.compile(r"arn:[^\s'\",]+|\b\d{12}\b")

# What botocore's parser and ours raise for JSON that is not an answer of DynamoDB.
PARSE_ERRORS = (AttributeError, LookupError, RecursionError, TypeError, ValueError)


class StoreError(Exception):
    """AWS gave no readable answer. The message names no account, role or address."""

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code  # of AWS


def is_loopback(endpoint: str | None) -> bool:
    return is_loopback_host(urlsplit(endpoint or "").hostname or "")


def create_client(
    settings: Settings,
    *,
    service: str = "dynamodb",
    session: Any = None,
    attempts: int = 2,
    read_timeout: float = 2,
) -> Any:
    """Return a botocore client with short time limits. Raises StoreError when AWS is not configured.

    `attempts` is the most calls for one operation, `read_timeout` is in seconds. A client for loopback needs
    neither region nor credentials, since it gets placeholders, and uses no proxy.
    """
    import botocore.session

    session = session or botocore.session.get_session()
    session.register_component("data_loader", _data_loader(session.get_config_variable("data_path")))
    endpoint = settings.environment.get(f"AWS_ENDPOINT_URL_{service.upper()}")
    local = is_loopback(endpoint)
    try:
        options = _local_options(session, settings) if local else {"region_name": settings.region}
        config = _config(attempts, read_timeout, direct=is_loopback(_endpoint_setting(settings, service)))
        client = session.create_client(service, endpoint_url=endpoint, config=config, **options)
        client.meta.events.register("before-parse.dynamodb", _verify_body)
        return client
    except (BotoCoreError, ValueError) as error:
        raise StoreError(f"{service}: {_describe(error)}") from error


@cache
def _data_loader(path: str | None) -> Any:
    """Return the loader of botocore's data, such as AWS's endpoints, which the clients of a process share."""
    from botocore.loaders import create_loader

    return create_loader(path)


def _endpoint_setting(settings: Settings, service: str) -> str | None:
    names = (f"AWS_ENDPOINT_URL_{service.upper()}", "AWS_ENDPOINT_URL")
    return next((given for name in names if (given := settings.environment.get(name))), None)


def _config(attempts: int, read_timeout: float, *, direct: bool) -> Any:
    """Return botocore's settings. `direct` ignores the proxies that the environment names."""
    from botocore.config import Config

    return Config(
        connect_timeout=1,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
        parameter_validation=False,
        proxies={} if direct else None,
        s3={"addressing_style": "path"} if direct else None,  # no name of loopback begins with a bucket's
    )


def _verify_body(response_dict: Mapping[str, Any], **_: Any) -> None:
    """Raise ValueError for a body that is cut, changed or not JSON.

    botocore reads such a body as an empty answer, which would mean an unknown key or an empty table.
    """
    if response_dict["status_code"] >= 300:
        return
    body, headers = response_dict["body"], response_dict["headers"]
    if int(headers.get("content-length", len(body))) != len(body):
        raise ValueError("the body is cut")
    if int(headers.get("x-amz-crc32", zlib.crc32(body))) != zlib.crc32(body):
        raise ValueError("the checksum is of another body")
    if not isinstance(json.loads(body), dict):
        raise ValueError("not an object")


def _local_options(session: Any, settings: Settings) -> dict[str, str]:
    """Return region and credentials for a service that ignores them, as far as none are configured."""
    session.set_config_variable("metadata_service_num_attempts", 0)  # a laptop has no instance metadata
    region = settings.region or session.get_config_variable("region") or "us-east-1"
    if session.get_credentials() is not None:
        return {"region_name": region}
    return {"region_name": region, "aws_access_key_id": "local", "aws_secret_access_key": "local"}


def _describe(error: Exception) -> str:
    if isinstance(error, PARSE_ERRORS) and not isinstance(error, BotoCoreError):
        return f"an answer that is not AWS's ({type(error).__name__})"
    if not isinstance(error, ClientError):
        # botocore's messages name addresses, its class names do not: ReadTimeoutError is "read timeout".
        name = type(error).__name__
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Error")).lower()
        return _DESCRIPTIONS.get(name, f"no answer ({words})")
    details = error.response.get("Error", {})
    code = str(details.get("Code", "unknown"))
    if code in _VALIDATION:
        return _PRIVATE.sub("...", str(details.get("Message", code)))
    return _DESCRIPTIONS.get(code, code)


def call_aws(client: Any, operation: str, arguments: Mapping[str, Any]) -> Any:
    """Call one operation and return its answer. Every failure is a StoreError naming operation and table."""
    target = " ".join([operation.replace("_", " "), arguments.get("TableName", "")]).strip()
    with aws_errors(target):
        return getattr(client, operation)(**arguments)


@contextmanager
def aws_errors(target: str) -> Iterator[None]:
    """Turn what goes wrong in a call of AWS into a StoreError. `target`: operation and table."""
    from botocore.parsers import ResponseParserError  # slow to import, but creating a client has loaded it

    try:
        yield
    except (BotoCoreError, ClientError, ResponseParserError, OSError, *PARSE_ERRORS) as error:
        code = error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None
        raise StoreError(f"{target}: {_describe(error)}", code=code) from error


def scan(client: Any, table: str, *, consistent: bool = False) -> Iterator[dict[str, Any]]:
    """Yield every item of a table in typed JSON, page after page."""
    start: dict[str, Any] = {}
    while True:
        page = call_aws(client, "scan", {"TableName": table, "ConsistentRead": consistent, **start})
        yield from page.get("Items", ())
        if not page.get("LastEvaluatedKey"):
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
