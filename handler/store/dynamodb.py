"""DynamoDB by botocore: the client, one call, a whole table; whatever goes wrong is a StoreError.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB.html
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from handler.settings import Settings
from handler.wire.address import is_loopback_host

# What an error of AWS or of botocore means to a person. Their own words may name accounts and addresses.
_MEANINGS = {
    "AccessDeniedException": "access denied",
    "ConditionalCheckFailedException": "another change came first",
    "ExpiredTokenException": "the AWS credentials have expired",
    "InvalidSignatureException": "the AWS credentials were refused",
    "NoCredentialsError": "no AWS credentials were found",
    "NoRegionError": "no AWS region is configured",
    "ProvisionedThroughputExceededException": "throttled",
    "ResourceNotFoundException": "there is no such table",
    "ThrottlingException": "throttled",
    "TransactionCanceledException": "the transaction was cancelled",
    "UnrecognizedClientException": "the AWS credentials were refused",
}
_OUR_FAULT = ("ValidationException", "ValidationError")  # here the words say what to mend
_PRIVATE = re.compile(r"arn:[^\s'\",]+|\b\d{12}\b")

# What botocore's parser and ours die of when an answer is JSON, and still not DynamoDB's.
GARBAGE = (AttributeError, LookupError, RecursionError, TypeError, ValueError)


class StoreError(Exception):
    """The store gave no readable answer. The text is plain and names no account, role or address."""

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code  # AWS's


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
    """A botocore client that gives up soon: a request waits. Raises StoreError when AWS is not configured.

    One on loopback needs neither region nor credentials (it gets dummies), and is asked through no proxy.
    """
    import botocore.session

    session = session or botocore.session.get_session()
    endpoint = settings.dynamodb_endpoint if service == "dynamodb" else None
    local = is_loopback(endpoint)
    try:
        given = _dummies(session, settings) if local else {"region_name": settings.region}
        config = _config(attempts, read_timeout, direct=is_loopback(_named_endpoint(settings, service)))
        made = session.create_client(service, endpoint_url=endpoint, config=config, **given)
        made.meta.events.register("before-parse.dynamodb", _must_be_intact)
        return made
    except (BotoCoreError, ValueError) as error:
        raise StoreError(f"{service}: {_meaning(error)}") from error


def _named_endpoint(settings: Settings, service: str) -> str | None:
    names = (f"AWS_ENDPOINT_URL_{service.upper()}", "AWS_ENDPOINT_URL")
    return next((given for name in names if (given := settings.environment.get(name))), None)


def _config(attempts: int, read_timeout: float, *, direct: bool) -> Any:
    """`direct`: through no proxy, not even through one that the environment names."""
    from botocore.config import Config

    return Config(
        connect_timeout=1,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
        parameter_validation=False,
        proxies={} if direct else None,
    )


def _must_be_intact(response_dict: Mapping[str, Any], **_: Any) -> None:
    """Raises ValueError for a body that is cut, changed or not JSON.

    botocore takes such a body for an empty answer: it would be a key nobody made, or an emptied table.
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


def _dummies(session: Any, settings: Settings) -> dict[str, str]:
    """What nothing configures, for a DynamoDB that does not look at it."""
    session.set_config_variable("metadata_service_num_attempts", 0)  # a laptop has no instance metadata
    region = settings.region or session.get_config_variable("region") or "us-east-1"
    if session.get_credentials() is not None:
        return {"region_name": region}
    return {"region_name": region, "aws_access_key_id": "local", "aws_secret_access_key": "local"}


def _meaning(error: Exception) -> str:
    if isinstance(error, GARBAGE) and not isinstance(error, BotoCoreError):
        return f"an answer that is not DynamoDB's ({type(error).__name__})"
    if not isinstance(error, ClientError):
        # botocore's texts name addresses; its class names are plain enough: ReadTimeoutError
        name = type(error).__name__
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Error")).lower()
        return _MEANINGS.get(name, f"no answer ({words})")
    details = error.response.get("Error", {})
    code = str(details.get("Code", "unknown"))
    if code in _OUR_FAULT:
        return _PRIVATE.sub("...", str(details.get("Message", code)))
    return _MEANINGS.get(code, code)


def call_aws(client: Any, operation: str, arguments: Mapping[str, Any]) -> Any:
    """One call. Every failure, of AWS or of the way there, is a StoreError naming operation and table."""
    from botocore.parsers import ResponseParserError  # heavy, but whoever has a client has loaded it

    try:
        return getattr(client, operation)(**arguments)
    except (BotoCoreError, ClientError, ResponseParserError, OSError, *GARBAGE) as error:
        what = " ".join([operation.replace("_", " "), arguments.get("TableName", "")]).strip()
        code = error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None
        raise StoreError(f"{what}: {_meaning(error)}", code=code) from error


def scan(client: Any, table: str, *, consistent: bool = False) -> Iterator[dict[str, Any]]:
    """Every item of a table in DynamoDB's typed form, page after page."""
    start: dict[str, Any] = {}
    while True:
        page = call_aws(client, "scan", {"TableName": table, "ConsistentRead": consistent, **start})
        yield from page.get("Items", ())
        if not page.get("LastEvaluatedKey"):
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
