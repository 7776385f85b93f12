"""What Anthropic's Messages refuses beyond its types: a table of rules, each with its source.

Families of models: https://platform.claude.com/docs/en/about-claude/models/overview,
.../build-with-claude/effort, .../adaptive-thinking, and https://github.com/vercel/ai/tree/main/packages/anthropic.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.provider_fakes.call import Json, Refusal
from tests.provider_fakes.thought_signatures import is_genuine
from tests.provider_fakes.validation import Problem, Rule, check_rules, find_family

TOOL = re.compile(r"[a-zA-Z0-9_-]{1,128}")  # https://platform.claude.com/docs/en/agents-and-tools/tool-use
ARGUMENT = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
ID = re.compile(r"[a-zA-Z0-9_-]+")
SAMPLING = ("temperature", "top_p", "top_k")
THOUGHTS = ("thinking", "redacted_thinking")
_MAGIC = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"%PDF": "application/pdf",
}
# https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations
_SCHEMA_KEYWORDS = frozenset(
    {
        *("type", "properties", "required", "items", "enum", "const", "default", "anyOf", "allOf", "$ref"),
        *("$defs", "definitions", "title", "description", "format", "additionalProperties"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    max_output: int = 128_000  # tokens
    sampling: bool = False
    thinking: tuple[str, ...] = ("adaptive", "disabled")
    always_thinks: bool = False
    efforts: tuple[str, ...] = ("low", "medium", "high", "xhigh", "max")
    forced_calls: bool = True
    prefill: bool = False
    late_systems: bool = True  # a system message may follow others


_NEWEST = Family(thinking=("adaptive",), always_thinks=True, forced_calls=False)
_BUDGET = Family(
    max_output=64_000,
    sampling=True,
    thinking=("enabled", "disabled"),
    efforts=(),
    prefill=True,
    late_systems=False,
)
FAMILIES: Mapping[str, Family] = {
    "claude-sonnet-5-5": Family(
        thinking=("adaptive", "between_tools"), always_thinks=True, forced_calls=False
    ),
    "claude-opus-5-5": _NEWEST,
    "claude-fable-5-": _NEWEST,
    "claude-mythos-5-": _NEWEST,
    "claude-fable-5": Family(thinking=("adaptive",), always_thinks=True),
    "claude-mythos-5": Family(thinking=("adaptive",), always_thinks=True),
    "claude-haiku-5-5": Family(),
    "claude-opus-5": Family(thinking=("adaptive", "enabled", "disabled")),
    "claude-opus-4-8": Family(thinking=("adaptive", "enabled", "disabled")),
    "claude-opus-4-7": Family(thinking=("adaptive", "enabled", "disabled"), late_systems=False),
    "claude-sonnet-5": Family(thinking=("adaptive", "enabled", "disabled")),
    "claude-sonnet-4-6": Family(
        sampling=True,
        thinking=("adaptive", "enabled", "disabled"),
        efforts=("low", "medium", "high", "max"),
        late_systems=False,
    ),
    "claude-haiku-4-5": _BUDGET,
    "claude-sonnet-4-5": _BUDGET,
}


def check(body: Json) -> None:
    check_rules(RULES, body, family_of(body["model"]))


def family_of(model: str) -> Family:
    return find_family(FAMILIES, model, Refusal(f"model: {model}", failure_class="not_found"))


def thinking_of(body: Json) -> str:
    default = "adaptive" if family_of(body["model"]).always_thinks else "disabled"
    return str(body.get("thinking", {"type": default})["type"])


def thinks(body: Json) -> bool:
    return thinking_of(body) in ("adaptive", "enabled")


def blocks_of(message: Json) -> list[Json]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _turns(body: Json, family: Family) -> Iterator[Problem]:
    """https://platform.claude.com/docs/en/api/messages: the user begins."""
    messages = body["messages"]
    if not messages:
        yield "messages", "at least one message is required"
    elif messages[0]["role"] != "user":
        yield "messages", 'first message must use the "user" role'
    for at, message in enumerate(messages):
        if not blocks_of(message) and (at < len(messages) - 1 or message["role"] != "assistant"):
            yield f"messages.{at}", "all messages must have non-empty content"
        if message["role"] == "system":
            yield from _system(messages, at, family)
    if messages and messages[-1]["role"] == "assistant":
        yield from _prefill(blocks_of(messages[-1]), family)


def _system(messages: list[Json], at: int, family: Family) -> Iterator[Problem]:
    """https://platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages"""
    if not family.late_systems:
        yield f"messages.{at}.role", 'unexpected role "system": use the top-level `system` parameter'
    after = messages[at + 1]["role"] if at + 1 < len(messages) else "assistant"
    if messages[at - 1]["role"] != "user" or after != "assistant":
        yield f"messages.{at}", "a system message follows a user turn and comes before an assistant's"


def _prefill(blocks: list[Json], family: Family) -> Iterator[Problem]:
    """https://platform.claude.com/docs/en/about-claude/models/migration-guide"""
    if not family.prefill:
        yield "messages", "This model does not support assistant message prefill."
    if blocks and blocks[-1].get("text", "").rstrip() != blocks[-1].get("text", ""):
        yield "messages", "final assistant content cannot end with trailing whitespace"


def covered_blocks(blocks: list[Json]) -> list[Json]:
    """The blocks that a thought's signature covers: those before it, without thoughts and cache marks.

    A call counts without its input: Claude Code returns it with defaults that the model left out.
    """
    content = [block for block in blocks if block["type"] not in THOUGHTS]
    left_out = {"cache_control", "input"}
    return [{name: one for name, one in block.items() if name not in left_out} for block in content]


def all_blocks(body: Json) -> list[Json]:
    """The blocks of all turns, in order."""
    return [block for _, blocks in _turns_of(body["messages"]) for block in blocks]


def _texts(body: Json, family: Family) -> Iterator[Problem]:
    """https://platform.claude.com/docs/en/api/errors; as clients saw them: anthropics/claude-code#23369"""
    every = [("system", block) for block in _system_blocks(body)]
    every += [
        (f"messages.{at}", block) for at, one in enumerate(body["messages"]) for block in blocks_of(one)
    ]
    for where, block in every:
        inner = block.get("content")
        for text in (block, *(inner if block["type"] == "tool_result" and isinstance(inner, list) else ())):
            if text["type"] == "text" and not text["text"].strip():
                yield where, "text content blocks must be non-empty and contain non-whitespace text"
    for text in body.get("stop_sequences", ()):
        if not text.strip():
            yield "stop_sequences", "each stop sequence must contain non-whitespace"


def _system_blocks(body: Json) -> list[Json]:
    system = body.get("system", [])
    return [{"type": "text", "text": system}] if isinstance(system, str) else system


def _tool_turns(body: Json, family: Family) -> Iterator[Problem]:
    """Each call has a result in the next turn, before its other blocks.

    https://platform.claude.com/docs/en/agents-and-tools/tool-use/handle-tool-calls
    """
    turns = _turns_of(body["messages"])
    known: set[str] = set()
    for at, (role, blocks) in enumerate(turns):
        ids = [block["id"] for block in blocks if block["type"] == "tool_use"]
        if len(set(ids)) != len(ids) or known & set(ids):
            yield f"messages.{at}", "`tool_use` ids must be unique"
        known |= set(ids)
        for block in blocks:
            if block["type"] == "tool_use" and not (
                ID.fullmatch(block["id"]) and TOOL.fullmatch(block["name"])
            ):
                yield f"messages.{at}", f"tool_use: String should match pattern '^[a-zA-Z0-9_-]+$': {block}"
        call_ids = [one["id"] for one in turns[at - 1][1] if one["type"] == "tool_use"] if at else []
        yield from _results(role, blocks, call_ids, f"messages.{at}")
    if turns and any(block["type"] == "tool_use" for block in turns[-1][1]):
        yield "messages", "`tool_use` ids were found without `tool_result` blocks immediately after"


def _turns_of(messages: list[Json]) -> list[tuple[str, list[Json]]]:
    """The turns: neighbours of one role are one turn. A system message is not a turn."""
    turns: list[tuple[str, list[Json]]] = []
    for message in messages:
        if message["role"] == "system":
            continue
        if turns and turns[-1][0] == message["role"]:
            turns[-1][1].extend(blocks_of(message))
        else:
            turns.append((message["role"], list(blocks_of(message))))
    return turns


def _results(role: str, blocks: list[Json], call_ids: list[str], where: str) -> Iterator[Problem]:
    result_ids = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    if role == "user" and set(call_ids) - set(result_ids):
        yield where, "`tool_use` ids were found without `tool_result` blocks immediately after"
    if set(result_ids) - set(call_ids):
        yield where, "unexpected `tool_use_id` found in `tool_result` blocks"
    if len(set(result_ids)) != len(result_ids):
        yield where, "each tool_use must have a single result"
    if any(block["type"] != "tool_result" for block in blocks[: len(result_ids)]):
        yield where, "`tool_result` blocks must come first in the turn"


def _tools(body: Json, family: Family) -> Iterator[Problem]:
    """https://platform.claude.com/docs/en/agents-and-tools/tool-use/implement-tool-use"""
    tools = body.get("tools") or []
    names = [tool["name"] for tool in tools]
    if len(set(names)) != len(names):
        yield "tools", "Tool names must be unique."
    for at, tool in enumerate(tools):
        schema = tool["input_schema"]
        if not TOOL.fullmatch(tool["name"]):
            yield f"tools.{at}.custom.name", "String should match pattern '^[a-zA-Z0-9_-]{1,128}$'"
        if schema.get("type") != "object" or schema.keys() & {"oneOf", "anyOf", "allOf"}:
            yield (
                f"tools.{at}.custom.input_schema",
                "input_schema must be an object, without oneOf, allOf, or anyOf",
            )
        if invalid := [name for name in schema.get("properties", ()) if not ARGUMENT.fullmatch(name)]:
            where = f"tools.{at}.custom.input_schema.properties"
            yield where, f"Property keys should match pattern '{ARGUMENT.pattern}', not {invalid[0]!r}"
        if tool.get("strict"):
            yield from _check_schema(schema, f"tools.{at}.custom.input_schema")
    used = {"tool_use", "tool_result"} & {one["type"] for turn in body["messages"] for one in blocks_of(turn)}
    if used and not tools:
        yield "tools", "Requests which have `tool_use` or `tool_result` blocks in messages must define tools"


def _choice(body: Json, family: Family) -> Iterator[Problem]:
    """https://platform.claude.com/docs/en/agents-and-tools/tool-use/define-tools#forcing-tool-use"""
    choice = body.get("tool_choice", {"type": "auto"})
    forced = choice["type"] in ("any", "tool")
    if "tool_choice" in body and not body.get("tools"):
        yield "tool_choice", "tool_choice may only be specified while providing tools"
    if choice["type"] == "tool" and choice["name"] not in [tool["name"] for tool in body.get("tools", ())]:
        yield "tool_choice", f"Tool '{choice['name']}' not found in provided tools"
    if forced and not family.forced_calls:
        yield "tool_choice", "forced tool use is not supported for this model"
    if forced and thinks(body) and not family.always_thinks:
        yield "tool_choice", "Thinking may not be enabled when tool_choice forces tool use."


def _sampling(body: Json, family: Family) -> Iterator[Problem]:
    """https://platform.claude.com/docs/en/about-claude/models/migration-guide"""
    given = [name for name in SAMPLING if name in body]
    if given and not family.sampling:
        yield given[0], f"`{given[0]}` is not supported for this model"
    if "temperature" in given and "top_p" in given:
        yield "temperature", "`temperature` and `top_p` cannot both be specified for this model."
    if not 0 <= body.get("temperature", 0) <= 1:
        yield "temperature", "Input should be less than or equal to 1"
    if given and thinks(body):
        yield given[0], "may only be set to 1 when thinking is enabled"


def _thinking(body: Json, family: Family) -> Iterator[Problem]:
    """https://platform.claude.com/docs/en/build-with-claude/extended-thinking, .../effort"""
    kind, most = thinking_of(body), body["max_tokens"]
    effort = body.get("output_config", {}).get("effort")
    if not 0 <= most <= family.max_output:
        yield (
            "max_tokens",
            f"{most} > {family.max_output}, which is the maximum allowed number of output tokens",
        )
    if "thinking" in body and kind not in family.thinking:
        yield "thinking.type", f'"thinking.type.{kind}" is not supported for this model.'
    if kind == "enabled" and not 1024 <= body["thinking"]["budget_tokens"] < most:
        yield "thinking.budget_tokens", "must be at least 1024 and less than `max_tokens`"
    if effort is not None and effort not in family.efforts:
        yield "output_config.effort", f"This model does not support effort level '{effort}'."


def _thoughts(body: Json, family: Family) -> Iterator[Problem]:
    """Thoughts return unchanged, to the same model, after the same blocks, and first in their turn.

    https://platform.claude.com/docs/en/build-with-claude/extended-thinking#preserving-thinking-blocks
    """
    blocks = all_blocks(body)
    for at, block in enumerate(blocks):
        signed = ("claude", body["model"], block.get("thinking"), covered_blocks(blocks[:at]))
        if block["type"] == "thinking" and not is_genuine(block["signature"], *signed):
            yield "messages", "Invalid `signature` in `thinking` block"
    latest = [blocks for role, blocks in _turns_of(body["messages"]) if role == "assistant"][-1:]
    in_turn = any(one["type"] == "tool_result" for one in blocks_of(body["messages"][-1]))
    for blocks in latest:
        types = [block["type"] for block in blocks]
        if thinking_of(body) == "disabled" and set(types) & set(THOUGHTS):
            yield "messages", "When thinking is disabled, an `assistant` message cannot contain `thinking`."
        if thinking_of(body) == "enabled" and in_turn and types[0] not in THOUGHTS:
            yield "messages", f"Expected `thinking` or `redacted_thinking`, but found `{types[0]}`."


def _media(body: Json, family: Family) -> Iterator[Problem]:
    """https://platform.claude.com/docs/en/build-with-claude/vision, .../pdf-support"""
    for at, message in enumerate(body["messages"]):
        for block in blocks_of(message):
            source = block.get("source", {"type": "none"})
            if source["type"] == "base64" and _magic(source["data"]) not in (None, source["media_type"]):
                yield f"messages.{at}", "the image does not match the provided media type"
            if source["type"] == "base64" and block["type"] not in ("image", "document"):
                yield f"messages.{at}", f"{block['type']} has no source"


def _magic(data: str) -> str | None:
    """The type of the bytes, "" if they are not base64, None if unknown."""
    try:
        start = base64.b64decode(data, validate=True)[:4]
    except ValueError:
        return ""
    return next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), None)


def _caching(body: Json, family: Family) -> Iterator[Problem]:
    """https://platform.claude.com/docs/en/build-with-claude/prompt-caching"""
    blocks = [*body.get("tools", ()), *_system_blocks(body), body]
    blocks += [block for message in body["messages"] for block in blocks_of(message)]
    if sum("cache_control" in block for block in blocks) > 4:
        yield "cache_control", "A maximum of 4 blocks with cache_control may be provided."


def _format(body: Json, family: Family) -> Iterator[Problem]:
    """https://platform.claude.com/docs/en/build-with-claude/structured-outputs"""
    output = body.get("output_config", {}).get("format")
    if output:
        yield from _check_schema(output["schema"], "output_config.format.schema")


def _check_schema(schema: Any, where: str) -> Iterator[Problem]:
    """A schema has no bounds and no recursion, and its objects are closed."""
    if not isinstance(schema, dict):
        return
    if unknown := schema.keys() - _SCHEMA_KEYWORDS:
        yield where, f"For '{schema.get('type')}' type, {sorted(unknown)} are not supported"
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        yield where, "For 'object' type, 'additionalProperties' must be explicitly set to false"
    if schema.get("$ref") == "#":
        yield where, "Recursive schemas are not supported"
    inner = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
    for one in (*inner, *schema.get("anyOf", ()), schema.get("items")):
        yield from _check_schema(one, where)


RULES: tuple[Rule[Family], ...] = (
    _turns,
    _texts,
    _tool_turns,
    _tools,
    _choice,
    _sampling,
    _thinking,
    _media,
    _thoughts,
    _caching,
    _format,
)
