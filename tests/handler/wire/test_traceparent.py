"""Tests of handler/wire/traceparent.py."""

from __future__ import annotations

import re

import pytest

from handler.wire.traceparent import Trace, trace_of

ID, PARENT, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331", "1" * 16


def make(traceparent: str | None, *, record: bool = True, sampled: bool = True) -> Trace:
    return trace_of(traceparent, record=record, sample=lambda: sampled)


@pytest.mark.parametrize(
    ("traceparent", "recorded"),
    [
        pytest.param(f"00-{ID}-{PARENT}-01", True, id="a caller's trace that is sampled is recorded"),
        pytest.param(f"00-{ID}-{PARENT}-03", True, id="other flags do not matter"),
        pytest.param(f"00-{ID}-{PARENT}-00", False, id="one that is not sampled is not recorded"),
        pytest.param(f"01-{ID}-{PARENT}-01", True, id="a later version is read as this one"),
    ],
)
def test_a_callers_trace_is_continued(traceparent: str, recorded: bool) -> None:
    trace = make(traceparent, sampled=not recorded)
    assert (trace.id, trace.parent, trace.recorded) == (ID, PARENT, recorded)
    assert trace.header(SPAN) == f"00-{ID}-{SPAN if recorded else PARENT}-{traceparent[-2:]}"


@pytest.mark.parametrize(
    "traceparent",
    [
        pytest.param(None, id="no header"),
        pytest.param("", id="an empty one"),
        pytest.param(f"ff-{ID}-{PARENT}-01", id="version ff"),
        pytest.param(f"00-{'0' * 32}-{PARENT}-01", id="a trace of zeros"),
        pytest.param(f"00-{ID}-{'0' * 16}-01", id="a parent of zeros"),
        pytest.param(f"00-{ID.upper()}-{PARENT}-01", id="capitals"),
    ],
)
def test_a_trace_begins_without_a_valid_header(traceparent: str | None) -> None:
    trace = make(traceparent)
    assert re.fullmatch("[0-9a-f]{32} [0-9a-f]{16}", f"{trace.id} {trace.span}")
    assert (trace.parent, trace.recorded, trace.flags) == (None, True, "01")
    assert trace.id not in (ID, make(traceparent).id)
    assert make(traceparent, sampled=False).header(SPAN).endswith(f"-{SPAN}-00")


def test_without_a_collector_the_callers_header_goes_on_as_it_is() -> None:
    header = f"00-{ID}-{PARENT}-01"
    assert make(header, record=False).header(SPAN) == header
