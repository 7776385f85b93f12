"""A session that ends by itself loses nothing, and a key that may only read changes nothing."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import httpx
import pytest
from playwright.sync_api import Route, expect

from tests.support.browser import Console
from tests.support.serving import LocalRun

KEY = "API key"


def api(run: LocalRun, method: str, path: str, body: Any = None) -> Any:
    """Call the console's API with the key of the run."""
    address = f"{run.base_url.removesuffix('/v1')}/console/api/{path}"
    answer = httpx.request(method, address, json=body, headers={"authorization": f"Bearer {run.key}"})
    answer.raise_for_status()
    return answer.json()


@pytest.fixture(scope="module")
def manager(run: LocalRun) -> Any:
    """A new key that may read everything and change nothing: {"key", "record"}."""
    return api(run, "POST", "keys", {"name": "manager", "scopes": ["manage"]})


def test_a_session_that_ends_keeps_what_was_typed(tab: Console) -> None:
    made = api(tab.run, "POST", "keys", {"name": "short-lived", "scopes": ["admin"]})
    tab.sign_in(made["key"], page="keys")
    tab.page.get_by_role("button", name="Create a key").click()
    tab.page.get_by_role("dialog").get_by_label("Name").fill("half-typed")
    api(tab.run, "PATCH", f"keys/{made['record']['id']}", {"enabled": False})
    tab.page.get_by_role("button", name="Create the key").click()
    again = tab.page.get_by_role("dialog", name="Sign in again")
    expect(again.get_by_role("alert")).to_contain_text("is not valid")
    assert tab.page.evaluate("sessionStorage.length") == 0
    assert tab.inaccessible() == []
    again.get_by_label(KEY, exact=True).fill(tab.run.key)
    again.get_by_role("button", name="Sign in").click()
    expect(again).to_have_count(0)
    expect(tab.page.get_by_role("dialog").get_by_label("Name")).to_have_value("half-typed")
    tab.page.get_by_role("button", name="Create the key").click()
    expect(tab.page.get_by_role("dialog", name="Your new key")).to_be_visible()


def test_a_key_that_may_only_read_sees_why(tab: Console, manager: Any) -> None:
    tab.sign_in(manager["key"], page="keys")
    expect(tab.page.get_by_text("Changes need a key with the scope admin.")).not_to_have_count(0)
    make = tab.page.get_by_role("button", name="Create a key")
    expect(make).to_have_attribute("aria-disabled", "true")
    make.click(force=True)
    expect(tab.page.get_by_role("dialog")).to_have_count(0)
    assert tab.inaccessible() == []


def test_a_console_that_only_reads_says_so(tab: Console) -> None:
    def read_only(route: Route) -> None:
        found = route.fetch().json()
        route.fulfill(json={**found, "settings": {**found["settings"], "SLUICE_CONSOLE": "read"}})

    tab.page.route("**/console/api/session", read_only)
    tab.sign_in(page="keys/local")
    expect(tab.page.get_by_text("This console is set to read only").first).to_be_visible()
    for name in ("Rotate", "Save"):
        button = tab.page.get_by_role("button", name=name, exact=True)
        expect(button).to_have_attribute("aria-disabled", "true")
        expect(button).to_have_accessible_description(
            "This console is set to read only (SLUICE_CONSOLE=read)."
        )


def test_a_lost_connection_is_said_and_mended(tab: Console) -> None:
    def lose(route: Route) -> None:
        route.abort("connectionreset")

    tab.sign_in(page="keys")
    expect(tab.page.get_by_role("table", name="API keys")).to_be_visible()
    tab.page.route("**/console/api/keys", lose)
    tab.go("overview")
    tab.go("keys")
    alert = tab.page.get_by_role("alert")
    expect(alert).to_contain_text("The gateway did not answer")
    tab.page.unroute("**/console/api/keys", lose)
    alert.get_by_role("button", name="Try again").click()
    expect(tab.page.get_by_role("table", name="API keys")).to_be_visible()
    tab.complaints[:] = [text for text in tab.complaints if "ERR_CONNECTION_RESET" not in text]


def test_a_session_outlives_a_lost_connection(tab: Console) -> None:
    def fail(route: Route) -> None:
        route.fulfill(status=503, json={"error": {"message": "The keys cannot be read."}})

    tab.sign_in(page="connect")
    tab.page.route("**/console/api/session", fail)
    tab.page.reload()
    alert = tab.page.get_by_role("alert")
    expect(alert).to_contain_text("The keys cannot be read.")
    tab.page.unroute("**/console/api/session", fail)
    alert.get_by_role("button", name="Try again").click()
    expect(tab.page.get_by_role("heading", level=1, name="Connect")).to_be_visible()
    tab.complaints[:] = [text for text in tab.complaints if "status of 503" not in text]


def test_every_body_has_its_hash(tab: Console) -> None:
    tab.sign_in(page="playground")
    with tab.page.expect_request("**/chat/completions") as sent:
        tab.page.get_by_label("Message").fill("Grüße")
        tab.page.keyboard.press("Enter")
    body = sent.value.post_data_buffer
    assert body is not None
    assert sent.value.headers["x-amz-content-sha256"] == sha256(body).hexdigest()
