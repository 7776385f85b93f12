"""Signs requests to Bedrock with the AWS credentials of the process.

The signature's headers go to the provider only; what they are made of is removed from a provider's messages.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable

from handler.aws.credentials import AwsCredentials
from handler.aws.errors import StoreError
from handler.aws.sigv4 import sign
from handler.errors import UpstreamError
from handler.upstream.request import UpstreamRequest

Sign = Callable[[UpstreamRequest], Awaitable[UpstreamRequest]]

SERVICE = "bedrock"
_NO_CREDENTIALS = "There are no AWS credentials to sign with."
# Requests to other hosts are not signed. The host has the region, which a record may choose.
_HOST = r"https://(?:[a-z0-9-]+\.)*bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.(?:vpce\.)?amazonaws\.com/"
_SIGNED = frozenset({b"content-type"})  # with the host and what AWS adds


async def refuse_to_sign(request: UpstreamRequest) -> UpstreamRequest:
    """Raise UpstreamError; for a process that has no AWS credentials."""
    raise UpstreamError(_NO_CREDENTIALS, failure_class="auth")


class Signer:
    """Signs requests with these credentials."""

    def __init__(self, credentials: AwsCredentials) -> None:
        self._credentials = credentials

    async def sign(self, request: UpstreamRequest) -> UpstreamRequest:
        """Return the request with a signature. Raises UpstreamError without credentials."""
        if (host := re.match(_HOST, request.url)) is None:
            raise UpstreamError("Requests to this address are not signed.", failure_class="auth")
        try:
            keys = await self._credentials.get()
        except StoreError as error:
            raise UpstreamError("The AWS credentials could not be renewed.", failure_class="auth") from error
        if keys is None:
            raise UpstreamError(_NO_CREDENTIALS, failure_class="auth")
        covered = {name.decode(): text.decode("latin-1") for name, text in request.headers if name in _SIGNED}
        signed = sign(
            request.url, covered, request.body, keys, region=host[1], service=SERVICE, now=time.time()
        )
        headers = request.headers + [(name.encode(), text.encode()) for name, text in signed.items()]
        signature = signed["authorization"].rpartition("Signature=")[2]  # valid for minutes, for this request
        return request.replaced(headers=headers, secrets=tuple(part for part in (*keys, signature) if part))
