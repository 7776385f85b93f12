"""What OpenAI's Responses refuses beyond its types: a table of rules, each with its source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.provider_fakes.call import Json
from tests.provider_fakes.openai_validation import NAME, Family, data_of, family_of, strict
from tests.provider_fakes.thought_signatures import sign
from tests.provider_fakes.validation import Problem, Rule, check_rules

_MAX_ID = 64  # characters: https://github.com/decolua/9router/issues/393


def check(body: Json) -> None:
    check_rules(RULES, body, family_of(body["model"]))


def is_reasoning(body: Json, family: Family) -> bool:
    default = "none" if "none" in family.efforts else "medium" if family.efforts else "none"
    return (body.get("reasoning", {}).get("effort") or default) != "none"


def parts(content: Any) -> list[Json]:
    return [{"type": "input_text", "text": content}] if isinstance(content, str) else content


def items(body: Json) -> list[Json]:
    """The items of the input. A message may stand without its type."""
    given = body["input"]
    return [{"type": "message", **item} for item in given] if isinstance(given, list) else [_message(given)]


def tools(body: Json) -> Iterator[Json]:
    """The tools that the client runs, also those in items of the input; in a namespace, with its name."""
    added = [item["tools"] for item in items(body) if item["type"] == "additional_tools"]
    for tool in (*(body.get("tools") or ()), *(tool for more in added for tool in more)):
        if tool["type"] == "namespace":
            yield from ({**inner, "namespace": tool["name"]} for inner in tool["tools"])
        elif "name" in tool:
            yield tool


def _message(text: str) -> Json:
    return {"type": "message", "role": "user", "content": text}


def _state(body: Json, family: Family) -> Iterator[Problem]:
    """Sluice has the provider store nothing."""
    if body.get("store") is not False:
        yield "store", "the answer would be stored"


def _parameters(body: Json, family: Family) -> Iterator[Problem]:
    """https://platform.openai.com/docs/guides/reasoning, .../latest-model#parameter-compatibility"""
    effort = body.get("reasoning", {}).get("effort")
    if effort is not None and effort not in family.efforts:
        yield "reasoning.effort", f"Unsupported value: '{effort}' is not supported with this model."
    if family.sampling == "never" or (family.sampling == "idle" and is_reasoning(body, family)):
        for name in ("temperature", "top_p", "top_logprobs"):
            if body.get(name) not in (None, 1):
                yield name, f"Unsupported parameter: '{name}' is not supported with this model."
    limit = body.get("max_output_tokens")
    if limit is not None and not 16 <= limit <= family.max_output:
        yield "max_output_tokens", "Invalid 'max_output_tokens': expected a value >= 16."
    if "reasoning.encrypted_content" in body.get("include", ()) and not family.efforts:
        yield "include", "Encrypted content is not supported with this model."


def _calls(body: Json, family: Family) -> Iterator[Problem]:
    """Each call has an output, and each output a call before it."""
    waiting: dict[str, bool] = {}
    for at, item in enumerate(items(body)):
        match item:
            case {"type": "function_call" | "custom_tool_call", "call_id": id, "name": name}:
                waiting[id] = True
                if not NAME.fullmatch(name):
                    yield f"input[{at}].name", "Invalid: string does not match pattern '^[a-zA-Z0-9_-]+$'."
                if not 0 < len(id) <= _MAX_ID:
                    yield f"input[{at}].call_id", f"Invalid: expected a string with maximum length {_MAX_ID}."
            case {"type": "function_call_output" | "custom_tool_call_output", "call_id": id}:
                if id not in waiting:
                    yield f"input[{at}]", f"No tool call found for function call output with call_id {id}."
                waiting[id] = False
    if missing := [id for id, waits in waiting.items() if waits]:
        yield "input", f"No tool output found for function call {missing[0]}."


def _reasoning(body: Json, family: Family) -> Iterator[Problem]:
    """Reasoning has its own encrypted content, and an item of the same answer follows it."""
    for at, item in enumerate(items(body)):
        if item["type"] != "reasoning":
            continue
        if item.get("encrypted_content") != sign("reasoning", item["id"]):
            yield f"input[{at}]", "The encrypted content could not be verified."
        following = dict(enumerate(items(body))).get(at + 1, {})
        if following.get("role", "assistant") != "assistant" or not following:
            yield f"input[{at}]", "A reasoning item was provided without its required following item."


def _media(body: Json, family: Family) -> Iterator[Problem]:
    """https://platform.openai.com/docs/guides/images-vision, .../docs/guides/pdf-files"""
    for at, item in enumerate(items(body)):
        for part in parts(item.get("content") or item.get("output") or []):
            if part["type"] == "input_image" and not data_of(part["image_url"], "image/"):
                yield f"input[{at}].image_url", "Invalid image."
            if part["type"] == "input_file" and not data_of(part.get("file_data", ""), "application/pdf"):
                yield f"input[{at}].file_data", "Invalid file data."


def _tools(body: Json, family: Family) -> Iterator[Problem]:
    """https://platform.openai.com/docs/guides/function-calling, .../function-calling#strict-mode

    Without `strict`, a tool is strict if its schema can be made so; otherwise it is not, and is no error.
    """
    names = [tool.get("name", tool["type"]) for tool in body.get("tools") or ()]
    if "tools" in body and not names:
        yield "tools", "Invalid 'tools': empty array."
    if len(set(names)) < len(names):
        yield "tools", "Duplicate name."
    if not any(tools(body)) and (body.get("tool_choice") or body.get("parallel_tool_calls") is not None):
        yield "tool_choice", "It is only allowed when 'tools' are specified."
    for at, tool in enumerate(body.get("tools") or ()):
        if not NAME.fullmatch(names[at]):
            yield f"tools[{at}].name", "Invalid: string does not match pattern '^[a-zA-Z0-9_-]+$'."
        if tool["type"] == "function" and tool.get("strict"):
            yield from strict(tool["parameters"], f"tools[{at}].parameters")


def _format(body: Json, family: Family) -> Iterator[Problem]:
    """https://platform.openai.com/docs/guides/structured-outputs#supported-schemas, .../#json-mode"""
    output = body.get("text", {}).get("format", {"type": "text"})
    if output["type"] == "json_object" and "json" not in str(body["input"]).lower():
        yield "input", "'input' must contain the word 'json' to use 'text.format' of type 'json_object'."
    if output["type"] == "json_schema" and output.get("strict"):
        yield from strict(output["schema"], "text.format.schema")


RULES: tuple[Rule[Family], ...] = (_state, _calls, _reasoning, _media, _parameters, _tools, _format)
