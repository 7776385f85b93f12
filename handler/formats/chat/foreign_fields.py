"""Fields, tools and headers that only Opper or OpenPipe know, and what happens to each.

No provider receives them, since it would refuse them. A field that does not change the answer is removed;
one that would is refused, with an alternative (docs/api.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handler.errors import InvalidRequest
from handler.formats.options import Headers
from handler.formats.validators import Check, InvalidValue, anything

_UNSUPPORTED = "unsupported_parameter"


def _refuse(reason: str) -> Check:
    def check(_: Any) -> None:
        raise InvalidValue(reason, code=_UNSUPPORTED)

    return check


# Fields of the body. All of them are removed; a null counts as absent.
BODY: Mapping[str, Check] = {
    "span_uuid": anything,  # Opper: the span that a call belongs to
    "evaluate": anything,  # Opper: whether the answer is scored
    "openpipe": _refuse(
        "OpenPipe's client reads this field and does not send it; use `op-tags`, `op-log-request` and"
        " `fallback_models` instead"
    ),
    "reqPayload": _refuse("put the contents of this field into the body itself"),  # OpenPipe's old wrapper
}

# Tools that the service itself would run, by the beginning of their type.
TOOLS: Mapping[str, str] = {
    "opper:": "tools that Opper runs are not supported; send a tool of type `function` and run it yourself",
}


def check_tool(value: Any) -> None:
    """Accept a tool of a provider's own type; refuse the tools of these services."""
    type_ = value["type"]
    for prefix, reason in TOOLS.items():
        if type_.startswith(prefix):
            raise InvalidValue(reason, path=".type", code=_UNSUPPORTED)


# Headers that would change the answer: the values that ask for nothing, and the reason for refusing others.
HEADERS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "op-criteria": (("", "[]"), "Sluice does not evaluate answers"),
    "x-opper-guard-action": (("", "flag"), "Sluice has no guards; only `flag` is accepted"),
}


def check_headers(headers: Headers) -> None:
    """Raise InvalidRequest for a header that asks for something that Sluice does not do."""
    for name, (accepted, reason) in HEADERS.items():
        if name in headers and headers[name].strip().lower() not in accepted:
            raise InvalidRequest(f"{name}: {reason}", code=_UNSUPPORTED, param=name)
