"""The documentation: its links and records are valid, its blocks run, and it names everything that exists."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from handler.app import EXPOSED_HEADERS, PREFIXES
from handler.errors import ACTIONS
from handler.providers.provider import Provider
from handler.providers.registry import TRANSLATORS
from handler.providers.rows.compatible import compatible
from handler.relay.attempts import Relay
from handler.settings import Settings
from handler.upstream.client import Client
from handler.upstream.httpx_transport import HttpxTransport
from rules import PREFERENCES, PROVIDERS, RuleSet, read_record
from rules.facts.facts import VOCABULARY
from rules.reading.conditions import OPERATORS
from rules.records.kinds import KINDS
from tests.handler.providers.wire_cases import fold
from tests.support.canned_answers import texts
from tests.support.running_relay import call, frames_of
from tests.test_layout import ROOMS

ROOT = Path(__file__).parent.parent
TOP = (ROOT / "README.md", ROOT / "CONTRIBUTING.md")
PAGES = {path.name: path.read_text() for path in (*TOP, *sorted((ROOT / "docs").glob("*.md")))}
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.M | re.S)


def blocks(language: str) -> list[Any]:
    return list(_blocks(language))


def _blocks(language: str) -> Iterator[object]:
    for name, text in PAGES.items():
        for number, found in enumerate(BLOCK.finditer(text)):
            if found[1] == language:
                yield pytest.param(found[2], id=f"{name} block {number}")


@pytest.mark.parametrize("block", blocks("json"))
def test_every_json_block_and_its_records_are_valid(block: str) -> None:
    value = json.loads(block)
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict) and "kind" in item and "id" in item:
            read_record(item)


def _run(block: str) -> dict[str, Any]:
    names: dict[str, Any] = {"Provider": Provider, "compatible": compatible}
    exec(compile(block, "block", "exec"), names)  # from our own page
    return names


@pytest.mark.parametrize("block", [each for each in blocks("python") if not each.id.startswith("README")])
def test_every_python_block_runs(block: str) -> None:
    """tests/clients/test_clients.py runs that of the README with its library."""
    _run(block)


async def test_the_new_wire_format_is_served() -> None:
    """Serves the module and the row of the page through the relay, whole and streamed."""
    block = next(found[2] for found in BLOCK.finditer(PAGES["providers.md"]) if "class Plain" in found[2])
    requests: list[Any] = []

    def upstream(request: httpx.Request) -> httpx.Response:
        requests.append((request.url.path, json.loads(request.content)))
        if not requests[-1][1]["stream"]:
            return httpx.Response(200, json={"id": "1", "line": "Good day"})
        return httpx.Response(
            200, text="".join(f'data: {{"word": "{word}"}}\n\n' for word in ("Good", " day"))
        )

    translators = {**TRANSLATORS, "plain": _run(block)["Plain"]()}
    row = Provider(name="plain", dialect="plain", base_url="http://plain.example", credential=None)
    client = Client(HttpxTransport(httpx.MockTransport(upstream)), private_ok=True)
    relay = Relay(client, credential=lambda _: None, translators=translators)
    body = {"messages": [{"role": "user", "content": "Hi"}], "seed": 1}
    whole = await relay.complete(call("plain/p", body=body).replaced(rows={"plain": row}))
    streamed = await relay.complete(call("plain/p", body=body, stream=True).replaced(rows={"plain": row}))
    events = [json.loads(text) for text in texts(await frames_of(streamed))[:-1]]
    assert json.loads(whole.body)["choices"][0]["message"]["content"] == "Good day"
    assert fold(events)["choices"] == [
        {"message": {"role": "assistant", "content": "Good day"}, "finish_reason": "stop"}
    ]
    assert requests == [
        ("/say", {"model": "p", "lines": ["Hi"], "stream": stream}) for stream in (False, True)
    ]
    assert whole.dropped == ("seed",)


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name: str) -> None:
    folder = ROOT if ROOT / name in TOP else ROOT / "docs"
    links = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", PAGES[name])
    for target in links + re.findall(r' src(?:set)?="([^"]+)"', PAGES[name]):
        assert (folder / target).exists(), target


DOCUMENTED = {
    "rules.md": [*VOCABULARY, *OPERATORS, *KINDS, *PREFERENCES],
    "providers.md": sorted(PROVIDERS),
    "api.md": [
        *(prefix for prefix in PREFIXES if prefix),
        *EXPOSED_HEADERS[:11],
        "/chat/completions",
        "/explain",
        "/models",
        "/health",
    ],
    "deploying.md": [f"SLUICE_{name.upper()}" for name in Settings.field_names if name != "environment"],
}


@pytest.mark.parametrize(
    ("page", "word"), [(page, word) for page, words in DOCUMENTED.items() for word in words]
)
def test_what_exists_is_documented(page: str, word: str) -> None:
    assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", PAGES[page]), f"{word} is not in docs/{page}"


def codes() -> set[str]:
    """Every error code in the source."""
    found = {"rate_limit_exceeded", "context_length_exceeded", "content_policy_violation"}
    for path in [*(ROOT / "handler").rglob("*.py"), *(ROOT / "rules").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "code" and isinstance(node.value, ast.Constant):
                found.add(str(node.value.value))
    return {code for code in found if re.fullmatch(r"[a-z]+(_[a-z]+)+", code)}


@pytest.mark.parametrize("code", sorted(codes()))
def test_every_error_code_is_documented(code: str) -> None:
    assert f"`{code}`" in PAGES["api.md"]


@pytest.mark.parametrize("failure_class", ACTIONS)
def test_every_failure_class_is_documented(failure_class: str) -> None:
    assert f"`{failure_class}`" in PAGES["api.md"]


@pytest.mark.parametrize("name", PAGES)
def test_the_records_of_a_page_form_a_valid_rule_set(name: str) -> None:
    found = [json.loads(block[2]) for block in BLOCK.finditer(PAGES[name]) if block[1] == "json"]
    records = [item for item in found if isinstance(item, dict) and "kind" in item and "id" in item]
    assert RuleSet.read(records).problems == ()


PATH = re.compile(r"(?<![\w/.])(?:handler|rules|tests|scripts|bench)/[\w/-]+\.(?:py|toml|json|sh|mk)\b")


@pytest.mark.parametrize("name", PAGES)
def test_every_path_exists(name: str) -> None:
    assert [path for path in PATH.findall(PAGES[name]) if not (ROOT / path).exists()] == []


def test_the_picture_of_rooms_is_the_order_that_the_imports_keep() -> None:
    picture = next(found[2] for found in BLOCK.finditer(PAGES["design.md"]) if found[1] == "text")
    drawn = [re.findall(r"(?:^|(?<=  ))(\w+)/?(?=  )", line + "  ") for line in picture.splitlines()]
    rows = [[room.removeprefix("handler.") for room in row.split()] for row in ROOMS.strip().splitlines()]
    assert [sorted(row) for row in drawn] == [sorted(row) for row in rows if row != ["handler"]]


def test_every_file_is_on_the_map() -> None:
    rows = re.findall(r"^\| `((?:handler|rules)/[\w/]*)` \| (.*) \|$", PAGES["design.md"], re.M)
    drawn = {f"{folder}{name}.py" for folder, files in rows for name in re.findall(r"`(\w+)`", files)}
    found = {
        str(path.relative_to(ROOT)) for top in ("handler", "rules") for path in (ROOT / top).rglob("*.py")
    }
    files = {path for path in found if not path.endswith(("__init__.py", "__main__.py"))}
    assert drawn == files
