"""Tests of handler/providers/google/names.py."""

from __future__ import annotations

import pytest

from handler.providers.google.names import decode_name, encode_name


@pytest.mark.parametrize("name", ["look", "_x", "a.b:c-d", "2see", "-x", "_:x", "_:_:x", ".a", "x" * 128])
def test_decoding_restores_an_encoded_name(name: str) -> None:
    assert encode_name(name)[0].isalpha() or encode_name(name)[0] == "_"
    assert decode_name(encode_name(name)) == name
