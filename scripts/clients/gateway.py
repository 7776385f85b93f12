"""A local run of Sluice in front of the fakes, with one key for each format that a model behind it speaks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from handler.access.keys import generate_key
from tests.provider_fakes.call import KEY as CREDENTIAL
from tests.provider_fakes.call import Json
from tests.provider_fakes.serving import records, serve_fakes
from tests.support.serving import serve_locally

# dialect -> the model that answers every request of its key
MODELS = {
    "openai": "chat/gpt-6-luna",
    "responses": "responses/gpt-6-luna",
    "anthropic": "anthropic/claude-opus-5-5",
    "google": "gemini/gemini-3.8-flash",
    "bedrock": "converse/us.anthropic.claude-haiku-4-5-20251001-v1:0",
}


@dataclass(frozen=True, slots=True)
class Gateway:
    """`origin`: its address without a path. `keys`: by dialect. `refusals`: what the fakes refused."""

    origin: str
    keys: dict[str, str]
    refusals: Path


def _rules(fakes: str) -> Iterator[Json]:
    yield from records(fakes, "STORY_API_KEY")
    host = {"kind": "provider", "base_url": f"{fakes}/openai/v1", "credential": "STORY_API_KEY"}
    yield {**host, "id": "chat", "dialect": "openai"}
    yield {**host, "id": "responses", "dialect": "responses"}
    for id, model in MODELS.items():
        yield {"kind": "route", "id": f"to-{id}", "scope": {"key": id}, "model": model, "override": True}


@contextmanager
def serve(folder: Path) -> Iterator[Gateway]:
    keys = {dialect: generate_key() for dialect in MODELS}
    key_file, rule_file, refusals = (folder / name for name in ("keys.json", "rules.json", "refusals.txt"))
    key_file.write_text(json.dumps([{"key": key, "id": id} for id, key in keys.items()]), encoding="utf-8")
    with serve_fakes(refusals) as fakes:
        rule_file.write_text(json.dumps(list(_rules(fakes))), encoding="utf-8")
        files = ("--rules", str(rule_file), "--keys", str(key_file))
        with serve_locally(folder, *files, environment={"STORY_API_KEY": CREDENTIAL}) as run:
            yield Gateway(run.base_url.removesuffix("/v1"), keys, refusals)
