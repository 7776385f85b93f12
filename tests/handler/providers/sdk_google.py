"""Reads the cases of the google dialect with the google-genai library. test_sdks.py starts it.

Requests must parse as the library's types, which refuse unknown fields, and the library's own writer for the
Gemini API must write them as they are. Answers, events and errors must parse.
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
# Members of the request's body that are part of the generation config in the library.
CONFIG_MEMBERS = {
    "systemInstruction": types.Content,
    "toolConfig": types.ToolConfig,
    "serviceTier": types.ServiceTier,
}


def main() -> int:
    problems = [f"{path.parent.name}/{path.name}: {problem}" for path, problem in find_problems()]
    print(*problems, f"{len(list(WIRE.iterdir()))} cases, {len(problems)} problems", sep="\n")  # noqa: T201
    return int(bool(problems))


def find_problems() -> Iterator[tuple[Path, str]]:
    checks = {
        "request.json": check_request,
        "whole.json": check_answer,
        "stream.sse": check_stream,
        "error.json": check_error,
    }
    for name, check in checks.items():
        for path in sorted(WIRE.glob(f"*/{name}")):
            try:
                check(path.read_text(encoding="utf-8"))
            except Exception as problem:
                yield path, f"{type(problem).__name__}: {problem}"


def check_request(text: str) -> None:
    body = json.loads(text)
    config = dict(body.get("generationConfig", {}))
    types.GenerationConfig.model_validate(config)
    for name, kind in CONFIG_MEMBERS.items():
        if name in body:
            config[name] = body[name]
            kind(body[name]) if kind is types.ServiceTier else kind.model_validate(body[name])
    config["tools"] = [types.Tool.model_validate(tool) for tool in body.get("tools", [])]
    contents = [types.Content.model_validate(content) for content in body["contents"]]
    settings = types.GenerateContentConfig.model_validate(config)
    parameters = types._GenerateContentParameters(
        model="gemini-3.8-flash", contents=contents, config=settings
    )
    written = models._GenerateContentParameters_to_mldev(API, parameters)
    del written["_url"]
    ours, theirs = normalize(body), normalize(written)
    assert ours == theirs, f"the library writes {json.dumps(theirs)}\ninstead of {json.dumps(ours)}"


def normalize(value: Any) -> Any:
    """Return the value as JSON without empty members, and with base64 in one alphabet."""
    if isinstance(value, types._common.BaseModel):
        return normalize(value.model_dump(mode="json", by_alias=True, exclude_none=True))
    if isinstance(value, dict):
        members = {name: normalize_base64(name, normalize(item)) for name, item in value.items()}
        return {name: item for name, item in members.items() if item not in (None, {}, []) or name == "args"}
    return [normalize(item) for item in value] if isinstance(value, list) else value


def normalize_base64(name: str, value: Any) -> Any:
    """Google accepts both alphabets of base64, with or without padding."""
    if name not in ("data", "thoughtSignature"):
        return value
    text = value if isinstance(value, str) else base64.b64encode(value).decode()
    return text.replace("-", "+").replace("_", "/").rstrip("=")


def check_answer(text: str) -> None:
    body = json.loads(text)
    types.GenerateContentResponse.model_validate(body)
    for candidate in body.get("candidates", ()):
        reason = candidate.get("finishReason", "STOP")
        assert reason in types.FinishReason.__members__, reason
    blocked = body.get("promptFeedback", {}).get("blockReason", "OTHER")
    assert blocked in types.BlockedReason.__members__, blocked


def check_stream(text: str) -> None:
    for event in filter(None, text.split("\n\n")):
        try:
            body = json.loads(event.removeprefix("data: "))
        except ValueError:
            continue  # the case with unreadable events
        if isinstance(body, list) or "error" in body:
            check_error(json.dumps({"status": 200, "body": body}))
        else:
            check_answer(json.dumps(body))


def check_error(text: str) -> None:
    body = json.loads(text)["body"]
    body = body[0] if isinstance(body, list) else body
    raised = errors.APIError(body["error"]["code"], body)
    assert raised.message
    assert raised.status


if __name__ == "__main__":
    sys.exit(main())
