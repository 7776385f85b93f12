"""What the line of a failed request tells of its error: never a piece of the request."""

from __future__ import annotations

import pytest

from handler.errors import GatewayError, InvalidRequest, NotFound, Unavailable, UpstreamError
from handler.log import Entry


def logged(error: GatewayError) -> dict[str, object]:
    entry = Entry("id", "POST", "/chat/completions", 0.0)
    entry.failed(error)
    assert entry.error is not None
    return entry.error


def upstream(klass: str) -> UpstreamError:
    return UpstreamError("SECRET", klass=klass, code="odd", param="n", metadata={"class": klass})


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(InvalidRequest('role: got "SECRET"', param="n"), id="a value of the request"),
        pytest.param(InvalidRequest("SECRET", code="invalid_json", param="n"), id="a piece of its JSON"),
        pytest.param(InvalidRequest("SECRET", code="unsupported_parameter", param="n"), id="a field"),
        pytest.param(upstream("invalid_request"), id="a provider's words on a value"),
        pytest.param(upstream("content_policy"), id="a provider's words on the content"),
        pytest.param(upstream("context_length"), id="a provider's words on the length"),
    ],
)
def test_words_that_may_quote_the_request_are_left_out(error: GatewayError) -> None:
    told = error.body()["error"]
    assert logged(error) == {name: told[name] for name in told if name != "message"}
    assert logged(error)["param"] == "n"


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(NotFound("There is no model 'a'."), id="a model that is not there"),
        pytest.param(Unavailable("No model can take this request."), id="nobody who can answer"),
        pytest.param(UpstreamError("No candidate gave an answer.", klass="server"), id="our own summary"),
    ],
)
def test_other_words_are_told(error: GatewayError) -> None:
    assert logged(error) == error.body()["error"]
