"""Every client holds every conversation of conversations.json, with fakes that refuse mistakes.

The clients are the newest 2.x and 3.x of the official openai client, and the AI SDK (`make story-clients`).
The fakes are those of tests/provider_fakes (`make sdks`).
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from handler.access.keys import generate_key
from tests.provider_fakes.call import KEY as CREDENTIAL
from tests.provider_fakes.serving import chat_records, records, serve_fakes
from tests.support.serving import ROOT, LocalRun, serve_locally

KEY = generate_key()
TABLE = Path(__file__).with_name("conversations.json")
NODE = Path(__file__).with_name("node")
CLIENTS = {
    "openai 2": [str(ROOT / ".venvs/openai2/bin/python"), "-m", "tests.clients.conversations"],
    "openai 3": [str(ROOT / ".venvs/openai3/bin/python"), "-m", "tests.clients.conversations"],
    "the AI SDK": ["node", str(NODE / "conversations.mjs")],
}


@pytest.fixture(scope="module")
def refusals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("services") / "refusals.txt"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, refusals: Path) -> Iterator[LocalRun]:
    folder = tmp_path_factory.mktemp("serve")
    keys, rules = folder / "keys.json", folder / "rules.json"
    keys.write_text(json.dumps([{"key": KEY, "name": "story"}]), encoding="utf-8")
    with serve_fakes(refusals) as address:
        known = [*records(address, "STORY_API_KEY"), *chat_records(address, "STORY_API_KEY")]
        rules.write_text(json.dumps(known), encoding="utf-8")
        environment = {"STORY_API_KEY": CREDENTIAL}
        with serve_locally(
            folder, "--keys", str(keys), "--rules", str(rules), environment=environment
        ) as run:
            yield run


@pytest.mark.slow
@pytest.mark.parametrize("client", CLIENTS)
def test_every_conversation_is_held(client: str, gateway: LocalRun, refusals: Path) -> None:
    command = [*CLIENTS[client], gateway.base_url, KEY]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert process.returncode == 0, (
        f"{process.stdout}{process.stderr}\n{refusals.read_text(encoding='utf-8')}"
    )
    assert process.stdout.count("\nok ") > 90, process.stdout


@pytest.mark.slow
def test_every_conversation_goes_through_responses(gateway: LocalRun, refusals: Path) -> None:
    python = str(ROOT / ".venvs" / "openai3" / "bin" / "python")
    command = [python, "-m", "tests.clients.response_conversations", gateway.base_url, KEY]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert process.returncode == 0, (
        f"{process.stdout}{process.stderr}\n{refusals.read_text(encoding='utf-8')}"
    )
    assert process.stdout.count("\nok ") > 90, process.stdout


def test_there_are_twenty_conversations_with_different_names() -> None:
    talks = json.loads(TABLE.read_text(encoding="utf-8"))["conversations"]
    assert len(talks) >= 20
    assert len({talk["name"] for talk in talks}) == len(talks)
    assert all(turn["expect"] for talk in talks for turn in talk["turns"])


def test_the_lock_names_only_the_public_registry() -> None:
    lock = (NODE / "package-lock.json").read_text(encoding="utf-8")
    hosts = set(re.findall(r'"resolved": "(https?://[^/]+)/', lock))
    assert hosts <= {"https://registry.npmjs.org"}
    assert lock.count('"integrity": "sha512-') == lock.count('"node_modules/') > 0
