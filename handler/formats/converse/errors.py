"""Writes an error as Bedrock does: its name is in a header, or the type of a stream's exception.

https://docs.aws.amazon.com/bedrock/latest/userguide/troubleshooting-api-error-codes.html
"""

from __future__ import annotations

from collections.abc import Mapping

from handler.errors import GatewayError, Json

_NAMES: Mapping[int, str] = {
    401: "AccessDeniedException",
    402: "ServiceQuotaExceededException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    429: "ThrottlingException",
    500: "InternalServerException",
    502: "ModelErrorException",
    503: "ServiceUnavailableException",
    504: "ModelTimeoutException",
}
# The statuses of these two at AWS. Its SDKs would repeat a request after 502 and 504.
STATUSES: Mapping[int, int] = {502: 424, 504: 408}
# A stream has no other exceptions.
_EXCEPTIONS: Mapping[int, str] = {
    429: "throttlingException",
    500: "internalServerException",
    503: "serviceUnavailableException",
}
_TOO_LONG = "Input is too long for requested model"  # the words by which clients recognise it


def error_body(error: GatewayError) -> Json:
    """Return the body of an error. The member `error` is Sluice's own."""
    message = error.message
    if error.code == "context_length_exceeded" and _TOO_LONG not in message:
        message = f"{_TOO_LONG}: {message}"
    return {"message": message, **error.body()}


def error_headers(error: GatewayError) -> Mapping[str, str]:
    other = "ValidationException" if error.status < 500 else "InternalServerException"
    return {"x-amzn-errortype": _NAMES.get(error.status, other)}


def exception_name(error: GatewayError) -> str:
    """Return the name of an error in a stream."""
    other = "validationException" if error.status < 500 else "modelStreamErrorException"
    return _EXCEPTIONS.get(error.status, other)
