"""The playground: answers as they come, the decision beside them, a stop, the request as code."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, expect

from tests.support.browser import Console

HOSTILE = '<img src=x onerror="alert(1)"> \'quoted\' "double" $HOME `id` \\n \u2028 </script>'


def say(tab: Console, text: str) -> Locator:
    tab.page.get_by_label("Message").fill(text)
    tab.page.keyboard.press("Enter")
    answer = tab.page.get_by_role("article").last
    expect(tab.page.get_by_role("button", name="Send")).to_be_visible()
    return answer


def test_an_answer_streams_and_its_decision_is_beside_it(tab: Console) -> None:
    tab.sign_in(page="playground")
    answer = say(tab, "Where is the Eiffel Tower?")
    expect(answer).to_contain_text("local/echo heard: Where is the Eiffel Tower?")
    decision = tab.page.get_by_role("region", name="Decision and cost")
    expect(decision).to_contain_text("preference")
    expect(decision).to_contain_text("$0")
    expect(decision.get_by_text("Rejected models")).to_be_visible()
    answer = say(tab, "And the Louvre?")
    expect(answer).to_contain_text("And the Louvre?")
    assert tab.inaccessible() == []
    tab.go("connect")
    tab.go("playground")
    expect(tab.page.get_by_role("article")).to_have_count(4)
    tab.page.get_by_role("button", name="Sign out").click()
    tab.sign_in(page="playground")
    expect(tab.page.get_by_role("article")).to_have_count(0)


def test_texts_of_callers_and_models_are_shown_as_text(tab: Console) -> None:
    tab.sign_in(page="playground")
    expect(say(tab, HOSTILE)).to_contain_text("<img src=x onerror=")
    assert tab.page.locator("main img, main script").count() == 0


@pytest.mark.parametrize(
    ("model", "words"),
    [
        pytest.param("nothing/at-all", "nothing", id="an unknown model"),
        pytest.param("local/echo-400", "local/echo-400", id="a provider that refuses"),
        pytest.param("local/echo-error", "local/echo-error", id="a stream that ends with an error"),
    ],
)
def test_an_error_is_shown_in_words(tab: Console, model: str, words: str) -> None:
    tab.sign_in(page="playground")
    tab.page.get_by_label("Model", exact=True).fill(model)
    answer = say(tab, "Hello")
    expect(answer.get_by_role("alert")).to_contain_text(words)


def test_an_answer_that_breaks_off_says_so(tab: Console) -> None:
    chunk = json.dumps({"choices": [{"delta": {"content": "Half an"}}]})
    stream = {"body": f"data: {chunk}\n\n", "content_type": "text/event-stream"}
    tab.page.route("**/chat/completions", lambda route: route.fulfill(**stream))
    tab.sign_in(page="playground")
    answer = say(tab, "Hello")
    expect(answer).to_contain_text("Half an")
    expect(answer.get_by_role("alert")).to_have_text("The connection ended before the answer did.")


def test_an_answer_can_be_stopped(tab: Console) -> None:
    tab.sign_in(page="playground")
    tab.page.get_by_label("Message").fill("word " * 4000)
    tab.page.keyboard.press("Enter")
    expect(tab.page.get_by_role("article").last).to_contain_text("word")
    tab.page.get_by_role("button", name="Stop").click()
    expect(tab.page.get_by_text("Stopped.")).to_be_visible()
    expect(tab.page.get_by_role("button", name="Send")).to_be_visible()


def snippet(tab: Console, language: str) -> str:
    tab.page.get_by_role("tab", name=language).click()
    return tab.page.get_by_role("tabpanel").locator("code").inner_text()


def test_the_request_as_code_is_the_request(tab: Console) -> None:
    tab.sign_in(page="playground")
    tab.page.get_by_label("System prompt").fill(HOSTILE)
    tab.page.get_by_label("Message").fill(HOSTILE)
    tab.page.get_by_label("Preference").select_option("cheap")
    expected: Any = {
        "model": "auto:cheap",
        "stream": True,
        "messages": [{"role": "system", "content": HOSTILE}, {"role": "user", "content": HOSTILE}],
    }
    (call,) = [node for node in ast.walk(ast.parse(snippet(tab, "Python"))) if _creates(node)]
    assert isinstance(call, ast.Call)
    assert {word.arg: ast.literal_eval(word.value) for word in call.keywords} == expected
    node = re.search(r"create\((\{.*?\n\})\);", snippet(tab, "Node"), re.S)
    assert node
    assert json.loads(node[1]) == expected
    curl = snippet(tab, "curl")
    assert tab.run.key not in curl
    shown = curl.replace("curl -N", "printf '%s\\n'", 1)
    words = subprocess.run(["/bin/sh", "-c", shown], capture_output=True, text=True, check=True).stdout
    assert json.loads(words[words.index("{") :]) == expected


def _creates(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "create"


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
def test_the_curl_command_runs(tab: Console) -> None:
    tab.sign_in(page="playground")
    tab.page.get_by_label("Message").fill("It's a test")
    command = snippet(tab, "curl")
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        capture_output=True,
        text=True,
        check=True,
        env={"SLUICE_API_KEY": tab.run.key, "PATH": "/usr/bin:/bin"},
    )
    assert "It's" in done.stdout
    assert httpx.URL(tab.address).host in command
