"""The address and the region of an AWS service: from settings, by the usual pattern, or else from botocore.

https://docs.aws.amazon.com/general/latest/gr/rande.html
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from handler.aws.errors import StoreError
from handler.settings import Settings
from handler.wire.address import is_loopback_host
from handler.wire.http import parse_url

# Regions whose addresses follow the pattern; those of other partitions do not.
_REGION = re.compile(r"(?:af|ap|ca|cn|eu|il|me|mx|sa|us)-(?:gov-)?[a-z]+-[0-9]")
# Settings of botocore's that lead to other addresses.
_OTHER_ADDRESSES = ("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT")


class Endpoint(NamedTuple):
    """Where calls are sent, without a slash at the end, and the region that they are signed for."""

    url: str
    region: str

    @property
    def is_local(self) -> bool:
        return is_loopback(self.url)


def is_loopback(endpoint: str | None) -> bool:
    return is_loopback_host(urlsplit(endpoint or "").hostname or "")


def endpoint_setting(settings: Settings, service: str) -> str | None:
    """Return the address that the environment names for a service."""
    names = (f"AWS_ENDPOINT_URL_{service.upper()}", "AWS_ENDPOINT_URL")
    return next((given for name in names if (given := settings.environment.get(name))), None)


def find_endpoint(settings: Settings, service: str) -> Endpoint:
    """Return the endpoint of a service. Raises StoreError if none is configured, or one that cannot be."""
    given = endpoint_setting(settings, service)
    if given:
        _verify_address(service, given)
    region = settings.region or _configured_region() or ("us-east-1" if is_loopback(given) else None)
    if region is None:
        raise StoreError(f"{service}: no AWS region is configured")
    if given:
        return Endpoint(given.rstrip("/"), region)
    if _REGION.fullmatch(region) and not any(settings.environment.get(name) for name in _OTHER_ADDRESSES):
        suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
        return Endpoint(f"https://{service}.{region}.{suffix}", region)
    return Endpoint(_endpoint_of_botocore(service, region), region)


def _verify_address(service: str, address: str) -> None:
    try:
        parse_url(address)
    except ValueError as error:
        raise StoreError(f"{service}: the address in AWS_ENDPOINT_URL is not an http or https URL") from error


def _endpoint_of_botocore(service: str, region: str) -> str:
    """Return the address that botocore's rules give, which takes 0.1 s. Raises StoreError."""
    import botocore.session
    from botocore.exceptions import BotoCoreError

    try:
        client = botocore.session.get_session().create_client(service, region_name=region)
    except (BotoCoreError, ValueError) as error:  # such as InvalidRegionError
        raise StoreError(f"{service}: no endpoint is known for the AWS region {region!r}") from error
    return str(client.meta.endpoint_url)


def _configured_region() -> str | None:
    """Return the region of the profile in ~/.aws/config."""
    import botocore.session
    from botocore.exceptions import BotoCoreError

    try:
        region: str | None = botocore.session.get_session().get_config_variable("region")
    except BotoCoreError:  # an unknown profile
        return None
    return region
