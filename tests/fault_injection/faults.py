"""Every fault of the wall by the model name that asks for it: what it does, and how an attempt on it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.fault_injection import failure_modes as ways
from tests.fault_injection.failure_modes import Answers, first, limited, status
from tests.fault_injection.replies import good, good_but_no_prefill
from tests.support.canned_answers import whole


@dataclass(frozen=True, slots=True)
class End:
    """How the last attempt on a fault ends, and how many there are."""

    failure_class: str = "ok"
    alone: int = 1  # attempts, without a fallback
    beside: int | None = None  # attempts, with one; None: as many
    committed: bool = False  # content has gone to the client
    rescue: bool = True  # what was sent may be continued by another model
    waited: float = 0.0  # seconds that the provider asked to be left alone, where it is the only one
    ruled: str | None = None  # its class where a rule limits the first token
    silent: bool = False  # so long that a fallback is started beside, where no rule limits it


@dataclass(frozen=True, slots=True)
class Fault:
    what: str  # one sentence
    answers: Answers
    whole: End
    stream: End
    provider: str = "wall"  # the row that leads to it
    usage: bool = True  # the provider tells it where it can be seen
    tools: tuple[str, ...] = ()  # the functions that the request offers


def fault(what: str, answers: Answers, end: End, stream: End | None = None, **more: object) -> Fault:
    return Fault(what, answers, end, stream or end, **more)  # type: ignore[arg-type]


OK = End()
TWICE = End(alone=2)
SOON = End(alone=2, waited=1.5)
SERVER, OVERLOADED, NETWORK = End("server", 2), End("overloaded", 2), End("network", 2)
PROTOCOL, UNSEEN = End("protocol"), End("network", 0)
NO_END = End("timeout_total", ruled="timeout_first_token", silent=True)
LATE = End(ruled="timeout_first_token", silent=True)
CLOSED = End("timeout_idle", ruled="timeout_first_token", silent=True)
NO_TOKEN, CUT = End("timeout_first_token", silent=True), End("network", committed=True)

FAULTS: Mapping[str, Fault] = {
    "ok": fault("answers", good, OK),
    "429-first-2": fault("429 with Retry-After: 2, once", first(limited(retry_after="2")), SOON),
    "429-for-ever": fault("429 without Retry-After, always", limited(), End("rate_limit", 3, 1)),
    "429-for-60": fault("429 with Retry-After: 60, always", limited(retry_after="60"), End("rate_limit", 1)),
    "429-date": fault("429 with a date two seconds ahead, once", first(ways.date_limited), SOON),
    "429-ms": fault("429 with retry-after-ms: 1500, once", first(limited(retry_after_ms="1500")), SOON),
    "429-body": fault(
        "429 with 'try again in 1.5s' in its body, once",
        first(status(429, "Rate limit reached. Please try again in 1.5s.")),
        SOON,
    ),
    "500-once": fault("500, then answers", first(status(500)), TWICE),
    "503-for-ever": fault("503, always", status(503, "The engine is overloaded."), OVERLOADED),
    "529": fault("529, always", status(529, "Overloaded"), OVERLOADED),
    "reset-once": fault("resets the connection before any byte, once", first(ways.reset), TWICE),
    "reset-for-ever": fault("resets the connection before any byte, always", ways.reset, NETWORK),
    "refused": fault("nobody listens there", ways.silent, UNSEEN, provider="refused"),
    "never-answers": fault("takes the request and says nothing", ways.silent, NO_END, NO_TOKEN),
    "headers-then-silence": fault("sends its headers and nothing more", ways.headers_only, NO_END, NO_TOKEN),
    "silent-then-closes": fault(
        "takes the request, says nothing for two minutes and closes", ways.silent_then_cut, CLOSED, NO_TOKEN
    ),
    "first-token-slow": fault("the first token comes late", ways.slow, LATE),
    "cut-after-text": fault("closes in the middle of the text", ways.cut, NETWORK, CUT),
    "cut-in-tool-call": fault(
        "closes inside a tool call",
        ways.cut_in_call,
        NETWORK,
        End("network", committed=True, rescue=False),
        tools=("look",),
    ),
    "cut-in-character": fault("closes inside a UTF-8 character", ways.cut_in_character, NETWORK, CUT),
    "stall-mid-answer": fault(
        "goes silent in the middle of the text",
        ways.stalled,
        NO_END,
        End("timeout_idle", committed=True),
    ),
    "stall-then-closes": fault(
        "goes silent in the middle of the text, and closes after half a minute",
        ways.stalled_then_cut,
        CLOSED,
        End("timeout_idle", committed=True),
    ),
    "malformed-event": fault("one event is no JSON", ways.malformed, PROTOCOL, OK),
    "malformed-events": fault(
        "two events are no JSON",
        lambda ask: ways.malformed(ask, times=2),
        PROTOCOL,
        End("protocol", committed=True),
    ),
    "error-before-content": fault("an error event before any content", ways.error_event, SERVER),
    "error-after-content": fault(
        "an error event in the middle of the text",
        lambda ask: ways.error_event(ask, share=2 / 3),
        SERVER,
        End("server", committed=True),
    ),
    "no-done": fault("no [DONE] at the end", ways.no_done, OK),
    "no-finish": fault("no finish_reason", ways.no_finish, OK),
    "usage-after-done": fault("usage after [DONE]", ways.usage_after_done, OK, usage=False),
    "two-dones": fault("[DONE] twice", ways.two_dones, OK),
    "200-error-body": fault("200 with an error for a body", ways.ok_with_error, SERVER),
    "html-page": fault("200 with a page of HTML", ways.page, PROTOCOL),
    "html-502": fault(
        "502 with a page of HTML", lambda _: whole("<html>Bad gateway</html>", status=502), SERVER
    ),
    "empty-body": fault("200 with an empty body", ways.empty, PROTOCOL),
    "truncated-json": fault("JSON that ends too early", ways.truncated, PROTOCOL, CUT),
    "length-too-long": fault("a content-length beyond the body, then closes", ways.length(1.5), NETWORK, OK),
    "length-too-short": fault("a content-length short of the body", ways.length(0.6), PROTOCOL, CUT),
    "gzip-bomb": fault("a packed body though none was asked for", ways.bomb, PROTOCOL),
    "endless-stream": fault(
        "never comes to an end", ways.endless, NO_END, End("timeout_total", committed=True)
    ),
    "one-byte-chunks": fault("1500 bytes, each in a chunk of its own", ways.dripping, OK),
    "crlf": fault("lines end in CR LF", ways.crlf, OK),
    "bom": fault("a byte order mark first", ways.bom, OK),
    "comments-only": fault(
        "keep-alive comments and nothing else (whole: blanks)", ways.comments, NO_END, NO_TOKEN
    ),
    "multi-line-data": fault("one event over several data lines", ways.multi_line, OK),
    "10mb-event": fault(
        "an event of 10 MB before any content (whole: an answer of 10 MB)", ways.huge, PROTOCOL
    ),
    "context-too-long": fault(
        "400, the prompt is longer than the window",
        status(400, "This model's maximum context length is 8192 tokens.", "context_length_exceeded"),
        End("context_length"),
    ),
    "content-filter": fault(
        "400, the content filter refused",
        status(400, "Your request was rejected by our safety system.", "content_policy_violation"),
        End("content_policy"),
    ),
    "bad-request": fault("400, the request is wrong", ways.told_key(400), End("invalid_request")),
    "401": fault("401", ways.told_key(401), End("auth")),
    "402": fault("402", status(402, "Insufficient balance."), End("quota")),
    "403": fault("403", ways.told_key(403), End("permission")),
    "404": fault("404", status(404, "No such model."), End("not_found")),
    "redirect": fault("307 to somewhere else", ways.redirect, PROTOCOL),
    "tls-failure": fault("a certificate that nobody signed", good, UNSEEN, provider="tls"),
    "handshake-silent": fault(
        "takes the connection and says nothing to TLS", good, End("timeout_connect", 0), provider="mute"
    ),
    "dns-failure": fault("a name that does not resolve", good, UNSEEN, provider="dns"),
    "flapping": fault("503 for the first while, then answers", ways.flapping, OVERLOADED),
}

# Who may answer instead; asked for as `spare/<name>`.
FALLBACKS: Mapping[str, Answers] = {
    "spare": good,
    "spare-no-prefill": good_but_no_prefill,
    "spare-lies": good_but_no_prefill,  # its record says that it takes one
}
