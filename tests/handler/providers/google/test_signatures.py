"""Tests of handler/providers/google/signatures.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from handler.errors import Json
from handler.providers.openai.translator import OpenAI
from handler.providers.quirks.model_rules import PLACEHOLDER_SIGNATURE
from handler.providers.rows.builtin import PROVIDERS
from rules.catalog.catalog import unlisted_model
from tests.handler.providers.google.gemini import (
    HELLO,
    SIGNATURE,
    assistant,
    choice_of,
    chunks_of,
    contents,
    message,
    response,
    text,
    tool_call,
    tool_result,
)

WIRE = Path(__file__).parents[1] / "wire" / "google"


@pytest.mark.parametrize(
    ("carried", "expected"),
    [
        pytest.param({"thought_signature": SIGNATURE}, SIGNATURE, id="in the call"),
        pytest.param(
            {"extra_content": {"google": {"thought_signature": SIGNATURE}}},
            SIGNATURE,
            id="as in Google's compatible API",
        ),
        pytest.param(
            {"provider_specific_fields": {"thought_signature": SIGNATURE}},
            SIGNATURE,
            id="as other gateways send it",
        ),
        pytest.param({"id": f"a__thought__{SIGNATURE}"}, SIGNATURE, id="in the id"),
        pytest.param({}, PLACEHOLDER_SIGNATURE, id="none"),
        pytest.param({"thought_signature": "not base64"}, PLACEHOLDER_SIGNATURE, id="another provider's"),
        pytest.param({"extra_content": "x"}, PLACEHOLDER_SIGNATURE, id="extra_content of another type"),
    ],
)
def test_a_signature_is_restored_with_its_call(carried: Json, expected: str) -> None:
    signed = {**tool_call("a"), **carried}
    call_content, result_content = contents(*HELLO, assistant(signed), tool_result(signed["id"]))[1:]
    assert call_content["parts"][0]["thoughtSignature"] == expected
    assert call_content["parts"][0]["functionCall"]["id"] == "a"
    assert result_content["parts"][0]["functionResponse"] == {
        "id": "a",
        "name": "look",
        "response": {"output": "ok"},
    }


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param([text("Hi")], id="no signature"),
        pytest.param([{**text("Hi"), "thoughtSignature": "QUJD"}], id="on the only part"),
        pytest.param(
            [{**text("a"), "thoughtSignature": "QUJD"}, text("b"), {**text("c"), "thoughtSignature": "REVG"}],
            id="on the first and the last part",
        ),
        pytest.param(
            [{**text("a"), "thoughtSignature": "QUJD"}, text("b"), {**text(""), "thoughtSignature": "REVG"}],
            id="the last one after all text",
        ),
        pytest.param(
            [{**text(word), "thoughtSignature": "QUJD"} for word in ("a", "bc")] + [text("d")],
            id="text after the last one",
        ),
    ],
)
def test_signatures_of_texts_are_restored_at_their_parts(parts: list[Json]) -> None:
    """The answer may be whole or streamed, and the client keeps its text as one string."""
    whole_message = choice_of(response(*parts))["message"]
    chunks = chunks_of(*(response(part, finish=None) for part in parts[:-1]), response(parts[-1]))
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]
    (extra,) = [delta["extra_content"] for delta in deltas if "extra_content" in delta] or [None]
    content = "".join(delta.get("content") or "" for delta in deltas)
    assert (extra, content) == (whole_message.get("extra_content"), whole_message["content"])
    history = message("assistant", content, extra_content=extra)
    sent: list[Json] = contents(*HELLO, history)[1]["parts"]
    assert merge_unsigned(sent) == merge_unsigned(parts)


def merge_unsigned(parts: list[Json]) -> list[tuple[str, str | None]]:
    """Texts with their signatures; a text without one is merged with the next."""
    merged: list[tuple[str, str | None]] = []
    for part in parts:
        unsigned = merged.pop()[0] if merged and merged[-1][1] is None else ""
        merged.append((unsigned + part["text"], part.get("thoughtSignature")))
    return merged


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param("x", id="not a list"),
        pytest.param([], id="an empty list"),
        pytest.param([1, None], id="not objects"),
        pytest.param([{"characters": -1, "signature": "QUJD"}], id="a negative position"),
        pytest.param([{"characters": 1, "signature": "not base64"}], id="another provider's"),
    ],
)
def test_the_last_signature_counts_if_the_list_cannot_be_read(entries: Any) -> None:
    extra = {"google": {"thought_signature": "QUJD", "thought_signatures": entries}}
    sent = contents(*HELLO, message("assistant", "Hi", extra_content=extra))[1]["parts"]
    assert sent == [{"text": "Hi", "thoughtSignature": "QUJD"}]


def test_an_older_model_gets_no_placeholder_signature() -> None:
    first = contents(*HELLO, assistant(tool_call("a")), tool_result("a"), name="gemini-2.5-flash")[1][
        "parts"
    ][0]
    assert "thoughtSignature" not in first


@pytest.mark.parametrize("provider", ["openai", "azure", "groq", "mistral", "fireworks"])
def test_a_conversation_can_move_to_another_provider_and_back(provider: str) -> None:
    body = json.loads((WIRE / "tools" / "whole.json").read_text(encoding="utf-8"))
    answer = choice_of(body)["message"]
    messages = [*HELLO, answer, tool_result(answer["tool_calls"][0]["id"])]
    row = PROVIDERS[provider]
    other_request, _ = OpenAI().request({"messages": messages}, unlisted_model(provider, "m"), row.quirks)
    assert "signature" not in json.dumps(other_request)
    restored = contents(*messages)
    assert restored[1]["parts"] == body["candidates"][0]["content"]["parts"]
    unsigned = contents(*other_request["messages"])
    assert unsigned[1]["parts"][1]["thoughtSignature"] == PLACEHOLDER_SIGNATURE
