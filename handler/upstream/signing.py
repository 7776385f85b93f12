"""Signs requests with the AWS credentials of the process (Signature V4), using botocore's signer.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
The signature's headers go to the provider only; what they are made of is removed from a provider's messages.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from handler.errors import UpstreamError
from handler.upstream.request import UpstreamRequest

Sign = Callable[[UpstreamRequest], Awaitable[UpstreamRequest]]

SERVICE = "bedrock"
_NO_CREDENTIALS = "There are no AWS credentials to sign with."
# Requests to other hosts are not signed. The host has the region, which a record may choose.
_HOST = re.compile(
    r"https://(?:[a-z0-9-]+\.)*bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.(?:vpce\.)?amazonaws\.com/"
)
_SIGNED = frozenset({b"content-type"})  # with the host and what AWS adds


async def refuse_to_sign(request: UpstreamRequest) -> UpstreamRequest:
    """Raise UpstreamError; for a process that has no AWS credentials."""
    raise UpstreamError(_NO_CREDENTIALS, failure_class="auth")


def find_credentials() -> Any:
    """Return botocore's credentials of this process, which renew themselves; None if there are none."""
    import botocore.session
    from botocore.exceptions import BotoCoreError

    try:
        return botocore.session.get_session().get_credentials()
    except BotoCoreError:  # an unknown profile, or half of a pair of keys
        return None


class Signer:
    """Signs requests. One per process. find: returns botocore's credentials; called once they are needed."""

    def __init__(self, find: Callable[[], Any] = find_credentials) -> None:
        self._find = find
        self._credentials: Any = None

    def has_credentials(self) -> bool:
        """True if there are credentials. It looks for them, which may take a while, until it finds some."""
        if self._credentials is None:
            self._credentials = self._find()
        return self._credentials is not None

    async def sign(self, request: UpstreamRequest) -> UpstreamRequest:
        """Return the request with a signature. Raises UpstreamError without credentials.

        It runs in a thread, because credentials are renewed over the network.
        """
        return await asyncio.to_thread(self._sign, request)

    def _sign(self, request: UpstreamRequest) -> UpstreamRequest:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import BotoCoreError, ClientError

        if (host := _HOST.match(request.url)) is None:
            raise UpstreamError("Requests to this address are not signed.", failure_class="auth")
        if not self.has_credentials():
            raise UpstreamError(_NO_CREDENTIALS, failure_class="auth")
        try:
            credentials = self._credentials.get_frozen_credentials()
        except (BotoCoreError, ClientError, RuntimeError) as error:  # the last: the new ones have expired too
            raise UpstreamError("The AWS credentials could not be renewed.", failure_class="auth") from error
        covered = {name.decode(): text.decode("latin-1") for name, text in request.headers if name in _SIGNED}
        signed = AWSRequest("POST", request.url, headers=covered, data=request.body)
        SigV4Auth(credentials, SERVICE, host[1]).add_auth(signed)
        headers = [(name, value) for name, value in request.headers if name not in _SIGNED]
        headers += [(name.lower().encode(), text.encode("latin-1")) for name, text in signed.headers.items()]
        parts = (credentials.access_key, credentials.secret_key, credentials.token, _signature(signed))
        return replace(request, headers=headers, secrets=tuple(part for part in parts if part))


def _signature(request: Any) -> str:
    """Return the signature of a request, which is valid for minutes and for this request only."""
    return str(request.headers["Authorization"]).rpartition("Signature=")[2]
