"""Looks up the credentials of providers by name: in the environment, then in SSM Parameter Store.

The parameters are SecureStrings under SLUICE_CREDENTIALS_PATH, at any depth; the last segment of a path is
the credential's name. All are read at once, and again in the background: every REFRESH seconds, and after a
provider refused one. If that fails, the last values stay and `problems` reports it. No value is ever shown.
https://docs.aws.amazon.com/systems-manager/latest/userguide/
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from handler.aws.client import AwsClient
from handler.aws.errors import StoreError
from handler.providers.provider import Provider
from handler.providers.rows.bedrock import BEDROCK
from handler.settings import Settings
from handler.store.background import BackgroundTasks, safe_message
from handler.store.items import TIMEOUT, within
from rules import is_credential_name

REFRESH = 300.0  # seconds
AFTER_REFUSAL = 30.0  # seconds between two reads if a provider refused a credential
AFTER_FAILURE = 5.0  # seconds between two reads until one has succeeded
PATIENCE = 3.0  # seconds that a request waits for the first read
NOT_READ = "credentials not read"  # in /health and the log


class Credentials:
    """The credentials of one process.

    client: creates the SSM client when it is first needed. can_sign: returns True if there are AWS
    credentials to sign with. clock: seconds. report: gets a message and fields when a read fails for a new
    reason.
    """

    def __init__(
        self,
        settings: Settings,
        client: Callable[[], AwsClient],
        *,
        can_sign: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
        report: Callable[[str, dict[str, Any]], None] = lambda message, fields: None,
    ) -> None:
        self.can_sign = can_sign
        self._environment = settings.environment
        self._path = (settings.credentials_path or "").rstrip("/")
        self._create_client = client
        self._client: AwsClient | None = None
        self._clock = clock
        self._report = report
        self._values: Mapping[str, str | None] | None = None  # None: never read; a value of None: unusable
        self._last_read: float | None = None  # when it began
        self._refused = False
        self._tasks = BackgroundTasks()
        self.problem: str | None = None  # why the last read failed

    def get(self, name: str) -> str | None:
        """Return the credential of that name; None if there is none, or if no row may name it."""
        if not is_credential(name):
            return None
        return _header_value(self._environment.get(name)) or (self._values or {}).get(name)

    def missing(self, name: str) -> str:
        """Return why `get` finds no credential of that name."""
        if (self._environment.get(name) or "").strip() or name in (self._values or {}):
            return f"credential {name} has characters that no header can hold"
        if self._unread:
            return f"{name}: Parameter Store did not answer"
        return f"no credential {name}"

    @property
    def version(self) -> object:
        """Differs after every read, so that a caller can tell that a cached result is stale."""
        return self._values, self.problem

    @property
    def retry_after(self) -> float | None:
        """Seconds until a missing credential may be found; None if it was read and is not there."""
        return AFTER_FAILURE if self._unread else None

    @property
    def _unread(self) -> bool:
        return self._values is None and self._last_read is not None

    def problems(self) -> list[dict[str, Any]]:
        """List why the last read failed, for /health."""
        return [] if self.problem is None else [{"what": NOT_READ, "problem": self.problem}]

    async def refresh(
        self, rows: Mapping[str, Provider], settings: Settings, others: Iterable[str] = ()
    ) -> None:
        """Start a read if one is due and the rows need it. Waits only for the first, PATIENCE seconds.

        others: the names of credentials that are needed besides those of the rows.
        """
        if not self._path or all(
            _header_value(self._environment.get(name)) for name in (*_needed_by(rows, settings), *others)
        ):
            return
        if self._is_due() and not self._tasks:
            self._last_read, self._refused = self._clock(), False
            self._tasks.start(self._read(), self._note_failure)
        if self._values is None and self._last_read is not None:
            await self.settle(max(0.0, self._last_read + PATIENCE - self._clock()))

    def note_refusal(self) -> None:
        """Make the next read come earlier, because a provider refused a credential: it may have changed."""
        self._refused = True

    async def settle(self, seconds: float) -> None:
        """Wait at most `seconds` for a read that is under way."""
        await self._tasks.settle(seconds)

    def _is_due(self) -> bool:
        if self._last_read is None:
            return True
        pause = AFTER_FAILURE if self._values is None else AFTER_REFUSAL if self._refused else REFRESH
        return self._clock() - self._last_read >= pause

    async def _read(self) -> None:
        self._values = await within(TIMEOUT, self._read_parameters())
        self.problem = None

    def _note_failure(self, error: BaseException) -> None:
        problem = safe_message(error, StoreError)
        if problem != self.problem:
            self._report(NOT_READ, {"problem": problem})
        self.problem = problem

    async def _read_parameters(self) -> dict[str, str | None]:
        """Read every page. Of two parameters of one name, the one higher up counts, then the first by path.

        https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html
        """
        if self._client is None:
            self._client = self._create_client()
        found: dict[str, str] = {}
        page: dict[str, Any] = {"NextToken": ""}
        while (token := page.get("NextToken")) is not None:
            more = {"NextToken": token} if token else {}
            arguments = {"Path": self._path, "Recursive": True, "WithDecryption": True, **more}
            page = await self._client.call("get_parameters_by_path", arguments)
            found |= {parameter["Name"]: parameter["Value"] for parameter in page["Parameters"]}
        values: dict[str, str | None] = {}
        for path in sorted(found, key=lambda path: (path.count("/"), path)):
            name = path.rpartition("/")[2]
            if is_credential(name) and found[path].strip():
                values.setdefault(name, _header_value(found[path]))
        return values


def is_credential(name: str) -> bool:
    """True if a record or a built-in row may name this credential."""
    return is_credential_name(name) or name == BEDROCK.credential


def _header_value(value: str | None) -> str | None:
    """Return the value without white space around it; None if no header can hold it."""
    value = (value or "").strip()
    return value if value and value.isascii() and value.isprintable() else None


def _needed_by(rows: Mapping[str, Provider], settings: Settings) -> frozenset[str]:
    """Return the names of credentials of the enabled rows that have an address."""
    enabled = (
        row for row in rows.values() if row.base_url and (row.enabled or row.name in settings.providers)
    )
    return frozenset(each.credential for row in enabled for each in row.by_account() if each.credential)
