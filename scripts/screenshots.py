"""Takes the pictures of docs/console.md: each page of the console, wide and on a phone, light and dark.

    make screenshots

They are of a gateway with made-up traffic (scripts/console_demo.py), in WebP, which takes a third of PNG.
"""

from __future__ import annotations

import base64
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, expect

from scripts.console_demo import QUESTIONS, busy_gateway
from tests.support.browser import PHONE, WIDE, Console, chromium, console
from tests.support.console_rules import ADMIN, call
from tests.support.serving import LocalRun

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "images" / "console"
QUALITY = 60  # of 100
SCREENS = {"wide": WIDE, "phone": PHONE}


def edit(tab: Console, name: str = "support") -> None:
    tab.go(f"rules/route/{name}")
    expect(tab.page.get_by_role("heading", level=1)).to_have_text(f"Route {name}")


def mistake(tab: Console) -> None:
    edit(tab)
    tab.page.get_by_role("button", name="Add a condition").click()
    tab.page.get_by_label("Fact 1").fill("tgas.team")
    tab.page.get_by_label("Value 1").fill("returns")
    expect(tab.page.get_by_label("Fact 1")).to_have_attribute("aria-invalid", "true")
    tab.page.get_by_role("button", name="Add a condition").scroll_into_view_if_needed()


def attempt(tab: Console) -> None:
    edit(tab)
    tab.page.get_by_role("tab", name="Try", exact=True).click()
    tab.page.get_by_label("Project").last.fill("support")
    tab.page.get_by_label("Message").fill(QUESTIONS["support"])
    expect(tab.page.get_by_role("tabpanel").get_by_text("Decided by")).to_contain_text("route/support")
    show(tab, ".decided")


def cheaper(tab: Console) -> None:
    """Draft another model for the answers of support."""
    edit(tab)
    tab.page.get_by_label("Model", exact=True).first.fill("groq/openai/gpt-oss-120b")
    expect(tab.page.get_by_role("region", name="Unsaved changes")).to_be_visible()


def replay(tab: Console) -> None:
    cheaper(tab)
    tab.page.get_by_role("tab", name="Replay").click()
    tab.page.get_by_role("button", name="Replay", exact=True).click()
    expect(tab.page.get_by_text("another model").first).to_be_visible()
    show(tab, ".figures")


def review(tab: Console) -> None:
    cheaper(tab)
    tab.page.get_by_role("button", name="Review and save").click()
    tab.page.get_by_role("dialog").get_by_label("Message").fill(
        "Support answers from Groq: DeepSeek is overloaded"
    )


def history(tab: Console) -> None:
    tab.go("history")
    expect(tab.page.get_by_role("row").nth(1)).to_be_visible()


def failover(tab: Console) -> None:
    lines = call(tab.run, "GET", "console/api/requests?limit=200&key=support-desk").json()["data"]
    found = max(lines, key=lambda line: len(line["attempts"]))
    tab.go(f"requests/{found['request_id']}")
    expect(tab.page.get_by_role("region", name="Attempts")).to_be_visible()
    show(tab, ".timeline")


def key(tab: Console) -> None:
    tab.go("keys/support-desk")
    expect(tab.page.get_by_role("meter").first).to_be_visible()
    show(tab, "[role=meter]")


def chat(tab: Console) -> None:
    tab.go("playground")
    tab.page.get_by_label("Model", exact=True).fill("auto")
    tab.page.get_by_label("Message").fill(QUESTIONS["support"])
    tab.page.keyboard.press("Enter")
    expect(tab.page.get_by_role("region", name="Decision and cost")).to_contain_text("$")
    expect(tab.page.get_by_role("button", name="Send")).to_be_visible()
    tab.page.evaluate("scrollTo(0, 0)")


def show(tab: Console, selector: str) -> None:
    """On a phone, scroll to what the picture is about."""
    if tab.page.viewport_size and tab.page.viewport_size["width"] == PHONE[0]:
        tab.page.locator(selector).first.evaluate(
            "at => scrollTo(0, at.getBoundingClientRect().top + scrollY - 90)"
        )


def page(name: str) -> Callable[[Console], None]:
    return lambda tab: tab.go(name)


PICTURES: dict[str, Callable[[Console], None]] = {
    "overview": page("overview"),
    "rules": page("rules"),
    "mistake": mistake,
    "try": attempt,
    "replay": replay,
    "review": review,
    "history": history,
    "requests": page("requests"),
    "request": failover,
    "keys": page("keys"),
    "key": key,
    "playground": chat,
    "connect": page("connect"),
}


def take(browser: Browser, run: LocalRun, screen: str, theme: str, only: list[str]) -> None:
    """Take all pictures of one screen and theme, each in a tab of its own."""
    for name, prepare in {"sign-in": None, **PICTURES}.items():
        if only and name not in only:
            continue
        with console(browser, run, size=SCREENS[screen], theme=theme) as tab:
            tab.page.goto(tab.address)
            if prepare:
                tab.sign_in(ADMIN, "connect")
                prepare(tab)
            expect(tab.page.locator("main .loading")).to_have_count(0)
            tab.page.evaluate("document.activeElement.blur()")
            tab.page.wait_for_timeout(600)  # transitions, and plots that fit their width
            save(tab, FOLDER / f"{name}-{screen}-{theme}.webp")


def save(tab: Console, path: Path) -> None:
    session = tab.page.context.new_cdp_session(tab.page)
    taken = session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    path.write_bytes(base64.b64decode(taken["data"]))


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, busy_gateway(Path(folder)) as run, chromium() as browser:
        for screen in SCREENS:
            for theme in ("light", "dark"):
                take(browser, run, screen, theme, sys.argv[1:])
    size = sum(path.stat().st_size for path in FOLDER.glob("*.webp"))
    print(f"{len([*FOLDER.glob('*.webp')])} pictures, {size / 1e6:.1f} MB, in {FOLDER}")


if __name__ == "__main__":
    main()
