"""Tables of the fields that only Opper, OpenPipe or OpenTools know, and what happens to each.

No provider gets them, since it would refuse them. A field is removed where the answer is the same
without it, and refused with what to say instead where it is not (docs/api.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handler.errors import InvalidRequest
from handler.formats.options import Headers
from handler.formats.validators import Check, Wrong, anything

_REFUSED = "unsupported_parameter"


def _refused(instead: str) -> Check:
    def check(_: Any) -> None:
        raise Wrong(instead, code=_REFUSED)

    return check


# Fields of the body. All of them are removed; a null is absent.
BODY: Mapping[str, Check] = {
    "span_uuid": anything,  # Opper: the span that a call belongs to
    "evaluate": anything,  # Opper: whether the answer is scored
    "openpipe": _refused(
        "OpenPipe's own client reads this and does not send it; here `op-tags`, `op-log-request` and"
        " `fallback_models` say the same"
    ),
    "reqPayload": _refused("what is in it goes into the body itself"),  # OpenPipe's wrapper of old
}

# A tool that the service itself would run, by how its type begins.
TOOLS: Mapping[str, str] = {
    "opper:": "tools that Opper runs are not served here; give a tool of type `function`, and run it",
    "mcp": "tools of a registry are not served here; give a tool of type `function`, and run it",
}


def tool(value: Any) -> None:
    """Checks a tool whose type is not OpenAI's: a provider's own passes, these services' are refused."""
    type_ = value["type"]
    for begins, instead in TOOLS.items():
        if type_.startswith(begins) and (begins != "mcp" or "ref" in value):  # with `ref` it is OpenTools'
            raise Wrong(instead, path=".type", code=_REFUSED)


# Headers that ask for what would change the answer, with the values that ask for nothing.
HEADERS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "op-criteria": (("", "[]"), "answers are not judged here"),
    "x-opper-guard-action": (("", "flag"), "nothing is guarded here; only `flag` passes"),
}


def check_headers(headers: Headers) -> None:
    """Raises InvalidRequest for a header that asks for something that Sluice does not do."""
    for name, (nothing, instead) in HEADERS.items():
        if name in headers and headers[name].strip().lower() not in nothing:
            raise InvalidRequest(f"{name}: {instead}", code=_REFUSED, param=name)
