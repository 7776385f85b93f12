"""Asks a model to correct an answer that does not match. No I/O."""

from __future__ import annotations

from handler.errors import Json, SchemaMismatch

MOST_QUOTED = 50_000  # characters of the answer
_CORRECTION = "Your answer does not match the required format: {problem}. Send the complete corrected answer."


def with_correction(chat: Json, mismatch: SchemaMismatch) -> Json:
    """Return the chat with the answer and the request to correct it. Unchanged parts are shared."""
    answer = (mismatch.answer_text or "")[:MOST_QUOTED].strip() or "(nothing)"
    again = _CORRECTION.format(problem=mismatch.problem)
    turns = [{"role": "assistant", "content": answer}, {"role": "user", "content": again}]
    return {**chat, "messages": [*chat["messages"], *turns]}
