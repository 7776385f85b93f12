"""Requests that are relayed in their client's own format to a provider that has the same one. No I/O.

The provider gets the client's body with declared edits, and the client gets the provider's answer unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping

from handler.answers.usage import Usage, usage_of
from handler.errors import Json, NativeError
from handler.providers.addressing import in_dialect
from handler.providers.provider import Provider
from handler.providers.quirks.model_rules import apply_parameter_rules
from handler.providers.unsupported import unsupported
from handler.relay.call import Call
from rules import Model

# The dialects whose body names the model; for the others it is in the path.
_NAMES_MODEL = frozenset({"anthropic", "responses"})
_ERROR_NAME = "x-amzn-errortype"


def native_row(call: Call, model: Model) -> Provider | None:
    """Return the row that gets the client's own body; None if the model's provider has another format."""
    native, row = call.chat.native, call.rows.get(model.provider)
    if native is None or call.native_body is None or row is None:
        return None
    return in_dialect(row, model, native.dialect)


def is_native(call: Call) -> bool:
    """Return True if the first candidate gets the client's own body."""
    candidates = call.decision.candidates
    return bool(candidates) and native_row(call, candidates[0].model) is not None


def native_path(call: Call, path: str) -> str:
    """Return the path with the call's suffix. A method of Google's (`:countTokens`) replaces the path's."""
    suffix = call.native_suffix
    return path.rpartition(":")[0] + suffix if suffix.startswith(":") else path + suffix


def native_body(call: Call, model: Model) -> tuple[Json, tuple[str, ...]]:
    """Return the body for this model, and the parameters that were left out.

    A client that named another model cannot know which parameters this one refuses.
    """
    assert call.chat.native is not None
    assert call.native_body is not None
    body, dropped = call.native_body, []
    if call.decision.facts.model not in (model.name, model.id):
        dropped = [name for name in _refused(call.body, model) if name in call.native_effects]
        for name in dropped:
            body = call.native_effects[name](body, None)
    if call.chat.native.dialect in _NAMES_MODEL:
        body = {**body, "model": model.name}
    if call.chat.native.dialect == "responses" and not call.native_suffix and body.get("store") is not False:
        body = {**body, "store": False}  # OpenAI's default would store the answer at the gateway's account
    return body, tuple(dropped)


def _refused(chat: Json, model: Model) -> list[str]:
    """Return the parameters that the model's rules leave out."""
    dropped: list[str] = []
    left = apply_parameter_rules(chat, model.rules, dropped)
    return [name for name in dropped if name not in left]


def check_translatable(call: Call) -> None:
    """Raise Unsupported for a request that only a provider of the client's own format can answer."""
    if call.native_suffix:
        raise unsupported("model", "its provider does not have this endpoint")
    if call.chat.native is not None and call.chat.native.only is not None:
        raise unsupported(*call.chat.native.only)


def native_error(status: int, headers: Mapping[str, str], body: bytes) -> NativeError:
    """Return an error response. AWS names the error in a header, with an address behind the name."""
    name = headers.get(_ERROR_NAME, "").partition(":")[0]
    return NativeError(status, body, {_ERROR_NAME: name} if name.isalpha() and name.isascii() else {})


def usage_at(body: Json) -> Usage:
    """Return the usage in an answer of another endpoint: none of a count of tokens, that of a compaction."""
    if not isinstance(body.get("usage"), dict):
        return Usage()
    from handler.providers.responses.answer import read_usage  # few requests need it: not at a cold start

    return usage_of(read_usage(body)) or Usage()
