"""Rules, keys and the adopted rules in DynamoDB: plain values out, StoreError when there is no answer.

`client` makes the botocore client, `ask` and `scan` are the calls (the command line uses them as they are),
`Store` is what a request sees: the same calls in a thread, so that the loop goes on.
https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB.html
"""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import zlib
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

from handler.attributes import Item, item_size, plain_item, wire_item
from handler.settings import Settings

RECORDS = 1_000  # most rules adopted
BYTES = 1_048_576  # most bytes of rules adopted
PART = 380_000  # bytes of the adopted rules in one item; DynamoDB takes 400 KB
ADOPTED = "adopted"  # their id in State
# What an error of AWS or of botocore means to a person. Their own words may name accounts and addresses.
_MEANINGS = {
    "AccessDeniedException": "access denied",
    "ConditionalCheckFailedException": "another change came first",
    "ExpiredTokenException": "the AWS credentials have expired",
    "InvalidSignatureException": "the AWS credentials were refused",
    "NoCredentialsError": "no AWS credentials were found",
    "NoRegionError": "no AWS region is configured",
    "ProvisionedThroughputExceededException": "throttled",
    "ResourceNotFoundException": "there is no such table",
    "ThrottlingException": "throttled",
    "TransactionCanceledException": "the transaction was cancelled",
    "UnrecognizedClientException": "the AWS credentials were refused",
}
_OUR_FAULT = ("ValidationException", "ValidationError")  # here the words say what to mend
_PRIVATE = re.compile(r"arn:[^\s'\",]+|\b\d{12}\b")

# https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html: where a local one is
_LOOPBACK = re.compile(r"localhost|::1|127(\.\d+){3}")


class StoreError(Exception):
    """The store gave no readable answer. The text is plain and names no account, role or address."""

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.code = code  # AWS's


def is_loopback(endpoint: str | None) -> bool:
    return _LOOPBACK.fullmatch(urlsplit(endpoint or "").hostname or "") is not None


def client(
    settings: Settings,
    *,
    service: str = "dynamodb",
    session: Any = None,
    attempts: int = 2,
    read_timeout: float = 2,
) -> Any:
    """A botocore client that gives up soon: a request waits. Raises StoreError when AWS is not configured.

    A DynamoDB on loopback needs no region and no credentials: it gets dummies where none are configured.
    """
    import botocore.session
    from botocore.config import Config

    session = session or botocore.session.get_session()
    endpoint = settings.dynamodb_endpoint if service == "dynamodb" else None
    config = Config(
        connect_timeout=1,
        read_timeout=read_timeout,
        retries={"mode": "standard", "total_max_attempts": attempts},
        parameter_validation=False,
    )
    try:
        given = {"region_name": settings.region} | (
            _dummies(session, settings) if is_loopback(endpoint) else {}
        )
        return session.create_client(service, endpoint_url=endpoint, config=config, **given)
    except (BotoCoreError, ValueError) as error:
        raise StoreError(f"{service}: {_meaning(error)}") from error


def _dummies(session: Any, settings: Settings) -> dict[str, str]:
    """What nothing configures, for a DynamoDB that does not look at it."""
    session.set_config_variable("metadata_service_num_attempts", 0)  # a laptop has no instance metadata
    region = settings.region or session.get_config_variable("region") or "us-east-1"
    if session.get_credentials() is not None:
        return {"region_name": region}
    return {"region_name": region, "aws_access_key_id": "local", "aws_secret_access_key": "local"}


def _meaning(error: Exception) -> str:
    if not isinstance(error, ClientError):
        # botocore's texts name addresses; its class names are plain enough: ReadTimeoutError
        name = type(error).__name__
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("Error")).lower()
        return _MEANINGS.get(name, f"no answer ({words})")
    details = error.response.get("Error", {})
    code = str(details.get("Code", "unknown"))
    if code in _OUR_FAULT:
        return _PRIVATE.sub("...", str(details.get("Message", code)))
    return _MEANINGS.get(code, code)


def ask(client: Any, operation: str, arguments: Mapping[str, Any]) -> Any:
    """One call. Every failure, of AWS or of the way there, is a StoreError naming operation and table."""
    from botocore.parsers import ResponseParserError  # heavy, but whoever has a client has loaded it

    try:
        return getattr(client, operation)(**arguments)
    except (BotoCoreError, ClientError, ResponseParserError, OSError) as error:
        what = " ".join([operation.replace("_", " "), arguments.get("TableName", "")]).strip()
        code = error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None
        raise StoreError(f"{what}: {_meaning(error)}", code=code) from error


def scan(client: Any, table: str, *, consistent: bool = False) -> Iterator[dict[str, Any]]:
    """Every item of a table in DynamoDB's typed form, page after page."""
    start: dict[str, Any] = {}
    while True:
        page = ask(client, "scan", {"TableName": table, "ConsistentRead": consistent, **start})
        yield from page.get("Items", ())
        if not page.get("LastEvaluatedKey"):
            return
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


class Store:
    """What a request needs of DynamoDB. Every method raises StoreError."""

    def __init__(self, client: Any, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._seen: tuple[list[dict[str, Any]], list[Item]] = ([], [])

    async def rules(self) -> list[Item]:
        """Every record of the Rules table, or StoreError: never a part of them.

        The same list again when the table has not changed: `is` tells, and nobody changes it.
        """
        return await asyncio.to_thread(self._rules)

    async def key(self, hash: str) -> Item | None:
        """The item of one key, None when there is none."""
        return await asyncio.to_thread(self._get, self._settings.keys_table, {"hash": hash})

    async def adopted(self) -> tuple[str, list[Item]] | None:
        """Revision and records of the rules last saved as adopted; None when none ever were."""
        return await asyncio.to_thread(self._adopted)

    async def save_adopted(self, revision: str, items: Iterable[Mapping[str, Any]]) -> None:
        """Saves the rules in force for instances to come, unless State holds this revision already."""
        await asyncio.to_thread(self._save_adopted, revision, list(items))

    def _rules(self) -> list[Item]:
        found: list[dict[str, Any]] = []
        total = 0
        for item in scan(self._client, self._settings.rules_table):
            found.append(item)
            total += item_size(item)
            if len(found) > RECORDS or total > BYTES:
                raise StoreError(f"the rules table holds more than {RECORDS:,} records or {BYTES:,} bytes")
        if found != self._seen[0]:
            self._seen = found, [plain_item(item) for item in found]
        return self._seen[1]

    def _get(self, table: str, key: Mapping[str, Any], *, consistent: bool = False) -> Item | None:
        arguments = {"TableName": table, "Key": wire_item(key), "ConsistentRead": consistent}
        item = ask(self._client, "get_item", arguments).get("Item")
        return plain_item(item) if item else None

    def _state(self, id: str) -> Item | None:
        return self._get(self._settings.state_table, {"id": id}, consistent=True)

    def _adopted(self) -> tuple[str, list[Item]] | None:
        head = self._state(ADOPTED)
        if head is None:
            return None
        try:
            parts = [head["part"], *((self._state(id) or {})["part"] for id in _part_ids(head))]
            text = zlib.decompress(b"".join(parts), wbits=31)
            return head["revision"], [plain_item(item) for item in json.loads(text)]
        except (AttributeError, LookupError, TypeError, ValueError, zlib.error) as error:
            raise StoreError("the adopted rules in State cannot be read") from error

    def _save_adopted(self, revision: str, items: list[Mapping[str, Any]]) -> None:
        if (self._state(ADOPTED) or {}).get("revision") == revision:
            return
        first, *more = _parts(items)
        head = {"id": ADOPTED, "revision": revision, "parts": 1 + len(more), "part": first}
        for id, part in zip(_part_ids(head), more, strict=True):
            self._put({"id": id, "part": part}, {})
        for id in self._replace(head):
            arguments = {"TableName": self._settings.state_table, "Key": wire_item({"id": id})}
            ask(self._client, "delete_item", arguments)

    def _replace(self, head: Item) -> list[str]:
        """Puts the head; returns the parts nobody needs now. None when another instance was faster."""
        try:
            answer = self._put(head, _unless_stored(head["revision"]))
        except StoreError as error:
            if error.code == "ConditionalCheckFailedException":
                return []
            raise
        return _part_ids(plain_item(answer.get("Attributes", {})))

    def _put(self, item: Item, options: Mapping[str, Any]) -> Any:
        arguments = {"TableName": self._settings.state_table, "Item": wire_item(item), **options}
        return ask(self._client, "put_item", arguments)


def _unless_stored(revision: str) -> dict[str, Any]:
    return {
        "ConditionExpression": "attribute_not_exists(id) OR #revision <> :revision",
        "ExpressionAttributeNames": {"#revision": "revision"},
        "ExpressionAttributeValues": wire_item({":revision": revision}),
        "ReturnValues": "ALL_OLD",
    }


def _part_ids(head: Mapping[str, Any]) -> list[str]:
    """Where the parts after the first one are: their ids name the revision, so that no two sets ever mix."""
    return [f"{ADOPTED}#{head['revision']}#{number}" for number in range(1, head.get("parts", 1))]


def _parts(items: Iterable[Mapping[str, Any]]) -> list[bytes]:
    """The records as gzip of JSON in pieces that fit an item; the same records give the same bytes."""
    typed = sorted((wire_item(item) for item in items), key=_json)
    whole = gzip.compress(_json(typed).encode(), mtime=0)
    return [whole[start : start + PART] for start in range(0, len(whole), PART)]


def _json(value: Any) -> str:
    return json.dumps(value, default=_text, sort_keys=True, separators=(",", ":"))


def _text(binary: bytes) -> str:
    return b64encode(binary).decode()
