"""Keys are made, shown once, edited, rotated and disabled in the browser, and their limits fill."""

from __future__ import annotations

import re

import httpx
from playwright.sync_api import expect

from tests.console.test_session import api
from tests.support.browser import Console

NEW = "Your new key"
HOSTILE = '<img src=x onerror="alert(2)">'


def ask(tab: Console, key: str, model: str = "local/echo") -> int:
    """Return the status of a chat with this key."""
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}]}
    headers = {"authorization": f"Bearer {key}"}
    return httpx.post(f"{tab.run.base_url}/chat/completions", json=body, headers=headers).status_code


def shown_key(tab: Console) -> str:
    """Return the key of the dialog that shows it, and close the dialog."""
    dialog = tab.page.get_by_role("dialog", name=NEW)
    found = dialog.locator("pre").inner_text()
    assert tab.inaccessible() == []
    dialog.get_by_role("button", name="I have copied it").click()
    expect(dialog).to_have_count(0)
    assert found not in tab.page.content()
    return found


def test_a_key_is_made_with_its_mistakes_named(tab: Console) -> None:
    tab.sign_in(page="keys")
    tab.page.get_by_role("button", name="Create a key").click()
    dialog = tab.page.get_by_role("dialog", name="Create a key")
    make = dialog.get_by_role("button", name="Create the key")
    expect(dialog.get_by_label("Name")).to_be_focused()
    dialog.get_by_label("Name").fill(HOSTILE)
    dialog.get_by_label("Expires").fill("2020-01-01")
    make.click()
    expect(dialog.get_by_role("alert")).to_contain_text("in the past")
    expect(dialog.get_by_label("Expires")).to_have_attribute("aria-invalid", "true")
    assert tab.inaccessible() == []
    dialog.get_by_label("Expires").fill("")
    dialog.get_by_label("Models that it may call").fill("local/echo, groq/*")
    make.click()
    key = shown_key(tab)
    row = tab.page.get_by_role("row").filter(has_text=HOSTILE)
    expect(row).to_contain_text("local/echo, groq/*")
    assert tab.page.locator("main img").count() == 0
    assert [ask(tab, key), ask(tab, key, "local/echo-slow")] == [200, 403]


def test_a_key_is_edited_rotated_disabled_and_enabled(tab: Console) -> None:
    made = api(tab.run, "POST", "keys", {"name": "Worn", "models": ["groq/*"]})
    id, first = made["record"]["id"], made["key"]
    tab.sign_in(page=f"keys/{id}")
    tab.page.get_by_label("Expires").fill("2020-01-01")
    tab.page.get_by_role("button", name="Save").click()
    expect(tab.page.get_by_role("alert")).to_contain_text("in the past")
    tab.page.get_by_label("Expires").fill("")
    tab.page.get_by_role("button", name="Save").click()
    expect(tab.page.get_by_text("Saved.")).to_be_visible()
    expect(tab.page.get_by_role("alert")).to_have_count(0)
    tab.page.get_by_role("button", name="Close the message").click()
    tab.page.get_by_label("Models that it may call").fill("")
    tab.page.get_by_role("button", name="Save").click()
    expect(tab.page.get_by_text("Saved.")).to_be_visible()
    assert ask(tab, first) == 200
    tab.page.get_by_role("button", name="Rotate", exact=True).click()
    tab.page.get_by_label("The old key stops working").select_option("in an hour")
    tab.page.get_by_role("button", name="Create the new key").click()
    second = shown_key(tab)
    expect(tab.page.get_by_text("Replaced key")).to_be_visible()
    assert [ask(tab, first), ask(tab, second)] == [200, 200]
    tab.page.get_by_role("button", name="Disable", exact=True).click()
    tab.page.get_by_role("dialog").get_by_role("button", name="Disable", exact=True).click()
    expect(tab.page.get_by_role("button", name="Enable", exact=True)).to_be_visible()
    assert [ask(tab, first), ask(tab, second)] == [401, 401]
    tab.page.get_by_role("button", name="Enable", exact=True).click()
    expect(tab.page.get_by_role("button", name="Disable", exact=True)).to_be_visible()
    assert ask(tab, second) == 200


def test_a_list_of_keys_that_is_cut_says_so_and_its_pages_work(tab: Console) -> None:
    tab.page.route("**/console/api/keys", lambda route: route.fulfill(json={"data": [], "truncated": True}))
    tab.sign_in(page="keys")
    expect(tab.page.get_by_text("There may be more keys")).to_be_visible()
    tab.go("keys/local")
    expect(tab.page.get_by_role("region", name="Details")).to_contain_text("admin")
    tab.go("keys/nobody")
    expect(tab.page.get_by_role("alert").first).to_contain_text("there is no key with the id nobody")


def test_the_key_in_use_cannot_disable_itself(tab: Console) -> None:
    tab.sign_in(page="keys/local")
    disable = tab.page.get_by_role("button", name="Disable", exact=True)
    expect(disable).to_have_attribute("aria-disabled", "true")
    expect(disable).to_have_attribute("title", re.compile("the key that you use here"))


def test_the_key_in_use_is_rotated_at_once_and_the_tab_goes_on_with_the_new_one(tab: Console) -> None:
    made = api(tab.run, "POST", "keys", {"name": "Own", "scopes": ["admin"]})
    tab.sign_in(made["key"], page=f"keys/{made['record']['id']}")
    tab.page.get_by_role("button", name="Rotate", exact=True).click()
    tab.page.get_by_label("The old key stops working").select_option("at once")
    tab.page.get_by_role("button", name="Create the new key").click()
    second = shown_key(tab)
    expect(tab.page.get_by_text("Replaced key")).to_be_visible()
    expect(tab.page.get_by_role("dialog")).to_have_count(0)
    assert [ask(tab, made["key"]), ask(tab, second)] == [401, 200]


def test_a_limit_fills_as_it_is_used(tab: Console) -> None:
    made = api(tab.run, "POST", "keys", {"name": "Limited"})
    id, rules = made["record"]["id"], api(tab.run, "GET", "rules")
    limit = {"kind": "limit", "id": "ten-a-day", "scope": {"key": id}, "requests": 10, "per": "day"}
    base = rules["revision"]
    api(tab.run, "PUT", "rules", {"base": base, "records": [*rules["records"], limit]})
    tab.sign_in(page=f"keys/{id}")
    meter = tab.page.get_by_role("meter", name="Used of limit ten-a-day")
    expect(meter).to_have_attribute("aria-valuetext", "0 of 10, 10 left")
    for _ in range(3):
        ask(tab, made["key"])
    tab.page.get_by_role("button", name="Refresh").click()
    expect(meter).to_have_attribute("aria-valuetext", "3 of 10, 7 left")
    assert tab.inaccessible() == []
    expect(tab.page.get_by_role("table", name="Limits and budgets")).to_contain_text("10 requests a day")
