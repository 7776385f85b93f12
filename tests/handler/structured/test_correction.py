"""Tests of handler/structured/correction.py: the request to correct an answer that does not match."""

from __future__ import annotations

from handler.errors import SchemaMismatch
from handler.structured.correction import with_correction
from tests.support.structured_output import ALL, attempt, chat


def test_a_correction_repeats_the_answer_and_names_the_problem() -> None:
    mismatch = SchemaMismatch("$.city: expected string", answer_text='{"city":3}')
    sent = with_correction(attempt(chat(), *ALL, repair_of=mismatch).request(chat()), mismatch)
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "user"]
    assert sent["messages"][1]["content"] == '{"city":3}'
    assert "$.city: expected string" in sent["messages"][2]["content"]
    assert sent["response_format"] == chat()["response_format"]


def test_a_blank_answer_is_replaced_in_the_correction() -> None:
    sent = with_correction(chat(), SchemaMismatch("it is not JSON", answer_text=" "))
    assert sent["messages"][-2]["content"].strip()
