"""What is removed from texts: keys always, personal data by its form, words by patterns."""

from __future__ import annotations

import pytest

from handler.content.redaction import redact_values, redactor
from rules import DETECTORS

ALL = redactor(DETECTORS)

REMOVED = [
    pytest.param("write to a.b+c@mail.example.org.", "write to [email].", id="an address"),
    pytest.param("<jörg@exämple.de>", "<[email]>", id="an address with umlauts"),
    pytest.param("call +49 30 123456-78 now", "call [phone] now", id="an international number"),
    pytest.param("call +4930123456.", "call [phone].", id="a number without spaces"),
    pytest.param("(555) 010-9999", "[phone]", id="a number with an area code"),
    pytest.param("tel 030/1234567", "tel [phone]", id="a number with a slash"),
    pytest.param("01.23.45.67.89", "[phone]", id="a number with dots"),
    pytest.param("card 4111 1111 1111 1111, ok", "card [card], ok", id="a card"),
    pytest.param("4111111111111111", "[card]", id="a card without spaces"),
    pytest.param("5500-0000-0000-0004", "[card]", id="a card with hyphens"),
    pytest.param("4111 1111 1111 1111 12", "[card] 12", id="a card before a number"),
    pytest.param("DE89 3704 0044 0532 0130 00", "[iban]", id="an account"),
    pytest.param("DE89370400440532013000", "[iban]", id="an account without spaces"),
    pytest.param("DE89 3704 0044 0532 0130 00 IS MINE", "[iban] IS MINE", id="an account before capitals"),
    pytest.param("ssn 078-05-1120", "ssn [ssn]", id="a social security number"),
    pytest.param("from 192.0.2.1.", "from [ip].", id="an IPv4 address"),
    pytest.param("from 2001:db8::1, and", "from [ip], and", id="an IPv6 address"),
    pytest.param("a@b.example c@d.example", "[email] [email]", id="two addresses"),
]

KEPT = [
    pytest.param("phone", "at 12:30:45 on 2027-01-31", id="a time and a date"),
    pytest.param("phone", "version 1.2.3 of 10,000 for $1,000,000.00", id="a version and amounts"),
    pytest.param("phone", "the answer is 123456789012", id="digits without a separator"),
    pytest.param("phone", "192.168.100.100", id="an address for a phone"),
    pytest.param("card", "4111 1111 1111 1112", id="a card with a wrong check digit"),
    pytest.param("card", "id-4111111111111111", id="a part of an id"),
    pytest.param("iban", "DE89 3704 0044 0532 0130 01", id="an account with wrong check digits"),
    pytest.param("ssn", "666-12-3456", id="a number that is never given out"),
    pytest.param("email", "user@localhost and a @ b.example", id="no address"),
    pytest.param("ip", "999.1.1.1 at 12:30", id="no IP address"),
    pytest.param("ip", "skateboarding, sk-circle-fade-dot-loader", id="words that begin like keys"),
]


@pytest.mark.parametrize(("text", "expected"), REMOVED)
def test_personal_data_is_removed(text: str, expected: str) -> None:
    assert ALL(text) == expected


@pytest.mark.parametrize(("detector", "text"), KEPT)
def test_other_text_stays(detector: str, text: str) -> None:
    assert redactor((detector,))(text) == text


KEYS = [
    "sk-sluice-" + "a" * 43,
    "sk-proj-1234567890abcdefghij",
    "sk-ant-api03-abcdefghijklmnop",
    "AKIAIOSFODNN7EXAMPLE",
    "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "ghp_1234567890abcdefghijklmnopqrstuvwxyz",
    "xoxb-123456789012-abcdef",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abcDEF123",
    "Bearer abcdefghijklmnop1234",
]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_removed_without_being_asked_for(key: str) -> None:
    assert redactor(())(f"it is {key} here") == "it is [key] here"


def test_a_private_key_is_removed() -> None:
    text = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----"
    assert "MIIEow" not in redactor(())(text)


def test_only_the_detectors_that_are_named_are_used() -> None:
    assert redactor(("email",))("a@b.example 192.0.2.1") == "[email] 192.0.2.1"
    assert redactor(())("a@b.example") == "a@b.example"


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        pytest.param("EMP-*", "I am emp-77, hi", "I am [redacted], hi", id="the beginning, in any case"),
        pytest.param("*-secret", "my-secret!", "[redacted]!", id="the end, before punctuation"),
        pytest.param("*kowalski*", "mr.Kowalskis dog", "[redacted] dog", id="the middle"),
        pytest.param("Kowalski", "Kowalski (Kowalskis)", "[redacted] (Kowalskis)", id="a whole word"),
        pytest.param("A.B", "AxB", "AxB", id="no character but the star is special"),
        pytest.param("*@corp", '{"to": "x@corp"}', '{"to": "[redacted]"}', id="a word in JSON"),
    ],
)
def test_words_that_match_a_pattern_are_removed(pattern: str, text: str, expected: str) -> None:
    assert redactor((pattern,))(text) == expected


def test_all_texts_of_a_value_are_redacted_and_nothing_else() -> None:
    value = {"a@b.example": ["a@b.example", 1, None, True, {"x": ("a@b.example",)}]}
    assert redact_values(value, ALL) == {"a@b.example": ["[email]", 1, None, True, {"x": ["[email]"]}]}


HOSTILE = [
    *("a", "1 ", "1.", "(", "a@", "a.", "-eyJaa", "eyJaaaaaaaaaaa.", "sk-", "sk-1", "AB12", "1:", "bearer "),
    "-----BEGIN PRIVATE KEY-----",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_long_hostile_text_is_examined_in_linear_time(piece: str) -> None:
    """In quadratic time the test would not end."""
    redactor((*DETECTORS, "*a*a*a*b", "EMP-*"))(piece * (200_000 // len(piece)))
