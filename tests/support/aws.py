"""Clients of AWS that moto answers."""

from __future__ import annotations

from functools import cache
from typing import Any

from botocore.session import Session

_session = cache(Session)  # it keeps the descriptions of the services, which take 0.1 s to read


def aws_client(service: str, **options: Any) -> Any:
    """Return a botocore client with placeholders for credentials. Call it under moto's `mock_aws`.

    options: botocore's own, such as the `endpoint_url` of moto's server.
    """
    placeholders = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    return _session().create_client(service, **{"region_name": "us-east-1", **placeholders, **options})
