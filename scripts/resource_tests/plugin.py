"""A pytest plugin: gives the tests of openai and anthropic the key of the local run in place of their own."""

from __future__ import annotations

import os
import sys


def pytest_collection_finish() -> None:
    if conftest := sys.modules.get("tests.conftest"):
        conftest.api_key = os.environ["SLUICE_KEY"]  # type: ignore[attr-defined]
