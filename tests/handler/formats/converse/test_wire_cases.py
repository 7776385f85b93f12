"""Every captured answer of a provider, whole and streamed, is the same answer of Converse."""

from __future__ import annotations

from pathlib import Path

import pytest

from handler.errors import Json
from handler.formats.converse.format import ConverseFormat
from tests.handler.content.test_completion import STREAMS
from tests.handler.formats.converse.bodies import encode, fold, parse, request
from tests.handler.providers.bedrock.service_model import operation, violations
from tests.handler.providers.wire_cases import case_id, chunks_of, completion_of


@pytest.mark.parametrize("case", STREAMS, ids=case_id)
def test_a_captured_stream_adds_up_to_the_captured_answer(case: Path) -> None:
    whole = ConverseFormat("p/m").answer(completion_of(case), parse(request()))
    assert comparable(fold(encode(chunks_of(case)))) == comparable(whole)
    for name in ("cost", "cost_details"):  # of a provider that tells them; botocore leaves them out
        whole["usage"].pop(name, None)
    found = list(violations(whole, operation("Converse").output_shape))
    assert [one for one in found if "toolUse.name" not in one] == []  # names are the client's own


def comparable(answer: Json) -> Json:
    """Return an answer without what differs by chance: ids, states, and the order of blocks."""
    blocks: list[Json] = []
    for block in answer["output"]["message"]["content"]:
        match block:
            case {"toolUse": call}:
                blocks.append({"call": {**call, "toolUseId": ""}})
            case {"reasoningContent": {"reasoningText": {"text": text}}}:
                blocks.append({"reasoning": text})
            case {"reasoningContent": _}:
                pass
            case {"citationsContent": {"content": [{"text": text}]}}:
                blocks.append({"text": text})
            case _:
                blocks.append(block)
    joined: dict[str, str] = {}
    for block in blocks:
        for name, text in block.items():
            if isinstance(text, str):
                joined[name] = joined.get(name, "") + text
    others = [block for block in blocks if not any(isinstance(one, str) for one in block.values())]
    rest = {name: value for name, value in answer.items() if name != "output"}
    return {**rest, "texts": joined, "others": others}
