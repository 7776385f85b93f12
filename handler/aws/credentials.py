"""The AWS credentials of the process: Lambda's from the environment, all others through botocore's chain.

https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from handler.aws.errors import PARSE_ERRORS, StoreError
from handler.aws.sigv4 import Keys


def find_credentials(*, on_this_machine: bool = False) -> Any:
    """Return botocore's credentials of this process, which renew themselves; None if there are none.

    on_this_machine: does not ask for the metadata of an instance, which takes seconds where there is none.
    """
    import botocore.session
    from botocore.exceptions import BotoCoreError

    session = botocore.session.get_session()
    if on_this_machine:
        session.set_config_variable("metadata_service_num_attempts", 0)
    try:
        return session.get_credentials()
    except (BotoCoreError, OSError, *PARSE_ERRORS):  # an unknown profile, a credential_process that fails
        return None


class AwsCredentials:
    """The credentials of one process.

    find: returns botocore's credentials; called if there are none in the environment, until it finds some.
    default: used from then on when it finds none.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        find: Callable[[], Any] = find_credentials,
        *,
        default: Keys | None = None,
    ) -> None:
        self._given = _from_environment(environment)
        self._find = find
        self._default = default
        self._found: Any = None
        self._renewal: asyncio.Future[Keys | None] | None = None

    def are_there(self) -> bool:
        """Return True if there are credentials. Looking for them may take a while."""
        if self._given is None and self._found is None:
            self._found = self._find()
            if self._found is None:
                self._given = self._default
        return bool(self._given or self._found)

    async def get(self) -> Keys | None:
        """Return the credentials of this moment. Raises StoreError if they could not be renewed."""
        if self._given:
            return self._given
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.ensure_future(asyncio.to_thread(self._renewed))
        # One search for all calls that wait. It goes on if one of them is cancelled, and takes one of the few
        # threads, which look up names as well.
        return await asyncio.shield(self._renewal)

    def _renewed(self) -> Keys | None:
        from botocore.exceptions import BotoCoreError, ClientError

        if not self.are_there() or self._found is None:
            return self._given
        try:
            frozen = self._found.get_frozen_credentials()
        # RuntimeError: the new ones have expired too
        except (BotoCoreError, ClientError, OSError, RuntimeError, *PARSE_ERRORS) as error:
            raise StoreError("the AWS credentials could not be renewed") from error
        return Keys(frozen.access_key, frozen.secret_key, frozen.token)


def _from_environment(environment: Mapping[str, str]) -> Keys | None:
    access, secret = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    token = environment.get("AWS_SESSION_TOKEN") or None
    return Keys(access, secret, token) if access and secret else None
