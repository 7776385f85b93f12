"""Which providers there are, with the records' own, and which of them can be used here and now."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from handler.providers.addressing import origin
from handler.providers.anthropic.translator import Anthropic
from handler.providers.bedrock.translator import Bedrock
from handler.providers.credential_hosts import allowed_hosts, credential_allowed
from handler.providers.google.translator import Google
from handler.providers.openai.translator import OpenAI
from handler.providers.provider import REGION, Provider
from handler.providers.rows.builtin import PROVIDERS
from handler.providers.translator import Translator

# By dialect. A provider of a dialect that is not here is not available, and says so.
TRANSLATORS: Mapping[str, Translator] = {
    "anthropic": Anthropic(),
    "bedrock": Bedrock(),
    "google": Google(),
    "openai": OpenAI(),
}

_RECORDED = ("base_url", "credential", "auth", "unlisted")
# A provider of a dialect is like the dialect's own vendor, under another name and at another address.
_LIKE: Mapping[str, Provider] = {
    "openai": Provider(name=""),
    "anthropic": PROVIDERS["anthropic"],
    "google": PROVIDERS["gemini"],
    "bedrock": PROVIDERS["bedrock"],
}


class Held(Protocol):
    """Where credentials are looked up."""

    def get(self, name: str) -> str | None: ...

    def missing(self, name: str) -> str:
        """Says why there is no credential of that name."""
        ...


class TurnedOn(Protocol):
    """The settings that turn providers on, and that let them be anywhere."""

    @property
    def providers(self) -> frozenset[str]: ...

    @property
    def private_upstreams(self) -> bool: ...


def provider_rows(
    records: Iterable[Any], extra: Mapping[str, Provider] | None = None, *, region: str | None = None
) -> Mapping[str, Provider]:
    """Every row by name: the built-in ones, those of this process, then what `provider` records give."""
    table = {**PROVIDERS, **(extra or {})}
    for record in records:
        table[record.id] = _recorded(table.get(record.id), record)
    return {name: _placed(row, region) for name, row in table.items()} if region else table


def _placed(row: Provider, region: str) -> Provider:
    """The row with its address in this region, where it has one in each."""
    if REGION not in (row.base_url or ""):
        return row
    return replace(row, base_url=(row.base_url or "").replace(REGION, region))


def _recorded(known: Provider | None, record: Any) -> Provider:
    """The row with what the record gives. Whoever writes a record of a provider wants it on."""
    row = known or Provider(name=record.id)
    if record.dialect is not None and (known is None or record.dialect != known.dialect):
        row = replace(
            _LIKE[record.dialect],
            **{name: getattr(row, name) for name in ("name", "base_url", "credential", "hosts")},
        )
    given = {name: value for name in _RECORDED if (value := getattr(record, name)) is not None}
    if row.auth == "sigv4" and record.credential is not None:
        given = {"auth": "bearer", **given}  # without its own credential it is not signed as somebody else
    given["headers"] = {**row.headers, **(record.headers or {})}
    return replace(row, on=True, quirks=replace(row.quirks, **(record.quirks or {})), **given)


def available_providers(
    table: Mapping[str, Provider],
    credentials: Held,
    settings: TurnedOn,
    signs: Callable[[], bool] = lambda: False,
) -> tuple[frozenset[str], dict[str, str]]:
    """The names of the providers that can be used, and why each other one cannot.

    `signs`: whether there are AWS credentials to sign with.
    """
    why = {name: _why_not(row, credentials, settings, signs) for name, row in table.items()}
    usable = frozenset(name for name, problem in why.items() if problem is None)
    return usable, {name: problem for name, problem in why.items() if problem is not None}


def _why_not(row: Provider, credentials: Held, settings: TurnedOn, signs: Callable[[], bool]) -> str | None:
    if row.dialect not in TRANSLATORS:
        return f"dialect {row.dialect} is not served yet"
    if not row.on and row.name not in settings.providers:
        return "not turned on: by SLUICE_PROVIDERS or a provider record"
    if row.base_url is None:
        return "no base_url: a provider record gives one"
    if REGION in row.base_url:
        return "no region: AWS_REGION says it"
    if not settings.private_upstreams and origin(row.base_url)[0] != "https":
        return "its base_url is not https"
    if row.auth == "none":
        return None
    if not credential_allowed(row):
        return f"{_what_goes(row)} may only go to {', '.join(allowed_hosts(row) or ())}"
    if row.credential is not None and credentials.get(row.credential):
        return None
    missing = [credentials.missing(row.credential)] if row.credential is not None else []
    if row.auth == "sigv4":
        return None if signs() else ", and ".join(["no AWS credentials", *missing])
    return "".join(missing) or None


def _what_goes(row: Provider) -> str:
    return f"credential {row.credential}" if row.credential else "AWS's signature"
