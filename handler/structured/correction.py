"""Shows an unfit answer to its model again, with what is wrong with it. No I/O."""

from __future__ import annotations

from handler.errors import Json, SchemaMismatch

MOST_QUOTED = 50_000  # characters of the answer
_AGAIN = "That is not what was asked for: {problem}. Give the whole answer again, corrected."


def with_correction(chat: Json, mismatch: SchemaMismatch) -> Json:
    """The chat that asks for the answer again; what does not change is shared."""
    answer = (mismatch.answer_text or "")[:MOST_QUOTED].strip() or "(nothing)"
    again = _AGAIN.format(problem=mismatch.problem)
    turns = [{"role": "assistant", "content": answer}, {"role": "user", "content": again}]
    return {**chat, "messages": [*chat["messages"], *turns]}
