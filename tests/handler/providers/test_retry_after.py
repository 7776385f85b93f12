"""Every form in which a provider says when it may be called again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from handler.providers.retry_after import reset_after, retry_after

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC).timestamp()
TEN_PAST = "Fri, 20 Nov 2026 12:00:10 GMT"

CASES = [
    pytest.param({"retry-after": "2"}, b"", 2.0, id="seconds"),
    pytest.param({"retry-after": "0"}, b"", 0.0, id="zero seconds"),
    pytest.param({"retry-after": "1.5"}, b"", 1.5, id="a fraction of a second"),
    pytest.param({"retry-after": "86400"}, b"", 86400.0, id="a day"),
    pytest.param({"retry-after": TEN_PAST}, b"", 10.0, id="a date"),
    pytest.param(
        {"retry-after": TEN_PAST, "date": "Fri, 20 Nov 2026 12:00:07 GMT"},
        b"",
        3.0,
        id="a date with a Date header",
    ),
    pytest.param(
        {"retry-after": TEN_PAST, "date": "today"}, b"", 10.0, id="a date with an unreadable Date header"
    ),
    pytest.param({"retry-after": "Fri, 20 Nov 2026 11:00:00 GMT"}, b"", 0.0, id="a date that has passed"),
    pytest.param(
        {"retry-after": "Friday, 20-Nov-26 12:00:10 GMT"}, b"", 10.0, id="a date in the format of RFC 850"
    ),
    pytest.param({"retry-after": "1m0s"}, b"", 60.0, id="a duration in the header"),
    pytest.param({"retry-after-ms": "1500"}, b"", 1.5, id="milliseconds"),
    pytest.param({"x-ms-retry-after-ms": "250"}, b"", 0.25, id="Azure's milliseconds"),
    pytest.param({"retry-after-ms": "900", "retry-after": "1"}, b"", 0.9, id="milliseconds win over seconds"),
    pytest.param(
        {"retry-after-ms": "soon", "retry-after": "1"},
        b"",
        1.0,
        id="unreadable milliseconds, readable seconds",
    ),
    pytest.param({}, b'{"error":{"message":"Please try again in 6s. Visit x"}}', 6.0, id="OpenAI's words"),
    pytest.param({}, b"Please try again in 1m23.5s.", 83.5, id="minutes and seconds"),
    pytest.param({}, b"Try again in 320ms", 0.32, id="milliseconds in words"),
    pytest.param({}, b"try again in 2 minutes", 120.0, id="minutes in words"),
    pytest.param({}, b"Please retry after 20 seconds.", 20.0, id="Azure's words"),
    pytest.param({}, b"Please retry in 34.074824224s.", 34.074824224, id="Gemini's words"),
    pytest.param({}, b'{"@type":"RetryInfo","retryDelay": "34s"}', 34.0, id="Gemini's retryDelay"),
    pytest.param({}, b'{"retryDelay":"0.5s"}', 0.5, id="a retryDelay of a fraction of a second"),
    pytest.param({}, b'{"retry_after": 3.5}', 3.5, id="a number in the body"),
    pytest.param(
        {"retry-after": "soon"}, b"try again in 6s", 6.0, id="an unreadable header, a readable body"
    ),
    pytest.param({"retry-after": "2"}, b"try again in 6s", 2.0, id="the header wins over the body"),
]
RESETS = [
    pytest.param({"x-ratelimit-reset-requests": "6m0s"}, 360.0, id="OpenAI's minutes"),
    pytest.param({"x-ratelimit-reset-tokens": "12ms"}, 0.012, id="OpenAI's milliseconds"),
    pytest.param({"x-ratelimit-reset-tokens": "7.66s"}, 7.66, id="Groq's seconds"),
    pytest.param({"x-ratelimit-reset-requests": "1h2m3s"}, 3723.0, id="hours"),
    pytest.param({"x-ratelimit-reset-requests-day": "33011.38"}, 33011.38, id="Cerebras' number of seconds"),
    pytest.param({"x-ratelimit-reset": "0"}, 0.0, id="zero seconds"),
    pytest.param({"ratelimit-reset": "50"}, 50.0, id="the header of the IETF draft"),
    pytest.param({"x-rate-limit-reset": "50"}, 50.0, id="rate-limit with a dash"),
    pytest.param({"x-ratelimit-reset": f"{NOW + 20:.0f}"}, 20.0, id="epoch seconds"),
    pytest.param({"X-RateLimit-Reset": f"{NOW * 1000 + 20_000:.0f}"}, 20.0, id="OpenRouter's milliseconds"),
    pytest.param({"x-ratelimit-reset": f"{NOW - 20:.0f}"}, 0.0, id="a time that has passed"),
    pytest.param({"x-ratelimit-reset": TEN_PAST}, 10.0, id="an HTTP date"),
    pytest.param({"anthropic-ratelimit-requests-reset": "2026-11-20T12:00:30Z"}, 30.0, id="Anthropic's date"),
    pytest.param({"x-ratelimit-reset": "2026-11-20T12:00:30.5+00:00"}, 30.5, id="a date with an offset"),
    pytest.param(
        {
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "6m0s",
            "x-ratelimit-remaining-tokens": "9000",
            "x-ratelimit-reset-tokens": "1s",
        },
        360.0,
        id="the limit with nothing remaining",
    ),
    pytest.param(
        {
            "anthropic-ratelimit-requests-remaining": "0",
            "anthropic-ratelimit-requests-reset": "5s",
            "anthropic-ratelimit-tokens-remaining": "0",
            "anthropic-ratelimit-tokens-reset": "9s",
        },
        9.0,
        id="the last of several limits with nothing remaining",
    ),
    pytest.param(
        {"x-ratelimit-reset-requests": "6m0s", "x-ratelimit-reset-tokens": "1.5s"},
        1.5,
        id="the first if no limit is known to be exhausted",
    ),
    pytest.param(
        {"x-ratelimit-reset-requests": "soon", "x-ratelimit-reset-tokens": "2s"},
        2.0,
        id="one unreadable, one readable",
    ),
    pytest.param({"x-ratelimit-limit": "50", "x-ratelimit-remaining": "0"}, None, id="no reset"),
    pytest.param({"x-ratelimit-reset": ""}, None, id="an empty reset"),
    pytest.param({"x-ratelimit-reset": "-1"}, None, id="a negative reset"),
    pytest.param({"x-ratelimit-reset": "nan"}, None, id="not a number"),
    pytest.param({"x-ratelimit-reset": "9" * 5_000}, None, id="thousands of digits"),
    pytest.param({"x-ratelimit-reset": "2026-99-20T12:00:30Z"}, None, id="a date that does not exist"),
    pytest.param({"x-password-reset": "5"}, None, id="a reset of something else"),
]
UNREADABLE = [
    pytest.param({}, b"", id="nothing"),
    pytest.param({"retry-after": ""}, b"", id="an empty header"),
    pytest.param({"retry-after": "-1"}, b"", id="a negative number"),
    pytest.param({"retry-after": "nan"}, b"", id="not a number"),
    pytest.param({"retry-after": "inf"}, b"", id="infinity"),
    pytest.param({"retry-after": "1e999"}, b"", id="a number too large"),
    pytest.param({"retry-after": "Fri, 99 Nov 2026 12:00:10 GMT"}, b"", id="a date that does not exist"),
    pytest.param({"retry-after": "1" * 9_000}, b"", id="thousands of digits"),
    pytest.param({"retry-after": "1s " * 3_000 + "x"}, b"", id="thousands of durations"),
    pytest.param({"retry-after": "in a while"}, b"", id="words without a time"),
    pytest.param({}, b"try again in 6 more days", id="an unknown unit"),
    pytest.param({}, b"try again later", id="words without a duration"),
    pytest.param({}, b"\xff\xfe\x00", id="bytes that are not text"),
    pytest.param({}, b"x" * 10_000 + b"try again in 6s", id="words far into a long body"),
]


@pytest.mark.parametrize(("headers", "body", "seconds"), CASES)
def test_seconds_until_the_next_try(headers: dict[str, str], body: bytes, seconds: float) -> None:
    assert retry_after(headers, body, NOW) == pytest.approx(seconds)


@pytest.mark.parametrize(("headers", "seconds"), RESETS)
def test_seconds_until_a_limit_is_reset(headers: dict[str, str], seconds: float | None) -> None:
    assert reset_after(headers, NOW) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(("headers", "body"), UNREADABLE)
def test_unreadable_values_are_ignored(headers: dict[str, str], body: bytes) -> None:
    assert retry_after(headers, body, NOW) is None
