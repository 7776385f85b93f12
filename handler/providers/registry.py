"""Lists the providers, built in and from records, and says which of them are available."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

from handler.providers.addressing import origin
from handler.providers.credential_hosts import allowed_hosts, credential_allowed
from handler.providers.provider import REGION, Provider
from handler.providers.rows.builtin import PROVIDERS
from handler.providers.rows.responses import RESPONSES
from handler.providers.translator import Translator


def _anthropic() -> Translator:
    from handler.providers.anthropic.translator import Anthropic

    return Anthropic()


def _bedrock() -> Translator:
    from handler.providers.bedrock.translator import Bedrock

    return Bedrock()


def _google() -> Translator:
    from handler.providers.google.translator import Google

    return Google()


def _openai() -> Translator:
    from handler.providers.openai.translator import OpenAI

    return OpenAI()


def _responses() -> Translator:
    from handler.providers.responses.translator import Responses

    return Responses()


class Translators(Mapping[str, Translator]):
    """Translators by dialect, each imported when it is first needed: few processes need more than two."""

    def __init__(self, make: Mapping[str, Callable[[], Translator]]) -> None:
        self._make = make
        self._made: dict[str, Translator] = {}

    def __getitem__(self, dialect: str) -> Translator:
        made = self._made.get(dialect)
        if made is None:
            made = self._made[dialect] = self._make[dialect]()
        return made

    def __contains__(self, dialect: object) -> bool:
        return dialect in self._make

    def __iter__(self) -> Iterator[str]:
        return iter(self._make)

    def __len__(self) -> int:
        return len(self._make)


# A provider of any other dialect is unavailable.
TRANSLATORS = Translators(
    {
        "anthropic": _anthropic,
        "bedrock": _bedrock,
        "google": _google,
        "openai": _openai,
        "responses": _responses,
    }
)

_RECORD_FIELDS = ("base_url", "auth", "unlisted")
# The row that a new provider of each dialect starts from: that of the dialect's own vendor.
_TEMPLATES: Mapping[str, Provider] = {
    "openai": Provider(name=""),
    "anthropic": PROVIDERS["anthropic"],
    "google": PROVIDERS["gemini"],
    "bedrock": PROVIDERS["bedrock"],
    "responses": Provider(name="", dialect="responses", quirks=RESPONSES.quirks),
}


class Credentials(Protocol):
    def get(self, name: str) -> str | None: ...

    def missing(self, name: str) -> str:
        """Return the reason why there is no credential of that name."""
        ...


class ProviderSettings(Protocol):
    """The settings that enable providers, and allow addresses that are not https."""

    @property
    def providers(self) -> frozenset[str]: ...

    @property
    def private_upstreams(self) -> bool: ...


def provider_rows(
    records: Iterable[Any], extra: Mapping[str, Provider] | None = None, *, region: str | None = None
) -> Mapping[str, Provider]:
    """All rows by name. `provider` records change the built-in rows and `extra`, the rows of this process."""
    table = {**PROVIDERS, **(extra or {})}
    for record in records:
        table[record.id] = _apply_record(table.get(record.id), record)
    return {name: _insert_region(row, region) for name, row in table.items()} if region else table


def _insert_region(row: Provider, region: str) -> Provider:
    if REGION not in (row.base_url or ""):
        return row
    return row.replaced(base_url=(row.base_url or "").replace(REGION, region))


def _apply_record(known: Provider | None, record: Any) -> Provider:
    """Return the row with the fields of the record. A record always enables its provider."""
    row = known or Provider(name=record.id)
    if record.dialect is not None and (known is None or record.dialect != known.dialect):
        row = _TEMPLATES[record.dialect].replaced(
            **{name: getattr(row, name) for name in ("name", "base_url", "credential", "hosts")},
        )
    given = {name: value for name in _RECORD_FIELDS if (value := getattr(record, name)) is not None}
    if record.credential is not None:
        given["credential"], *more = record.credential
        given["accounts"] = record.credential if more else ()
    if row.auth == "sigv4" and record.credential is not None:
        given = {"auth": "bearer", **given}  # without its credential the request must not be signed instead
    given["headers"] = {**row.headers, **(record.headers or {})}
    return row.replaced(enabled=True, quirks=row.quirks.replaced(**(record.quirks or {})), **given)


def available_providers(
    table: Mapping[str, Provider],
    credentials: Credentials,
    settings: ProviderSettings,
    can_sign: Callable[[], bool] = lambda: False,
) -> tuple[frozenset[str], dict[str, str]]:
    """The names of the available providers, and for each other one the reason why it is unavailable.

    A provider with several credentials is available with one of them; each other one has a reason of its
    own, under the provider's name and its own. `can_sign`: tells if there are AWS credentials.
    """
    names, reasons = set[str](), dict[str, str]()
    for name, row in table.items():
        found = {
            each.credential: _unavailable(each, credentials, settings, can_sign) for each in row.by_account()
        }
        missing = {account: reason for account, reason in found.items() if reason is not None}
        if len(missing) < len(found):
            names.add(name)
            reasons |= {f"{name} {account}": reason for account, reason in missing.items()}
        else:
            reasons[name] = "; ".join(dict.fromkeys(missing.values()))
    return frozenset(names), reasons


def usable_accounts(table: Mapping[str, Provider], credentials: Credentials) -> dict[str, tuple[str, ...]]:
    """By provider with several credentials, the names of those that can be used."""
    return {
        name: tuple(
            account
            for each in row.by_account()
            if (account := each.credential) and credential_allowed(each) and credentials.get(account)
        )
        for name, row in table.items()
        if row.accounts and row.auth != "none"
    }


def _unavailable(
    row: Provider, credentials: Credentials, settings: ProviderSettings, can_sign: Callable[[], bool]
) -> str | None:
    """The reason why the provider is unavailable; None if it is available."""
    if row.dialect not in TRANSLATORS:
        return f"dialect {row.dialect} is not supported"
    if not row.enabled and row.name not in settings.providers:
        return "not enabled: SLUICE_PROVIDERS or a provider record enables it"
    if row.base_url is None:
        return "no base_url: a provider record must give one"
    if REGION in row.base_url:
        return "no region: set AWS_REGION"
    if not settings.private_upstreams and origin(row.base_url)[0] != "https":
        return "its base_url is not https"
    if row.auth == "none":
        return None
    if not credential_allowed(row):
        secret = f"credential {row.credential}" if row.credential else "AWS's signature"
        return f"{secret} may only be sent to {', '.join(allowed_hosts(row) or ())}"
    if row.credential is not None and credentials.get(row.credential):
        return None
    missing = [credentials.missing(row.credential)] if row.credential is not None else []
    if row.auth == "sigv4":
        return None if can_sign() else ", and ".join(["no AWS credentials", *missing])
    return "".join(missing) or None
