"""Runs the resource tests that ship with the official libraries against a local run of Sluice.

python -m scripts.resource_tests openai=PYTHON:SOURCES anthropic=PYTHON:SOURCES google=PYTHON:SOURCES

PYTHON has the library and the packages of its tests, SOURCES is its unpacked source distribution. That of
google-genai lacks the folder google/genai/tests/data, which its repository has. Each test runs twice: in
front of a provider of the format of the client, and in front of the demo model, for which Sluice translates
every request. Tests that send no request are left out.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

from handler.access.keys import generate_key
from scripts.resource_tests.upstream import Json, serve_upstream
from tests.support.serving import serve_locally

FORMATS = {"openai": "openai", "responses": "responses", "anthropic": "anthropic", "gemini": "google"}
OPERATIONS = ("embeddings", "completion", "moderation", "image", "speech", "transcription")
ALLOWED = ["inference_geo", "speed"]  # fields with a price of their own, which need a rule
LISTED = (
    "gpt-6-astra",
    "gpt-4o-mini",
    "model_id",
    "gemini-2.5-flash",
)  # models that tests of /models ask for
GENERATE = (  # the files of google-genai's tests of generateContent, after the name of the first
    *("", "_cached_content", "_config_zero_value", "_from_apikey", "_http_options", "_image_generation"),
    *("_mcp", "_media_resolution", "_model", "_part", "_thought", "_tools"),
)
MODELS = ("function_call_streaming", "count_tokens", "get", "list")
SHARED = ("generate_content", "generate_content_stream", "count_tokens", "list")
TESTS: dict[str, Sequence[str]] = {
    "openai": (
        "tests/api_resources/chat/test_completions.py",
        "tests/api_resources/test_responses.py",
        "tests/api_resources/responses/test_input_tokens.py",
        "tests/api_resources/test_embeddings.py",
        "tests/api_resources/test_completions.py",
        "tests/api_resources/test_moderations.py",
        "tests/api_resources/test_images.py",
        "tests/api_resources/audio/test_speech.py",
        "tests/api_resources/audio/test_transcriptions.py",
        "tests/api_resources/audio/test_translations.py",
        "tests/api_resources/test_models.py",
    ),
    "anthropic": (
        "tests/api_resources/test_messages.py",
        "tests/api_resources/beta/test_messages.py",
        "tests/api_resources/test_models.py",
        "tests/api_resources/beta/test_models.py",
    ),
    "google": (
        *(f"google/genai/tests/models/test_generate_content{name}.py" for name in GENERATE),
        *(f"google/genai/tests/models/test_{name}.py" for name in MODELS),
        *(f"google/genai/tests/shared/models/test_{name}.py" for name in SHARED),
        "google/genai/tests/shared/chats",
        "google/genai/tests/chats/test_send_message.py",
        "google/genai/tests/public_samples/test_gemini_text_only.py",
    ),
}
OPTIONS: dict[str, Sequence[str]] = {"google": ("--mode=api", "--timeout=20")}
FOLDERS = {"google": "google/genai"}  # where the tests run
TIMEOUT = 600  # seconds for the tests of one library
UNSERVED = ("There is no endpoint", "is not allowed for")


def rules(upstream: str, *, translated: bool) -> Iterator[Json]:
    """The records: one provider for each format, and a route for each format and operation."""
    for name, dialect in FORMATS.items():
        known = {"kind": "provider", "id": f"own-{name}", "dialect": dialect, "credential": "OWN_API_KEY"}
        yield {**known, "base_url": f"{upstream}/v1"}
        model = "local/echo" if translated else f"own-{name}/model"
        when = {"dialect": name, "operation": "chat"}
        allowed = {"allow_fields": ALLOWED} if name == "anthropic" and not translated else {}
        yield {"kind": "route", "id": name, "when": when, "model": model, "override": True, **allowed}
    for operation in OPERATIONS:
        model = f"own-openai/{operation}"
        known = {"kind": "model", "id": model, "provider": "own-openai", "name": operation}
        yield {**known, "can": [operation], "price": {"input": 1, "output": 1}}
        when = {"operation": operation}
        yield {"kind": "route", "id": operation, "when": when, "model": model, "override": True}
    for name in LISTED:
        yield {"kind": "alias", "id": name, "models": ["local/echo"]}


def run(library: str, python: str, sources: str, folder: Path, origin: str, key: str) -> list[Json]:
    """The outcome of every test."""
    report = folder / "report.xml"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(Path(__file__).parent),
        "TEST_API_BASE_URL": origin,
        "SLUICE_KEY": key,
        "PYTHONSAFEPATH": "1",
        "GOOGLE_GEMINI_BASE_URL": origin,
        "GOOGLE_API_KEY": key,
        "GOOGLE_GENAI_REPLAYS_DIRECTORY": str(folder),
    }
    command = [
        python,
        "-m",
        "pytest",
        "-q",
        "-n1",
        "-p",
        "plugin",
        "-p",
        "no:cacheprovider",
        "-k",
        "not path_params",
    ]
    root, where = Path(sources).resolve(), Path(sources) / FOLDERS.get(library, "")
    command += [
        f"--junitxml={report}",
        *OPTIONS.get(library, ()),
        *(str(root / one) for one in TESTS[library]),
    ]
    with (folder / "pytest.txt").open("wb") as output:
        subprocess.run(command, cwd=where, env=environment, check=False, stdout=output, timeout=TIMEOUT)
    return [_outcome(case) for case in ElementTree.parse(report).iter("testcase")]


def _outcome(case: ElementTree.Element) -> Json:
    failed = [child for child in case if child.tag in ("failure", "error", "skipped")]
    why = (failed[0].get("message") or "") if failed else ""
    outcome = failed[0].tag if failed else "passed"
    if case.find("properties/property[@name='requests'][@value='0']") is not None:
        outcome = "without a request"
    elif any(text in why for text in UNSERVED):
        outcome = "not served"
    file = re.sub(r".*\btests\.(api_resources\.)?|\.Test\w+$", "", case.get("classname") or "")
    return {"file": file, "why": why, "outcome": outcome}


def _print(label: str, found: Sequence[Json]) -> None:
    """Print how many tests of each file had each outcome, and each reason of a failure."""
    for file in dict.fromkeys(test["file"] for test in found):
        counted = Counter(test["outcome"] for test in found if test["file"] == file)
        print(f"| {label} | {file} | {dict(counted)} |")
    for why, number in Counter(test["why"][:200] for test in found if test["outcome"] == "failure").items():
        print(f"  {number} times: {why}")


@contextmanager
def _gateway(folder: Path, key: str, *, translated: bool) -> Iterator[str]:
    keys, records = folder / "keys.json", folder / "rules.json"
    keys.write_text(json.dumps([{"key": key, "id": "tests"}]), encoding="utf-8")
    with serve_upstream() as upstream:
        written = json.dumps([*rules(upstream, translated=translated)])
        records.write_text(written, encoding="utf-8")
        files = ("--rules", str(records), "--keys", str(keys))
        with serve_locally(folder, *files, environment={"OWN_API_KEY": "own"}) as gateway:
            yield gateway.base_url.removesuffix("/v1")


def main(arguments: Sequence[str]) -> None:
    key = generate_key()
    for translated in (False, True):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            with _gateway(folder, key, translated=translated) as origin:
                for argument in arguments:
                    library, _, rest = argument.partition("=")
                    python, _, sources = rest.partition(":")
                    found = run(library, python, sources, folder, origin, key)
                    _print(f"{library}, {'translated' if translated else 'own format'}", found)


if __name__ == "__main__":
    main(sys.argv[1:])
