"""Skips an unreadable event of a stream if it has no content; any other ends the stream.

An answer must never look complete when a part of it was thrown away.
"""

from __future__ import annotations

import json
import re
from typing import Any

from handler.errors import UpstreamError

# What content stands under in any wire format. An escape may spell any of these.
_CONTENT = re.compile(
    r'\\|"(?:content|text|refusal|audio|arguments|input|partial_json|data|transcript|images'
    r"|content_?block_?delta|reasoning\w*|thinking\w*|tool_?calls|function_?call|tool_?use|inline_?data|redacted_?content"
    r')"',
    re.IGNORECASE,
)
_JSON = re.compile(r'[{}\[\]"]')


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found


# Either in an event would go on to the client, and readers differ in what it means.
loads = json.JSONDecoder(parse_constant=_no_constant, object_pairs_hook=_members).decode


class MalformedEvents:
    """The unreadable events of one stream."""

    def __init__(self) -> None:
        self._skipped = False

    def skip(self, data: str) -> None:
        """Skips one event. Raises UpstreamError where it may hold content, and at a second one.

        A remark in plain text, which is not JSON at all, is always skipped.
        """
        if not _JSON.search(data):
            return
        if self._skipped or _CONTENT.search(data):
            raise UpstreamError("The provider's stream could not be understood.", failure_class="protocol")
        self._skipped = True
