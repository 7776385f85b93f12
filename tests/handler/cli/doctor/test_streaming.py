"""Whether an answer streams, by the arrival of its lines."""

from __future__ import annotations

from typing import Any

import pytest

from handler.cli.doctor.probe import Answer, Arrivals, Unreachable
from handler.cli.doctor.streaming import check_streaming, choose_model, judge
from tests.handler.cli.doctor.fake_probe import FakeProbe

RTT = 0.02
PACED = tuple(0.3 + 0.015 * line for line in range(20))
AT_ONCE = tuple(0.9 + 0.0001 * line for line in range(20))


def timing(sluice: float, provider: float) -> dict[str, str]:
    return {"server-timing": f"sluice;dur={sluice}, provider;dur={provider}"}


@pytest.mark.parametrize(
    ("head", "lines", "headers", "state", "text"),
    [
        pytest.param(0.3, PACED, timing(1, 279), "ok", "20 lines in 285 ms", id="each line by itself"),
        pytest.param(
            0.9, AT_ONCE, timing(1, 279), "fault", "600 ms late", id="a proxy that collects the answer"
        ),
        pytest.param(
            0.3, AT_ONCE, timing(1, 279), "fault", "600 ms late", id="one that sends the head before"
        ),
        pytest.param(
            0.3,
            tuple(0.3 + 0.4 * (line // 10) for line in range(20)),
            timing(1, 279),
            "warning",
            "in 2 pieces",
            id="one that sends pieces",
        ),
        pytest.param(0.9, AT_ONCE, timing(1, 870), "skipped", "too fast", id="a model that is fast"),
        pytest.param(0.9, AT_ONCE, {}, "fault", "late", id="without the gateway's timing"),
        pytest.param(0.9, (0.9, 0.9), timing(1, 870), "skipped", "too few", id="a short answer"),
        pytest.param(0.9, (), timing(1, 870), "skipped", "0 lines", id="an empty answer"),
        pytest.param(
            15.0,
            (15.0, 30.0, *(31 + 0.01 * line for line in range(9))),
            timing(1, 14_979),
            "ok",
            "11 lines",
            id="keep-alives before a late answer",
        ),
    ],
)
def test_the_arrival_of_lines(
    head: float, lines: tuple[float, ...], headers: dict[str, str], state: str, text: str
) -> None:
    finding = judge(Arrivals(head, lines, headers), "a/m", RTT)
    assert (finding.state, finding.check) == (state, "streaming")
    assert text in finding.text
    assert finding.mend or state == "ok"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        pytest.param(
            Answer(502, {}, b'{"error": {"message": "It is down."}}', 0.1), "It is down.", id="an error"
        ),
        pytest.param(Unreachable("it broke off", "try again"), "it broke off", id="no answer"),
    ],
)
def test_a_stream_that_fails_is_a_fault(answer: Any, text: str) -> None:
    (finding,) = check_streaming(FakeProbe({"/v1/chat/completions": answer}), "a/m", RTT)
    assert finding.state == "fault"
    assert text in finding.text
    assert finding.mend


def item(id: str, prompt: str | None = None, **more: Any) -> dict[str, Any]:
    pricing = {"pricing": {"prompt": prompt, "completion": "0.000001"}} if prompt else {}
    return {"id": id, **pricing, **more}


@pytest.mark.parametrize(
    ("listed", "chosen"),
    [
        pytest.param([item("a/x", "0.1"), item("local/echo")], "local/echo", id="the demo model"),
        pytest.param([item("a/x", "0.1"), item("a/y", "0.01")], "a/y", id="the cheapest one"),
        pytest.param([item("a/e", "0", operations=["embeddings"]), item("a/y", "0.01")], "a/y", id="no chat"),
        pytest.param([item("auto"), item("a/x")], "auto", id="no price is known"),
        pytest.param([item("a/x", "?"), item("a/y", "1")], "a/y", id="a price that is no number"),
        pytest.param([], None, id="no model"),
    ],
)
def test_the_model_that_is_asked(listed: list[dict[str, Any]], chosen: str | None) -> None:
    assert choose_model(listed) == chosen
