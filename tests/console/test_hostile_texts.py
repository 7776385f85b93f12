"""Texts that callers, providers and operators bring are shown as text, on every page that has them."""

from __future__ import annotations

import httpx
import pytest
from playwright.sync_api import Dialog, expect

from tests.console.test_session import api
from tests.support.browser import Console
from tests.support.serving import LocalRun

IMAGE = '<img src=x onerror="alert(1)">'
MARKS = "main :is(img, script, iframe, object, embed), main [onerror], main a[href^='javascript:']"

SHOWN = """text => [...document.querySelectorAll("main, main textarea, main input")].some(one => {
    const found = one.value ?? one.innerText;
    return found.includes(text) || found.includes(JSON.stringify(text).slice(1, -1));
})"""


@pytest.fixture(scope="module", autouse=True)
def hostile(run: LocalRun) -> None:
    """A key, its project, a rule's note, and requests whose model, tag and session are markup."""
    made = api(run, "POST", "keys", {"name": f"name {IMAGE}", "project": f"project {IMAGE}"})
    rules = api(run, "GET", "rules")
    route = {
        "kind": "route",
        "id": "hostile",
        "note": f"note {IMAGE}",
        "when": {"tags.x": IMAGE},
        "model": "echo",
    }
    save = {"base": rules["revision"], "records": [*rules["records"], route], "message": f"message {IMAGE}"}
    api(run, "PUT", "rules", save)
    for model in (f"model {IMAGE}", "local/echo", "local/echo-400"):
        headers = {"authorization": f"Bearer {made['key']}", "x-sluice-session": IMAGE}
        body = {
            "model": model,
            "messages": [{"role": "user", "content": f"content {IMAGE}"}],
            "tags": {"x": IMAGE},
        }
        httpx.post(f"{run.base_url}/chat/completions", json=body, headers=headers)


@pytest.mark.parametrize(
    ("page", "text"),
    [
        pytest.param("overview?by=project", f"project {IMAGE}", id="projects of an hour"),
        pytest.param("overview?by=project&period=30d", f"project {IMAGE}", id="projects of a day"),
        pytest.param("keys", f"name {IMAGE}", id="the names of keys"),
        pytest.param("requests", f"model {IMAGE}", id="the models of requests"),
        pytest.param("rules/route/hostile", f"note {IMAGE}", id="the note of a rule"),
        pytest.param("history", f"message {IMAGE}", id="the message of a change"),
    ],
)
def test_markup_is_shown_as_text(tab: Console, page: str, text: str) -> None:
    dialogs: list[str] = []
    tab.page.on("dialog", lambda dialog: _dismissed(dialogs, dialog))
    tab.sign_in(page=page)
    expect(tab.page.locator("main h1")).to_be_visible()
    expect(tab.page.locator("main .loading")).to_have_count(0)
    tab.page.wait_for_function(SHOWN, arg=text)
    assert tab.page.locator(MARKS).count() == 0
    assert dialogs == []


def _dismissed(dialogs: list[str], dialog: Dialog) -> None:
    dialogs.append(dialog.message)
    dialog.dismiss()
