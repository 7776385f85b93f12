"""AWS Signature V4, for providers that know the gateway by its own AWS credentials: botocore's signer.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
The headers it makes go upstream and nowhere else; what they are made of is taken out of a provider's words.
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
# Nothing else is signed for; the host says its region, which a record may choose.
_HOST = re.compile(
    r"https://(?:[a-z0-9-]+\.)*bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.(?:vpce\.)?amazonaws\.com/"
)
_SIGNED = frozenset({b"content-type"})  # beside the host and what AWS adds


async def unsigned(order: UpstreamRequest) -> UpstreamRequest:
    """For a process that signs nothing."""
    raise UpstreamError("There are no AWS credentials to sign with.", failure_class="auth")


def found() -> Any:
    """The credentials of this process, which renew themselves; None if there are none."""
    import botocore.session
    from botocore.exceptions import BotoCoreError

    try:
        return botocore.session.get_session().get_credentials()
    except BotoCoreError:  # a profile that is not there, half of a pair of keys
        return None


class Signer:
    """Signs requests. One per process; `find` gives botocore's credentials, when they are needed."""

    def __init__(self, find: Callable[[], Any] = found) -> None:
        self._find = find
        self._credentials: Any = None

    def able(self) -> bool:
        """Whether there are credentials. Once found they are kept: to look for them may take a while."""
        if self._credentials is None:
            self._credentials = self._find()
        return self._credentials is not None

    async def __call__(self, order: UpstreamRequest) -> UpstreamRequest:
        """The order with its signature. Raises UpstreamError without credentials.

        In a thread: credentials that are renewed are asked for over the network.
        """
        return await asyncio.to_thread(self._sign, order)

    def _sign(self, order: UpstreamRequest) -> UpstreamRequest:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import BotoCoreError, ClientError

        if (host := _HOST.match(order.url)) is None:
            raise UpstreamError("Nothing is signed for this address.", failure_class="auth")
        if not self.able():
            raise UpstreamError("There are no AWS credentials to sign with.", failure_class="auth")
        try:
            credentials = self._credentials.get_frozen_credentials()
        except (BotoCoreError, ClientError, RuntimeError) as error:  # the last: what came is too old again
            raise UpstreamError("The AWS credentials could not be renewed.", failure_class="auth") from error
        given = {name.decode(): value.decode("latin-1") for name, value in order.headers if name in _SIGNED}
        request = AWSRequest("POST", order.url, headers=given, data=order.body)
        SigV4Auth(credentials, SERVICE, host[1]).add_auth(request)
        kept = [(name, value) for name, value in order.headers if name not in _SIGNED]
        made = [(name.lower().encode(), value.encode("latin-1")) for name, value in request.headers.items()]
        parts = (credentials.access_key, credentials.secret_key, credentials.token, _signature(request))
        return replace(order, headers=[*kept, *made], secrets=tuple(part for part in parts if part))


def _signature(request: Any) -> str:
    """The signature of a request; it is valid for minutes, and only for this request."""
    return str(request.headers["Authorization"]).rpartition("Signature=")[2]
