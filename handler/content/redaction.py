"""Removes personal data and API keys from the texts of a request and its answer.

Detectors find data by its form, patterns find single words. Each takes time in proportion to the text: no
regular expression here can match the same characters in two ways, and patterns are no regular expressions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address
from typing import Any

from rules import DETECTORS, compile_pattern

Redact = Callable[[str], str]

# Keys of Sluice, vendors and AWS, tokens of GitHub and Slack, JWTs, bearer tokens and private keys.
_KEYS = re.compile(
    r"\bsk-sluice-[A-Za-z0-9_-]{43}"
    r"|\b(?:sk|pk|rk|gsk|xai|hf|csk|nvapi|tgp|fw|pplx|r8)[-_](?=[A-Za-z_-]{0,40}[0-9])[A-Za-z0-9_-]{16,}+"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[A-Za-z0-9_-]{30,}+|\bgh[pousr]_[A-Za-z0-9]{30,}+"
    r"|\bxox[abeprs]-[A-Za-z0-9-]{10,}+|(?<![\w-])eyJ[A-Za-z0-9_-]{10,}+\.[A-Za-z0-9_-]{10,}+(?:\.[A-Za-z0-9_-]++)?"
    r"|\b(?i:bearer) {1,4}[A-Za-z0-9._~+/-]{16,}+=*"
    r"|-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^-]{0,20000}"
)
_EMAIL = re.compile(r"(?<![\w.%+-])[\w.%+-]++@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_PHONE = re.compile(r"(?<![\w.+-])(?:\+[0-9]|\(?[0-9]{2,5}\)?[ ./-])[0-9 ()./-]{5,25}(?![\w])")
_CARD = re.compile(r"(?<![\w.-])[0-9](?:[ -]?[0-9]){12,18}(?![\w-])")
_IBAN = re.compile(r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}+(?![A-Za-z0-9])")
_SSN = re.compile(r"(?<![\w-])(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![\w-])")
_IP = re.compile(r"(?<![\w.:])[0-9A-Fa-f.:]{3,45}+(?![\w])")
MAX_WORDS_BEHIND = 4  # words that have the form, too, and are not a part of what was found
_WORD = re.compile(r"[^\s\"'()\[\]{}<>,;]+")
_NOT_DIGITS = {ord(character): None for character in "+ ()./-"}
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)  # the sum of the digits of twice a digit
_ENDS = " .:!?/(-"  # not a part of what is before it


def redact_values(value: Any, redact: Redact) -> Any:
    """Return a JSON value with its texts redacted. Names of members stay."""
    match value:
        case str():
            return redact(value)
        case list() | tuple():
            return [redact_values(each, redact) for each in value]
        case Mapping():
            return {name: redact_values(each, redact) for name, each in value.items()}
        case _:
            return value


def redactor(redactions: Iterable[str]) -> Redact:
    """Return what a record's `redact` does to a text. Keys are removed always."""
    chosen = tuple(redactions)
    steps = [_remove_keys, *(_STEPS[name] for name in DETECTORS if name in chosen)]
    patterns = [compile_pattern(each, ignore_case=True) for each in chosen if each not in _STEPS]
    if patterns:
        steps.append(_remove_words(patterns))

    def redact(text: str) -> str:
        for step in steps:
            text = step(text)
        return text

    return redact


def _remove_keys(text: str) -> str:
    return _KEYS.sub("[key]", text)


def _step(name: str, pattern: re.Pattern[str], check: Callable[[str], bool] = lambda _: True) -> Redact:
    """Return the step that replaces what has the form and passes the check, without the words behind it."""

    def replace(match: re.Match[str]) -> str:
        found = match[0].rstrip(_ENDS)
        for _ in range(MAX_WORDS_BEHIND):
            if check(found):
                return f"[{name}]{match[0][len(found) :]}"
            found = found.rpartition(" ")[0].rstrip(_ENDS)
        return match[0]

    return lambda text: pattern.sub(replace, text)


def _digits(text: str) -> str:
    return text.translate(_NOT_DIGITS)


def _is_phone(text: str) -> bool:
    """Return True for 9 to 15 digits that are not an address; 8 after a plus."""
    return (8 if text.startswith("+") else 9) <= len(_digits(text)) <= 15 and not _is_ip(text)


def _is_card(text: str) -> bool:
    """Return True if the check digit is right (Luhn): https://www.iso.org/standard/70484.html."""
    digits = [int(digit) for digit in _digits(text)]
    doubled = sum(digits[-1::-2]) + sum(_DOUBLED[digit] for digit in digits[-2::-2])
    return len(digits) >= 13 and doubled % 10 == 0


def _is_iban(text: str) -> bool:
    """Return True if the check digits are right: https://www.iso.org/standard/81090.html."""
    plain = text.replace(" ", "")
    return len(plain) >= 15 and int("".join(str(int(each, 36)) for each in plain[4:] + plain[:4])) % 97 == 1


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _remove_words(patterns: list[Callable[[str], bool]]) -> Redact:
    def replace(match: re.Match[str]) -> str:
        word = match[0].rstrip(_ENDS)
        rest = match[0][len(word) :]
        return f"[redacted]{rest}" if any(matches(word) for matches in patterns) else match[0]

    return lambda text: _WORD.sub(replace, text)


_STEPS: Mapping[str, Redact] = {
    "email": _step("email", _EMAIL),
    "phone": _step("phone", _PHONE, _is_phone),
    "card": _step("card", _CARD, _is_card),
    "iban": _step("iban", _IBAN, _is_iban),
    "ssn": _step("ssn", _SSN),
    "ip": _step("ip", _IP, _is_ip),
}
