"""The declared edits to an answer: the id of the model, the usage of all attempts of the call, and its cost.

Contract, sections 3 and 8. No I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from handler.answers.costs import shown
from handler.answers.resume import Sent
from handler.answers.usage import Usage, WastedUsage, reported, summed, usage_of
from handler.errors import Json
from handler.wire.splice import splice_bytes
from rules import Candidate


class Edits(Protocol):
    """Further edits to a stream's chunks: of a resumed answer, or of one choice among several."""

    def chunk(self, chunk: Json) -> Json | None:
        """The client's chunk; None for nothing new.

        Raises UpstreamError if the chunk does not fit what was sent.
        """
        ...

    def text(self, text: str) -> None:
        """Record plain text that went to the client unchanged."""
        ...

    def sent(self) -> Sent | None:
        """The text that another candidate can continue; None if the answer cannot be continued."""
        ...


def whole(
    text: str,
    body: Json,
    completion: Json,
    *,
    model: str,
    charged: Candidate | None = None,
    wasted: Sequence[WastedUsage] = (),
    used: Usage | None = None,
) -> bytes:
    """Edit a whole answer for the client, as `served` does. text: parses to `body`."""
    return splice_bytes(text, body, served(completion, model, charged, wasted, used))


def served(
    answer: Json,
    model: str,
    charged: Candidate | None,
    wasted: Sequence[WastedUsage] = (),
    used: Usage | None = None,
) -> Json:
    """Return the answer under the id of the model that served it, with its cost if the client asked for that.

    Its usage counts every attempt of the call, as the log does. charged: the candidate that answers, if the
    client asked for the cost. wasted: the usage of the other attempts. used: that of this one, if it is not
    the one in the answer; an estimate is shown to a client that asked for the cost.
    """
    usage = answer.get("usage")
    if charged and used and used.estimated:
        usage = {**(usage or {}), **reported(used)}
    if (charged or wasted) and isinstance(usage, dict):
        used = used or usage_of(answer)
    if not (used and isinstance(usage, dict) and (charged or wasted)):
        return {**answer, "model": model}
    if wasted:
        usage = summed(usage, wasted)
    if charged:
        usage = {**usage, **shown([*wasted, (charged, used)])}
    return {**answer, "model": model, "usage": usage}
