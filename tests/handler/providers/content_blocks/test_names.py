"""Names of tools and ids of calls."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handler.providers.content_blocks.names import decode_name, encode_name, valid_call_id


@given(st.text(), st.booleans())
def test_every_name_decodes_to_itself(name: str, custom: bool) -> None:
    encoded = encode_name(name, custom=custom)
    assert decode_name(encoded) == (name, custom)
    assert encoded.replace("_", "").replace("-", "").isalnum() or not name.strip("_-")


@pytest.mark.parametrize("name", ["a._x2e_", "_x2e.", "_xct_a", "_x5f_", "x.y_x2", "_xct.", "_xffffff_"])
def test_names_that_look_encoded(name: str) -> None:
    assert decode_name(encode_name(name)) == (name, False)
    assert decode_name(encode_name(name, custom=True)) == (name, True)


@given(st.text(max_size=80), st.text(max_size=80))
def test_call_ids_are_valid_and_distinct(first: str, second: str) -> None:
    ids = valid_call_id(first), valid_call_id(second)
    for id in ids:
        assert id.replace("_", "").replace("-", "").isalnum() or set(id) <= {"_", "-"}
    assert (ids[0] == ids[1]) == (first == second)
