"""The surface of OpenAI's Responses, at the hosts that serve it beside Chat Completions.

https://platform.openai.com/docs/api-reference/responses
"""

from __future__ import annotations

from handler.providers.provider import Quirks, Surface
from handler.providers.rows.compatible import OPENAI_ONLY

_LACKS = frozenset({"n", "audio"})

RESPONSES = Surface(
    path="",
    dialect="responses",
    every_model=True,
    # https://learn.microsoft.com/azure/ai-foundry/openai/how-to/responses
    versioned_path="/openai",
    quirks=Quirks(
        unable=_LACKS,
        legacy=False,
        # Costs more than the catalogue says: https://platform.openai.com/docs/guides/priority-processing
        refuse=frozenset({"service_tier=priority", "service_tier=fast"}),
    ),
)

# https://docs.x.ai/docs/api-reference#create-new-response. Other tools than functions are refused.
XAI_RESPONSES = Surface(
    path="",
    dialect="responses",
    quirks=Quirks(unable=_LACKS | {"custom_tools"}, drop=OPENAI_ONLY, legacy=False),
)
