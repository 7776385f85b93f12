"""docs/clients.md holds the clients, versions and settings of `make clients`, which are those that it ran."""

from __future__ import annotations

import json
import re
from string import Template

import pytest

from scripts.clients.client import Client, Task
from scripts.clients.gateway import MODELS
from scripts.clients.install import PACKAGES
from scripts.clients.page import (
    MODULE,
    PAGE,
    console_module,
    read_results,
    replace_part,
    results_table,
    settings_part,
)
from scripts.clients.table import CLIENTS

TEXT = PAGE.read_text(encoding="utf-8")
UPDATE = "run make clients, or python -m scripts.clients none: it writes the page without running a client"


def test_the_page_has_the_settings_of_every_client() -> None:
    assert replace_part(TEXT, "settings", settings_part(CLIENTS)) == TEXT, UPDATE


def test_the_table_has_a_row_for_each_client_with_its_version() -> None:
    assert replace_part(TEXT, "results", results_table(CLIENTS, read_results(CLIENTS))) == TEXT, UPDATE


def test_a_result_is_dropped_with_its_version() -> None:
    results = read_results([])
    assert results == {}
    assert results_table(CLIENTS, results).count("not run") == len(CLIENTS) * len(MODELS)


@pytest.mark.parametrize("name", PACKAGES)
def test_every_package_has_a_version_and_a_client(name: str) -> None:
    assert all(re.search(r"(@|==)\d[\w.]*$", package) for package in PACKAGES[name])
    assert [client for client in CLIENTS if client.packages == name]


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: f"{client.name} {client.endpoint}")
def test_a_plan_reads_edits_and_ends(client: Client) -> None:
    task = Task("/work", "5ec7e7", "e0d")
    steps = client.plan(task)
    assert len(steps) >= 3
    assert task.read in steps[0].shows
    assert steps[-1].text.endswith(task.done)
    assert all(step.calls for step in steps[:-1]) or client.name == "aider"


def test_the_console_offers_the_settings_of_the_page() -> None:
    module = MODULE.read_text(encoding="utf-8")
    assert module == console_module(CLIENTS), UPDATE
    shown = {"origin": "http://127.0.0.1:8080", "key": "sk-sluice-..."}
    offered = []
    for group in json.loads(module[module.index("[") :].rstrip(";\n")):
        values = {**shown, "model": group["model"]}
        exports = "\n".join(f"export {name}={text}" for name, text in group["settings"])
        texts = [exports, *(file["text"] for file in group["files"])]
        offered += [Template(text).substitute(values) for text in texts if text]
        for client in group["clients"]:
            assert client["name"] in TEXT
    settings = TEXT[TEXT.index("## Settings") : TEXT.index("## Resource tests")]
    assert offered == [block.strip() for block in re.findall(r"^```\w+\n(.*?)^```", settings, re.M | re.S)]
