"""The row of Bedrock, which has three APIs at one address: Converse, and two surfaces.

https://docs.aws.amazon.com/bedrock/latest/userguide/endpoints.html
"""

from __future__ import annotations

from handler.providers.provider import Provider, Quirks, Surface
from handler.providers.rows.compatible import ANSWER_FIELDS, compatible

_CONVERSE = Quirks(
    unable=frozenset({"n", "urls"}),
    legacy=False,
    # Costs more than the catalogue says: https://docs.aws.amazon.com/bedrock/latest/userguide/service-tiers-inference.html
    refuse=frozenset(
        {"service_tier=priority", "service_tier=reserved", "web_search_options", "performanceConfig"}
    ),
)
# https://docs.aws.amazon.com/bedrock/latest/userguide/inference-messages-api.html
_MESSAGES = Surface(
    path="/anthropic/v1",
    dialect="anthropic",
    headers={"anthropic-version": "2023-06-01"},
    quirks=Quirks(unable=frozenset({"n", "urls"}), legacy=False),
)
# https://docs.aws.amazon.com/bedrock/latest/userguide/inference-chat-completions.html
_COMPLETIONS = Surface(
    path="/openai/v1",
    dialect="openai",
    quirks=compatible(
        rename={"max_tokens": "max_completion_tokens"},
        drop=frozenset({"logit_bias", "frequency_penalty", "presence_penalty"}),
        unable=frozenset({"n", "urls"}),
        # https://hexdocs.pm/req_llm/ReqLLM.Providers.AmazonBedrock.OpenAI.html
        message_drop=ANSWER_FIELDS | {"name"},
        call_ids=False,  # each turn begins with call_0
        reasoning_tag="reasoning",  # gpt-oss
    ),
)

BEDROCK = Provider(
    name="bedrock",
    dialect="bedrock",
    base_url="https://bedrock-runtime.{region}.amazonaws.com",
    credential="AWS_BEARER_TOKEN_BEDROCK",
    auth="sigv4",
    hosts=(
        "bedrock-runtime.*.amazonaws.com",
        "bedrock-runtime-fips.*.amazonaws.com",
        "*.bedrock-runtime.*.vpce.amazonaws.com",  # interface endpoints
    ),
    enabled=False,
    quirks=_CONVERSE,
    surfaces={"anthropic": _MESSAGES, "openai": _COMPLETIONS},
)
