"""Every hostile request that `parse` refuses gets its documented error (support/hostile_requests.py)."""

from __future__ import annotations

import json

import pytest

from handler.errors import GatewayError
from handler.formats.chat.request import parse
from handler.settings import Settings
from tests.support.hostile_requests import HOSTILE, Hostile


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in HOSTILE if case.by == "parse"])
def test_a_hostile_request_gets_the_documented_error(case: Hostile) -> None:
    with pytest.raises(GatewayError) as caught:
        parse(case.body, case.headers, Settings())
    error = caught.value
    assert (error.status, error.code, error.param) == (case.status, case.code, case.param)
    assert len(json.dumps(error.body())) < 1000, "an error does not repeat the request"


def test_every_case_has_its_own_id_and_there_are_enough() -> None:
    assert len({case.id for case in HOSTILE}) == len(HOSTILE) >= 80
