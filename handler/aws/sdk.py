"""botocore's clients, for commands, a local run, and what no request waits for.

Every failure is a StoreError.
"""

from __future__ import annotations

import asyncio
import json
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from handler.aws.endpoint import endpoint_setting, is_loopback
from handler.aws.errors import PARSE_ERRORS, StoreError, describe, name_call
from handler.settings import Settings


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
    endpoint = settings.environment.get(f"AWS_ENDPOINT_URL_{service.upper()}")
    try:
        session.register_component("data_loader", _data_loader(session.get_config_variable("data_path")))
        local = is_loopback(endpoint)
        options = _local_options(session, settings) if local else {"region_name": settings.region}
        config = _config(attempts, read_timeout, direct=is_loopback(endpoint_setting(settings, service)))
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
        return known if (known := describe(name)) != name else f"no answer ({words})"
    details = error.response.get("Error", {})
    return describe(str(details.get("Code", "unknown")), str(details.get("Message", "")))


def create_signer(
    service: str, region: str
) -> Callable[[str, str, bytes, Mapping[str, str]], Mapping[str, str]] | None:
    """Return what adds a signature to the headers of a request; None without AWS credentials.

    Its arguments are the method, the URL, the body and the headers to sign.
    """
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.session import get_session

    try:
        credentials = get_session().get_credentials()
    except BotoCoreError:  # a profile that is not configured, or has expired
        return None
    if credentials is None:
        return None
    auth = SigV4Auth(credentials, service, region)

    def sign(method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Mapping[str, str]:
        request = AWSRequest(method, url, data=body, headers=dict(headers))
        auth.add_auth(request)
        return dict(request.headers)

    return sign


def call_aws(client: Any, operation: str, arguments: Mapping[str, Any]) -> Any:
    """Call one operation and return its answer. Every failure is a StoreError naming operation and table."""
    with aws_errors(name_call(operation, arguments)):
        return getattr(client, operation)(**arguments)


@contextmanager
def aws_errors(target: str) -> Iterator[None]:
    """Turn what goes wrong in a call of AWS into a StoreError. `target`: operation and table."""
    from botocore.parsers import ResponseParserError  # slow to import, but creating a client has loaded it

    try:
        yield
    except (BotoCoreError, ClientError, ResponseParserError, OSError, *PARSE_ERRORS) as error:
        response = error.response if isinstance(error, ClientError) else {}
        code = response.get("Error", {}).get("Code")
        raise StoreError(f"{target}: {_describe(error)}", code=code, details=response) from error


def scan(client: Any, table: str, *, consistent: bool = False) -> Iterator[dict[str, Any]]:
    """Yield every item of a table in typed JSON, page after page."""
    start: dict[str, Any] = {}
    while True:
        page = call_aws(client, "scan", {"TableName": table, "ConsistentRead": consistent, **start})
        yield from page.get("Items", ())
        if not page.get("LastEvaluatedKey"):
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


class ThreadedClient:
    """A botocore client as an AwsClient: each call runs in one of `threads` threads."""

    def __init__(self, client: Any, threads: int = 8) -> None:
        self._client = client
        self._threads = ThreadPoolExecutor(threads, "aws")

    async def call(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        """Call an operation and return its answer. Raises StoreError, which names operation and table."""
        work = partial(call_aws, self._client, operation, arguments)
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
