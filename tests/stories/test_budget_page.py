"""The steps of docs/rules.md, "A budget, step by step", as a reader does them on a machine of his own."""

from __future__ import annotations

import json
import re
import shlex
import time
import urllib.request
from pathlib import Path

from handler.aws.sdk import create_client, scan
from handler.settings import Settings
from handler.store import counts
from handler.store.attributes import deserialize_item
from tests.support.serving import ROOT, serve_locally

PAGE = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("#### A budget, step by step")[2].partition("\n### ")[0]
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"%header\{([a-z-]+)\}")


def test_the_answers_are_those_of_the_page(tmp_path: Path) -> None:
    _, records, printed = (text for _, text in BLOCKS)
    (tmp_path / "budget.json").write_text(records, encoding="utf-8")
    script = re.sub(r"\\\n", " ", SECTION)
    body = json.loads(re.findall(r"-d '(.*?)'", script)[0])
    names = SHOWN.findall(script)
    with serve_locally(tmp_path, "--rules", str(tmp_path / "budget.json")) as run:
        seen = []
        for _ in printed.splitlines():
            request = urllib.request.Request(
                f"{run.base_url}/chat/completions",
                json.dumps(body).encode(),
                {"authorization": f"Bearer {run.key}"},
            )
            with urllib.request.urlopen(request) as response:
                seen.append(" ".join(response.headers.get(name, "") for name in names).strip())
            _wait_until_counted(run.dynamodb)
        assert seen == printed.splitlines()
    logged = re.findall(r"budget first-key: (.*?) kind=", run.output)
    assert logged == re.findall(r"`(?:budget first-key: )?([^`]*used(?: up)?)`", SECTION)


def _wait_until_counted(endpoint: str) -> None:
    client = create_client(Settings(environment={"AWS_ENDPOINT_URL_DYNAMODB": endpoint}))
    until = time.monotonic() + 30
    while any(sum(counts.reserved(deserialize_item(item)).values()) for item in scan(client, "sluice-state")):
        assert time.monotonic() < until
        time.sleep(0.01)


def test_the_page_serves_the_file_that_it_shows() -> None:
    (command,) = re.findall(r"^    (\.venv/bin/python -m handler serve .*)$", SECTION, re.MULTILINE)
    assert shlex.split(command)[-2:] == ["--rules", "budget.json"]
