"""Reads settings from the environment (contract, section 10). Nothing else reads os.environ."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from rules import EMPTY, Frozen


class InvalidSetting(ValueError):
    """A setting has an invalid value. The message names the setting and what it takes."""


SHORTEST_SECRET = 16  # characters


class Settings(Frozen):
    """The settings of a process. Each field is the variable `SLUICE_` and its name in capitals."""

    hidden = frozenset({"environment", "otlp_headers", "edge_secret"})

    rules_table: str = "sluice-rules"
    keys_table: str = "sluice-keys"
    state_table: str = "sluice-state"
    bucket: str | None = None  # of S3; for logged content and large cached answers
    rules_ttl: float = 15.0  # seconds
    key_ttl: float = 60.0
    key_max_stale: float = 3600.0
    credentials_path: str | None = None
    providers: frozenset[str] = frozenset()
    private_upstreams: bool = False
    default_access: str = "allow"  # allow | deny
    max_body: int = 6_000_000  # bytes
    max_n: int = 8
    cors_origins: tuple[str, ...] = ("*",)
    log_level: str = "INFO"
    metrics: str = "0"  # CloudWatch metrics in the lines of requests: 0, totals or 1
    history_days: float = 90.0  # that each set of rules is kept after it was in force; 0: none is
    console: str = "on"  # on | read | off: the page and the API under /console
    otlp_endpoint: str | None = None  # of a collector of traces; None: nothing is traced
    otlp_headers: tuple[tuple[str, str], ...] = ()  # that the collector gets; they may hold its credential
    otlp_sample: float = 1.0  # the part of the traces that begin here which is recorded
    edge_secret: tuple[str, ...] = ()  # of the distribution before the function's URL (scripts/edge.yaml)
    samples: int = 500  # of requests, that are kept a day for `rules replay`
    private_tags: frozenset[str] = frozenset()  # tags that samples do not have; `*`: all
    # Credentials are looked up here first.
    environment: Mapping[str, str] = EMPTY

    @property
    def region(self) -> str | None:
        return self.environment.get("AWS_REGION") or self.environment.get("AWS_DEFAULT_REGION")

    @property
    def function_name(self) -> str | None:
        """The name of the Lambda function; None elsewhere."""
        return self.environment.get("AWS_LAMBDA_FUNCTION_NAME")

    @property
    def dynamodb_endpoint(self) -> str | None:
        return self.environment.get("AWS_ENDPOINT_URL_DYNAMODB")


def _number(name: str, text: str, least: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not least <= value < float("inf"):
        raise InvalidSetting(f"{name}: {text!r} is not a number of at least {least:g}")
    return value


def _choice(name: str, text: str, *choices: str) -> str:
    if text not in choices:
        raise InvalidSetting(f"{name}: {text!r} is not one of {', '.join(choices)}")
    return text


def _collector(name: str, text: str) -> str:
    """Read the address of a collector: https, or http on this machine."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(text)
        local = parts.hostname in ("localhost", "127.0.0.1", "::1")
        good = parts.scheme == "https" or (parts.scheme == "http" and local)
        good = good and bool(parts.hostname) and not (parts.query or parts.fragment or "@" in parts.netloc)
    except ValueError:
        good = False
    if not good:  # not quoted, because it may hold a password
        raise InvalidSetting(f"{name}: must be like https://host/path, or http://localhost:4318")
    return text


_HEADER = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+=[\x21-\x7e][\x20-\x7e]*"


def _headers(name: str, text: str) -> tuple[tuple[str, str], ...]:
    """Read `name=value,...` with percent-encoded values, as OpenTelemetry's own settings have them."""
    import re
    from urllib.parse import unquote

    pairs = [pair.strip() for pair in text.split(",") if pair.strip()]
    plain = (unquote(pair) for pair in pairs)
    if not all(re.fullmatch(_HEADER, pair) for pair in pairs) or not all(
        each.isascii() and each.isprintable() for each in plain
    ):  # not quoted, because it is secret
        raise InvalidSetting(f"{name}: must be like name=value,name=value, in ASCII")
    split = (pair.split("=", 1) for pair in pairs)
    return tuple((header.lower(), unquote(value).strip()) for header, value in split)


def _share(name: str, text: str) -> float:
    if (value := _number(name, text, 0)) > 1:
        raise InvalidSetting(f"{name}: {text!r} is not a number from 0 to 1")
    return value


def _split(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.replace(",", " ").split() if word)


def _secrets(name: str, text: str) -> tuple[str, ...]:
    secrets = _split(text)
    if any(len(secret) < SHORTEST_SECRET for secret in secrets):
        raise InvalidSetting(f"{name}: a secret has at least {SHORTEST_SECRET} characters")
    return secrets


_READERS: Mapping[str, Callable[[str, str], Any]] = {
    "rules_table": lambda _, text: text,
    "keys_table": lambda _, text: text,
    "state_table": lambda _, text: text,
    "bucket": lambda _, text: text,
    "rules_ttl": lambda name, text: _number(name, text, 0),
    "key_ttl": lambda name, text: _number(name, text, 0),
    "key_max_stale": lambda name, text: _number(name, text, 0),
    "credentials_path": lambda _, text: text,
    "providers": lambda _, text: frozenset(_split(text)),
    "private_upstreams": lambda name, text: _choice(name, text, "0", "1") == "1",
    "default_access": lambda name, text: _choice(name, text, "allow", "deny"),
    "max_body": lambda name, text: int(_number(name, text, 1)),
    "max_n": lambda name, text: int(_number(name, text, 1)),
    "cors_origins": lambda _, text: _split(text),
    "log_level": lambda name, text: _choice(name, text.upper(), "DEBUG", "INFO", "WARNING", "ERROR"),
    "metrics": lambda name, text: _choice(name, text, "0", "totals", "1"),
    "history_days": lambda name, text: _number(name, text, 0),
    "edge_secret": _secrets,
    "samples": lambda name, text: int(_number(name, text, 0)),
    "private_tags": lambda _, text: frozenset(_split(text)),
    "console": lambda name, text: _choice(name, text.lower(), "on", "read", "off"),
    "otlp_endpoint": _collector,
    "otlp_headers": _headers,
    "otlp_sample": _share,
}


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of this process. An empty variable counts as absent. Raises InvalidSetting."""
    environment = dict(os.environ if environment is None else environment)
    given = {
        field: read(f"SLUICE_{field.upper()}", text)
        for field, read in _READERS.items()
        if (text := environment.get(f"SLUICE_{field.upper()}", "").strip())
    }
    return Settings(**given, environment=environment)


def process_environment() -> MutableMapping[str, str]:
    """Return the environment itself. The runtime loop sets the trace id that botocore reads there."""
    return os.environ
