"""Tests of handler/redact.py: credentials and URLs are removed, in linear time."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.errors import UpstreamError
from handler.redact import redact, remove_secrets
from handler.upstream.request import UpstreamRequest

KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz"
CANARY = "canary-SECRET-value-12345"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(f"bad key {KEY}.", "bad key [redacted]", id="a key"),
        pytest.param("Bearer  :  abcdefghijkl x", "[redacted] x", id="a scheme and its credential"),
        pytest.param("see https://up.example/v1?k=1 now", "see [address] now", id="a URL"),
        pytest.param("the bearer of bad news", "the bearer of bad news", id="an ordinary word"),
        pytest.param("x" * 600, "x" * 499 + "…", id="a text that is too long"),
        pytest.param(f"https://{'a' * 2480} {KEY}", "[address]", id="a key that the limit cuts in two"),
    ],
)
def test_redact(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("bearer" + " " * 500_000, id="white space after a scheme"),
        pytest.param("api key " * 100_000, id="many schemes"),
        pytest.param("eyJ-" * 250_000, id="many beginnings of tokens"),
        pytest.param("https://" * 100_000, id="many beginnings of URLs"),
        pytest.param(" " * 1_000_000, id="only white space"),
    ],
)
def test_redact_takes_linear_time(text: str) -> None:
    began = time.process_time()
    redact(text)
    assert time.process_time() - began < 0.5


def redacted_error(*secrets: str, **fields: str) -> UpstreamError:
    error = UpstreamError(**{"message": "No.", "failure_class": "invalid_request", **fields})  # type: ignore[arg-type]
    error.add_note(f"you sent {CANARY}")
    UpstreamRequest(url="", headers=[], body=b"", dropped=(), secrets=secrets).redact_credential(error)
    return error


def test_the_credential_is_in_no_part_of_an_error() -> None:
    error = redacted_error(CANARY, message=f"You sent {CANARY}.", param=f"a.{CANARY}", code=CANARY)
    assert (error.message, error.param, error.code) == (
        "You sent [redacted].",
        "a.[redacted]",
        "invalid_value",
    )
    assert "canary" not in f"{error} {error.args} {error.__notes__}"


def test_half_a_credential_at_the_end_of_a_message_is_removed() -> None:
    assert redacted_error(CANARY, message=f"You sent {CANARY[:-3]}…").message == "You sent [redacted]…"


@pytest.mark.parametrize("secrets", [(CANARY,), ()])
def test_an_error_without_the_credential_stays(secrets: tuple[str, ...]) -> None:
    error = redacted_error(*secrets, message="n is 9", param="n", code="too_many")
    assert (error.message, error.param, error.code) == ("n is 9", "n", "too_many")


LONG = "sk-proj-Ab/cd+efGhij_klMnop-9876543210XyZ"  # with characters that a URL escapes
AWS = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize("secret", [LONG, AWS, "AKIDEXAMPLE1234", CANARY])
@pytest.mark.parametrize(
    "encode",
    [
        pytest.param(lambda key: key, id="as it is"),
        pytest.param(str.upper, id="in capitals"),
        pytest.param(str.lower, id="in lower case"),
        pytest.param(lambda key: quote(key, safe=""), id="escaped for a URL"),
        pytest.param(lambda key: quote(quote(key, safe=""), safe=""), id="escaped for a URL twice"),
        pytest.param(
            lambda key: "".join(f"%{ord(one):02x}" for one in key), id="every character escaped for a URL"
        ),
        pytest.param(lambda key: "".join(f"\\u{ord(one):04x}" for one in key), id="escaped for JSON"),
        pytest.param(lambda key: "".join(f"&#{ord(one)};" for one in key), id="escaped for HTML"),
        pytest.param(lambda key: f"{key[:7]}\n{key[7:]}", id="on two lines"),
        pytest.param(lambda key: f"{key[:7]}\\n{key[7:]}", id="on two lines, escaped"),
        pytest.param(" ".join, id="with spaces between"),
        pytest.param(lambda key: "'" + "', '".join(key) + "'", id="as a list of characters"),
        pytest.param(lambda key: key[-14:], id="the end of it"),
        pytest.param(lambda key: key[:14], id="the beginning of it"),
        pytest.param(lambda key: b64encode(key.encode()).decode(), id="as base64"),
        pytest.param(lambda key: b64encode(b":" + key.encode()).decode(), id="as base64 after a colon"),
        pytest.param(lambda key: b64encode(b"me:" + key.encode()).decode(), id="as base64 after a name"),
        pytest.param(lambda key: key.encode().hex(), id="in hexadecimal"),
    ],
)
def test_a_credential_is_removed_however_it_is_written(secret: str, encode: Callable[[str], str]) -> None:
    text = remove_secrets(f"You sent ({encode(secret)}) to us.", [secret])
    assert text.startswith("You sent (") or "%" in text
    assert text.endswith(") to us.")
    assert len(text) - len("You sent () to us.") <= len("[redacted]") + 8  # letters of base64 with other bits


@pytest.mark.parametrize(
    ("secret", "text", "expected"),
    [
        pytest.param("tokens", "Too many tokens: 9 Tokens.", "Too many tokens: 9 Tokens.", id="a word"),
        pytest.param("12345678", "The limit is 12345678.", "The limit is 12345678.", id="a number"),
        pytest.param("a-b", "a-b", "a-b", id="three characters"),
        pytest.param(
            "up-secret", "You sent UP-SECRET.", "You sent [redacted].", id="short, with a punctuation mark"
        ),
        pytest.param(CANARY, "the value of a canary", "the value of a canary", id="words of the credential"),
    ],
)
def test_an_ordinary_word_stays(secret: str, text: str, expected: str) -> None:
    assert remove_secrets(text, [secret]) == expected


@given(st.text(), st.text(min_size=1))
def test_a_text_without_the_credential_stays(text: str, secret: str) -> None:
    result = remove_secrets(text, [secret])
    assert result == text or "[redacted]" in result


def test_remove_secrets_takes_linear_time() -> None:
    assert remove_secrets("%25" * 100_000 + "a" * 100_000, ["b" * 2_000]).endswith("a")
