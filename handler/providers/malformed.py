"""Reads the events of a stream strictly, and skips at most one malformed event, if it has no content.

Any other malformed event ends the stream, because an answer that lost a part must not look complete.
"""

from __future__ import annotations

import json
import re
from typing import Any

from handler.errors import UpstreamError

# The members that hold content in any wire format. A name may be written with escapes, so a backslash counts.
# Compiled by `re` when the first event needs it.
_CONTENT = (
    r'(?i)\\|"response\.(?!created|in_progress|queued)|"delta"\s*:\s*"'  # the types and texts of Responses
    r'|"(?:content|text|refusal|audio|arguments|input|partial_json|data|transcript|images'
    r"|content_?block_?delta|reasoning\w*|thinking\w*|tool_?calls|function_?call|tool_?use|inline_?data|redacted_?content"
    r')"'
)
_JSON = re.compile(r'[{}\[\]"]')


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name occurs twice in one object")
    return members


# Refuses NaN and repeated names: they would be sent on to the client, and readers differ in what they mean.
parse_event = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_unique_members).decode


class MalformedEvents:
    """Counts the malformed events of one stream."""

    def __init__(self) -> None:
        self._skipped = False

    def skip(self, data: str) -> None:
        """Skip an event. Raises UpstreamError if it may have content, and for the second malformed event.

        Plain text, such as a comment, is always skipped.
        """
        if not _JSON.search(data):
            return
        if self._skipped or re.search(_CONTENT, data):
            raise UpstreamError("The provider's stream could not be understood.", failure_class="protocol")
        self._skipped = True
