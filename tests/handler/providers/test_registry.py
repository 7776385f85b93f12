"""The built-in rows, the changes that records make to them, and the providers that are available."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

import rules
from handler.providers.provider import Provider, Quirks
from handler.providers.registry import TRANSLATORS, available_providers, provider_rows, usable_accounts
from handler.providers.rows import builtin, vendors
from handler.providers.rows.builtin import PROVIDERS
from handler.settings import Settings
from handler.upstream.credentials import is_credential
from rules import read_record
from rules.admission import WIRE_FEATURES
from rules.records.kinds import AUTH, DIALECTS
from rules.review.check import OFF_BY_DEFAULT

DOCS = Path(__file__).parents[3] / "docs" / "providers.md"
EVERY = [pytest.param(row, id=name) for name, row in PROVIDERS.items()]
OFF = OFF_BY_DEFAULT | {"local"}
FEATURES = {
    "tools",
    "images",
    "audio",
    "files",
    "json_object",
    "json_schema",
    "reasoning",
    "n",
} | WIRE_FEATURES
OWN_FIELDS = {"hints", "route", "fallback_models", "models", "output_schema", "tags", "usage"}


class Credentials(dict[str, str]):
    """Credentials by name."""

    def missing(self, name: str) -> str:
        return f"no credential {name}"


def test_every_provider_of_the_rules_has_one_row() -> None:
    assert PROVIDERS.keys() == rules.PROVIDERS
    assert all(name == row.name for name, row in PROVIDERS.items())


def test_every_dialect_of_a_record_has_a_translator() -> None:
    assert set(DIALECTS) == TRANSLATORS.keys()


@pytest.mark.parametrize("row", EVERY)
def test_a_row_is_complete(row: Provider) -> None:
    assert row.dialect in TRANSLATORS
    assert row.auth in AUTH
    assert row.credential is None or is_credential(row.credential)
    assert all(surface.dialect in TRANSLATORS for surface in row.surfaces.values())
    assert row.quirks.unable <= FEATURES
    assert not row.quirks.refuse & OWN_FIELDS, "Sluice removes its own fields, so no row refuses them"
    assert row.base_url or row.name in OFF


@pytest.mark.parametrize("row", [row for row in PROVIDERS.values() if row.base_url], ids=lambda row: row.name)
def test_an_address_is_https_and_ends_without_a_slash(row: Provider) -> None:
    parts = urlsplit(row.base_url or "")
    assert parts.scheme == "https" or parts.hostname == "localhost"
    assert not (row.base_url or "").endswith("/")
    assert not parts.query


def test_no_two_rows_share_a_credential() -> None:
    names = [row.credential for row in PROVIDERS.values() if row.credential]
    assert len(names) == len(set(names))


def test_the_quirks_of_a_row_have_a_source() -> None:
    sources = [Path(str(module.__file__)).read_text(encoding="utf-8") for module in (vendors, builtin)]
    for entry in (entry for source in sources for entry in source.split("    Provider(\n")[1:]):
        if "quirks=" in entry and "compatible()" not in entry and 'name="openai"' not in entry:
            assert "https://" in entry.replace('base_url="https://', ""), entry.splitlines()[0]


def availability(
    table: Mapping[str, Provider], *providers: str, **credentials: str
) -> tuple[frozenset[str], dict[str, str]]:
    return available_providers(
        table, Credentials(credentials), Settings(providers=frozenset(providers), private_upstreams=True)
    )


def test_without_credentials_no_provider_is_available_and_each_has_a_reason() -> None:
    names, why = availability(PROVIDERS)
    assert names == frozenset()
    assert why.keys() == PROVIDERS.keys()
    assert why["mistral"] == "no credential MISTRAL_API_KEY"
    assert why["anthropic"] == "no credential ANTHROPIC_API_KEY"
    assert why["gemini"] == "no credential GEMINI_API_KEY"
    assert why["bedrock"] == "not enabled: SLUICE_PROVIDERS or a provider record enables it"
    assert why["azure"] == "no base_url: a provider record must give one"
    assert why["ollama"] == "not enabled: SLUICE_PROVIDERS or a provider record enables it"


def test_a_provider_with_its_credential_is_available() -> None:
    names, why = availability(PROVIDERS, MISTRAL_API_KEY="x", OPENAI_API_KEY="y", ANTHROPIC_API_KEY="z")
    assert names == {"anthropic", "mistral", "openai"}
    assert names.isdisjoint(why)
    assert names | why.keys() == PROVIDERS.keys()


def test_a_setting_enables_providers_without_a_credential() -> None:
    names, why = availability(PROVIDERS, "ollama", "vllm")
    assert names == {"ollama"}
    assert why["vllm"] == "no base_url: a provider record must give one"


@pytest.mark.parametrize("credential", [None, "ACME_API_KEY"])
def test_an_address_must_be_https_unless_private_upstreams_are_allowed(credential: str | None) -> None:
    table = {"acme": Provider(name="acme", base_url="http://acme.example/v1", credential=credential)}
    credentials = Credentials(ACME_API_KEY="x")
    assert available_providers(table, credentials, Settings()) == (
        frozenset(),
        {"acme": "its base_url is not https"},
    )
    assert available_providers(table, credentials, Settings(private_upstreams=True)) == (
        frozenset({"acme"}),
        {},
    )


def record(id: str, **fields: Any) -> Any:
    return read_record({"kind": "provider", "id": id, **fields})


@pytest.mark.parametrize(
    ("region", "can_sign", "credentials", "reason"),
    [
        pytest.param("eu-west-1", True, {}, None, id="signed by the gateway's role"),
        pytest.param(
            "eu-west-1", False, {"AWS_BEARER_TOKEN_BEDROCK": "x"}, None, id="with its own credential"
        ),
        pytest.param(None, True, {}, "no region: set AWS_REGION", id="no region"),
        pytest.param(
            "eu-west-1",
            False,
            {},
            "no AWS credentials, and no credential AWS_BEARER_TOKEN_BEDROCK",
            id="neither credential nor role",
        ),
    ],
)
def test_bedrock_needs_a_region_and_a_credential_or_a_role(
    region: str | None, can_sign: bool, credentials: dict[str, str], reason: str | None
) -> None:
    table = provider_rows([], region=region)
    settings = Settings(providers=frozenset({"bedrock"}))
    _, reasons = available_providers(table, Credentials(credentials), settings, lambda: can_sign)
    assert reasons.get("bedrock") == reason


@pytest.mark.parametrize(
    ("base_url", "allowed"),
    [
        pytest.param("https://bedrock-runtime.us-east-1.amazonaws.com", True, id="a region"),
        pytest.param("https://bedrock-runtime-fips.us-east-1.amazonaws.com", True, id="a FIPS endpoint"),
        pytest.param(
            "https://vpce-1a-2b.bedrock-runtime.us-east-1.vpce.amazonaws.com",
            True,
            id="an interface endpoint",
        ),
        pytest.param("https://x.execute-api.us-east-1.amazonaws.com", False, id="another host at AWS"),
        pytest.param("https://bedrock-runtime.x.y.amazonaws.com", False, id="one label too many"),
        pytest.param(
            "https://bedrock-runtime.us-east-1.amazonaws.com.evil.example",
            False,
            id="a host with the same beginning",
        ),
        pytest.param("http://bedrock-runtime.us-east-1.amazonaws.com", False, id="plain http"),
        pytest.param("https://evil.example", False, id="another host"),
    ],
)
def test_a_signature_is_only_allowed_at_bedrocks_hosts(base_url: str, allowed: bool) -> None:
    table = provider_rows([record("bedrock", base_url=base_url)])
    names, why = available_providers(table, Credentials(), Settings(), lambda: True)
    assert ("bedrock" in names) is allowed
    assert (
        allowed
        or "AWS_BEARER_TOKEN_BEDROCK may only be sent to" in why["bedrock"]
        or "https" in why["bedrock"]
    )


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        pytest.param(
            {"credential": "PROXY_KEY"}, None, id="with a credential of its own the request is not signed"
        ),
        pytest.param(
            {"credential": "GONE_KEY"},
            "no credential GONE_KEY",
            id="nor is it signed if that credential is missing",
        ),
        pytest.param(
            {"credential": "PROXY_KEY", "auth": "sigv4"},
            "credential PROXY_KEY may only be sent to bedrock-runtime.",
            id="with sigv4 the host must be Bedrock's",
        ),
        pytest.param(
            {}, "credential AWS_BEARER_TOKEN_BEDROCK may only be sent to", id="with the row's own credential"
        ),
        pytest.param({"auth": "none"}, None, id="without authentication"),
    ],
)
@pytest.mark.parametrize("id", ["bedrock", "second"])
def test_no_request_to_another_host_is_signed(id: str, fields: Any, why: str | None) -> None:
    moved = record(id, dialect="bedrock", base_url="https://proxy.example", **fields)
    if id == "second" and why:
        why = why.replace("credential AWS_BEARER_TOKEN_BEDROCK", "AWS's signature")
    found = available_providers(provider_rows([moved]), Credentials(PROXY_KEY="x"), Settings(), lambda: True)[
        1
    ].get(id)
    assert found is None if why is None else (found or "").startswith(why)


@pytest.mark.parametrize(
    ("dialect", "auth", "headers"),
    [
        pytest.param("openai", "bearer", {}, id="openai"),
        pytest.param("anthropic", "x-api-key", {"anthropic-version": "2023-06-01"}, id="anthropic"),
        pytest.param("google", "x-goog-api-key", {}, id="google"),
        pytest.param("bedrock", "sigv4", {}, id="bedrock"),
        pytest.param("responses", "bearer", {}, id="responses"),
    ],
)
@pytest.mark.parametrize("id", ["second", "mistral", "anthropic", "gemini", "bedrock", "azure"])
def test_a_provider_authenticates_as_its_dialect_does_under_any_id(
    id: str, dialect: str, auth: str, headers: dict[str, str]
) -> None:
    row = provider_rows([record(id, dialect=dialect, base_url="https://x.example/v1")])[id]
    built = PROVIDERS.get(id)
    if built is not None and built.dialect == dialect:
        assert row == built.replaced(base_url="https://x.example/v1", enabled=True)
        return
    assert (row.name, row.dialect, row.auth, row.headers) == (id, dialect, auth, headers)
    assert row.surfaces.keys() == ({"anthropic", "openai"} if dialect == "bedrock" else set())
    assert row.credential == (built.credential if built else None), (
        "the credential of another vendor must not be used"
    )
    for auth in AUTH:
        assert provider_rows([record(id, dialect=dialect, auth=auth)])[id].auth == auth


@pytest.mark.parametrize(
    ("base_url", "region", "placed"),
    [
        pytest.param(
            "https://bedrock-runtime.{region}.amazonaws.com",
            "eu-west-1",
            "https://bedrock-runtime.eu-west-1.amazonaws.com",
            id="the gateway's region",
        ),
        pytest.param(
            "https://bedrock-runtime.us-east-1.amazonaws.com",
            "eu-west-1",
            "https://bedrock-runtime.us-east-1.amazonaws.com",
            id="a region of its own",
        ),
    ],
)
def test_the_region_is_inserted_into_the_address(base_url: str, region: str, placed: str) -> None:
    table = provider_rows([record("second", dialect="bedrock", base_url=base_url)], region=region)
    assert table["second"].base_url == placed
    assert "second" in available_providers(table, Credentials(), Settings(), lambda: True)[0]
    assert (
        available_providers(table, Credentials(), Settings(), lambda: False)[1]["second"]
        == "no AWS credentials"
    )


def test_a_record_enables_its_provider() -> None:
    names, _ = availability(
        provider_rows([record("vllm", base_url="https://gpu.example/v1"), record("ollama")])
    )
    assert names == {"vllm", "ollama"}


def test_a_new_compatible_provider_is_one_record() -> None:
    table = provider_rows(
        [record("acme", dialect="openai", base_url="https://api.acme.example/v1", credential="ACME_API_KEY")]
    )
    assert table["acme"] == Provider(
        name="acme", base_url="https://api.acme.example/v1", credential="ACME_API_KEY"
    )
    assert "acme" in availability(table, ACME_API_KEY="x")[0]
    assert availability(table)[1]["acme"] == "no credential ACME_API_KEY"
    assert PROVIDERS.keys() | {"acme"} == table.keys()


def test_fields_that_a_record_does_not_give_stay() -> None:
    table = provider_rows(
        [record("mistral", unlisted="refuse", headers={"X-Team": "a"}, quirks={"drop": ["user"]})]
    )
    built, row = PROVIDERS["mistral"], table["mistral"]
    assert (row.base_url, row.credential, row.dialect) == (built.base_url, built.credential, built.dialect)
    assert (row.unlisted, row.headers) == ("refuse", {"x-team": "a"})
    assert row.quirks == built.quirks.replaced(drop=frozenset({"user"}))


def test_the_headers_of_a_record_are_added_to_those_of_the_row() -> None:
    row = provider_rows([record("anthropic", headers={"X-Team": "a"})])["anthropic"]
    assert row.headers == {"anthropic-version": "2023-06-01", "x-team": "a"}


def test_a_record_can_give_every_quirk() -> None:
    quirks = {
        **dict.fromkeys(
            ("drop_null", "drop_empty", "text_content", "tool_texts", "alternate", "allowed_tools"), True
        ),
        **dict.fromkeys(("legacy", "stream_usage", "finish_by_calls", "call_ids", "traceparent"), True),
        **dict.fromkeys(("call_id_length", "temperature_least", "temperature_most"), 1),
        "reasoning_tag": "think",
        **{name: ["n"] for name in ("drop", "unable", "refuse", "message_drop", "tool_drop")},
        **{name: {"a": "b"} for name in ("rename", "roles", "tool_choice", "service_tier", "finish_reasons")},
    }
    assert quirks.keys() == set(Quirks.field_names)
    row = provider_rows([record("acme", base_url="https://x.example", quirks=quirks)])["acme"]
    assert row.quirks.drop == {"n"}
    assert row.quirks.rename == {"a": "b"}
    assert row.quirks.drop_null is True


def test_records_change_the_rows_of_this_process() -> None:
    local = Provider(name="local", base_url="http://127.0.0.1:1/v1")
    table = provider_rows([record("local", base_url="http://127.0.0.1:2/v1")], {"local": local})
    assert table["local"].base_url == "http://127.0.0.1:2/v1"
    assert provider_rows([], {"local": local})["local"] is local
    assert "local" in availability(provider_rows([], {"local": local}))[0]


def test_a_record_cannot_send_a_credential_to_another_host() -> None:
    stolen = record("acme", base_url="https://evil.example/v1", credential="OPENAI_API_KEY")
    moved = record("openai", base_url="https://evil.example/v1")
    for name, table in (("acme", provider_rows([stolen])), ("openai", provider_rows([moved]))):
        names, why = availability(table, OPENAI_API_KEY="x")
        assert name not in names
        assert why[name] == "credential OPENAI_API_KEY may only be sent to api.openai.com, *.api.openai.com"


ACCOUNTS = {
    "acme": Provider(
        name="acme", base_url="https://acme.example", credential="A_KEY", accounts=("A_KEY", "B_KEY")
    )
}


def test_a_record_may_name_several_credentials() -> None:
    given = record("acme", base_url="https://acme.example", credential=["A_KEY", "B_KEY"])
    row = provider_rows([given])["acme"]
    assert (row.credential, row.accounts) == ("A_KEY", ("A_KEY", "B_KEY"))
    one = provider_rows([record("openai", credential=["A_KEY"])])["openai"]
    assert (one.credential, one.accounts) == ("A_KEY", ())
    assert provider_rows([record("bedrock", credential=["A_KEY", "B_KEY"])])["bedrock"].auth == "bearer"


@pytest.mark.parametrize(
    ("credentials", "usable", "reasons"),
    [
        pytest.param({"A_KEY": "a", "B_KEY": "b"}, ("A_KEY", "B_KEY"), {}, id="all"),
        pytest.param({"B_KEY": "b"}, ("B_KEY",), {"acme A_KEY": "no credential A_KEY"}, id="one of them"),
        pytest.param({}, (), {"acme": "no credential A_KEY; no credential B_KEY"}, id="none"),
    ],
)
def test_a_provider_is_available_with_one_of_its_credentials(
    credentials: dict[str, str], usable: tuple[str, ...], reasons: dict[str, str]
) -> None:
    names, why = availability(ACCOUNTS, **credentials)
    assert names == (frozenset({"acme"}) if usable else frozenset())
    assert why == reasons
    assert usable_accounts(ACCOUNTS, Credentials(credentials)) == {"acme": usable}


def test_each_of_several_credentials_is_bound_to_its_hosts() -> None:
    table = provider_rows(
        [record("acme", base_url="https://evil.example", credential=["OPENAI_API_KEY", "ACME_API_KEY"])]
    )
    credentials = {"OPENAI_API_KEY": "x", "ACME_API_KEY": "y"}
    names, why = availability({"acme": table["acme"]}, **credentials)
    assert names == {"acme"}
    assert why["acme OPENAI_API_KEY"].startswith(
        "credential OPENAI_API_KEY may only be sent to api.openai.com"
    )
    assert usable_accounts(table, Credentials(credentials)) == {"acme": ("ACME_API_KEY",)}


def test_a_provider_without_authentication_has_no_accounts() -> None:
    table = provider_rows(
        [record("acme", base_url="https://a.example", credential=["A_KEY", "B_KEY"], auth="none")]
    )
    assert usable_accounts(table, Credentials({"A_KEY": "a"})) == {}


def test_the_documentation_has_every_row() -> None:
    """| provider | base_url | credential | authenticated by | dialect |"""
    found = re.findall(
        r"^\| `([a-z]+)` \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|$", DOCS.read_text(encoding="utf-8"), re.M
    )
    table = {name: tuple(cell.strip("`") for cell in cells) for name, *cells in found}
    assert table == {name: documented(row) for name, row in PROVIDERS.items()}


def documented(row: Provider) -> tuple[str, ...]:
    return row.base_url or "a record's", row.credential or "none", row.auth, _dialect(row)


def _dialect(row: Provider) -> str:
    return row.dialect if row.dialect in TRANSLATORS else f"{row.dialect}, not served yet"


def test_the_documentation_names_every_quirk_and_every_refused_field() -> None:
    text = DOCS.read_text(encoding="utf-8")
    for name in Quirks.field_names:
        assert f"`{name}`" in text, name
    for row in PROVIDERS.values():
        for field in row.quirks.refuse:
            assert f"`{field}`" in text, field
