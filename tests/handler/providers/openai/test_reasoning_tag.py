"""Reasoning in a tag at the start of the content."""

from __future__ import annotations

import pytest

from handler.providers.openai.reasoning_tag import ReasoningTag

TEXT = "<reasoning>one < two</reason> three</reasoning>four <reasoning>five</reasoning>"


def split(pieces: list[str]) -> tuple[str, str]:
    tag = ReasoningTag("reasoning")
    parts = [*(tag.feed(piece) for piece in pieces), tag.close()]
    return "".join(reasoning for reasoning, _ in parts), "".join(text for _, text in parts)


@pytest.mark.parametrize("cut", [1, 2, 3, 7, 64, 1000])
def test_the_cuts_between_pieces_do_not_matter(cut: int) -> None:
    pieces = [TEXT[at : at + cut] for at in range(0, len(TEXT), cut)]
    assert split(pieces) == ("one < two</reason> three", "four <reasoning>five</reasoning>")


@pytest.mark.parametrize(
    ("pieces", "reasoning", "text"),
    [
        pytest.param(
            ["Hi ", "<reasoning>x</reasoning>"], "", "Hi <reasoning>x</reasoning>", id="not at the start"
        ),
        pytest.param([" \n", "<reasoning>", "x", "</reasoning>", "y"], "x", "y", id="after whitespace"),
        pytest.param(["<reasoning>x", " y</reas"], "x y</reas", "", id="a tag that is not closed"),
        pytest.param(["<rea"], "", "<rea", id="only the beginning of a tag"),
        pytest.param([" "], "", " ", id="only whitespace"),
        pytest.param([], "", "", id="nothing"),
        pytest.param(["<reasonings>"], "", "<reasonings>", id="another tag"),
        pytest.param(["<reasoning></reasoning>x"], "", "x", id="an empty tag"),
    ],
)
def test_reasoning_is_separated(pieces: list[str], reasoning: str, text: str) -> None:
    assert split(pieces) == (reasoning, text)
