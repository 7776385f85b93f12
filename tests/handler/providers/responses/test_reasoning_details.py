"""Reasoning items of OpenAI's Responses, as chats carry them."""

from __future__ import annotations

from typing import Any

import pytest

from handler.errors import Json
from handler.providers.responses.reasoning_details import FORMAT, reasoning_details, reasoning_items

SUMMARY = [{"type": "summary_text", "text": "A"}, {"type": "summary_text", "text": "B"}]
ITEM: Json = {"type": "reasoning", "id": "rs_1", "summary": SUMMARY, "encrypted_content": "x"}


def encrypted(data: Any = "x", id: Any = "rs_1", **more: Any) -> Json:
    return {"type": "reasoning.encrypted", "data": data, "id": id, "format": FORMAT, **more}


def summary(text: Any, id: Any = "rs_1") -> Json:
    return {"type": "reasoning.summary", "summary": text, "id": id, "format": FORMAT}


@pytest.mark.parametrize(
    ("item", "kinds"),
    [
        pytest.param(ITEM, ["summary", "summary", "encrypted"], id="with a summary"),
        pytest.param({**ITEM, "summary": []}, ["encrypted"], id="without a summary"),
        pytest.param({**ITEM, "encrypted_content": None}, [], id="without encrypted content"),
        pytest.param({**ITEM, "id": None}, ["summary", "summary", "encrypted"], id="without an id"),
        pytest.param(
            {**ITEM, "summary": [None, 3, {"text": 5}, {"text": ""}]}, ["encrypted"], id="odd summaries"
        ),
        pytest.param({**ITEM, "encrypted_content": 3, "summary": "x"}, [], id="odd encrypted content"),
    ],
)
def test_the_details_of_an_item(item: Json, kinds: list[str]) -> None:
    details = reasoning_details(item, 4)
    assert [one["type"].removeprefix("reasoning.") for one in details] == kinds
    assert [one["index"] for one in details] == list(range(4, 4 + len(kinds)))
    assert all(one["format"] == FORMAT for one in details)


def test_an_item_survives_the_way_there_and_back() -> None:
    second = {**ITEM, "id": "rs_2", "summary": [], "encrypted_content": "y"}
    details = [*reasoning_details(ITEM, 0), *reasoning_details(second, 3)]
    assert list(reasoning_items({"reasoning_details": details})) == [ITEM, second]


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        pytest.param(
            [encrypted(id=None)], [{"type": "reasoning", "summary": [], "encrypted_content": "x"}], id="no id"
        ),
        pytest.param(
            [summary("A", "rs_9"), encrypted()], [{**ITEM, "summary": []}], id="another item's summary"
        ),
        pytest.param([summary("A")], [], id="a summary without its item"),
        pytest.param([encrypted("")], [], id="no data"),
        pytest.param([encrypted(format="anthropic-claude-v1")], [], id="another provider's"),
        pytest.param([encrypted(format=None)], [], id="of an unknown format"),
        pytest.param(
            [None, 3, [], {"type": []}, {"format": FORMAT}, encrypted(3), summary([])], [], id="odd values"
        ),
        pytest.param("x", [], id="no list"),
        pytest.param(None, [], id="none"),
    ],
)
def test_only_reasoning_of_responses_is_sent_back(details: Any, expected: list[Json]) -> None:
    assert list(reasoning_items({"reasoning_details": details})) == expected
