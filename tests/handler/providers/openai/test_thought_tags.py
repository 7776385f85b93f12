"""Thoughts in a tag at the start of content."""

from __future__ import annotations

import pytest

from handler.providers.openai.thought_tags import Inline

WHOLE = "<reasoning>one < two</reason> three</reasoning>four <reasoning>five</reasoning>"


def told(pieces: list[str]) -> tuple[str, str]:
    inline = Inline("reasoning")
    said = [*(inline.feed(piece) for piece in pieces), inline.rest()]
    return "".join(thought for thought, _ in said), "".join(text for _, text in said)


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 64, 1000])
def test_however_it_is_cut(cut: int) -> None:
    pieces = [WHOLE[at : at + cut] for at in range(0, len(WHOLE), cut)]
    assert told(pieces) == ("one < two</reason> three", "four <reasoning>five</reasoning>")


@pytest.mark.parametrize(
    ("pieces", "thought", "text"),
    [
        pytest.param(
            ["Hi ", "<reasoning>x</reasoning>"], "", "Hi <reasoning>x</reasoning>", id="not at the start"
        ),
        pytest.param([" \n", "<reasoning>", "x", "</reasoning>", "y"], "x", "y", id="behind blanks"),
        pytest.param(["<reasoning>x", " y</reas"], "x y</reas", "", id="a tag that is never closed"),
        pytest.param(["<rea"], "", "<rea", id="the beginning of a tag and no more"),
        pytest.param([" "], "", " ", id="blanks"),
        pytest.param([], "", "", id="nothing"),
        pytest.param(["<reasonings>"], "", "<reasonings>", id="another tag"),
        pytest.param(["<reasoning></reasoning>x"], "", "x", id="no thought"),
    ],
)
def test_what_is_a_thought(pieces: list[str], thought: str, text: str) -> None:
    assert told(pieces) == (thought, text)
