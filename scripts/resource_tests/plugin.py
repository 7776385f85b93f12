"""A pytest plugin: gives the tests of the official libraries the address and the key of the local run.

It also counts the requests of each test of google-genai, in the property `requests` of the report.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Any


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Give google-genai's tests, which name no address, that of the run. Leave out those of Vertex AI."""
    for item in items:
        values = item.callspec.params if hasattr(item, "callspec") else {}
        if "use_vertex" in values:
            values["http_options"] = _with_address(values.get("http_options") or {})
    items[:] = [item for item in items if not _is_of_vertex(item)]


def _is_of_vertex(item: Any) -> bool:
    return bool(hasattr(item, "callspec") and item.callspec.params.get("use_vertex"))


def _with_address(options: Any) -> Any:
    address = {"base_url": os.environ["GOOGLE_GEMINI_BASE_URL"]}
    return {**options, **address} if isinstance(options, dict) else options.model_copy(update=address)


def pytest_collection_finish() -> None:
    if conftest := sys.modules.get("tests.conftest"):
        conftest.api_key = os.environ["SLUICE_KEY"]  # type: ignore[attr-defined]


class _Counter(logging.Handler):
    """Counts the requests of the clients that the libraries use, which log one line for each."""

    requests = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.requests += 1


_COUNTER = _Counter(logging.INFO)
for _name in ("httpx", "httpx2"):
    logging.getLogger(_name).setLevel(logging.INFO)
    logging.getLogger(_name).addHandler(_COUNTER)


def pytest_runtest_setup() -> None:
    _COUNTER.requests = 0


def pytest_runtest_teardown(item: Any) -> None:
    if "google/genai/tests" in item.path.as_posix():  # the others also test aiohttp, which logs nothing
        item.user_properties.append(("requests", _COUNTER.requests))
