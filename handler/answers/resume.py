"""Tracks the text that the client has received, so that another candidate can continue a broken stream.

A model that takes a prefill continues the text so far. Any other model starts over: if its text begins with
the client's text, the rest is sent (contract, section 6: `recovery: resume`). No I/O.
"""

from __future__ import annotations

from io import StringIO
from typing import NamedTuple

from handler.errors import Json, UpstreamError

# Fields of a delta that hold content: text, tool calls, reasoning in its several names, refusal, audio.
REASONING = frozenset({"reasoning_content", "reasoning", "reasoning_details", "thinking"})
CONTENT = REASONING | {"content", "refusal", "audio", "tool_calls", "function_call"}
ECHO = 8  # characters of a prefill that no answer repeats by chance, but a provider that echoes it
MAX_SENT = 4_000_000  # characters of an answer that another candidate may continue
HEAD = ("id", "created")  # the same for the whole stream, whichever candidate continues it


class Sent(NamedTuple):
    """The text that the client has of an answer that broke off."""

    text: str
    head: Json
    model: str  # the model that began the answer
    at: int  # characters of it when it broke off for the first time


class Continuation(NamedTuple):
    """How the next attempt continues: from a prefill, or by starting over."""

    sent: Sent
    prefill: bool

    @property
    def note(self) -> Json:
        """For the last chunk and the log."""
        return {"resumed_from": self.sent.model, "at_chars": self.sent.at}

    def body(self, chat: Json) -> Json:
        """The chat to send. Anthropic refuses a prefill that ends in white space, so it goes without."""
        if not self.prefill:
            return chat
        prefill = {"role": "assistant", "content": self.sent.text.rstrip()}
        return {**chat, "messages": [*chat["messages"], prefill]}

    def overlaps(self) -> tuple[Overlap, ...]:
        """The text that the new answer may or must begin with, and that the client has already."""
        text = self.sent.text
        if not self.prefill:
            return (Overlap(text, must=True),)
        echo = text if len(text) >= ECHO else ""
        return Overlap(echo), Overlap(text[len(text.rstrip()) :])


class Overlap:
    """Text that the client has already. must: the new answer has to begin with it."""

    def __init__(self, known: str, *, must: bool = False) -> None:
        self._known = known
        self._must = must
        self._at = 0  # how much of it was repeated

    def rest(self, text: str, *, last: bool = False) -> str:
        """The new part of `text`. last: no more text comes. Raises UpstreamError for another answer."""
        known, left = self._known, len(self._known) - self._at
        if not left:
            return text
        if not last and len(text) < left and known.startswith(text, self._at):
            self._at += len(text)
            return ""
        again = text.startswith(known[self._at :])
        if self._must and not again:
            raise UpstreamError(
                "The new answer does not begin with the text so far.", failure_class="cancelled"
            )
        withheld, self._at = known[: self._at], len(known)
        return text[left:] if again else withheld + text


def resumable(chat: Json) -> bool:
    """True if an answer to this chat is one text, which another candidate can continue."""
    output = chat.get("response_format")
    return (
        chat.get("n") in (None, 1)
        and not chat.get("logprobs")
        and not chat.get("audio")
        and "audio" not in (chat.get("modalities") or ())
        and (not output or output.get("type") == "text")
    )


class SentText:
    """Edits the chunks of one attempt to what is new to the client, and records the text; see Edits."""

    def __init__(self, model: str, continuation: Continuation | None = None) -> None:
        self._model = model
        self._continuation = continuation
        self._head = continuation.sent.head if continuation else {}
        self._overlaps = continuation.overlaps() if continuation else ()
        self._text = StringIO()  # new to the client
        self._plain = True  # nothing but text, not too much, and more of it may come

    def chunk(self, chunk: Json) -> Json | None:
        """The client's chunk; None for nothing new. Raises UpstreamError when the answer is another one."""
        if self._continuation is not None:
            edited = self._continued(chunk)
            if edited is None:
                return None
            chunk = edited
        self._note(chunk)
        return chunk

    def text(self, text: str) -> None:
        """Record text that went to the client."""
        if self._plain:
            self._text.write(text)
            self._plain = self._text.tell() <= MAX_SENT

    def sent(self) -> Sent | None:
        """The text that the client has now; None if the answer cannot be continued."""
        if not self._plain:
            return None
        text = self._text.getvalue()
        if self._continuation is None:
            return Sent(text, self._head, self._model, len(text))
        before = self._continuation.sent
        return Sent(before.text + text, before.head, before.model, before.at)

    def _note(self, chunk: Json) -> None:
        if "id" not in self._head:
            self._head = {name: chunk[name] for name in HEAD if name in chunk}
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            if text := delta.get("content"):
                self.text(text)
            other = any(value and name in CONTENT and name != "content" for name, value in delta.items())
            if other or choice.get("index") or choice.get("finish_reason"):
                self._plain = False

    def _continued(self, chunk: Json) -> Json | None:
        choices = [self._choice(choice) for choice in chunk.get("choices") or ()]
        edited = {**chunk, **self._head, "choices": choices}
        news = chunk.get("usage") or any(
            choice.get("finish_reason") or any(choice["delta"].values()) for choice in choices
        )
        return edited if news else None

    def _choice(self, choice: Json) -> Json:
        """The new part of a choice. Reasoning would come in the middle of the text, so it is left out."""
        fields = (choice.get("delta") or {}).items()
        delta = {name: value for name, value in fields if name != "role" and name not in REASONING}
        other = any(value and name in CONTENT and name != "content" for name, value in delta.items())
        text = delta.pop("content", None) or ""
        for overlap in self._overlaps:
            text = overlap.rest(text, last=other or bool(choice.get("finish_reason")))
        return {**choice, "delta": {"content": text, **delta} if text else delta}
