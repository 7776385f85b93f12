"""What edits make of an entry's tags."""

from __future__ import annotations

from typing import Any

import pytest

from handler.content.tag_edits import TagEdits

ENTRY = {
    "at": "2026-03-01T12:00:00.000Z",
    "request_id": "r1",
    "model": "up/m",
    "tags": {"job": "a", "old": "x"},
    "answer": {"id": "c1"},
}
EARLIER, LATER = "2026-03-01T11:00:00.000Z", "2026-03-01T13:00:00.000Z"


def edit(tags: dict[str, str | None], at: str = LATER, **filters: str) -> dict[str, Any]:
    fields = {name.replace("tags_", "tags."): value for name, value in filters.items()}
    return {
        "at": at,
        "filters": [{"field": field, "equals": value} for field, value in fields.items()],
        "tags": tags,
    }


CASES = [
    pytest.param([], {"job": "a", "old": "x"}, id="no edit"),
    pytest.param([edit({"good": "1"}, requestId="r1")], {"job": "a", "old": "x", "good": "1"}, id="by id"),
    pytest.param(
        [edit({"job": "b", "old": None}, completionId="c1")], {"job": "b"}, id="by the id of the answer"
    ),
    pytest.param([edit({"job": "b"}, requestId="r2")], {"job": "a", "old": "x"}, id="of another request"),
    pytest.param([edit({"job": "b"}, model="up/m")], {"job": "b", "old": "x"}, id="by model"),
    pytest.param([edit({"job": "b"}, tags_job="a")], {"job": "b", "old": "x"}, id="by a tag"),
    pytest.param(
        [edit({"job": "b"}, requestId="r1", model="up/n")],
        {"job": "a", "old": "x"},
        id="all filters must match",
    ),
    pytest.param(
        [edit({"job": "b"}, at=EARLIER, model="up/m")],
        {"job": "a", "old": "x"},
        id="an edit by model is about entries before it",
    ),
    pytest.param(
        [edit({"job": "b"}, at=EARLIER, requestId="r1")],
        {"job": "b", "old": "x"},
        id="an edit by id may come before the entry",
    ),
    pytest.param(
        [
            edit({"job": "b"}, requestId="r1"),
            edit({"job": "c"}, model="up/m"),
            edit({"old": None}, tags_job="c"),
        ],
        {"job": "c"},
        id="edits apply in the order of their time",
    ),
]


@pytest.mark.parametrize(("edits", "expected"), CASES)
def test_tags_after_edits(edits: list[dict[str, Any]], expected: dict[str, str]) -> None:
    assert TagEdits(edits).apply(ENTRY) == {**ENTRY, "tags": expected}


@pytest.mark.parametrize("answer", [None, "text", {"error": {}}, {"id": 3}])
def test_an_answer_without_an_id_matches_no_completion(answer: Any) -> None:
    entry = {**ENTRY, "answer": answer}
    assert TagEdits([edit({"job": "b"}, completionId="c1")]).apply(entry) == entry
