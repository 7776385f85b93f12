"""Numbers with more digits than a browser keeps stay as they are stored."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.support.browser import console
from tests.support.console_rules import ADMIN, RULES, put_rules, record, save
from tests.support.serving import LocalRun

SEED = 123_456_789_012_345_678_901_234_567_890_123_457
LONG = {
    "kind": "route",
    "id": "long",
    "model": "local/echo",
    "set": {"seed": SEED, "top_p": 0.1},
    "priority": -2,
}


@pytest.mark.parametrize("reload", [False, True])
def test_a_number_of_38_digits_is_saved_as_it_was(
    browser: Browser, rules_run: LocalRun, reload: bool
) -> None:
    put_rules(rules_run, [*RULES, LONG])
    with console(browser, rules_run) as tab:
        tab.sign_in(ADMIN, "rules/route/long")
        page = tab.page
        page.get_by_label("Note").fill("another field")
        expect(page.get_by_role("region", name="Unsaved changes")).to_contain_text("1 changed")
        if reload:
            page.once("dialog", lambda dialog: dialog.accept())
            page.reload()
        save(tab)
        expect(page.get_by_text("Saved as revision")).to_be_visible()
    assert record(rules_run, "route", "long") == {**LONG, "note": "another field"}
