"""Tells whether a text is the name of a model, or of a credential that a record may use."""

from __future__ import annotations

UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LETTERS_AND_DIGITS = f"{UPPER}{UPPER.lower()}0123456789"
LONGEST_NAME = 200

# How the names of the gateway's own credentials begin.
_RESERVED = ("AWS_", "SLUICE_", "LAMBDA_")


def consists_of(text: str, characters: str) -> bool:
    """Return True if a text has only these characters. A regular expression would cost a cold start more."""
    return not text.strip(characters)


def is_model_name(name: str) -> bool:
    """Return True for the name of a pin, a pool or an alias, and for `auto` (contract, section 4)."""
    return (
        0 < len(name) <= LONGEST_NAME
        and name[0] in f"{LETTERS_AND_DIGITS}@"
        and consists_of(name, f"{LETTERS_AND_DIGITS}._:/@+-")
        and {"", ".", ".."}.isdisjoint(name.split("/"))
    )


def is_credential_name(name: str) -> bool:
    """Return True if a record may name this credential: MISTRAL_API_KEY, X_TOKEN."""
    stem = name.removesuffix("_KEY").removesuffix("_TOKEN") if name.endswith(("_KEY", "_TOKEN")) else ""
    return (
        stem != ""
        and stem[0] in UPPER
        and consists_of(stem, f"{UPPER}0123456789_")
        and not name.startswith(_RESERVED)
    )
