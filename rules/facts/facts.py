"""The facts of a request: the closed vocabulary of conditions, and other inputs of a decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, NamedTuple

from rules.frozen import Frozen

PREFERENCES = ("cheap", "fast", "quality", "balanced")
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")  # of reasoning, in ascending order
CLIENT_FORMATS = ("openai", "anthropic", "responses", "gemini", "bedrock")  # the formats of clients
# The operations of the API that a model does, each with endpoints of its own.
OPERATIONS = (
    *("chat", "embeddings", "completion", "rerank", "moderation", "image", "speech", "transcription"),
)
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Facts(Frozen):
    """The facts of one request. None: absent; of an absent fact only `exists: false` holds."""

    hidden = frozenset({"opening"})

    # facts that a condition may name (contract, section 5)
    operation: str = "chat"  # one of OPERATIONS
    model: str | None = None  # as the request names it; None for no model and for "auto"
    dialect: str = "openai"  # the client's format, one of CLIENT_FORMATS
    project: str = "default"
    key: str = ""  # the key's id, never the key
    function: str | None = None  # x-sluice-function
    user: str | None = None
    session: str | None = None  # the conversation, as the client names it; and its agent
    agent: str | None = None
    stream: bool = False
    tools: int = 0  # number of tools declared
    images: int = 0  # number of content parts of each type
    audio: int = 0
    files: int = 0
    messages: int = 0
    json: str | None = None  # text | object | schema; None without a response_format
    reasoning: str | None = None  # the reasoning effort
    input_tokens: int = 0  # an estimate
    max_tokens: int | None = None
    tags: Mapping[str, str] = {}
    metadata: Mapping[str, str] = {}
    header: Mapping[str, str] = {}  # lower-case names
    hour: int = 12  # UTC
    weekday: str = "mon"  # mon..sun, UTC
    bucket: int = 0  # 0..99

    # other inputs of the decision; not part of the vocabulary
    prefer: str | None = None  # from the model's suffix, a header or the body (route.prefer, hints.prefer)
    fallbacks: tuple[str, ...] = ()  # fallback_models, or `models` after its first
    n: int = 1
    default_model: str | None = None  # of an operation, where its API has one
    units: Mapping[str, int] = {}  # an estimate, by unit of a price besides tokens
    service_tier: str = ""
    linked_part: str | None = None  # path of the first content part given by URL: `messages[0].content[1]`
    custom_tools: int = 0  # number of tools whose input is a text
    document_tokens: int = 0  # part of input_tokens: documents, whose pages only a provider can count
    random: float = 0.0  # 0 <= random < 1, drawn by the caller: what `split` uses per request
    key_models: tuple[str, ...] | None = None  # the key's own patterns; None: no restriction
    opening: str = ""  # the text of the first system and the first user message


class FactType(NamedTuple):
    """The type of a fact, which determines the operators and values that a condition can use."""

    kind: str  # text | effort | flag | count | number
    choices: tuple[str, ...] = ()  # the only values of a text
    maximum: int | None = None  # of a number; the minimum is 0
    ignore_case: bool = False
    scalars: bool = False  # numbers and booleans are accepted too, and are compared as texts


TEXT, COUNT, NUMBER = FactType("text"), FactType("count"), FactType("number")
SCALAR_TEXT = FactType("text", scalars=True)

VOCABULARY: Mapping[str, FactType] = {
    "operation": FactType("text", choices=OPERATIONS),
    "model": FactType("text", ignore_case=True),
    "dialect": FactType("text", choices=CLIENT_FORMATS),
    "project": TEXT,
    "key": TEXT,
    "function": TEXT,
    "user": TEXT,
    "session": TEXT,
    "agent": TEXT,
    "stream": FactType("flag"),
    "tools": COUNT,
    "images": COUNT,
    "audio": COUNT,
    "files": COUNT,
    "messages": COUNT,
    "json": FactType("text", choices=("text", "object", "schema")),
    "reasoning": FactType("effort"),
    "input_tokens": NUMBER,
    "max_tokens": NUMBER,
    "hour": FactType("number", maximum=23),
    "weekday": FactType("text", choices=WEEKDAYS),
    "bucket": FactType("number", maximum=99),
}

# Families of facts, which a condition names as `tags.<name>`.
FAMILIES: Mapping[str, FactType] = {"tags": SCALAR_TEXT, "metadata": SCALAR_TEXT, "header": SCALAR_TEXT}

# Headers that hold secrets: no condition can name them, and no explanation shows them.
SECRET_HEADERS = frozenset(
    {
        *("authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "x-amz-security-token"),
        "x-sluice-edge",
    }
)


def is_secret_header(name: str) -> bool:
    low = name.lower()
    return low in SECRET_HEADERS or low.startswith("proxy-")


def fact_type(name: str) -> FactType | None:
    """Return the type of the fact called `name`, or None if a condition cannot name it."""
    family, dot, member = name.partition(".")
    if not dot:
        return VOCABULARY.get(name)
    if not member or (family == "header" and not _is_allowed_header(member)):
        return None
    return FAMILIES.get(family)


def _is_allowed_header(name: str) -> bool:
    return name == name.lower() and not is_secret_header(name)


def fact_getter(name: str) -> Callable[[Facts], Any]:
    """Return a function that looks up the fact called `name`; its result is None for an absent fact."""
    family, dot, member = name.partition(".")
    if not dot:
        return attrgetter(name)
    members = attrgetter(family)
    return lambda facts: members(facts).get(member)
