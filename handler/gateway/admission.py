"""Facts of a chat request for the rules, and the errors of requests that the rules or a provider refuse."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from handler.access.keys import Key
from handler.errors import Forbidden, GatewayError, InvalidRequest, NotFound, Unavailable
from handler.formats.chat.request import Chat
from handler.formats.options import Headers, header_facts
from handler.providers.quirks.refused_fields import refused_field
from rules import Facts, Refusal, facts_of_request

# The error of each refusal code; the other codes are faults of the request itself.
REFUSAL_ERRORS: Mapping[str, type[GatewayError]] = {
    "model_not_found": NotFound,
    "model_not_allowed": Forbidden,
    "no_candidate": Unavailable,
    "rule_unreadable": Unavailable,
}


def facts_of(chat: Chat, *, key: Key, headers: Headers, now: datetime, roll: float) -> Facts:
    """Return the facts that rules may ask about. `now`: in UTC; `roll`: random, 0 <= roll < 1."""
    return facts_of_request(
        chat.body,
        project=key.project,
        key=key.id,
        key_models=key.models,
        function=chat.function,
        header=header_facts(headers),
        tags=chat.tags,
        prefer=chat.prefer,
        at=now,
        random=roll,
    )


def refusal_error(refusal: Refusal, *, retry_after: float | None = None) -> GatewayError:
    """Return the error of a refused decision. `retry_after`: seconds after which there may be a candidate."""
    kind = REFUSAL_ERRORS.get(refusal.code, InvalidRequest)
    error = kind(refusal.message, code=refusal.code, param=refusal.param)
    if refusal.code == "no_candidate":
        error.retry_after = retry_after
        if retry_after is None:  # a credential or a record is missing, so a retry by an SDK cannot succeed
            error.headers["x-should-retry"] = "false"
    return error


def refused_field_error(
    chat: Chat, refuse: Collection[str], allow_fields: Collection[str], *, model: str
) -> InvalidRequest | None:
    """Return the error of the first field in `chat` that a provider's row refuses; None if it may be sent.

    `allow_fields`: fields that a rule allows; `model`: its name at the provider.
    """
    name = refused_field(chat.body, refuse, allow_fields, model=model)
    if name is None:
        return None
    what = f"model {model}" if name == "model" else name
    message = f"{what}: not accepted here; a rule's `allow_fields` can allow it"
    return InvalidRequest(message, code="unsupported_parameter", param=name)
