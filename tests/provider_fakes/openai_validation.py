"""What OpenAI's Chat Completions refuses beyond its types: a table of rules, each with its source.

Families of models: the documentation of reasoning models, and a client that follows it
(https://github.com/vercel/ai/tree/main/packages/openai, https://platform.openai.com/docs/guides/reasoning).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.provider_fakes.call import Json, Refusal
from tests.provider_fakes.validation import Problem, Rule, check_rules, find_family

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")  # of functions and of schemas, by the API reference


@dataclass(frozen=True, slots=True)
class Family:
    """`efforts`: empty if it does not reason. `sampling`: always, never, or idle (not reasoning)."""

    efforts: tuple[str, ...] = ()
    sampling: str = "always"
    max_output: int = 128_000  # tokens
    stop: bool = True
    tools_with_effort: bool = True


_USUAL = ("low", "medium", "high")
_MORE = (*_USUAL, "xhigh", "max")
FAMILIES: Mapping[str, Family] = {
    "gpt-4": Family(max_output=16_384),
    "o3": Family(_USUAL, "never", stop=False),
    "gpt-5.6": Family(("none", *_MORE), "idle", tools_with_effort=False),
    "gpt-5.": Family(("none", *_USUAL, "xhigh"), "idle"),
    "gpt-5": Family(("minimal", *_USUAL), "never"),
    "gpt-6-astra": Family(_MORE, "never"),
    "gpt-6.1-sol": Family(_MORE, "never"),
    "gpt-6": Family(("none", *_MORE), "idle"),
}


def check(body: Json) -> None:
    check_rules(RULES, body, family_of(body["model"]))


def family_of(model: str) -> Family:
    return find_family(
        FAMILIES,
        model,
        Refusal(f"The model `{model}` does not exist.", where="model", failure_class="not_found"),
    )


def is_reasoning(body: Json, family: Family) -> bool:
    """True if it reasons: a model that can does, unless `none` is its default or its effort."""
    default = "none" if "none" in family.efforts else "medium" if family.efforts else "none"
    return (body.get("reasoning_effort") or default) != "none"


def _reasoning(body: Json, family: Family) -> Iterator[Problem]:
    """https://platform.openai.com/docs/guides/reasoning"""
    model, effort = body["model"], body.get("reasoning_effort")
    if family.efforts and "max_tokens" in body:
        yield "max_tokens", "Unsupported parameter: use 'max_completion_tokens' instead."
    if effort is not None and effort not in family.efforts:
        yield "reasoning_effort", f"Unsupported value: '{effort}' is not supported with the '{model}' model."
    yield from _sampling(body, family)
    if not family.stop and body.get("stop"):
        yield "stop", "Unsupported parameter: 'stop' is not supported with this model."
    # https://github.com/itzcrazykns/vane/issues/1173
    if not family.tools_with_effort and body.get("tools") and is_reasoning(body, family):
        yield "reasoning_effort", f"Function tools with reasoning_effort are not supported for {model}."


def _sampling(body: Json, family: Family) -> Iterator[Problem]:
    """https://platform.openai.com/docs/guides/latest-model#parameter-compatibility"""
    if family.sampling == "never" or (family.sampling == "idle" and is_reasoning(body, family)):
        for name in ("temperature", "top_p", "logprobs", "top_logprobs"):
            if body.get(name) not in (None, 1, False):
                yield name, f"Unsupported value: '{name}' is not supported with this model."
    if family.efforts:
        for name in ("frequency_penalty", "presence_penalty", "logit_bias"):
            if body.get(name):
                yield name, f"Unsupported parameter: '{name}' is not supported with this model."


def _numbers(body: Json, family: Family) -> Iterator[Problem]:
    """Bounds of https://platform.openai.com/docs/api-reference/chat/create"""
    bounds = {"temperature": (0, 2), "top_p": (0, 1), "n": (1, 128)}
    bounds |= dict.fromkeys(("max_tokens", "max_completion_tokens"), (1, family.max_output))
    for name, (least, most) in bounds.items():
        if body.get(name) is not None and not least <= body[name] <= most:
            yield name, f"Invalid '{name}': must be between {least} and {most}."
    if isinstance(body.get("stop"), list) and not 1 <= len(body["stop"]) <= 4:
        yield "stop", "Invalid 'stop': expected an array with 1 to 4 items."
    if body.get("stream_options") is not None and not body.get("stream"):
        yield "stream_options", "The 'stream_options' parameter is only allowed when 'stream' is enabled."


def _tools(body: Json, family: Family) -> Iterator[Problem]:
    """https://platform.openai.com/docs/guides/function-calling"""
    names = [_named(tool) for tool in body.get("tools") or ()]
    if "tools" in body and not names:
        yield "tools", "Invalid 'tools': empty array. Expected an array with minimum length 1."
    for at, name in enumerate(names):
        if not NAME.fullmatch(name):
            yield f"tools[{at}].function.name", "Invalid: string does not match pattern '^[a-zA-Z0-9_-]+$'."
        if name in names[:at]:
            yield f"tools[{at}].function.name", f"Duplicate function name: {name}."
    for name in ("tool_choice", "parallel_tool_calls"):
        if not names and body.get(name) is not None:
            yield name, f"'{name}' is only allowed when 'tools' are specified."
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and choice["type"] == "function" and choice["function"]["name"] not in names:
        yield "tool_choice", "Tool choice is not among the specified tools."
    for at, tool in enumerate(body.get("tools") or ()):
        if tool["type"] == "function" and tool["function"].get("strict"):
            yield from strict(tool["function"].get("parameters", {}), f"tools[{at}].function.parameters")


def _named(tool: Json) -> str:
    return str(tool[tool["type"]]["name"])


def _format(body: Json, family: Family) -> Iterator[Problem]:
    """https://platform.openai.com/docs/guides/structured-outputs#supported-schemas, .../#json-mode"""
    output = body.get("response_format") or {"type": "text"}
    if output["type"] == "json_object" and "json" not in str(body["messages"]).lower():
        yield (
            "messages",
            "'messages' must contain the word 'json' to use 'response_format' of type 'json_object'.",
        )
    if output["type"] == "json_schema":
        schema = output["json_schema"]
        if not NAME.fullmatch(schema["name"]):
            yield "response_format.json_schema.name", "Invalid: does not match pattern '^[a-zA-Z0-9_-]+$'."
        if schema.get("strict"):
            yield from strict(schema["schema"], "response_format.json_schema.schema")


def strict(schema: Any, where: str, *, root: bool = True) -> Iterator[Problem]:
    """The root is an object. Objects are closed, and require all their properties."""
    if not isinstance(schema, dict):
        return
    if root and (schema.get("type") != "object" or "anyOf" in schema):
        yield where, "schema must be a JSON Schema of 'type: \"object\"', got another."
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            yield where, "'additionalProperties' is required to be supplied and to be false."
        if set(schema.get("required", ())) != set(schema.get("properties", {})):
            yield where, "'required' is required to be supplied and to be an array including every key."
    inner = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
    for one in (*inner, *schema.get("anyOf", ()), schema.get("items")):
        yield from strict(one, where, root=False)


_UNANSWERED = "An assistant message with 'tool_calls' must be followed by tool messages for each of them"


def _conversation(body: Json, family: Family) -> Iterator[Problem]:
    """Each call has its result in the messages that follow. https://platform.openai.com/docs/guides/function-calling"""
    if not body["messages"]:
        yield "messages", "Invalid 'messages': empty array."
    waiting: list[str] = []
    for at, message in enumerate(body["messages"]):
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                yield f"messages[{at}]", "'tool' must be a response to a preceding message with 'tool_calls'."
            else:
                waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            yield f"messages[{at}]", f"{_UNANSWERED}. Missing: {', '.join(waiting)}"
        waiting = [call["id"] for call in message.get("tool_calls") or ()]
    if waiting:
        yield "messages", _UNANSWERED


def _assistants(body: Json, family: Family) -> Iterator[Problem]:
    """https://platform.openai.com/docs/api-reference/chat/create#chat-create-messages"""
    for at, message in enumerate(body["messages"]):
        calls = message.get("tool_calls")
        if calls == []:
            yield f"messages[{at}].tool_calls", "Invalid: empty array. Expected minimum length 1."
        content = calls or message.get("refusal") or message.get("content") is not None
        if message["role"] == "assistant" and not content:
            yield f"messages[{at}].content", "Invalid value for 'content': expected a string, got null."
        for place, one in enumerate(calls or ()):
            if len(one["id"]) > 40:
                yield f"messages[{at}].tool_calls[{place}].id", "string too long: maximum length 40."
            if not NAME.fullmatch(_named(one)):
                yield f"messages[{at}].tool_calls[{place}].function.name", "does not match the pattern."


def _media(body: Json, family: Family) -> Iterator[Problem]:
    """https://platform.openai.com/docs/guides/images-vision, .../docs/guides/pdf-files"""
    for at, message in enumerate(body["messages"]):
        for place, part in enumerate(parts(message)):
            where = f"messages[{at}].content[{place}]"
            if part["type"] == "image_url" and not data_of(part["image_url"]["url"], "image/"):
                yield f"{where}.image_url.url", "You uploaded an unsupported image."
            if part["type"] == "file" and not data_of(part["file"].get("file_data", ""), "application/pdf"):
                yield f"{where}.file.file_data", "Invalid file data: expected a base64-encoded data URL."


def parts(message: Json) -> list[Json]:
    content = message.get("content") or []
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def data_of(url: str, kind: str) -> tuple[str, str] | None:
    """The type and the base64 of a data URL whose type begins with `kind`."""
    found = re.fullmatch(r"data:([a-z]+/[a-z+.-]+);base64,(.+)", url, re.DOTALL)
    if found is None or not found[1].startswith(kind):
        return None
    try:
        base64.b64decode(found[2], validate=True)
    except ValueError:
        return None
    return found[1], found[2]


RULES: tuple[Rule[Family], ...] = (_conversation, _assistants, _media, _numbers, _reasoning, _tools, _format)
