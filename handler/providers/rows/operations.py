"""Where built-in providers have operations besides chat, if it is not as their dialect says."""

from __future__ import annotations

from collections.abc import Mapping

from handler.providers.provider import Endpoint, Provider

# Hosts of models for search, which have no chat. https://docs.voyageai.com/reference, https://jina.ai
SEARCH = (
    Provider(name="voyage", base_url="https://api.voyageai.com/v1", credential="VOYAGE_API_KEY"),
    Provider(name="jina", base_url="https://api.jina.ai/v1", credential="JINA_API_KEY"),
)

_COHERE = "/compatibility/v1"  # the end of Cohere's base_url, which has a chat only


def _served(*operations: str) -> Mapping[str, Endpoint]:
    """Return operations that are served in OpenAI's format, at its paths."""
    return dict.fromkeys(operations, Endpoint())


# By provider. https://docs.cohere.com/reference/embed, https://docs.cohere.com/reference/rerank,
# https://api-docs.deepseek.com/api/create-completion, https://docs.fireworks.ai/api-reference/rerank-documents,
# https://docs.mistral.ai/api, https://docs.x.ai/developers/rest-api-reference
ENDPOINTS: Mapping[str, Mapping[str, Endpoint]] = {
    "cohere": {
        "chat": Endpoint(),
        "embeddings": Endpoint("cohere", "/v2/embed", _COHERE),
        "rerank": Endpoint(path="/v2/rerank", remove=_COHERE),
    },
    "deepseek": {"chat": Endpoint(), "completion": Endpoint(path="/beta/completions")},
    "fireworks": {**_served("chat", "completion", "embeddings"), "rerank": Endpoint("fireworks")},
    "jina": {"embeddings": Endpoint("jina"), "rerank": Endpoint()},
    "mistral": _served("chat", "embeddings", "moderation", "transcription"),  # its speech is JSON
    "perplexity": _served("chat"),  # its embeddings are bytes, not floats
    "xai": _served("chat", "completion", "image"),  # its transcriptions have a path and a format of their own
    "voyage": {"embeddings": Endpoint("voyage"), "rerank": Endpoint("voyage")},
}
# Providers whose chat models take a plain prompt, too. https://docs.together.ai/reference/completions-1,
# https://docs.fireworks.ai/api-reference/post-completions, https://openrouter.ai/docs/api/reference/overview,
# https://inference-docs.cerebras.ai/api-reference/completions, https://docs.ollama.com/api/openai-compatibility,
# https://docs.vllm.ai/en/latest/serving/openai_compatible_server/, https://lmstudio.ai/docs/app/api/endpoints/openai
PROMPTS = frozenset(
    {"cerebras", "deepseek", "fireworks", "lmstudio", "ollama", "openrouter", "together", "vllm"}
)
