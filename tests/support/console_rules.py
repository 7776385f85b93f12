"""A local run with rules and keys of a test, and its tables as the console's API shows them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.support.browser import Console
from tests.support.serving import LocalRun, serve_locally

Records = Sequence[dict[str, Any]]

ADMIN, READER = (f"sk-sluice-{letter * 43}" for letter in "ar")
KEYS: Records = (
    {"key": ADMIN, "id": "boss", "name": "boss", "scopes": ["admin"]},
    {"key": READER, "id": "reader", "name": "reader", "scopes": ["manage"]},
)

RULES: Records = (
    {"kind": "alias", "id": "sturdy", "models": ["local/echo-503", "local/echo"]},
    {
        "kind": "route",
        "id": "support",
        "when": {"tags.team": "support"},
        "model": "local/echo",
        "note": "first",
    },
    {
        "kind": "route",
        "id": "hidden",
        "when": {"tags.team": "support", "stream": True},
        "prefer": "cheap",
        "priority": -1,
    },
    {
        "kind": "limit",
        "id": "calls",
        "scope": {"project": "trial"},
        "requests": 30,
        "per": "minute",
        "each": "key",
    },
    {
        "kind": "test",
        "id": "support",
        "request": {"messages": [{"role": "user", "content": "hi"}], "tags": {"team": "support"}},
        "expect": {"model": "local/echo"},
    },
)


@contextmanager
def serve_rules(folder: Path, rules: Records, keys: Records = KEYS) -> Iterator[LocalRun]:
    files = {"--rules": folder / "rules.json", "--keys": folder / "keys.json"}
    for path, records in zip(files.values(), (rules, keys), strict=True):
        path.write_text(json.dumps([*records]), encoding="utf-8")
    with serve_locally(folder, *(str(part) for pair in files.items() for part in pair)) as run:
        yield run


def call(
    run: LocalRun, method: str, path: str, body: Any = None, *, fails: bool = False, **headers: str
) -> httpx.Response:
    sent = {"authorization": f"Bearer {ADMIN}", **headers}
    response = httpx.request(method, f"{run.base_url}/{path}", json=body, headers=sent, timeout=20)
    assert fails or response.is_success, response.text
    return response


def stored(run: LocalRun) -> dict[str, Any]:
    found: dict[str, Any] = call(run, "GET", "console/api/rules").json()
    return found


def put_rules(run: LocalRun, records: Records, message: str | None = None) -> str:
    """Make the table hold these records, as another person would meanwhile."""
    body = {"base": stored(run)["revision"], "records": [*records], "message": message}
    return str(call(run, "PUT", "console/api/rules", body).json()["revision"])


def record(run: LocalRun, kind: str, id: str) -> dict[str, Any]:
    """Return a record as it is stored; empty if there is none."""
    return next((one for one in stored(run)["records"] if (one["kind"], one["id"]) == (kind, id)), {})


def save(tab: Console, message: str = "") -> None:
    tab.page.get_by_role("button", name="Review and save").click()
    if message:
        tab.page.get_by_label("Message").last.fill(message)
    tab.page.get_by_role("dialog").get_by_role("button", name="Save ").click()
