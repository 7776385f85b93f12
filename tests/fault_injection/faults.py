"""Every fault by its model name: what the provider does, and how attempts on it end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tests.fault_injection import failure_modes as failure_modes
from tests.fault_injection.failure_modes import FailureMode, limited, only_first, status
from tests.fault_injection.replies import healthy, healthy_without_prefill
from tests.support.canned_answers import whole


@dataclass(frozen=True, slots=True)
class Ending:
    """How the last attempt on a fault ends, and how many attempts there are."""

    failure_class: str = "ok"
    without_fallback: int = 1  # attempts
    with_fallback: int | None = None  # attempts; None: as many
    committed: bool = False  # content has been sent to the client
    resumable: bool = True  # another model may continue the answer
    retry_after: float = 0.0  # seconds; waited for if there is no fallback
    class_with_rule: str | None = None  # its class if a rule limits the first token
    hedged: bool = False  # a fallback is started meanwhile, unless a rule limits the first token


@dataclass(frozen=True, slots=True)
class Fault:
    summary: str
    reply: FailureMode
    whole: Ending
    stream: Ending
    provider: str = "faulty"
    usage: bool = True  # the provider reports usage in its place
    tools: tuple[str, ...] = ()  # functions in the request


def fault(
    summary: str, reply: FailureMode, end: Ending, stream: Ending | None = None, **more: object
) -> Fault:
    return Fault(summary, reply, end, stream or end, **more)  # type: ignore[arg-type]


OK = Ending()
TWICE = Ending(without_fallback=2)
SOON = Ending(without_fallback=2, retry_after=1.5)
SERVER, OVERLOADED, NETWORK = Ending("server", 2), Ending("overloaded", 2), Ending("network", 2)
PROTOCOL, UNSEEN = Ending("protocol"), Ending("network", 0)
NO_END = Ending("timeout_total", class_with_rule="timeout_first_token", hedged=True)
LATE = Ending(class_with_rule="timeout_first_token", hedged=True)
CLOSED = Ending("timeout_idle", class_with_rule="timeout_first_token", hedged=True)
NO_TOKEN, CUT = Ending("timeout_first_token", hedged=True), Ending("network", committed=True)

FAULTS: Mapping[str, Fault] = {
    "ok": fault("answers", healthy, OK),
    "429-first-2": fault("429 with Retry-After: 2, once", only_first(limited(retry_after="2")), SOON),
    "429-for-ever": fault("429 without Retry-After, always", limited(), Ending("rate_limit", 3, 1)),
    "429-for-60": fault(
        "429 with Retry-After: 60, always", limited(retry_after="60"), Ending("rate_limit", 1)
    ),
    "429-date": fault(
        "429 with a date two seconds ahead, once", only_first(failure_modes.date_limited), SOON
    ),
    "429-ms": fault("429 with retry-after-ms: 1500, once", only_first(limited(retry_after_ms="1500")), SOON),
    "429-body": fault(
        "429 with 'try again in 1.5s' in its body, once",
        only_first(status(429, "Rate limit reached. Please try again in 1.5s.")),
        SOON,
    ),
    "500-once": fault("500, then answers", only_first(status(500)), TWICE),
    "503-for-ever": fault("503, always", status(503, "The engine is overloaded."), OVERLOADED),
    "529": fault("529, always", status(529, "Overloaded"), OVERLOADED),
    "reset-once": fault(
        "resets the connection before any byte, once", only_first(failure_modes.reset), TWICE
    ),
    "reset-for-ever": fault("resets the connection before any byte, always", failure_modes.reset, NETWORK),
    "refused": fault("refuses the connection", failure_modes.silent, UNSEEN, provider="refused"),
    "never-answers": fault("accepts the request and stays silent", failure_modes.silent, NO_END, NO_TOKEN),
    "headers-then-silence": fault(
        "sends its headers and nothing more", failure_modes.headers_only, NO_END, NO_TOKEN
    ),
    "silent-then-closes": fault(
        "accepts the request, stays silent for two minutes and closes",
        failure_modes.silent_then_cut,
        CLOSED,
        NO_TOKEN,
    ),
    "first-token-slow": fault("the first token comes late", failure_modes.slow, LATE),
    "cut-after-text": fault("closes in the middle of the text", failure_modes.cut, NETWORK, CUT),
    "cut-in-tool-call": fault(
        "closes inside a tool call",
        failure_modes.cut_in_call,
        NETWORK,
        Ending("network", committed=True, resumable=False),
        tools=("look",),
    ),
    "cut-in-character": fault(
        "closes inside a UTF-8 character", failure_modes.cut_in_character, NETWORK, CUT
    ),
    "stall-mid-answer": fault(
        "goes silent in the middle of the text",
        failure_modes.stalled,
        NO_END,
        Ending("timeout_idle", committed=True),
    ),
    "stall-then-closes": fault(
        "goes silent in the middle of the text, and closes after half a minute",
        failure_modes.stalled_then_cut,
        CLOSED,
        Ending("timeout_idle", committed=True),
    ),
    "malformed-event": fault("one event is not JSON", failure_modes.malformed, PROTOCOL, OK),
    "malformed-events": fault(
        "two events are not JSON",
        lambda request: failure_modes.malformed(request, times=2),
        PROTOCOL,
        Ending("protocol", committed=True),
    ),
    "error-before-content": fault("an error event before any content", failure_modes.error_event, SERVER),
    "error-after-content": fault(
        "an error event in the middle of the text",
        lambda request: failure_modes.error_event(request, share=2 / 3),
        SERVER,
        Ending("server", committed=True),
    ),
    "no-done": fault("no [DONE] at the end", failure_modes.no_done, OK),
    "no-finish": fault("no finish_reason", failure_modes.no_finish, OK),
    "usage-after-done": fault("usage after [DONE]", failure_modes.usage_after_done, OK, usage=False),
    "two-dones": fault("[DONE] twice", failure_modes.two_dones, OK),
    "200-error-body": fault("200 with an error in its body", failure_modes.ok_with_error, SERVER),
    "html-page": fault("200 with a page of HTML", failure_modes.page, PROTOCOL),
    "html-502": fault(
        "502 with a page of HTML", lambda _: whole("<html>Bad gateway</html>", status=502), SERVER
    ),
    "empty-body": fault("200 with an empty body", failure_modes.empty, PROTOCOL),
    "truncated-json": fault("JSON that ends too early", failure_modes.truncated, PROTOCOL, CUT),
    "length-too-long": fault(
        "a content-length beyond the body, then closes", failure_modes.length(1.5), NETWORK, OK
    ),
    "length-too-short": fault("a content-length short of the body", failure_modes.length(0.6), PROTOCOL, CUT),
    "gzip-bomb": fault("a compressed body although none was requested", failure_modes.bomb, PROTOCOL),
    "endless-stream": fault(
        "a stream without end", failure_modes.endless, NO_END, Ending("timeout_total", committed=True)
    ),
    "one-byte-chunks": fault("1500 one-byte chunks", failure_modes.dripping, OK),
    "crlf": fault("lines end in CR LF", failure_modes.crlf, OK),
    "bom": fault("a byte order mark first", failure_modes.bom, OK),
    "comments-only": fault(
        "keep-alive comments only (whole: blanks)", failure_modes.comments, NO_END, NO_TOKEN
    ),
    "multi-line-data": fault("one event over several data lines", failure_modes.multi_line, OK),
    "10mb-event": fault(
        "an event of 10 MB before any content (whole: an answer of 10 MB)", failure_modes.huge, PROTOCOL
    ),
    "context-too-long": fault(
        "400, the prompt is longer than the window",
        status(400, "This model's maximum context length is 8192 tokens.", "context_length_exceeded"),
        Ending("context_length"),
    ),
    "content-filter": fault(
        "400, the content filter refused",
        status(400, "Your request was rejected by our safety system.", "content_policy_violation"),
        Ending("content_policy"),
    ),
    "bad-request": fault(
        "400, the request is wrong", failure_modes.echoing_credential(400), Ending("invalid_request")
    ),
    "401": fault("401", failure_modes.echoing_credential(401), Ending("auth")),
    "402": fault("402", status(402, "Insufficient balance."), Ending("quota")),
    "403": fault("403", failure_modes.echoing_credential(403), Ending("permission")),
    "404": fault("404", status(404, "No such model."), Ending("not_found")),
    "redirect": fault("307 to somewhere else", failure_modes.redirect, PROTOCOL),
    "tls-failure": fault("a self-signed certificate", healthy, UNSEEN, provider="tls"),
    "handshake-silent": fault(
        "accepts the connection and stays silent in the TLS handshake",
        healthy,
        Ending("timeout_connect", 0),
        provider="mute",
    ),
    "dns-failure": fault("a name that does not resolve", healthy, UNSEEN, provider="dns"),
    "flapping": fault("503 for the first while, then answers", failure_modes.flapping, OVERLOADED),
}

# Models that may answer instead: `spare/<name>`.
FALLBACKS: Mapping[str, FailureMode] = {
    "spare": healthy,
    "spare-no-prefill": healthy_without_prefill,
    "spare-lies": healthy_without_prefill,  # although its record says that it takes a prefill
}
