"""The body for a provider of the client's own format: the client's, with a rule's changes. No I/O."""

from __future__ import annotations

from handler.errors import Json
from handler.formats.chat.effects import OWN
from handler.formats.chat.request import Chat
from handler.formats.client_format import ClientFormat
from handler.formats.effort_cap import cap_effort
from rules import Effects


def native_body(format: ClientFormat, chat: Chat, prepared: Json, effects: Effects) -> Json | None:
    """Return the native body; None if a rule changes a parameter that the format cannot say.

    prepared: the body of the chat after hints and rules (formats/chat/effects.py).
    """
    assert chat.native is not None
    body, before = format.native_body(chat.native.body), chat.body
    if own := OWN & before.keys() & body.keys():
        body = {name: value for name, value in body.items() if name not in own}
    # The body may have a value that the chat cannot say, which a rule removes too.
    removed = format.effects.keys() & {name for name, value in effects.set.items() if value is None}
    for name in removed | (before.keys() - OWN) | prepared.keys():
        value = prepared.get(name)
        if name not in removed and (value is before.get(name) or value == before.get(name)):
            continue
        if (effect := format.effects.get(name)) is None:
            return None
        changed = effect(body, value)
        body = body if changed == body else changed
    most = effects.cap.get("reasoning_effort")
    return body if most is None else cap_effort(body, most)
