"""What every call of the console's API gets: the gateway, the request, its key, and the parts of its path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from handler.access.keys import Key
from handler.aws.client import AwsClient
from handler.endpoints.exchange.http import HttpRequest
from handler.endpoints.exchange.response import Response
from handler.errors import GatewayError, Json, NotFound
from handler.gateway.lifecycle import Gateway
from handler.manage.changes import format_compact
from handler.settings import Settings


class Conflict(GatewayError):
    """What is to be changed is not any more as the one who changes it has read it."""

    status, type, code = 409, "invalid_request_error", "key_changed"


class ConsoleCall(NamedTuple):
    """One call. `params`: the parts of the path in braces, such as `id`."""

    gateway: Gateway
    request: HttpRequest
    key: Key
    params: Mapping[str, str]

    @property
    def tables(self) -> tuple[AwsClient, Settings]:
        """The first arguments of the functions in `handler.manage`."""
        return self.gateway.store.client, self.gateway.settings


def exact_json(content: Json) -> Response:
    """Return JSON with values as DynamoDB has them: every digit of a number, and sets as sorted lists."""
    return Response(format_compact(content).encode())


def require_console(gateway: Gateway) -> None:
    """Raise NotFound where the console is turned off."""
    if gateway.settings.console == "off":
        raise NotFound("There is no console here: SLUICE_CONSOLE is off.", code="unknown_url")
