"""What only looks on at requests (activity, samples, traces) breaks none of them."""

from __future__ import annotations

from typing import Any

import pytest

from handler.errors import Json
from tests.support.canned_answers import completion, whole
from tests.support.gateways import RunningGateway, model, provider, start_gateway
from tests.support.upstream import Upstream
from tests.support.virtual_clock import now

ONLOOKERS = {"SLUICE_SAMPLES": "500", "SLUICE_OTLP_ENDPOINT": "http://127.0.0.1:9"}


def start(upstream: Upstream, *records: Json) -> RunningGateway:
    upstream.script("m", whole(completion()))
    settings: Any = ONLOOKERS
    return start_gateway([provider(upstream.url), model("up/m"), *records], now=now, **settings)


@pytest.mark.parametrize("name", ["open_tracer", "open_activity", "open_samples"])
async def test_a_defect_of_an_onlooker_is_logged_and_the_request_is_settled(
    upstream: Upstream, name: str
) -> None:
    def broken() -> Any:
        raise UnicodeEncodeError("latin-1", "canary", 0, 1, "no")

    limit = {"kind": "limit", "id": "l", "tokens": 100_000, "per": "day"}
    running = start(upstream, limit)
    setattr(running.gateway, name, broken)
    response = await running.chat(model="up/m")
    await running.gateway.settle()
    assert response.status == 200
    assert [line["exception"] for line in running.lines if line["message"] == "internal error"] == [
        "UnicodeEncodeError"
    ]
    settled = [update for update in running.tables.state.updates if "limit" in update.id]  # type: ignore[attr-defined]
    assert len(settled) >= 2, "one reserves, one settles"
    await running.gateway.aclose()
