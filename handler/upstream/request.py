"""Builds one request to a provider: its address, headers and body. Nothing else from the client is sent."""

from __future__ import annotations

from collections.abc import Mapping

from handler import __version__
from handler.errors import InvalidRequest, Json, UpstreamError
from handler.providers.addressing import request_url
from handler.providers.provider import Provider
from handler.providers.translator import Translator
from handler.redact import remove_secrets
from handler.upstream.headers import merged_headers
from handler.wire.header_values import encode_header_value
from handler.wire.splice import dump_unicode_bytes, splice_bytes
from rules import Frozen, Model

USER_AGENT = f"sluice/{__version__}"
# The media type that asks for a stream, by its framing.
_STREAM_TYPES: Mapping[str, str] = {
    "sse": "text/event-stream",
    "eventstream": "application/vnd.amazon.eventstream",
}


class UpstreamRequest(Frozen):
    """One request. Its repr shows neither headers nor body, because it holds the credential."""

    hidden = frozenset({"body", "headers", "secrets"})

    url: str
    headers: list[tuple[bytes, bytes]]
    body: bytes
    dropped: tuple[str, ...]  # parameters that the provider does not take
    secrets: tuple[str, ...]  # the credential, or what a signature is made of
    method: str = "POST"

    def redact_credential(self, error: UpstreamError) -> None:
        """Remove the credentials from an error that quotes the provider."""
        if error.native is not None:
            text = error.native.body.decode("utf-8", "surrogateescape")
            clean = remove_secrets(text, self.secrets).encode("utf-8", "surrogateescape")
            has_checksum = text.startswith("\0")  # a message of an AWS event stream: no edit keeps it valid
            broken = has_checksum and clean != error.native.body
            error.native = None if broken else error.native._replace(body=clean)
        error.message = remove_secrets(error.message, self.secrets)
        error.args = (error.message,)
        error.param = error.param and remove_secrets(error.param, self.secrets)
        error.__notes__ = [remove_secrets(note, self.secrets) for note in getattr(error, "__notes__", ())]
        if remove_secrets(error.code, self.secrets) != error.code:
            error.code = InvalidRequest.code


def build_request(
    row: Provider,
    model: Model,
    path: str,
    body: Json,
    *,
    dropped: tuple[str, ...] = (),
    client_text: str,
    client_body: Json | None,
    client_headers: Mapping[str, str],
    media_type: str,
    credential: str | None,
    private_ok: bool,
) -> UpstreamRequest:
    """Make the request of a body. Raises UpstreamError if the provider's row does not allow the call at all.

    client_text: the request as the client sent it, which parses to `client_body`, so that unchanged parts of
    the body keep their bytes; None if the provider's format is not the client's. client_headers: those that
    the provider receives. media_type: of the answer.
    """
    headers = {
        **_headers(media_type),
        # Later ones win, so that neither a client nor a record replaces the credential.
        **merged_headers(client_headers, {name.lower(): value for name, value in row.headers.items()}),
        **_authorization(row, credential),
    }.items()
    return UpstreamRequest(
        url=_url(row, model, path, private_ok=private_ok),
        headers=[(name.encode("ascii"), encode_header_value(value).encode()) for name, value in headers],
        body=dump_unicode_bytes(client_text, body)
        if client_body is None
        else splice_bytes(client_text, client_body, body),
        dropped=dropped,
        secrets=(credential,) if credential else (),
    )


def answer_type(translator: Translator, *, stream: bool) -> str:
    """Return the media type of the answer to ask for."""
    return _STREAM_TYPES[translator.framing] if stream else "application/json"


def build_post(
    row: Provider,
    model: Model,
    path: str,
    body: bytes,
    *,
    media_type: str,
    client_headers: Mapping[str, str],
    credential: str | None,
    private_ok: bool,
) -> UpstreamRequest:
    """Return a request of an operation besides chat. Raises UpstreamError if the row does not allow it."""
    headers = {
        **_headers("*/*"),
        "content-type": media_type,
        **merged_headers(client_headers, {name.lower(): value for name, value in row.headers.items()}),
        **_authorization(row, credential),
    }.items()
    return UpstreamRequest(
        url=_url(row, model, path, private_ok=private_ok),
        headers=[(name.encode("ascii"), encode_header_value(value).encode()) for name, value in headers],
        body=body,
        dropped=(),
        secrets=(credential,) if credential else (),
    )


def build_get(row: Provider, path: str, *, credential: str | None, private_ok: bool) -> UpstreamRequest:
    """Return a request for what a provider tells about itself. Raises UpstreamError as `build_post` does."""
    anything = Model(provider=row.name, name="-")
    return build_post(
        row,
        anything,
        path,
        b"",
        media_type="application/json",
        client_headers={},
        credential=credential,
        private_ok=private_ok,
    ).replaced(method="GET")


def _headers(accept: str) -> dict[str, str]:
    return {
        "content-type": "application/json",
        "accept": accept,
        # Identity: nothing to decompress, and nothing that holds back the single words of a stream.
        "accept-encoding": "identity",
        "user-agent": USER_AGENT,
    }


def _url(row: Provider, model: Model, path: str, *, private_ok: bool) -> str:
    if row.base_url is None:
        raise UpstreamError(f"The provider {row.name} has no base_url.", failure_class="permission")
    if not private_ok and not row.base_url.lower().startswith("https://"):
        raise UpstreamError(f"The base_url of {row.name} is not https.", failure_class="permission")
    return request_url(row, model, path)


def _authorization(row: Provider, credential: str | None) -> dict[str, str]:
    if row.credential is None or row.auth == "none" or (row.auth == "sigv4" and credential is None):
        return {}  # a signature is added when the request is complete
    if credential is None:
        raise UpstreamError(f"There is no credential {row.credential}.", failure_class="auth")
    if row.auth in ("bearer", "sigv4"):
        return {"authorization": f"Bearer {credential}"}
    return {row.auth: credential}
