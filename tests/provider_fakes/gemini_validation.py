"""What Gemini's generateContent refuses beyond its types: a table of rules, each with its source.

Families of models: https://ai.google.dev/gemini-api/docs/models, .../thinking, .../thought-signatures.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tests.provider_fakes.call import Json, Refusal
from tests.provider_fakes.thought_signatures import is_genuine
from tests.provider_fakes.validation import Problem, Rule, check_rules, find_family

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")  # https://ai.google.dev/api/caching#FunctionDeclaration
# Accepted instead of a signature: https://ai.google.dev/gemini-api/docs/thought-signatures#faqs
STAND_INS = ("skip_thought_signature_validator", "context_engineering_is_the_way_to_go")
_URL_SAFE = str.maketrans("-_", "+/")
_DATA = frozenset({"text", "inlineData", "fileData", "functionCall", "functionResponse"})
# https://ai.google.dev/api/generate-content#FIELDS.response_json_schema
_SCHEMA_KEYWORDS = frozenset(
    {
        *("$id", "$defs", "$ref", "$anchor", "type", "format", "title", "description", "enum", "items"),
        *("prefixItems", "minItems", "maxItems", "minimum", "maximum", "anyOf", "oneOf", "properties"),
        *("additionalProperties", "required", "propertyOrdering"),
        "$schema",  # Gemini CLI sends it
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """`levels` of thinking, or a `budget` with its fewest and most tokens."""

    levels: tuple[str, ...] = ("LOW", "MEDIUM", "HIGH")
    budget: tuple[int, int] | None = None
    max_output: int = 65_536
    sampling: bool = True
    penalties: bool = True
    signed: bool = True
    json_tools: bool = True


_OLDER = Family(levels=(), budget=(0, 24_576), penalties=False, signed=False, json_tools=False)
FAMILIES: Mapping[str, Family] = {
    "gemini-2.5-flash": _OLDER,
    "gemini-3.5-flash": Family(levels=("MINIMAL", "LOW", "MEDIUM", "HIGH")),
    "gemini-3.6-flash": Family(levels=("MINIMAL", "LOW", "MEDIUM", "HIGH"), sampling=False),
    "gemini-3.7-flash": Family(sampling=False),
    "gemini-3.8-flash": Family(sampling=False),
    "gemini-3.1-pro": Family(),
    "gemini-4-argon": Family(max_output=1_048_576),
}


def check(model: str, body: Json, *, stream: bool) -> None:
    if stream and body.get("generationConfig", {}).get("candidateCount", 1) > 1:
        raise Refusal("Multiple candidates is not enabled for streaming.", where="candidateCount")
    check_rules(RULES, body, family_of(model))


def family_of(model: str) -> Family:
    return find_family(
        FAMILIES,
        model,
        Refusal(f"models/{model} is not found for API version v1beta.", failure_class="not_found"),
    )


def declarations(body: Json) -> list[Json]:
    return [one for tool in body.get("tools", ()) for one in tool.get("functionDeclarations", ())]


def calling_config(body: Json) -> Json:
    found: Json = body.get("toolConfig", {}).get("functionCallingConfig", {})
    return {"mode": "AUTO", **found}


def find_parts(content: Json, kind: str) -> list[Json]:
    """The calls or the results of a content."""
    return [part[kind] for part in content["parts"] if kind in part]


def _contents(body: Json, family: Family) -> Iterator[Problem]:
    """https://ai.google.dev/api/caching#Content, #Part"""
    contents = body["contents"]
    if not contents:
        yield "contents", "contents is not specified"
    for at, content in enumerate(contents):
        if content.get("role") not in ("user", "model"):
            yield f"contents[{at}].role", "Please use a valid role: user, model."
        if not content.get("parts"):
            yield f"contents[{at}].parts", "must include at least one parts field"
        for part in content.get("parts", ()):
            if len(part.keys() & _DATA) != 1:
                yield f"contents[{at}].parts", "required oneof field 'data' must have one initialized field"
            if part.get("text") == "" and "thoughtSignature" not in part:
                yield f"contents[{at}].parts", "must not be an empty text"
            if "inlineData" in part and not _is_base64(part["inlineData"]["data"]):
                yield f"contents[{at}].parts", "Base64 decoding failed"
    if contents and contents[0]["role"] != "user":
        yield "contents", "Please ensure that the first content is the user's."


def _turns(contents: list[Json]) -> list[Json]:
    """The contents, neighbours of the model's as one: Google's library sends a content for each event."""
    turns: list[Json] = []
    for content in contents:
        if turns and content["role"] == turns[-1]["role"] == "model":
            turns[-1] = {"role": "model", "parts": [*turns[-1]["parts"], *content["parts"]]}
        else:
            turns.append(content)
    return turns


def _is_base64(data: str) -> bool:
    try:
        return bool(base64.b64decode(data, validate=True))
    except ValueError:
        return False


def _order(body: Json, family: Family) -> Iterator[Problem]:
    """https://ai.google.dev/gemini-api/docs/function-calling#multi-turn"""
    contents = _turns(body["contents"])
    for before, content in pairwise([{"role": "", "parts": []}, *contents]):
        calls, results = find_parts(before, "functionCall"), find_parts(content, "functionResponse")
        if find_parts(content, "functionCall") and (content["role"] != "model" or before["role"] != "user"):
            yield (
                "contents",
                (
                    "Please ensure that function call turn comes immediately after a user turn or after a"
                    " function response turn."
                ),
            )
        if results and not calls:
            yield "contents", "function response turn must come immediately after a function call turn."
        if calls and len(results) != len(calls):
            yield (
                "contents",
                (
                    "the number of function response parts must be equal to the number of function call parts"
                    " of the function call turn."
                ),
            )
        for call, result in zip(calls, results, strict=False):
            if (call["name"], call.get("id")) != (result["name"], result.get("id")):
                yield "contents", f"the function response {result['name']} answers another call"
        if results and len(results) != len(content["parts"]):
            yield "contents", "function responses stand by themselves"
    if contents and find_parts(contents[-1], "functionCall"):
        yield "contents", "function call turn must be followed by a function response turn."


def _signatures(body: Json, family: Family) -> Iterator[Problem]:
    """The first call of each step of the current turn is signed, and every signature is genuine.

    https://ai.google.dev/gemini-api/docs/thought-signatures#function-calling
    """
    if not family.signed:
        return
    contents = _turns(body["contents"])
    current_turn = max((at for at, one in enumerate(contents) if _is_question(one)), default=0)
    for at, content in enumerate(contents):
        steps = [part for part in content["parts"] if "functionCall" in part]
        if at > current_turn and steps and "thoughtSignature" not in steps[0]:
            name = steps[0]["functionCall"]["name"]
            yield "contents", f"Function call is missing a thought_signature in functionCall parts: {name}"
        for part in content["parts"]:
            signature = part.get("thoughtSignature")
            if signature is not None and signature not in STAND_INS and not _genuine(signature, part):
                yield "contents", "Thought signature is not valid."


def _is_question(content: Json) -> bool:
    return content["role"] == "user" and not find_parts(content, "functionResponse")


def _genuine(signature: str, part: Json) -> bool:
    """True if the signature is that of the part. Clients may complete a call's arguments with defaults."""
    signed = part["functionCall"]["name"] if "functionCall" in part else "a text"
    plain = signature.translate(_URL_SAFE)  # Google's library for Python writes base64 in this way
    return is_genuine(plain, "gemini", signed)


def _tools(body: Json, family: Family) -> Iterator[Problem]:
    """https://ai.google.dev/gemini-api/docs/function-calling, https://ai.google.dev/api/caching#Tool"""
    names = [one["name"] for one in declarations(body)]
    if len(set(names)) != len(names):
        yield "tools", "Duplicate function declaration found"
    used = [call["name"] for content in body["contents"] for call in find_parts(content, "functionCall")]
    for name in (*names, *used):
        if not NAME.fullmatch(name):
            yield "tools", f"Invalid function name: {name}. Must start with a letter or an underscore."
    for one in declarations(body):
        yield from _schema(one.get("parametersJsonSchema"), "tools")
    allowed = calling_config(body).get("allowedFunctionNames", ())
    if allowed and calling_config(body)["mode"] not in ("ANY", "VALIDATED"):
        yield "toolConfig", "Function calling config: allowedFunctionNames only with mode ANY."
    if set(allowed) - set(names):
        yield "toolConfig", "allowedFunctionNames is not a subset of the declared functions"
    if "toolConfig" in body and not names:
        yield "toolConfig", "Function calling config is set without function_declarations."


def _schema(schema: Any, where: str) -> Iterator[Problem]:
    if not isinstance(schema, dict):
        return
    if unknown := schema.keys() - _SCHEMA_KEYWORDS:
        yield where, f"Unknown schema keywords: {sorted(unknown)}"
    inner = [*schema.get("properties", {}).values(), *schema.get("$defs", {}).values()]
    for one in (*inner, *schema.get("anyOf", ()), schema.get("items")):
        yield from _schema(one, where)


def _config(body: Json, family: Family) -> Iterator[Problem]:
    """https://ai.google.dev/api/generate-content#generationconfig"""
    config = body.get("generationConfig", {})
    if not 1 <= config.get("maxOutputTokens", 1) <= family.max_output:
        yield (
            "maxOutputTokens",
            f"supported range is from 1 (inclusive) to {family.max_output + 1} (exclusive)",
        )
    if not 1 <= config.get("candidateCount", 1) <= 8:
        yield "candidateCount", "must be between 1 and 8"
    if len(config.get("stopSequences", ())) > 5 or "" in config.get("stopSequences", ()):
        yield "stopSequences", "at most 5 stop sequences, none of them empty"
    if not family.sampling:
        yield from (
            (name, "is not supported by this model")
            for name in config.keys() & {"temperature", "topP", "topK"}
        )
    if not family.penalties and config.keys() & {"presencePenalty", "frequencyPenalty"}:
        yield "presencePenalty", "Penalty is not enabled for this model"
    yield from _schema(config.get("responseJsonSchema"), "responseJsonSchema")
    if "responseJsonSchema" in config and config.get("responseMimeType") != "application/json":
        yield "responseMimeType", "must be application/json when a schema is given"
    forced = calling_config(body)["mode"] == "ANY"
    if (
        config.get("responseMimeType") == "application/json"
        and declarations(body)
        and (forced or not family.json_tools)
    ):
        yield "responseMimeType", "Function calling with 'application/json' is unsupported"


def _thinking(body: Json, family: Family) -> Iterator[Problem]:
    """https://ai.google.dev/gemini-api/docs/thinking"""
    thinking = body.get("generationConfig", {}).get("thinkingConfig", {})
    if {"thinkingLevel", "thinkingBudget"} <= thinking.keys():
        yield "thinkingConfig", "thinking_budget and thinking_level are not supported together"
    if thinking.get("thinkingLevel") not in (None, *family.levels):
        yield "thinkingLevel", "Thinking level is not supported for this model."
    if "thinkingBudget" in thinking:
        least, most = family.budget or (0, 32_768)
        if not least <= thinking["thinkingBudget"] <= most and thinking["thinkingBudget"] != -1:
            yield "thinkingBudget", f"The thinking budget is invalid: from {least} to {most}."


RULES: tuple[Rule[Family], ...] = (_contents, _order, _signatures, _tools, _config, _thinking)
