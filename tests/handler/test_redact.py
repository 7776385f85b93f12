"""What is taken out of a text before a caller or a log gets it, and that this takes no time."""

from __future__ import annotations

import time

import pytest

from handler.errors import UpstreamError
from handler.outgoing import Outgoing
from handler.redact import redacted

KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz"
CANARY = "canary-SECRET-value-12345"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(f"bad key {KEY}.", "bad key [redacted]", id="a key"),
        pytest.param("Bearer  :  abcdefghijkl x", "[redacted] x", id="a scheme and what follows it"),
        pytest.param("see https://up.example/v1?k=1 now", "see [address] now", id="an address"),
        pytest.param("the bearer of bad news", "the bearer of bad news", id="an ordinary word"),
        pytest.param("x" * 600, "x" * 499 + "…", id="what is too long is cut"),
        pytest.param(f"https://{'a' * 2480} {KEY}", "[address]", id="half a key is none that is told"),
    ],
)
def test_what_is_left_of_a_text(text: str, expected: str) -> None:
    assert redacted(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("bearer" + " " * 500_000, id="white space behind a scheme"),
        pytest.param("api key " * 100_000, id="one scheme after another"),
        pytest.param("eyJ-" * 250_000, id="beginnings of tokens"),
        pytest.param("https://" * 100_000, id="beginnings of addresses"),
        pytest.param(" " * 1_000_000, id="nothing but white space"),
    ],
)
def test_no_text_takes_long(text: str) -> None:
    began = time.process_time()
    redacted(text)
    assert time.process_time() - began < 0.5


def order(credential: str | None) -> Outgoing:
    return Outgoing(url="", headers=[], body=b"", dropped=(), credential=credential)


def forgotten(credential: str | None, **said: str) -> UpstreamError:
    error = UpstreamError(**{"message": "No.", "klass": "invalid_request", **said})  # type: ignore[arg-type]
    error.add_note(f"said {CANARY}")
    order(credential).forget(error)
    return error


def test_the_credential_is_in_no_part_of_an_error() -> None:
    error = forgotten(CANARY, message=f"You sent {CANARY}.", param=f"a.{CANARY}", code=CANARY)
    assert (error.message, error.param, error.code) == (
        "You sent [redacted].",
        "a.[redacted]",
        "invalid_value",
    )
    assert "canary" not in f"{error} {error.args} {error.__notes__}"


def test_a_message_that_was_cut_inside_the_credential_tells_no_half_of_it() -> None:
    assert forgotten(CANARY, message=f"You sent {CANARY[:-3]}…").message == "You sent [redacted]…"


@pytest.mark.parametrize("credential", [CANARY, None])
def test_what_holds_no_credential_stays(credential: str | None) -> None:
    error = forgotten(credential, message="n is 9", param="n", code="too_many")
    assert (error.message, error.param, error.code) == ("n is 9", "n", "too_many")
