"""What goes to an upstream: address, headers and body of one attempt. Nothing else of the client's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from handler import __version__
from handler.errors import InvalidRequest, UpstreamError
from handler.providers.addressing import request_url
from handler.providers.provider import Provider
from handler.providers.translator import Translator
from handler.redact import remove_secrets
from handler.relay.call import Call
from handler.wire.header_values import encode_header_value
from handler.wire.splice import dump_unicode_bytes, splice_bytes
from rules import Model

USER_AGENT = f"sluice/{__version__}"
# How a stream in each framing is asked for.
_ACCEPTS: Mapping[str, str] = {
    "sse": "text/event-stream",
    "eventstream": "application/vnd.amazon.eventstream",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRequest:
    """One POST. It holds the credential, so it is never shown."""

    url: str
    headers: list[tuple[bytes, bytes]] = field(repr=False)
    body: bytes = field(repr=False)
    dropped: tuple[str, ...]  # tuning the provider does not take
    secrets: tuple[str, ...] = field(repr=False)  # what authenticates it

    def forget(self, error: UpstreamError) -> None:
        """Takes the credentials out of what a provider said."""
        error.message = remove_secrets(error.message, self.secrets)
        error.args = (error.message,)
        error.param = error.param and remove_secrets(error.param, self.secrets)
        error.__notes__ = [remove_secrets(note, self.secrets) for note in getattr(error, "__notes__", ())]
        if remove_secrets(error.code, self.secrets) != error.code:
            error.code = InvalidRequest.code


def outgoing(
    call: Call,
    model: Model,
    row: Provider,
    translator: Translator,
    *,
    credential: str | None,
    private_ok: bool,
) -> UpstreamRequest:
    """Raises UpstreamError where the row does not allow the call at all."""
    body, dropped = translator.request(call.body, model, row.quirks)
    headers = _headers(call, row, credential, _ACCEPTS[translator.framing]).items()
    own, text = row.dialect == call.decision.facts.dialect, call.chat.text
    return UpstreamRequest(
        url=_url(row, model, translator.path(model, stream=call.chat.stream), private_ok=private_ok),
        headers=[(name.encode("ascii"), encode_header_value(value).encode()) for name, value in headers],
        body=splice_bytes(text, call.chat.body, body) if own else dump_unicode_bytes(text, body),
        dropped=dropped,
        secrets=(credential,) if credential else (),
    )


def _url(row: Provider, model: Model, path: str, *, private_ok: bool) -> str:
    if row.base_url is None:
        raise UpstreamError(f"The provider {row.name} has no base_url.", failure_class="permission")
    if not private_ok and not row.base_url.lower().startswith("https://"):
        raise UpstreamError(f"The base_url of {row.name} is not https.", failure_class="permission")
    return request_url(row, model, path)


def _headers(call: Call, row: Provider, credential: str | None, streams: str) -> dict[str, str]:
    """Later ones win, so that neither a client nor a record replaces the credential."""
    theirs = call.headers if row.dialect == call.decision.facts.dialect else {}
    return {
        "content-type": "application/json",
        "accept": streams if call.chat.stream else "application/json",
        # Identity: no packed bomb to unpack, and no packer in the way of a stream's single words.
        "accept-encoding": "identity",
        "user-agent": USER_AGENT,
        **theirs,
        **{name.lower(): value for name, value in row.headers.items()},
        **_authorization(row, credential),
    }


def _authorization(row: Provider, credential: str | None) -> dict[str, str]:
    if row.credential is None or row.auth == "none" or (row.auth == "sigv4" and credential is None):
        return {}  # what is signed is signed by handler/relay/relay.py, when it is complete
    if credential is None:
        raise UpstreamError(f"There is no credential {row.credential}.", failure_class="auth")
    if row.auth in ("bearer", "sigv4"):
        return {"authorization": f"Bearer {credential}"}
    return {row.auth: credential}
