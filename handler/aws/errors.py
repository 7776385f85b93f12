"""The error of every call of AWS, in plain words.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# Plain words for codes of AWS and classes of botocore, whose own messages may name accounts and addresses.
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
_PRIVATE = r"arn:[^\s'\",]+|\b\d{12}\b"

# What readers of an answer raise if it is not one of AWS.
PARSE_ERRORS = (AttributeError, LookupError, RecursionError, TypeError, ValueError)


class StoreError(Exception):
    """AWS gave no readable answer. The message names no account, role or address.

    code: of AWS. details: the members of AWS's error besides code and message.
    """

    def __init__(
        self, message: str, *, code: str | None = None, details: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.details = details or {}


def describe(code: str, message: str = "") -> str:
    """Return plain words for an error code of AWS."""
    if code in _VALIDATION:
        return re.sub(_PRIVATE, "...", message or code)
    return _DESCRIPTIONS.get(code, code)


def name_call(operation: str, arguments: Mapping[str, Any]) -> str:
    """Return operation and table of a call, for its errors: `get item sluice-keys`."""
    return " ".join([operation.replace("_", " "), arguments.get("TableName", "")]).strip()
