"""The documentation is tested: what it names exists, what exists it names, and every block in it runs."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from handler.app import EXPOSED, PREFIXES
from handler.errors import ACTIONS
from handler.settings import Settings
from rules import PREFERENCES, PROVIDERS, RuleSet, read_record
from rules.conditions import OPERATORS
from rules.facts import VOCABULARY
from rules.records import KINDS

ROOT = Path(__file__).parent.parent
PAGES = {path.name: path.read_text() for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]}
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.M | re.S)


def blocks(language: str) -> list[Any]:
    return list(_blocks(language))


def _blocks(language: str) -> Iterator[object]:
    for name, text in PAGES.items():
        for number, found in enumerate(BLOCK.finditer(text)):
            if found[1] == language:
                yield pytest.param(found[2], id=f"{name} block {number}")


@pytest.mark.parametrize("block", blocks("json"))
def test_every_json_block_is_json_and_every_record_in_it_can_be_read(block: str) -> None:
    value = json.loads(block)
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict) and "kind" in item and "id" in item:
            read_record(item)


@pytest.mark.parametrize("block", blocks("python"))
def test_every_python_block_compiles(block: str) -> None:
    ast.parse(block)


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(name: str) -> None:
    folder = ROOT if name == "README.md" else ROOT / "docs"
    for target in re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", PAGES[name]):
        assert (folder / target).exists(), target


DOCUMENTED = {
    "rules.md": [*VOCABULARY, *OPERATORS, *KINDS, *PREFERENCES],
    "providers.md": sorted(PROVIDERS),
    "api.md": [
        *(prefix for prefix in PREFIXES if prefix),
        *EXPOSED[:9],
        "/chat/completions",
        "/explain",
        "/models",
        "/health",
    ],
    "deploying.md": [
        f"SLUICE_{field.name.upper()}"
        for field in dataclasses.fields(Settings)
        if field.name != "environment"
    ],
}


@pytest.mark.parametrize(
    ("page", "word"), [(page, word) for page, words in DOCUMENTED.items() for word in words]
)
def test_what_exists_is_documented(page: str, word: str) -> None:
    assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", PAGES[page]), f"{word} is not in docs/{page}"


def codes() -> set[str]:
    """Every code that an error of ours can carry, read out of the source."""
    found = {"rate_limit_exceeded", "context_length_exceeded", "content_policy_violation"}
    for path in [*(ROOT / "handler").rglob("*.py"), *(ROOT / "rules").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "code" and isinstance(node.value, ast.Constant):
                found.add(str(node.value.value))
    return {code for code in found if re.fullmatch(r"[a-z]+(_[a-z]+)+", code)}


@pytest.mark.parametrize("code", sorted(codes()))
def test_every_error_code_is_documented(code: str) -> None:
    assert f"`{code}`" in PAGES["api.md"]


@pytest.mark.parametrize("klass", ACTIONS)
def test_every_failure_class_is_documented(klass: str) -> None:
    assert f"`{klass}`" in PAGES["api.md"]


@pytest.mark.parametrize("name", PAGES)
def test_the_records_of_a_page_go_together(name: str) -> None:
    found = [json.loads(block[2]) for block in BLOCK.finditer(PAGES[name]) if block[1] == "json"]
    records = [item for item in found if isinstance(item, dict) and "kind" in item and "id" in item]
    assert RuleSet.read(records).problems == ()
