"""Finds the credentials for providers by name: in the environment, else in SSM Parameter Store.

The parameters lie under SLUICE_CREDENTIALS_PATH, at any depth, as SecureStrings whose last segment is the
credential's name. All are read at once, and again beside a request: every REFRESH seconds, and after a
provider refused one. When that fails the last values stay, and `problems` says so. No value is ever shown.
https://docs.aws.amazon.com/systems-manager/latest/userguide/
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from handler.providers.provider import Provider
from handler.settings import Settings
from handler.store.background import safe_message
from handler.store.dynamodb import StoreError, call_aws

REFRESH = 300.0  # seconds
AFTER_REFUSAL = 30.0  # seconds between two readings because a provider refused a credential
AFTER_FAILURE = 5.0  # seconds until another reading, while there has been none
PATIENCE = 3.0  # seconds that a request waits for the first reading
NOT_READ = "credentials not read"  # as /health and the log name it

_NAME = re.compile(r"[A-Z][A-Z0-9_]*_(?:KEY|TOKEN)")
_OWN = ("AWS_", "SLUICE_", "LAMBDA_")  # the gateway's own, which no row may send anywhere
_BEDROCK = "AWS_BEARER_TOKEN_BEDROCK"  # but for this one, of its built-in row; no record may name it


class Credentials:
    """One per process. `client` makes the SSM client, when it is first needed; `clock` gives seconds.

    `report` gets one message with fields when a reading fails for a reason of its own.
    """

    def __init__(
        self,
        settings: Settings,
        client: Callable[[], Any],
        *,
        signs: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
        report: Callable[[str, dict[str, Any]], None] = lambda what, found: None,
    ) -> None:
        self.signs = signs  # whether there are AWS credentials of our own to sign with
        self._environment = settings.environment
        self._path = (settings.credentials_path or "").rstrip("/")
        self._make_client = client
        self._client: Any = None
        self._clock = clock
        self._report = report
        self._values: Mapping[str, str | None] | None = None  # None: never read; of one: unusable
        self._tried: float | None = None  # when it was last begun
        self._refused = False
        self._reading: asyncio.Task[None] | None = None
        self.problem: str | None = None  # why the last reading failed

    def get(self, name: str) -> str | None:
        """The credential of that name; None if there is none, or if it is none that a row may name."""
        if not is_credential(name):
            return None
        return _usable(self._environment.get(name)) or (self._values or {}).get(name)

    def missing(self, name: str) -> str:
        """Says why `get` finds no credential of that name."""
        if (self._environment.get(name) or "").strip() or name in (self._values or {}):
            return f"credential {name} is there, but no header can hold its characters"
        if self._unread:
            return f"{name}: Parameter Store did not answer"
        return f"no credential {name}"

    @property
    def held(self) -> object:
        """Differs after every change, so that results made from older credentials are dropped."""
        return self._values, self.problem

    @property
    def retry_after(self) -> float | None:
        """Seconds until a credential that is missing may be there; None when none is on its way."""
        return AFTER_FAILURE if self._unread else None

    @property
    def _unread(self) -> bool:
        return self._values is None and self._tried is not None

    def problems(self) -> list[dict[str, Any]]:
        """Lists for /health why the last reading failed."""
        return [] if self.problem is None else [{"what": NOT_READ, "problem": self.problem}]

    async def fresh(self, rows: Mapping[str, Provider], settings: Settings) -> None:
        """Sees to it that what the rows need is read. Waits for the first reading only, and not long."""
        if not self._path or all(_usable(self._environment.get(name)) for name in _needed(rows, settings)):
            return
        if self._is_due() and not self._is_reading():
            self._tried, self._refused = self._clock(), False
            self._reading = asyncio.create_task(self._read())
        if self._values is None and self._tried is not None:
            await self.settle(max(0.0, self._tried + PATIENCE - self._clock()))

    def refused(self) -> None:
        """A provider refused a credential: perhaps it was changed."""
        self._refused = True

    async def settle(self, seconds: float) -> None:
        """Waits, at most so long, for the reading that is under way."""
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=seconds)

    def _is_reading(self) -> bool:
        return self._reading is not None and not self._reading.done()

    def _is_due(self) -> bool:
        if self._tried is None:
            return True
        pause = AFTER_FAILURE if self._values is None else AFTER_REFUSAL if self._refused else REFRESH
        return self._clock() - self._tried >= pause

    async def _read(self) -> None:
        try:
            self._values = await asyncio.to_thread(self._parameters)
        except Exception as error:  # whatever it is, requests go on with what there is
            problem = safe_message(error, StoreError)
            if problem != self.problem:
                self._report(NOT_READ, {"problem": problem})
            self.problem = problem
        else:
            self.problem = None

    def _parameters(self) -> dict[str, str | None]:
        """Every page of them; of two with one name the one higher up, then the first by its path.

        https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParametersByPath.html
        """
        if self._client is None:
            self._client = self._make_client()
        found: dict[str, str] = {}
        page: dict[str, Any] = {"NextToken": ""}
        while (token := page.get("NextToken")) is not None:
            more = {"NextToken": token} if token else {}
            asked = {"Path": self._path, "Recursive": True, "WithDecryption": True, **more}
            page = call_aws(self._client, "get_parameters_by_path", asked)
            found |= {parameter["Name"]: parameter["Value"] for parameter in page["Parameters"]}
        values: dict[str, str | None] = {}
        for path in sorted(found, key=lambda path: (path.count("/"), path)):
            name = path.rpartition("/")[2]
            if is_credential(name) and found[path].strip():
                values.setdefault(name, _usable(found[path]))
        return values


def is_credential(name: str) -> bool:
    return name == _BEDROCK or (bool(_NAME.fullmatch(name)) and not name.startswith(_OWN))


def _usable(value: str | None) -> str | None:
    """Without the space and line end that a paste brings; None for what no header can hold."""
    value = (value or "").strip()
    return value if value and value.isascii() and value.isprintable() else None


def _needed(rows: Mapping[str, Provider], settings: Settings) -> frozenset[str]:
    """The credentials of every row that is on and knows where to go."""
    on = (row for row in rows.values() if row.base_url and (row.enabled or row.name in settings.providers))
    return frozenset(row.credential for row in on if row.credential)
