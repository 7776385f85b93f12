"""The usage of an operation besides chat: as its provider reports it, else the estimates of the decision."""

from __future__ import annotations

from typing import Any

from handler.answers.usage import Usage, estimated, usage_of
from handler.errors import Json
from handler.providers.operations.usage import as_chat_usage, find_usage, units_of
from handler.relay.call import Call

# Tokens of audio for each character that is spoken, of models that are charged by token: about 900 characters
# and 1250 tokens in a minute. https://platform.openai.com/docs/pricing
SPOKEN_TOKENS = 1.4


def usage_of_answer(
    call: Call, data: bytes | None, reported: Json | None = None, text_bytes: int = 0
) -> Usage:
    """Return the usage of an answer. reported: its usage object; None: the one in `data`, which is JSON.

    text_bytes: of the text in an answer that reports no tokens.
    """
    facts = call.decision.facts
    found = find_usage(data or b"") if reported is None else reported
    usage = usage_of({"usage": as_chat_usage(found, facts.operation)})
    if not usage:  # none, or zeros alone, as a usage that cannot be true is read
        usage = estimated(input_tokens=facts.input_tokens, output_bytes=text_bytes)
        if facts.operation == "speech":
            spoken = int(facts.units.get("characters", 0) * SPOKEN_TOKENS)
            usage = usage.replaced(output=spoken, audio_output=spoken)
    units: dict[str, Any] = {**facts.units, **units_of(found)}
    return usage.replaced(**units)
