"""Names that go to Bedrock and come back."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from handler.errors import Json
from handler.providers.bedrock.translator import Bedrock
from handler.providers.provider import Quirks
from tests.handler.providers.bedrock.builders import function_tool, request


@given(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1, max_size=8))
def test_every_name_decodes_to_itself(name: str) -> None:
    spec = request({"tools": [function_tool(name)]})[0]["toolConfig"]["tools"][0]["toolSpec"]
    block = {"toolUse": {"toolUseId": "t", "name": spec["name"], "input": {}}}
    body = {"output": {"message": {"role": "assistant", "content": [block]}}, "stopReason": "tool_use"}
    answer = Bedrock().response(body, Quirks())
    assert answer["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == name


def test_a_custom_tool_is_called_with_text() -> None:
    spec = request({"tools": [{"type": "custom", "custom": {"name": "sh"}}]})[0]["toolConfig"]["tools"][0]
    name = spec["toolSpec"]["name"]
    events: list[Json] = [
        {"messageStart": {"role": "assistant"}},
        {
            "contentBlockStart": {
                "start": {"toolUse": {"toolUseId": "t", "name": name}},
                "contentBlockIndex": 0,
            }
        },
        {"contentBlockDelta": {"delta": {"toolUse": {"input": '{"input": "ls"}'}}, "contentBlockIndex": 0}},
        {"contentBlockStop": {"contentBlockIndex": 0}},
        {"messageStop": {"stopReason": "tool_use"}},
    ]
    decoder = Bedrock().stream(Quirks())
    deltas = [one["choices"][0]["delta"] for event in events for one in decoder.feed(json.dumps(event))]
    assert list(decoder.close()) == []
    (call,) = [one for delta in deltas for one in delta.get("tool_calls", ())]
    assert call == {"index": 0, "id": "t", "type": "custom", "custom": {"name": "sh", "input": "ls"}}
