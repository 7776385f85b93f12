"""Every captured answer of a provider, whole and streamed, is the same response of Gemini's format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from handler.errors import Json
from handler.formats.gemini.answer import response_of
from tests.handler.content.test_completion import STREAMS
from tests.handler.formats.gemini.completions import encode, fold, joined
from tests.handler.providers.wire_cases import case_id, chunks_of, completion_of

FINISH_REASONS = {"STOP", "MAX_TOKENS", "SAFETY"}


@pytest.mark.parametrize("case", STREAMS, ids=case_id)
def test_a_captured_stream_adds_up_to_the_captured_answer(case: Path) -> None:
    whole = response_of(completion_of(case), thoughts=True)
    streamed = fold(encode(chunks_of(case)))
    assert comparable(streamed) == comparable(whole)
    assert {one["finishReason"] for one in whole["candidates"]} <= FINISH_REASONS


def comparable(response: Json) -> Any:
    """Return candidates and usage without what differs by chance: ids, the order of texts and thoughts."""
    candidates = []
    for one in response["candidates"]:
        parts = sorted(one["content"]["parts"], key=lambda part: not part.get("thought"))
        for part in parts:
            part.get("functionCall", {}).pop("id", None)
        logprobs = one.get("logprobsResult", {}).get("chosenCandidates")
        others = {name: value for name, value in one.items() if name not in ("content", "logprobsResult")}
        candidates.append({**others, "parts": joined(parts), "tokens": logprobs})
    return candidates, response.get("usageMetadata")
