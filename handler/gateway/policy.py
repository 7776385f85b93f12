"""The policy: the rules in force, and the catalogue and providers as their records change them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from handler.providers.addressing import unsupported_features
from handler.providers.provider import Provider
from handler.providers.registry import TRANSLATORS, available_providers, provider_rows, usable_accounts
from handler.settings import Settings
from handler.store.snapshot import Snapshot
from handler.upstream.credentials import Credentials
from rules import EMPTY, Catalog, Fields, LiveState, McpRecord, ModelRecord, RuleSet, fresh, load_catalog

SMOOTHING = 0.3  # weight of the newest measurement of a model's time to first token


class Policy(NamedTuple):
    """One set of rules, and the catalogue and providers as its records change them."""

    ruleset: RuleSet
    catalog: Catalog
    rows: Mapping[str, Provider]
    live: LiveState
    credentials_version: object  # of the credentials that `live` was made with
    retry_after: float | None  # seconds until more may be available; None: they are complete

    def import_translators(self) -> None:
        """Import the translators of providers with a credential, before a request has to wait for it."""
        rows = (self.rows[name] for name in self.live.available)
        for dialect in {row.dialect for row in rows if row.auth != "sigv4"}:
            TRANSLATORS.get(dialect)

    def unavailable(self, settings: Settings) -> Mapping[str, str]:
        """Return why each provider that a record or a setting turned on cannot be used, by provider name.

        Where one of several credentials cannot be used, the name is that of the provider and the credential.
        """
        on = {record.id for record in self.ruleset.enabled("provider")} | settings.providers
        return {name: why for name, why in self.live.unavailable.items() if name.partition(" ")[0] in on}


class Policies(Fields):
    """Keeps the policy up to date with the rules and the credentials. One per process."""

    settings: Settings
    snapshot: Snapshot
    credentials: Credentials
    extra_rows: Mapping[str, Provider] = EMPTY  # providers of this process alone
    first_token: dict[str, float] = fresh(factory=dict)  # seconds, smoothed, by candidate
    latest: Policy | None = None
    _warnings: tuple[RuleSet, tuple[dict[str, str], ...]] | None = None

    async def current(self) -> Policy:
        """Return the current policy. Raises GatewayError while no rules could be read."""
        view, last = await self.snapshot.current(), self.latest
        if last is None or last.ruleset is not view.ruleset:
            table, catalog = self._table_and_catalog(view.ruleset)
        else:
            table, catalog = last.rows, last.catalog
        servers = (record for record in view.ruleset.enabled("mcp") if isinstance(record, McpRecord))
        of_servers = [record.credential for record in servers if record.credential]
        await self.credentials.refresh(table, self.settings, of_servers)
        version = self.credentials.version
        if last is None or (last.catalog, last.credentials_version, last.live.stale) != (
            catalog,
            version,
            view.stale,
        ):
            live = self._live(table, stale=view.stale)
            retry_after = self.credentials.retry_after
            self.latest = last = Policy(view.ruleset, catalog, table, live, version, retry_after)
        return last

    def trial(self, ruleset: RuleSet) -> Policy:
        """Return the policy that another rule set would make, with the credentials that are known now."""
        table, catalog = self._table_and_catalog(ruleset)
        live = self._live(table, stale=False)
        return Policy(ruleset, catalog, table, live, self.credentials.version, None)

    def _table_and_catalog(self, ruleset: RuleSet) -> tuple[Mapping[str, Provider], Catalog]:
        table = provider_rows(ruleset.enabled("provider"), self.extra_rows, region=self.settings.region)
        models = (record for record in ruleset.enabled("model") if isinstance(record, ModelRecord))
        return table, load_catalog().with_records(models, {name: row.dialect for name, row in table.items()})

    @property
    def available(self) -> frozenset[str]:
        """The providers that can be called; none before the rules were read."""
        return self.latest.live.available if self.latest else frozenset()

    def observe_first_token(self, candidate: str, seconds: float) -> None:
        """Record the seconds to a candidate's first content, which the preference `fast` goes by."""
        last = self.first_token.get(candidate, seconds)
        self.first_token[candidate] = last + SMOOTHING * (seconds - last)

    def warnings(self) -> tuple[dict[str, Any], ...]:
        """Warnings of the rules in force, each with its kind, id, field and problem.

        Scopes are not among them, because a gateway does not list the keys; `rules check` and `push` do.
        """
        if self.latest is None:
            return ()
        ruleset, catalog = self.latest[:2]
        if self._warnings is None or self._warnings[0] is not ruleset:
            from rules.review import lint  # no request needs it

            found = lint.find_warnings(ruleset, catalog)
            self._warnings = ruleset, tuple(finding._asdict() for finding in found)
        return self._warnings[1]

    def _live(self, table: Mapping[str, Provider], *, stale: bool) -> LiveState:
        names, why = available_providers(table, self.credentials, self.settings, self.credentials.can_sign)
        return LiveState(
            available=names,
            unavailable=why,
            accounts=usable_accounts(table, self.credentials),
            first_token=self.first_token,
            stale=stale,
            default_access=self.settings.default_access,
            unsupported=unsupported_features(table.values()),
        )
