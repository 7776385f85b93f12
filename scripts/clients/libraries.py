"""The libraries of the table. A program of programs/ is the agent: a loop with two tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scripts.clients.client import BETTER, WORD, Client, Task
from tests.provider_fakes.plans import Step

_OPENAI = {"OPENAI_BASE_URL": "$origin/v1", "OPENAI_API_KEY": "$key"}
_ANTHROPIC = {"ANTHROPIC_BASE_URL": "$origin", "ANTHROPIC_API_KEY": "$key"}
_GOOGLE = {"GOOGLE_GEMINI_BASE_URL": "$origin", "GEMINI_API_KEY": "$key"}
_SLUICE = {"SLUICE_URL": "$origin/v1", "SLUICE_API_KEY": "$key"}

_CHAT, _RESPONSES, _MESSAGES = "/v1/chat/completions", "/v1/responses", "/v1/messages"
_GEMINI = "/v1beta/models"


def _plan(task: Task) -> Sequence[Step]:
    """Text beside two calls at once, then one call for each answer."""
    read, other = ("read_file", {"path": task.file}), ("read_file", {"path": task.other})
    edit = ("edit_file", {"path": task.file, "old": WORD, "new": BETTER})
    return (
        Step("I read both files.", (read, other), (task.read, task.other_text)),
        Step("", (edit,), ("edited",)),
        Step("", (read,), (task.read_again,)),
        Step(task.done),
    )


def _library(
    name: str,
    packages: str,
    endpoint: str,
    settings: Mapping[str, str],
    program: str,
    *,
    format: str = "",
    note: str = "",
) -> Client:
    """An entry for a program. `format`: its FORMAT, where a program has several."""
    return Client(
        name=name,
        packages=packages,
        endpoint=endpoint,
        settings=settings,
        command=("node" if program.endswith(".mjs") else "python", f"$programs/{program}"),
        quiet={"FORMAT": format, "PROMPT": "$prompt", "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
        plan=_plan,
        modes=("whole", "stream"),
        note=note,
    )


LIBRARIES: tuple[Client, ...] = (
    _library("openai 2, Python", "openai2", _CHAT, _OPENAI, "openai_chat.py"),
    _library("openai 3, Python", "openai3", _CHAT, _OPENAI, "openai_chat.py"),
    _library("openai, Node", "openai-node", _CHAT, _OPENAI, "openai_chat.mjs"),
    _library("openai 2, Python", "openai2", _RESPONSES, _OPENAI, "openai_responses.py"),
    _library("openai 3, Python", "openai3", _RESPONSES, _OPENAI, "openai_responses.py"),
    _library("openai, Node", "openai-node", _RESPONSES, _OPENAI, "openai_responses.mjs"),
    _library("anthropic, Python", "anthropic", _MESSAGES, _ANTHROPIC, "anthropic_messages.py"),
    _library("anthropic, Node", "anthropic-node", _MESSAGES, _ANTHROPIC, "anthropic_messages.mjs"),
    _library("google-genai, Python", "google-genai", _GEMINI, _GOOGLE, "google_genai.py"),
    _library("google-genai, Node", "google-genai-node", _GEMINI, _GOOGLE, "google_genai.mjs"),
    _library("AI SDK, compatible", "ai-sdk", _CHAT, _SLUICE, "ai_sdk.mjs", format="chat"),
    _library(
        "AI SDK, OpenAI",
        "ai-sdk",
        _RESPONSES,
        _SLUICE,
        "ai_sdk.mjs",
        format="responses",
        note="The provider of OpenAI needs `providerOptions: { openai: { store: false } }` in each request: "
        "without it, the SDK sends ids of items that it takes for stored.",
    ),
    _library("AI SDK, Anthropic", "ai-sdk", _MESSAGES, _SLUICE, "ai_sdk.mjs", format="messages"),
    _library("LangChain, OpenAI", "langchain", _CHAT, _OPENAI, "langchain_agent.py", format="chat"),
    _library("LangChain, OpenAI", "langchain", _RESPONSES, _OPENAI, "langchain_agent.py", format="responses"),
    _library(
        "LangChain, Anthropic", "langchain", _MESSAGES, _ANTHROPIC, "langchain_agent.py", format="messages"
    ),
    _library("LlamaIndex", "llama-index", _CHAT, _OPENAI, "llama_index_agent.py"),
    _library(
        "pydantic-ai, OpenAI", "pydantic-ai", _CHAT, _OPENAI, "pydantic_ai_agent.py", format="openai-chat"
    ),
    _library(
        "pydantic-ai, OpenAI",
        "pydantic-ai",
        _RESPONSES,
        _OPENAI,
        "pydantic_ai_agent.py",
        format="openai-responses",
    ),
    _library(
        "pydantic-ai, Anthropic",
        "pydantic-ai",
        _MESSAGES,
        _ANTHROPIC,
        "pydantic_ai_agent.py",
        format="anthropic",
    ),
    _library("OpenAI Agents", "openai-agents", _CHAT, _OPENAI, "openai_agents.py", format="chat_completions"),
    _library("OpenAI Agents", "openai-agents", _RESPONSES, _OPENAI, "openai_agents.py", format="responses"),
    _library("LiteLLM, openai/", "litellm", _CHAT, _OPENAI, "litellm_agent.py", format="openai"),
    _library(
        "LiteLLM, openai/responses/",
        "litellm",
        _RESPONSES,
        _OPENAI,
        "litellm_agent.py",
        format="openai/responses",
    ),
    _library("LiteLLM, anthropic/", "litellm", _MESSAGES, _ANTHROPIC, "litellm_agent.py", format="anthropic"),
    Client(
        name="llm",
        packages="llm",
        endpoint=_CHAT,
        settings={},
        files={
            ".config/io.datasette.llm/keys.json": '{"sluice": "$key"}\n',
            ".config/io.datasette.llm/extra-openai-models.yaml": """- model_id: $model
  model_name: $model
  api_base: $origin/v1
  api_key_name: sluice
  supports_tools: true
""",
        },
        command=("llm", "--model", "$model", "--functions", "$programs/tools.py", "$prompt"),
        quiet={"PROMPT": ""},
        plan=_plan,
    ),
)
