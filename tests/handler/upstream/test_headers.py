"""The client's headers that a provider receives."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from handler.upstream.headers import FORWARDED, forwarded_headers


def test_only_the_listed_headers_are_forwarded() -> None:
    own = {
        "authorization": "Bearer sk",
        "cookie": "a",
        "x-stainless-lang": "python",
        "user-agent": "x",
        "host": "h",
    }
    forwarded = dict.fromkeys(FORWARDED, "v1")
    sent = forwarded_headers({**own, **forwarded}, "k1")
    assert sent.keys() == forwarded.keys()
    assert {value for name, value in sent.items() if name != "idempotency-key"} == {"v1"}
    assert forwarded_headers({"openai-beta": "a\r\nhost: b", "accept-language": "é"}, "k1") == {}


def test_two_callers_never_share_an_idempotency_key() -> None:
    def sent(text: str, key: str) -> str:
        return forwarded_headers({"idempotency-key": text}, key)["idempotency-key"]

    assert sent("order-1", "k1") == sent("order-1", "k1")
    assert len({sent("order-1", "k1"), sent("order-1", "k2"), sent("order-2", "k1")}) == 3
    assert "order" not in sent("order-1", "k1")
    assert len(sent("x" * 5_000, "k1")) == 64


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(FORWARDED), st.text()))
def test_any_header_is_forwarded_or_left_out(headers: dict[str, str]) -> None:
    assert forwarded_headers(headers, "k1").keys() <= headers.keys()
