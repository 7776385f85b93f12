"""The checks of a running gateway, each fault from an answer that shows it."""

from __future__ import annotations

from typing import Any

import pytest

from handler import __version__
from handler.cli.doctor.gateway import check_clock, check_gateway
from handler.cli.doctor.probe import Arrivals, Unreachable
from tests.handler.cli.doctor.fake_probe import FakeProbe, answer, refusal

NOW = 1_900_000_000.0
DATE = "Sun, 17 Mar 2030 17:46:40 GMT"
ROOT = {"name": "sluice", "version": __version__}
RULES = {"revision": "r1", "stale": False, "age_s": 1, "skipped": 0}
HEALTHY = {"status": "ok", "rules": RULES, "problems": [], "unavailable": {}, "warnings": []}
MODELS = {"data": [{"id": "local/echo"}, {"id": "a/m"}]}
SESSION = {"key": {"id": "k", "scopes": ["admin", "chat", "manage"]}}
CHECKED = {"data": [{"name": "up", "credential": "UP_API_KEY", "ok": True}]}
STREAM = Arrivals(0.1, tuple(0.1 + 0.02 * line for line in range(10)), {"server-timing": "sluice;dur=90"})
GOOD: dict[str, Any] = {
    "/": answer(ROOT, date=DATE),
    "/v1/models": answer(MODELS),
    "/console/api/session": answer(SESSION),
    "/health": answer(HEALTHY),
    "/console/api/providers/check": answer(CHECKED),
    "/v1/chat/completions": STREAM,
}


def findings(key: str | None = "k", **changed: Any) -> list[Any]:
    probe = FakeProbe({**GOOD, **changed}, key=key, now=NOW)
    return list(check_gateway(probe, None))


def test_nothing_is_wrong_with_a_good_gateway() -> None:
    found = findings()
    assert {one.state for one in found} == {"ok"}
    expected = ["url", "version", "clock", "key", "health", "models", "providers", "streaming"]
    assert [one.check for one in found] == expected


FORBIDDEN = answer({"Message": "Forbidden"}, 403)


@pytest.mark.parametrize(
    ("signed", "state", "text"),
    [
        pytest.param(GOOD, "ok", "answers signed requests", id="an identity that may call it"),
        pytest.param({"/": FORBIDDEN}, "fault", "AWS refuses", id="an identity that may not"),
        pytest.param(None, "fault", "AWS refuses", id="no AWS credentials"),
    ],
)
def test_a_url_of_iam_gets_signed_requests(signed: Any, state: str, text: str) -> None:
    found = list(check_gateway(FakeProbe({"/": FORBIDDEN}, now=NOW, signed=signed), None))
    assert (found[0].check, found[0].state) == ("url", state)
    assert text in found[0].text
    assert "UrlAuth=AWS_IAM" in found[0].mend or state == "ok"
    assert {one.state for one in found} == {state}


HEALTH_OF = {
    "problem": {
        "kind": "route",
        "id": "r",
        "field": "priority",
        "problem": "must be a number",
        "instead": "last",
    },
    "what": {"what": "credentials not read", "problem": "access denied"},
}


@pytest.mark.parametrize(
    ("path", "given", "check", "state", "text"),
    [
        pytest.param(
            "/", answer({"error": "forbidden"}, 403), "url", "fault", "not this gateway", id="another error"
        ),
        pytest.param("/", answer({"name": "nginx"}), "url", "fault", "not this gateway", id="another server"),
        pytest.param(
            "/", answer({}, 301, location="https://b"), "url", "fault", "https://b", id="a redirect"
        ),
        pytest.param(
            "/", answer({"message": "no match"}, 403), "url", "fault", "AWS refuses", id="a bad signature"
        ),
        pytest.param(
            "/",
            answer({"error": {"code": "edge_required"}}, 403),
            "url",
            "fault",
            "through a distribution",
            id="a URL behind a distribution",
        ),
        pytest.param("/", Unreachable("TLS: self-signed", "check it"), "url", "fault", "TLS", id="no TLS"),
        pytest.param(
            "/",
            answer({**ROOT, "version": "0.0.1"}, date=DATE),
            "version",
            "warning",
            "0.0.1",
            id="an old version",
        ),
        pytest.param(
            "/",
            answer(ROOT, date="Sun, 17 Mar 2030 17:36:40 GMT"),
            "clock",
            "fault",
            "600 s ahead",
            id="a clock that is off",
        ),
        pytest.param(
            "/v1/models", refusal(401, "No such key."), "key", "fault", "No such key.", id="a bad key"
        ),
        pytest.param("/v1/models", answer({"data": []}), "models", "fault", "no model", id="no model"),
        pytest.param(
            "/console/api/session",
            refusal(403, "scope"),
            "key",
            "ok",
            "no scope `manage`",
            id="a key for chats",
        ),
        pytest.param(
            "/console/api/session", refusal(404, "off"), "key", "ok", "not known", id="a console that is off"
        ),
        pytest.param("/health", answer({}, 500), "health", "fault", "status 500", id="no health"),
        pytest.param(
            "/health", answer(HEALTHY, 503), "health", "fault", "no request can be served", id="not ready"
        ),
        pytest.param(
            "/health",
            answer({"status": "degraded", "rules": RULES}),
            "health",
            "warning",
            "degraded",
            id="degraded, for a key for chats",
        ),
        pytest.param(
            "/health",
            answer({**HEALTHY, "status": "degraded", "problems": [HEALTH_OF["problem"]]}),
            "health",
            "fault",
            "route/r: `priority`: must be a number",
            id="an unreadable rule",
        ),
        pytest.param(
            "/health",
            answer({**HEALTHY, "problems": [HEALTH_OF["what"]]}),
            "health",
            "fault",
            "credentials not read: access denied",
            id="credentials that cannot be read",
        ),
        pytest.param(
            "/health",
            answer({**HEALTHY, "rules": {**RULES, "stale": True}}),
            "health",
            "fault",
            "old",
            id="stale",
        ),
        pytest.param(
            "/health",
            answer({**HEALTHY, "unavailable": {"groq": "there is no GROQ_API_KEY"}}),
            "providers",
            "warning",
            "groq cannot be used: there is no GROQ_API_KEY",
            id="a provider without a credential",
        ),
        pytest.param(
            "/health", answer({**HEALTHY, "cooling": {"a/m": 20.0}}), "health", "warning", "a/m", id="cooling"
        ),
        pytest.param(
            "/console/api/providers/check",
            answer({"data": [{"name": "up", "credential": "K", "ok": False, "problem": "it refused K"}]}),
            "providers",
            "fault",
            "up: it refused K",
            id="a refused credential",
        ),
        pytest.param(
            "/console/api/providers/check",
            refusal(403, "scope admin"),
            "providers",
            "skipped",
            "scope admin",
            id="no admin key",
        ),
        pytest.param(
            "/v1/chat/completions",
            Arrivals(2.0, (2.0,) * 10, {"server-timing": "sluice;dur=90"}),
            "streaming",
            "fault",
            "buffers",
            id="a buffering proxy",
        ),
    ],
)
def test_each_fault_is_found(path: str, given: Any, check: str, state: str, text: str) -> None:
    found = [one for one in findings(**{path: given}) if one.check == check and one.state == state]
    assert any(text in one.text for one in found), findings(**{path: given})
    assert all(one.mend for one in findings(**{path: given}) if one.state in ("warning", "fault"))


def test_without_a_key_only_the_public_answers_are_checked() -> None:
    found = findings(key=None)
    assert [one.check for one in found] == ["url", "version", "clock", "health", "key"]
    assert (found[-1].state, found[-1].mend) == ("skipped", "pass --key, or --key -")


def test_a_first_answer_that_was_slow_hides_no_buffering() -> None:
    cold = GOOD["/"]._replace(seconds=2.0)
    at_once = Arrivals(0.5, (0.5,) * 10, {"server-timing": "sluice;dur=90"})
    changed: dict[str, Any] = {"/": cold, "/v1/chat/completions": at_once}
    assert findings(**changed)[-1].state == "fault"


def test_many_findings_are_cut() -> None:
    problems = [{"kind": "route", "id": f"r{number}", "field": "x", "problem": "y"} for number in range(50)]
    changed: dict[str, Any] = {"/health": answer({**HEALTHY, "problems": problems})}
    found = findings(**changed)
    assert sum(one.check == "health" for one in found) == 21
    assert "30 further findings" in str(found)


@pytest.mark.parametrize(
    ("date", "seconds", "state"),
    [
        pytest.param(DATE, 0, "ok", id="right"),
        pytest.param(DATE, 29, "ok", id="nearly right"),
        pytest.param(DATE, -60, "warning", id="a minute behind"),
        pytest.param(DATE, 301, "fault", id="so far ahead that AWS refuses signatures"),
        pytest.param("Sun, 17 Mar 2030 17:46:40", 0, "ok", id="a date without a zone"),
        pytest.param("soon", 0, "skipped", id="no date"),
        pytest.param(None, 0, "skipped", id="none at all"),
    ],
)
def test_the_clock(date: str | None, seconds: float, state: str) -> None:
    assert check_clock(date, NOW + seconds).state == state
