"""Connect offers the settings of docs/clients.md with this gateway's address."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import expect

from tests.support.browser import Console

PAGE = (Path(__file__).parents[2] / "docs" / "clients.md").read_text(encoding="utf-8")
BLOCKS = {block.strip() for block in re.findall(r"^```\w+\n(.*?)^```", PAGE, re.M | re.S)}


def test_each_client_has_the_settings_of_the_documentation(tab: Console) -> None:
    tab.sign_in(page="connect")
    choice = tab.page.get_by_label("Client", exact=True)
    offered = set()
    origin = tab.address.removesuffix("/console")
    for name in choice.locator("option").all_inner_texts():
        choice.select_option(name)
        expect(tab.page.locator(".card pre code").first).to_be_visible()
        shown = tab.page.locator(".card pre code").all_inner_texts()
        offered |= {text.replace(origin, "http://127.0.0.1:8080").strip() for text in shown}
    assert offered <= BLOCKS
    assert len(offered) > 12
    assert tab.inaccessible() == []


def test_a_model_is_put_into_the_settings(tab: Console) -> None:
    tab.sign_in(page="connect?client=opencode")
    tab.page.get_by_label("Model").fill("auto:cheap")
    expect(tab.page.get_by_text('"model": "sluice/auto:cheap"')).to_be_visible()
    assert f"{tab.address.removesuffix('/console')}/v1" in tab.page.locator("main").inner_text()
    assert tab.run.key not in tab.page.locator("main").inner_text()
