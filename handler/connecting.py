"""A connection while it comes about: who is at its other end, and its end when it is given up.

httpcore tells of both through its trace extension: https://www.encode.io/httpcore/extensions/#trace
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handler.address import public
from handler.errors import UpstreamError


class Connecting:
    """Watches one attempt connect; of a connection that was kept from before it hears nothing."""

    def __init__(self, *, private_ok: bool) -> None:
        self._private_ok = private_ok
        self._stream: Any = None  # while TLS does not stand on it: given up then, httpcore leaves it open

    def matters(self, url: str) -> bool:
        """Whether there is anything to watch for on the way to `url`: every event costs a call."""
        return not self._private_ok or url.startswith("https:")

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Raises UpstreamError when the name has led to an address that no upstream may have.

        It is the peer itself that is looked at, before TLS and before a byte of ours: a name that resolves to
        something else the second time gains nothing.
        """
        if event == "connection.connect_tcp.complete":
            self._stream = info["return_value"]
            if not self._private_ok and not public(self._stream.get_extra_info("server_addr")[0]):
                await self.aclose()
                raise UpstreamError("The provider's address is not a public one.", klass="permission")
        elif event == "connection.start_tls.complete":
            self._stream = None

    async def aclose(self) -> None:
        if self._stream is not None:
            await self._stream.aclose()
