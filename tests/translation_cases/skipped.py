"""The numbers without a case: where they are tested, or why they are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# number -> its tests
TESTED_ELSEWHERE: Mapping[int, Sequence[str]] = {
    140: (
        "tests/stories/test_gateway.py::test_the_upstream_request_is_closed_when_the_client_disconnects",
        "tests/handler/relay/test_relay_stream.py::test_a_client_disconnect_closes_the_upstream",
    ),
    141: (
        "tests/stories/test_gateway.py::test_keep_alives_are_sent_during_silence_and_failures_as_events",
        "tests/handler/relay/test_timeouts.py::test_the_time_limit_of_the_first_token",
        "tests/handler/relay/test_relay_stream.py::test_bytes_of_any_kind_keep_a_stream_alive",
    ),
    142: (
        "tests/handler/relay/test_relay_stream.py::test_an_answer_that_breaks_off_ends_with_an_error_and_without_done",
        "tests/handler/relay/test_final_error.py::test_the_final_error_summarizes_all_attempts",
    ),
}

_NOT_SERVED = "POST /messages is not served yet: no client speaks Anthropic's format here."
UNSERVED: Mapping[int, str] = {
    30: f"{_NOT_SERVED} Results would become tool messages, followed by the user's text.",
    31: f"{_NOT_SERVED} A tool without a type would be the client's, others the provider's.",
    32: f"{_NOT_SERVED} tool_use_id would be kept.",
    120: f"{_NOT_SERVED} Its message_delta would wait for usage after the end.",
    149: f"{_NOT_SERVED} Its events, ids and block numbers would be Anthropic's.",
    150: "POST /messages/count_tokens is not served yet.",
}
