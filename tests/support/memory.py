"""Measures how far hostile input makes the process grow: `python -m tests.support.memory CASE` prints bytes.

Each case needs a process of its own, because freed memory is not returned. Linux reports the peak in /proc.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from handler.access.keys import Key
from handler.answers.client_stream import ClientStream
from handler.answers.edits import whole
from handler.errors import GatewayError
from handler.formats.chat.request import parse
from handler.gateway.admission import facts_of
from handler.providers.provider import Quirks
from handler.providers.registry import TRANSLATORS
from handler.relay.response import MAX_ANSWER
from handler.settings import Settings
from handler.wire.json_memory import escape_emoji, is_too_large
from handler.wire.splice import dump_unicode_bytes, splice_bytes
from rules import Model

MB = 1_000_000
BODY = 5_900_000  # bytes of a request, just under the limit
_ANSWERS: Mapping[str, tuple[str, str]] = {  # text before and after the hostile value, by dialect
    "openai": ('{"id":"a","choices":[{"message":{"content":"a"}}],"x":', "}"),
    "anthropic": ('{"type":"message","id":"a","model":"m","content":', ',"usage":{}}'),
    "google": ('{"candidates":[{"content":{"parts":', "}}]}"),
    "bedrock": ('{"output":{"message":{"role":"assistant","content":', '}},"stopReason":"end_turn"}'),
}


def peak() -> int:
    """The peak of resident bytes since it was last reset."""
    lines = Path("/proc/self/status").read_text().splitlines()
    found = next(line for line in lines if line.startswith("VmHWM:"))
    return int(found.split()[1]) * 1024


def growth(work: Callable[[], object]) -> int:
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = peak()
    with suppress(GatewayError):
        work()
    return peak() - before


def repeated(piece: str, size: int, around: tuple[str, str] = ("[", "]")) -> str:
    """A JSON list of `size` bytes."""
    return around[0] + ",".join([piece] * ((size - 100) // (len(piece) + 1))) + around[1]


def body(piece: str) -> bytes:
    return f'{{"messages":[{{"role":"user","content":"hi"}}],"x":{piece}}}'.encode()


def text(piece: str, size: int = BODY) -> bytes:
    content = (piece * (size // len(piece.encode())))[:size]
    return f'{{"messages":[{{"role":"user","content":"{content}"}}],"stream":true}}'.encode()


def messages(message: str, many: int | None = None) -> bytes:
    size = BODY if many is None else many * (len(message) + 1)
    return f'{{"messages":{repeated(message, size)},"stream":true}}'.encode()


def relay_request(sent: bytes) -> None:
    """Translates a request for every dialect."""
    chat = parse(sent, {}, Settings())
    facts_of(chat, key=Key(id="k", name="k"), headers={}, now=datetime.now(UTC), random=0.5)
    for name, translator in TRANSLATORS.items():
        try:
            request, _ = translator.request(chat.body, Model(provider="p", name="m"), Quirks())
        except GatewayError:
            continue
        own = name == "openai"
        _ = splice_bytes(chat.text, chat.body, request) if own else dump_unicode_bytes(chat.text, request)
        del request, _


Work = Callable[[], None]


def relay_answer(dialect: str, piece: str) -> Work:
    """Translates a whole answer for the client."""
    begin, end = _ANSWERS[dialect]
    data = (begin + repeated(piece, MAX_ANSWER) + end).encode()

    def work() -> None:
        text = escape_emoji(data.decode())
        if is_too_large(text):
            return
        answer = json.loads(text)
        completion = TRANSLATORS[dialect].response(answer, Quirks())
        whole(text, answer, completion, model="p/m")

    return work


def relay_stream(dialect: str, pieces: Iterable[bytes]) -> Work:
    """Feeds a stream until it ends or fails."""
    translator = TRANSLATORS[dialect]

    def work() -> None:
        frames = ClientStream(
            translator.stream(Quirks()), model="p/m", wants_usage=False, framing=translator.framing
        )
        for piece in pieces:
            frames.feed(piece)
            if frames.ended:
                return

    return work


def endless(line: bytes, *, first: bytes = b"", most: int = 200 * MB) -> Iterable[bytes]:
    """A stream that repeats one line, in pieces of the network's size."""
    piece = line * (65_536 // len(line) or 1)
    yield first
    for _ in range(most // len(piece)):
        yield piece


def sse(event: Any) -> bytes:
    return b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n"


BEGIN = sse({"type": "message_start", "message": {"id": "a", "model": "m"}})


def blocks() -> Iterable[bytes]:
    yield BEGIN
    for at in range(300_000):
        block = {"type": "text", "text": "", "x": "x" * 1000}
        yield sse({"type": "content_block_start", "index": at, "content_block": block})


def thoughts() -> Iterable[bytes]:
    yield BEGIN + sse({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking"}})
    delta = {"type": "thinking_delta", "thinking": "ab"}
    yield from endless(sse({"type": "content_block_delta", "index": 0, "delta": delta}))


def calls() -> Iterable[bytes]:
    for at in range(300_000):
        call = {"index": at, "id": f"c{at}", "function": {"name": "f", "arguments": ""}}
        yield sse({"id": "a", "choices": [{"index": 0, "delta": {"tool_calls": [call]}}]})


def choices() -> Iterable[bytes]:
    for at in range(300_000):
        yield sse({"id": "a", "choices": [{"index": at, "delta": {"content": "a"}}]})


def names() -> Iterable[bytes]:
    for at in range(300_000):
        yield sse({"type": "message_delta", "delta": {}, "usage": {f"x{at}": "x" * 1000}})


PART = '{"type":"text","text":"ab"}'
TOOL = '{"type":"function","function":{"name":"f","parameters":{"properties":{"a":{"type":"string"}}}}}'
CALLERS: Mapping[str, Callable[[], bytes]] = {
    "escapes": lambda: text('\\"'),
    "backslashes": lambda: text("\\\\"),
    "emoji": lambda: text("\U0001f642"),
    "a long text with an emoji": lambda: text("a", BODY - 100).replace(b'"a', '"\U0001f642a'.encode(), 1),
    "escaped emoji": lambda: text("\\ud83d\\ude42"),
    "empty objects": lambda: body(repeated("{}", BODY)),
    "empty lists": lambda: body(repeated("[]", BODY)),
    "one name each": lambda: body(repeated('{"a":0}', BODY)),
    "chains": lambda: body(repeated("[" * 90 + "]" * 90, BODY)),
    "chains of objects": lambda: body(repeated('{"":' * 90 + "0" + "}" * 90, BODY)),
    "numbers": lambda: body(repeated("1.5", BODY)),
    "short texts": lambda: body(repeated('"ab"', BODY)),
    "many names": lambda: body("{" + ",".join(f'"{at}":0' for at in range(500_000)) + "}"),
    "many messages": lambda: messages('{"role":"user","content":"ab"}'),
    "fewer messages": lambda: messages('{"role":"user","content":"ab"}', 60_000),
    "parts": lambda: messages(f'{{"role":"user","content":{repeated(PART, 60_000)}}}', 30),
    "tools": lambda: body("0")[:-1] + f',"tools":{repeated(TOOL, 2 * MB)}}}'.encode(),
}
PROVIDERS: Mapping[str, Callable[[], Work]] = {
    "an answer of empty objects": lambda: relay_answer("openai", "{}"),
    "an answer of one name each": lambda: relay_answer("openai", '{"a":0}'),
    "an answer of a long text": lambda: relay_answer("openai", '"' + "a" * (MAX_ANSWER - 500) + '"'),
    "an answer of a long text with an emoji": lambda: relay_answer(
        "openai", '"\U0001f642' + "a" * (MAX_ANSWER // 3) + '"'
    ),
    "an answer of many blocks": lambda: relay_answer("anthropic", '{"type":"tool_use","id":"a","name":"b"}'),
    "an answer of many parts": lambda: relay_answer("google", '{"functionCall":{"name":"a"}}'),
    "an answer of one image": lambda: relay_answer(
        "google", '{"inlineData":{"mimeType":"image/png","data":"%s"}}' % ("a" * 7 * MB)
    ),
    "an answer of one image with an emoji": lambda: relay_answer(
        "google", '{"text":"\U0001f642"},{"inlineData":{"mimeType":"image/png","data":"%s"}}' % ("a" * 9 * MB)
    ),
    "an answer of many converse blocks": lambda: relay_answer(
        "bedrock", '{"toolUse":{"toolUseId":"a","name":"b"}}'
    ),
    "an event that never ends": lambda: relay_stream("openai", endless(b"data:\n")),
    "an event of short lines": lambda: relay_stream("openai", endless(b"data:ab\n")),
    "a line that never ends": lambda: relay_stream("openai", endless(b"ab")),
    "a line in small pieces": lambda: relay_stream("openai", (b"ab" for _ in range(5 * MB))),
    "an event of empty objects": lambda: relay_stream(
        "openai", [b'data: {"choices":[],"x":' + repeated("{}", 7 * MB).encode() + b"}\n\n"]
    ),
    "an event of one image": lambda: relay_stream(
        "google",
        [
            b'data: {"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"'
            + b"a" * 7 * MB
            + b'"}}]}}]}\n\n'
        ],
    ),
    "an event of one image with an emoji": lambda: relay_stream(
        "google",
        [
            b'data: {"candidates":[{"content":{"parts":[{"text":"\xf0\x9f\x99\x82"},'
            b'{"inlineData":{"mimeType":"image/png","data":"' + b"a" * 7 * MB + b'"}}]}}]}\n\n'
        ],
    ),
    "blocks without end": lambda: relay_stream("anthropic", blocks()),
    "thoughts without end": lambda: relay_stream("anthropic", thoughts()),
    "calls without end": lambda: relay_stream("openai", calls()),
    "choices without end": lambda: relay_stream("openai", choices()),
    "usage with ever more names": lambda: relay_stream("anthropic", names()),
    "empty events without end": lambda: relay_stream("openai", endless(b"\n")),
    "comments without end": lambda: relay_stream("openai", endless(b": a\n\n")),
}


def measure(case: str) -> tuple[int, int]:
    """The growth of the process, and its limit."""
    if case in CALLERS:
        sent = CALLERS[case]()
        return growth(lambda: relay_request(sent)), 12 * max(len(sent), BODY)
    return growth(PROVIDERS[case]()), (128 if case.endswith("image with an emoji") else 64) * 2**20


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(sys.argv[1])))
