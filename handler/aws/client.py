"""A client for the services that speak JSON, DynamoDB and Parameter Store, over the gateway's own transport.

https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
Retries as the SDKs do: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import time
import zlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol

from handler.aws.credentials import AwsCredentials, find_credentials
from handler.aws.endpoint import Endpoint, find_endpoint
from handler.aws.errors import StoreError, describe, name_call
from handler.aws.sigv4 import Keys, sign
from handler.errors import UpstreamError
from handler.settings import Settings
from handler.wire.http import Request, Transport, parse_url

CONNECT_TIMEOUT = 1.0  # seconds
MAX_ANSWER = 20_000_000  # bytes; DynamoDB's largest answer has 16 MB
MAX_SKEW = 240.0  # seconds that our clock may differ from AWS's, which refuses signatures 5 minutes off
_BACKOFF, _BACKOFF_THROTTLED = 0.05, 1.0  # seconds before a second attempt, at most

# Of each service: the name that its operations have in the header, and the type of its bodies.
_SERVICES: Mapping[str, tuple[str, str]] = {
    "dynamodb": ("DynamoDB_20120810", "application/x-amz-json-1.0"),
    "ssm": ("AmazonSSM", "application/x-amz-json-1.1"),
}
_THROTTLED = frozenset(
    {
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_TRANSIENT = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "TransactionInProgressException",
    }
)
# Refusals that a wrong clock may cause.
_SKEWED = frozenset(
    {
        "InvalidSignatureException",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "RequestInTheFuture",
        "SignatureDoesNotMatch",
    }
)
# Words for a failure of the connection, by its cause (handler/upstream/connection.py) or its class.
_CAUSES = {
    "refused": "connection refused",
    "reset": "connection reset",
    "closed": "connection closed",
    "timeout_connect": "connect timeout",
}


class AwsClient(Protocol):
    """Calls the operations of one service, by names such as `get_item`."""

    async def call(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        """Call an operation and return its answer. Raises StoreError, which names operation and table."""


def create_json_client(
    settings: Settings,
    service: str,
    transport: Transport,
    *,
    attempts: int = 2,
    read_timeout: float = 2.0,
) -> JsonClient:
    """Return a client of `dynamodb` or `ssm`. Raises StoreError if no region is configured.

    A client for loopback needs neither region nor credentials, since it gets placeholders.
    """
    endpoint = find_endpoint(settings, service)
    if endpoint.is_local:
        find = partial(find_credentials, on_this_machine=True)
        credentials = AwsCredentials(settings.environment, find, default=Keys("local", "local"))
    else:
        credentials = AwsCredentials(settings.environment)
    return JsonClient(service, endpoint, credentials, transport, attempts=attempts, read_timeout=read_timeout)


class _Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class _Failure(NamedTuple):
    """Why an attempt failed. pause: the most seconds before the next one; None: there is none.

    unanswered: the connection may be dead, and after minutes in which Lambda froze us all idle ones may be.
    """

    error: StoreError
    pause: float | None = None
    unanswered: bool = False


class JsonClient:
    """A client of one service. It makes at most `attempts` for one call.

    read_timeout: seconds that AWS may be silent; now: epoch seconds.
    """

    def __init__(
        self,
        service: str,
        endpoint: Endpoint,
        credentials: AwsCredentials,
        transport: Transport,
        *,
        attempts: int = 2,
        read_timeout: float = 2.0,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Any] = asyncio.sleep,
    ) -> None:
        self._service = service
        self._endpoint = endpoint
        self._url = parse_url(endpoint.url + "/")
        self._credentials = credentials
        self._transport = transport
        self._attempts = attempts
        self._read_timeout = read_timeout
        self._now = now
        self._sleep = sleep
        self._skew = 0.0  # seconds that AWS's clock is ahead of ours

    async def call(self, operation: str, arguments: Mapping[str, Any]) -> Any:
        """Call an operation and return its answer. Raises StoreError, which names operation and table."""
        target, body, anew = name_call(operation, arguments), _json(arguments), False
        for attempt in range(1, self._attempts + 1):
            answer = await self._attempt(operation, body, anew=anew)
            if not isinstance(answer, _Failure):
                return answer
            anew = answer.unanswered
            if answer.pause is None or attempt == self._attempts:
                break
            await self._sleep(random.random() * answer.pause * 2 ** (attempt - 1))
        error = answer.error
        raise StoreError(f"{target}: {error}", code=error.code, details=error.details) from error.__cause__

    async def _attempt(self, operation: str, body: bytes, *, anew: bool) -> Any:
        """Return the answer, or a _Failure. anew: over a new connection."""
        try:
            keys = await self._credentials.get()
            if keys is None:
                raise StoreError(describe("NoCredentialsError"))
            skew = self._skew
            answer = await self._send(self._request(operation, body, keys, anew=anew))
        except StoreError as error:
            return _Failure(error)
        except TimeoutError as error:
            return _Failure(_no_answer("timeout", error), _BACKOFF, unanswered=True)
        except UpstreamError as error:
            why = error.cause or error.failure_class
            return _Failure(_no_answer(_CAUSES.get(why, why), error), _BACKOFF, unanswered=True)
        return self._refused(answer, skew) if answer.status >= 300 else _read(answer)

    def _request(self, operation: str, body: bytes, keys: Keys, *, anew: bool) -> Request:
        prefix, kind = _SERVICES[self._service]
        target = f"{prefix}.{operation.title().replace('_', '')}"
        headers = {"content-type": kind, "x-amz-target": target}
        headers |= sign(
            str(self._url),
            headers,
            body,
            keys,
            region=self._endpoint.region,
            service=self._service,
            now=self._now() + self._skew,
        )
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        raw += [(b"host", self._url.authority), (b"content-length", str(len(body)).encode())]
        # In a VPC, AWS has private addresses. Its answers have no surplus, so that a connection may be used
        # again at once.
        return Request(
            "POST",
            self._url,
            raw,
            body,
            connect_timeout=CONNECT_TIMEOUT,
            public_only=False,
            min_idle=math.inf if anew else 0.0,
        )

    async def _send(self, request: Request) -> _Answer:
        """Return the complete answer. Raises TimeoutError, UpstreamError and StoreError."""
        body, loop = bytearray(), asyncio.get_running_loop()
        async with asyncio.timeout(self._read_timeout) as limit:
            response = await self._transport.send(request)
            try:
                async for piece in response.body:
                    body += piece
                    if len(body) > MAX_ANSWER:
                        raise StoreError(f"an answer of more than {MAX_ANSWER:,} bytes")
                    limit.reschedule(loop.time() + self._read_timeout)
            finally:
                await response.body.aclose()
        return _Answer(response.status, response.headers, bytes(body))

    def _refused(self, answer: _Answer, skew: float) -> _Failure:
        """Return the failure that an error of AWS's, or of a proxy on the way, means.

        skew: that the request was signed with. Another call may have corrected the clock meanwhile.
        """
        code, message = answer.headers.get("x-amzn-errortype") or str(answer.status), ""
        try:
            details = json.loads(answer.body)
            code = str(details.get("__type") or details.get("code") or code)
            message = str(details.get("message") or details.get("Message") or "")
        except (AttributeError, RecursionError, ValueError):
            details = {}
        code = code.rpartition("#")[2].partition(":")[0]
        error = StoreError(describe(code, message), code=code, details=details)
        if code in _SKEWED and self._corrects_clock(answer.headers.get("date"), skew):
            return _Failure(error, 0.0)
        if code in _THROTTLED:
            return _Failure(error, _BACKOFF_THROTTLED)
        return _Failure(error, _BACKOFF if answer.status >= 500 or code in _TRANSIENT else None)

    def _corrects_clock(self, date: str | None, skew: float) -> bool:
        """Return True if AWS's clock differs from the one that was used, and use its time from now on."""
        from email.utils import parsedate_to_datetime

        try:
            found = parsedate_to_datetime(date or "").timestamp() - self._now()
        except ValueError:
            return False
        wrong = abs(found - skew) > MAX_SKEW
        self._skew = found if wrong else self._skew
        return wrong


def _read(answer: _Answer) -> Any:
    """Return the object in an answer, or a _Failure for a body that is changed or is not JSON."""
    try:
        if int(answer.headers.get("x-amz-crc32", zlib.crc32(answer.body))) != zlib.crc32(answer.body):
            raise ValueError("the checksum is of another body")
        found = json.loads(answer.body)
        if not isinstance(found, dict):
            raise ValueError("not an object")
    except (RecursionError, ValueError) as error:
        return _Failure(StoreError(f"an answer that is not AWS's ({type(error).__name__})"), _BACKOFF)
    return found


def _no_answer(why: str, error: Exception) -> StoreError:
    failure = StoreError(f"no answer ({why})")
    failure.__cause__ = error
    return failure


def _json(value: Any) -> bytes:
    return _encode(value).encode()


def _base64(value: Any) -> str:
    return b64encode(value).decode()


_encode = json.JSONEncoder(default=_base64, separators=(",", ":")).encode
