"""The fakes in a process of their own, in the environment of `make sdks`, and their provider records."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.serving import END, ROOT

PYTHON = ROOT / ".venvs" / "sdks" / "bin" / "python"
PLAIN = {"unable": ["json_schema", "json_object"]}  # a provider without structured output
# Of Bedrock: the catalogue lists them there.
MODELS = (
    "us.anthropic.claude-haiku-4-5-20251001-v1:0",
    "us.amazon.nova-lite-v1:0",
    "meta.llama4-scout-17b-instruct-v1:0",
)
PATHS = {"openai": "v1", "anthropic": "v1", "gemini": "v1beta"}  # by provider


@contextmanager
def serve_fakes(refusals: Path) -> Iterator[str]:
    """Yields the address of the fakes while they run. They write what they refuse to `refusals`."""
    assert PYTHON.exists(), f"{PYTHON.relative_to(ROOT)} does not exist: run make sdks"
    command = [str(PYTHON), "-m", "tests.provider_fakes"]
    with (
        refusals.open("wb") as errors,
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors) as run,
    ):
        assert run.stdout is not None
        try:
            yield run.stdout.readline().decode().strip()
        finally:
            run.terminate()
            run.wait(END)


def records(address: str, credential: str) -> list[dict[str, Any]]:
    """A provider record for each fake at this address, and one without structured output."""
    known = {"kind": "provider", "credential": credential}
    plain = {**known, "id": "plain", "dialect": "openai", "base_url": f"{address}/openai/v1", "quirks": PLAIN}
    named = [{**known, "id": id, "base_url": f"{address}/{id}/{path}"} for id, path in PATHS.items()]
    return [*named, plain, *converse_records(address, credential)]


def converse_records(address: str, credential: str) -> Iterator[dict[str, Any]]:
    """Records of Bedrock's Converse at this address, with a key: Bedrock's own row signs for AWS only."""
    known = {"kind": "provider", "id": "converse", "dialect": "bedrock"}
    yield {**known, "base_url": f"{address}/bedrock", "credential": credential}
    for name in MODELS:
        known = {"kind": "model", "id": f"converse/{name}", "provider": "converse", "name": name}
        yield {**known, "like": f"bedrock/{name}"}


def chat_records(address: str, credential: str) -> Iterator[dict[str, Any]]:
    """Records of OpenAI's models at a provider without Responses, as which the fake of OpenAI can be used."""
    unknown = ("reasoning_content", "reasoning_details", "extra_content", "phase")
    quirks = {"message_drop": [*unknown, "tool_calls.extra_content", "tool_calls.thought_signature"]}
    known = {"kind": "provider", "id": "chat", "dialect": "openai", "credential": credential}
    yield {**known, "base_url": f"{address}/openai/v1", "quirks": quirks}
    for name in ("gpt-5.4", "gpt-6-luna", "gpt-6.1-terra"):
        model = {"kind": "model", "id": f"chat/{name}", "provider": "chat", "name": name}
        yield {**model, "like": f"openai/{name}"}
