"""The fields and models that a row refuses."""

from __future__ import annotations

import pytest

from handler.errors import Json
from handler.providers.quirks.refused_fields import refused_field
from handler.providers.rows.builtin import PROVIDERS

TOOL = {"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}}


@pytest.mark.parametrize(
    ("chat", "allow", "expected"),
    [
        pytest.param({"plugins": []}, (), "plugins", id="a field that is refused"),
        pytest.param({"plugins": None}, (), None, id="a refused field that is null"),
        pytest.param({"plugins": []}, ("plugins",), None, id="a refused field that a rule allows"),
        pytest.param({"service_tier": "priority"}, (), "service_tier", id="a value that is refused"),
        pytest.param({"service_tier": "flex"}, (), None, id="another value of the field"),
        pytest.param({"service_tier": "priority"}, ("service_tier",), None, id="a value that a rule allows"),
        pytest.param({"tools": [TOOL, {"type": "web"}]}, (), "tools", id="a type of tool that is refused"),
        pytest.param({"tools": [TOOL]}, (), None, id="another type of tool"),
        pytest.param({"tools": "web", "seed": 1}, (), None, id="tools that are not a list"),
    ],
)
def test_refused_fields(chat: Json, allow: tuple[str, ...], expected: str | None) -> None:
    refuse = frozenset({"plugins", "service_tier=priority", "tools.web"})
    assert refused_field(chat, refuse, allow, model="a") == expected


@pytest.mark.parametrize(
    ("model", "allow", "expected"),
    [
        pytest.param("openai/gpt-4o:online", (), "model", id="a model that searches the web"),
        pytest.param("OpenAI/GPT-4o:Online", (), "model", id="a name in capitals"),
        pytest.param("@preset/mine", (), "model", id="a preset"),
        pytest.param("openai/gpt-4o@preset/mine", (), "model", id="a model with a preset"),
        pytest.param("openrouter/auto", (), "model", id="a router that chooses the model"),
        pytest.param("openai/gpt-4o:online", ("plugins",), "model", id="a rule that allows another field"),
        pytest.param("openai/gpt-4o:online", ("model",), None, id="a model that a rule allows"),
        pytest.param("openai/gpt-4o:free", (), None, id="another variant of a model"),
        pytest.param(
            "perplexity/llama-3.1-sonar-small-128k-online", (), None, id="a name with a similar end"
        ),
    ],
)
def test_refused_models(model: str, allow: tuple[str, ...], expected: str | None) -> None:
    refuse = PROVIDERS["openrouter"].quirks.refuse
    assert refused_field({"model": "whatever was asked for"}, refuse, allow, model=model) == expected
