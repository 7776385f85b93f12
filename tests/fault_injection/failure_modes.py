"""The ways in which the wall fails: each makes the reply to one request."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.fault_injection.replies import Ask, broken, bytes_of, ending, events, good, raw, refusal, said
from tests.support.canned_answers import (
    Act,
    Piece,
    Reply,
    chunk,
    completion,
    finish,
    role,
    sse,
    stream,
    text_of,
    usage,
    whole,
)

MANY, EVERY = 200, 5.0  # times and seconds: longer than anybody waits
DRIPS = 1500  # bytes
Answers = Callable[[Ask], Reply]


def first(failure: Answers) -> Answers:
    """Only the first attempt fails."""
    return lambda ask: failure(ask) if ask.attempt == 1 else good(ask)


def limited(**headers: str) -> Answers:
    return lambda ask: refusal(429, "Rate limit reached.", "rate_limit_exceeded", **headers)


def date_limited(ask: Ask) -> Reply:
    sent, at = "Fri, 20 Nov 2026 12:00:00 GMT", "Fri, 20 Nov 2026 12:00:02 GMT"
    return refusal(429, "Rate limit reached.", None, date=sent, retry_after=at)


def status(code: int, message: str = "It failed.", name: str | None = None) -> Answers:
    return lambda ask: refusal(code, message, name)


def told_key(code: int, name: str | None = None) -> Answers:
    """An error that repeats the credential that was presented."""
    return lambda ask: refusal(code, f"It is not this: {ask.credential}", name)


def silent(ask: Ask) -> Reply:
    return Reply(status=None, pieces=(Act.STALL,))


def reset(ask: Ask) -> Reply:
    return Reply(status=None, pieces=(Act.RESET,))


def headers_only(ask: Ask) -> Reply:
    return raw(ask, Act.STALL)


def slow(ask: Ask) -> Reply:
    pause = ask.times.slow
    return stream(pause, *events(ask)) if ask.stream else raw(ask, pause, _body(ask))


def cut(ask: Ask) -> Reply:
    return broken(ask, Act.CUT)


def cut_in_call(ask: Ask) -> Reply:
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"wh'}}
    return stream(role(), chunk(None, tool_calls=[call]), Act.CUT, done=False) if ask.stream else cut(ask)


def cut_in_character(ask: Ask) -> Reply:
    if ask.stream:
        return broken(ask, sse(chunk(" caf\u00e9"))[:-10].partition(b"\xa9")[0], Act.CUT)
    body = _body(ask)
    half = body.partition(b"\xa9")[0]
    return Reply(headers={"content-length": str(len(body))}, pieces=(half, Act.CUT))


def stalled(ask: Ask) -> Reply:
    return broken(ask, Act.STALL)


def stalled_then_cut(ask: Ask) -> Reply:
    """Sends only the head of a whole answer, then stalls."""
    if ask.stream:
        return broken(ask, ask.times.stall, Act.CUT)
    return Reply(headers={"content-length": "1000"}, pieces=(ask.times.stall, Act.CUT))


def silent_then_cut(ask: Ask) -> Reply:
    return Reply(status=None, pieces=(ask.times.silence, Act.CUT))


def malformed(ask: Ask, *, times: int = 1) -> Reply:
    if not ask.stream:
        return whole(_body(ask)[:80] + b'"oops')
    events_ = said(ask)
    return stream(role(), *events_[:3], *['{"choices":[{"delta":'] * times, *events_[3:], *ending(ask))


def error_event(ask: Ask, *, share: float = 0.0) -> Reply:
    error = {"error": {"message": "The server had an error.", "type": "server_error", "code": 500}}
    if not ask.stream:
        return whole(error)
    return stream(role(), *said(ask, share=share), error, done=False)


def no_done(ask: Ask) -> Reply:
    return stream(*events(ask), done=False) if ask.stream else good(ask)


def no_finish(ask: Ask) -> Reply:
    if ask.stream:
        return stream(role(), *said(ask), *ending(ask)[1:])
    body = completion(ask.text)
    return whole({**body, "choices": [{**body["choices"][0], "finish_reason": None}]})


def usage_after_done(ask: Ask) -> Reply:
    if not ask.stream:
        return good(ask)
    return stream(role(), *said(ask), finish(), "[DONE]", usage(), done=False)


def two_dones(ask: Ask) -> Reply:
    return stream(*events(ask), "[DONE]") if ask.stream else good(ask)


def ok_with_error(ask: Ask) -> Reply:
    return whole({"error": {"message": "The server had an error.", "type": "server_error"}})


def page(ask: Ask) -> Reply:
    return whole("<html><body><h1>Welcome</h1></body></html>", headers={"content-type": "text/html"})


def empty(ask: Ask) -> Reply:
    return raw(ask)


def truncated(ask: Ask) -> Reply:
    if ask.stream:
        return stream(role(), *said(ask, share=2 / 3), sse(said(ask)[-1])[:-20], done=False)
    return whole(_body(ask)[:-20])


def length(factor: float) -> Answers:
    """A content-length that is wrong by this factor."""

    def answer(ask: Ask) -> Reply:
        kind = "text/event-stream" if ask.stream else "application/json"
        body = bytes_of(ask) if ask.stream else _body(ask)
        told = {"content-type": kind, "content-length": str(round(len(body) * factor))}
        return Reply(headers=told, pieces=(body, Act.CUT))

    return answer


def bomb(ask: Ask) -> Reply:
    packed = {"content-type": "application/json", "content-encoding": "gzip"}
    return Reply(headers=packed, pieces=(b"\x1f\x8b\x08\x00" + bytes(100_000), Act.CUT), chunked=True)


def _again(piece: bytes) -> list[Piece]:
    return [piece, EVERY] * MANY


def endless(ask: Ask) -> Reply:
    begins, more = (sse(chunk("On")), sse(chunk(" and on"))) if ask.stream else (b'{"choices":[', b" ")
    return raw(ask, begins, *_again(more))


def dripping(ask: Ask) -> Reply:
    kind = {"content-type": "text/event-stream" if ask.stream else "application/json"}
    body = bytes_of(ask) if ask.stream else _body(ask)
    drips = [body[at : at + 1] for at in range(DRIPS)]
    return Reply(headers=kind, pieces=[*drips, body[DRIPS:]], chunked=True)


def crlf(ask: Ask) -> Reply:
    return raw(ask, bytes_of(ask).replace(b"\n", b"\r\n") if ask.stream else _body(ask) + b"\r\n")


def bom(ask: Ask) -> Reply:
    return raw(ask, b"\xef\xbb\xbf" + (bytes_of(ask) if ask.stream else _body(ask)))


def comments(ask: Ask) -> Reply:
    nothing = b": still there\n\n" if ask.stream else b" "
    return raw(ask, *_again(nothing))


def multi_line(ask: Ask) -> Reply:
    if ask.stream:
        return raw(ask, bytes_of(ask).replace(b',"choices"', b',\ndata: "choices"'))
    return whole(json.dumps(completion(ask.text), indent=1))


def huge(ask: Ask) -> Reply:
    padding = {"padding": "x" * 10_000_000}
    if not ask.stream:
        return whole({**completion(ask.text), **padding})
    return stream(role(), {**said(ask)[0], **padding}, *events(ask)[2:])


def redirect(ask: Ask) -> Reply:
    return Reply(status=307, headers={"location": "http://127.0.0.1:1/elsewhere"})


def flapping(ask: Ask) -> Reply:
    return status(503, "The engine is overloaded.")(ask) if ask.since < ask.times.outage else good(ask)


def _body(ask: Ask) -> bytes:
    return text_of(completion(ask.text)).encode()
