"""What the faulty provider does: each function makes the reply to one request."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.fault_injection.replies import (
    ProviderRequest,
    content_chunks,
    events,
    final_chunks,
    healthy,
    interrupted,
    ok_reply,
    refusal,
    stream,
    stream_bytes,
    whole_answer,
)
from tests.support.canned_answers import Act, Json, Piece, Reply, sse, text_of, whole

MANY, EVERY = 200, 5.0  # times and seconds: longer than any limit
DRIPS = 1500  # bytes
FailureMode = Callable[[ProviderRequest], Reply]


def only_first(failure: FailureMode) -> FailureMode:
    """Fails the first attempt only."""
    return lambda request: failure(request) if request.attempt == 1 else healthy(request)


def limited(**headers: str) -> FailureMode:
    return lambda request: refusal(429, "Rate limit reached.", "rate_limit_exceeded", **headers)


def date_limited(request: ProviderRequest) -> Reply:
    sent, at = "Fri, 20 Nov 2026 12:00:00 GMT", "Fri, 20 Nov 2026 12:00:02 GMT"
    return refusal(429, "Rate limit reached.", None, date=sent, retry_after=at)


def status(code: int, message: str = "It failed.", name: str | None = None) -> FailureMode:
    return lambda request: refusal(code, message, name)


def echoing_credential(code: int, name: str | None = None) -> FailureMode:
    """Replies with an error that repeats the credential of the request."""
    return lambda request: refusal(code, f"It is not this: {request.credential}", name)


def silent(request: ProviderRequest) -> Reply:
    return Reply(status=None, pieces=(Act.STALL,))


def reset(request: ProviderRequest) -> Reply:
    return Reply(status=None, pieces=(Act.RESET,))


def headers_only(request: ProviderRequest) -> Reply:
    return ok_reply(request, Act.STALL)


def slow(request: ProviderRequest) -> Reply:
    pause = request.times.slow
    if not request.stream:
        return ok_reply(request, pause, _body(request))
    return stream(request, pause, *events(request))


def cut(request: ProviderRequest) -> Reply:
    return interrupted(request, Act.CUT)


def cut_in_call(request: ProviderRequest) -> Reply:
    if not request.stream:
        return cut(request)
    return stream(request, request.wire.head(), *request.wire.begun_call(), Act.CUT, done=False)


def cut_in_character(request: ProviderRequest) -> Reply:
    if request.stream:
        return interrupted(request, sse(request.wire.text(" caf\u00e9")).partition(b"\xa9")[0], Act.CUT)
    body = _body(request)
    half = body.partition(b"\xa9")[0]
    return Reply(headers={"content-length": str(len(body))}, pieces=(half, Act.CUT))


def stalled(request: ProviderRequest) -> Reply:
    return interrupted(request, Act.STALL)


def stalled_then_cut(request: ProviderRequest) -> Reply:
    """Sends only the head of a whole answer, then stalls."""
    if request.stream:
        return interrupted(request, request.times.stall, Act.CUT)
    return Reply(headers={"content-length": "1000"}, pieces=(request.times.stall, Act.CUT))


def silent_then_cut(request: ProviderRequest) -> Reply:
    return Reply(status=None, pieces=(request.times.silence, Act.CUT))


def malformed(request: ProviderRequest, *, times: int = 1) -> Reply:
    if not request.stream:
        return whole(_body(request)[:80] + b'"oops')
    wire, events_ = request.wire, content_chunks(request)
    malformed = [wire.malformed] * times
    return stream(request, wire.head(), *events_[:3], *malformed, *events_[3:], *final_chunks(request))


def error_event(request: ProviderRequest, *, share: float = 0.0) -> Reply:
    error = request.wire.error()
    if not request.stream:
        return whole(error)
    return stream(request, request.wire.head(), *content_chunks(request, share=share), error, done=False)


def no_done(request: ProviderRequest) -> Reply:
    return stream(request, *events(request), done=False) if request.stream else healthy(request)


def no_finish(request: ProviderRequest) -> Reply:
    if not request.stream:
        return whole(request.wire.unfinished(request.text))
    return stream(request, request.wire.head(), *content_chunks(request), *final_chunks(request)[1:])


def usage_after_done(request: ProviderRequest) -> Reply:
    if not request.stream:
        return healthy(request)
    *before, last = events(request)
    return stream(request, *before, "[DONE]", last, done=False)


def two_dones(request: ProviderRequest) -> Reply:
    return stream(request, *events(request), "[DONE]") if request.stream else healthy(request)


def ok_with_error(request: ProviderRequest) -> Reply:
    return whole({"error": {"message": "The server had an error.", "type": "server_error"}})


def page(request: ProviderRequest) -> Reply:
    return whole("<html><body><h1>Welcome</h1></body></html>", headers={"content-type": "text/html"})


def empty(request: ProviderRequest) -> Reply:
    return ok_reply(request)


def truncated(request: ProviderRequest) -> Reply:
    if request.stream:
        return interrupted(request, sse(content_chunks(request)[-1])[:-20])
    return whole(_body(request)[:-20])


def length(factor: float) -> FailureMode:
    """Sends a content-length that is wrong by this factor."""

    def answer(request: ProviderRequest) -> Reply:
        kind = request.content_type
        body = _healthy_bytes(request)
        headers = {"content-type": kind, "content-length": str(round(len(body) * factor))}
        return Reply(headers=headers, pieces=(body, Act.CUT))

    return answer


def bomb(request: ProviderRequest) -> Reply:
    packed = {"content-type": "application/json", "content-encoding": "gzip"}
    return Reply(headers=packed, pieces=(b"\x1f\x8b\x08\x00" + bytes(100_000), Act.CUT), chunked=True)


def _repeat(piece: bytes) -> list[Piece]:
    return [piece, EVERY] * MANY


def endless(request: ProviderRequest) -> Reply:
    text = request.wire.text
    start, more = (sse(text("On")), sse(text(" and on"))) if request.stream else (b'{"choices":[', b" ")
    return ok_reply(request, start, *_repeat(more))


def dripping(request: ProviderRequest) -> Reply:
    kind = {"content-type": request.content_type}
    body = _healthy_bytes(request)
    drips = [body[at : at + 1] for at in range(DRIPS)]
    return Reply(headers=kind, pieces=[*drips, body[DRIPS:]], chunked=True)


def crlf(request: ProviderRequest) -> Reply:
    return ok_reply(
        request, stream_bytes(request).replace(b"\n", b"\r\n") if request.stream else _body(request) + b"\r\n"
    )


def bom(request: ProviderRequest) -> Reply:
    return ok_reply(request, b"\xef\xbb\xbf" + _healthy_bytes(request))


def comments(request: ProviderRequest) -> Reply:
    nothing = b": still there\n\n" if request.stream else b" "
    return ok_reply(request, *_repeat(nothing))


def multi_line(request: ProviderRequest) -> Reply:
    if request.stream:
        between = request.wire.between.encode()
        return ok_reply(request, stream_bytes(request).replace(between, b",\ndata: " + between[1:]))
    return whole(json.dumps(whole_answer(request), indent=1))


def huge(request: ProviderRequest) -> Reply:
    if not request.stream:
        return whole(_padded(whole_answer(request)))
    head, first, *others = events(request)
    return stream(request, head, _padded(first), *others)


def _padded(value: Json) -> str:
    """Return the text of a JSON object of 10 MB, without the time that json.dumps takes for it."""
    return f'{text_of(value)[:-1]},"padding":"{"x" * 10_000_000}"}}'


def redirect(request: ProviderRequest) -> Reply:
    return Reply(status=307, headers={"location": "http://127.0.0.1:1/elsewhere"})


def flapping(request: ProviderRequest) -> Reply:
    return (
        status(503, "The engine is overloaded.")(request)
        if request.since < request.times.outage
        else healthy(request)
    )


def _healthy_bytes(request: ProviderRequest) -> bytes:
    return stream_bytes(request) if request.stream else _body(request)


def _body(request: ProviderRequest) -> bytes:
    return text_of(whole_answer(request)).encode()
