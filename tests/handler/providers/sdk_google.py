"""What the google-genai library says of our captures: a script for a Python that has it and nothing else.

Requests parse as its types, none of which takes an unknown field, and come out of its own writer for the
Gemini API as they went in. Answers, whole and streamed, and what makes up an error parse as well.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google import genai  # type: ignore[import-untyped,import-not-found,unused-ignore]
from google.genai import errors, models, types  # type: ignore[import-not-found,unused-ignore]

WIRE = Path(__file__).parent / "wire" / "google"
API = genai.Client(api_key="none")._api_client
# What stands beside the generation config on the wire is a part of it in the library.
BESIDE = {
    "systemInstruction": types.Content,
    "toolConfig": types.ToolConfig,
    "serviceTier": types.ServiceTier,
}


def main() -> int:
    problems = [f"{path.parent.name}/{path.name}: {why}" for path, why in found()]
    print(*problems, f"{len(list(WIRE.iterdir()))} captures, {len(problems)} problems", sep="\n")  # noqa: T201
    return int(bool(problems))


def found() -> Iterator[tuple[Path, str]]:
    checks = {"request.json": request, "whole.json": answer, "stream.sse": stream, "error.json": error}
    for name, check in checks.items():
        for path in sorted(WIRE.glob(f"*/{name}")):
            try:
                check(path.read_text(encoding="utf-8"))
            except Exception as problem:
                yield path, f"{type(problem).__name__}: {problem}"


def request(text: str) -> None:
    body = json.loads(text)
    config = dict(body.get("generationConfig", {}))
    types.GenerationConfig.model_validate(config)
    for name, kind in BESIDE.items():
        if name in body:
            config[name] = body[name]
            kind(body[name]) if kind is types.ServiceTier else kind.model_validate(body[name])
    config["tools"] = [types.Tool.model_validate(tool) for tool in body.get("tools", [])]
    contents = [types.Content.model_validate(content) for content in body["contents"]]
    settings = types.GenerateContentConfig.model_validate(config)
    asked = types._GenerateContentParameters(model="gemini-3.8-flash", contents=contents, config=settings)
    written = models._GenerateContentParameters_to_mldev(API, asked)
    del written["_url"]
    ours, theirs = plain(body), plain(written)
    assert ours == theirs, f"the library writes {json.dumps(theirs)}\ninstead of {json.dumps(ours)}"


def plain(value: Any) -> Any:
    """As JSON, without what is empty, and bytes in the one way to write them."""
    if isinstance(value, types._common.BaseModel):
        return plain(value.model_dump(mode="json", by_alias=True, exclude_none=True))
    if isinstance(value, dict):
        members = {name: written(name, plain(item)) for name, item in value.items()}
        return {name: item for name, item in members.items() if item not in (None, {}, []) or name == "args"}
    return [plain(item) for item in value] if isinstance(value, list) else value


def written(name: str, value: Any) -> Any:
    """Of base64 there are two alphabets, and padding may lack; Google reads all of them."""
    if name not in ("data", "thoughtSignature"):
        return value
    text = value if isinstance(value, str) else base64.b64encode(value).decode()
    return text.replace("-", "+").replace("_", "/").rstrip("=")


def answer(text: str) -> None:
    body = json.loads(text)
    types.GenerateContentResponse.model_validate(body)
    for candidate in body.get("candidates", ()):
        reason = candidate.get("finishReason", "STOP")
        assert reason in types.FinishReason.__members__, reason
    blocked = body.get("promptFeedback", {}).get("blockReason", "OTHER")
    assert blocked in types.BlockedReason.__members__, blocked


def stream(text: str) -> None:
    for event in filter(None, text.split("\n\n")):
        try:
            body = json.loads(event.removeprefix("data: "))
        except ValueError:
            continue  # a capture of nonsense
        if isinstance(body, list) or "error" in body:
            error(json.dumps({"status": 200, "body": body}))
        else:
            answer(json.dumps(body))


def error(text: str) -> None:
    told = json.loads(text)
    body = told["body"][0] if isinstance(told["body"], list) else told["body"]
    raised = errors.APIError(body["error"]["code"], body)
    assert raised.message
    assert raised.status


if __name__ == "__main__":
    sys.exit(main())
