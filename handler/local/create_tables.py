"""Creates a bucket, and the three tables from the definitions in template.yaml, for local runs and tests.

On AWS, CloudFormation reads the same definitions.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from handler.settings import Settings
from handler.store.tables import TABLES

_HERE = Path(__file__).resolve().parent
# In a checkout the file is next to the packages; a wheel has a copy in this one.
TEMPLATE = next(
    path for path in (_HERE / "template.yaml", _HERE.parent.parent / "template.yaml") if path.exists()
)

# The properties that CreateTable takes. Expiry has a call of its own, and backups and tags are not needed.
_CREATE_ARGUMENTS = (
    *("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes"),
    *("BillingMode", "DeletionProtectionEnabled"),
)


def read_template(path: Path = TEMPLATE) -> dict[str, Any]:
    """Return the template as plain values. `!Ref x` becomes {"!Ref": "x"}."""
    import yaml  # only installed for local runs

    class Loader(yaml.SafeLoader):
        pass

    def construct(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
        match node:
            case yaml.ScalarNode():
                value: Any = loader.construct_scalar(node)
            case yaml.SequenceNode():
                value = loader.construct_sequence(node, deep=True)
            case yaml.MappingNode():
                value = loader.construct_mapping(node, deep=True)
        return {f"!{tag}": value}

    Loader.add_multi_constructor("!", construct)
    loaded: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader)
    return loaded


@cache
def read_definitions(path: Path = TEMPLATE) -> dict[str, dict[str, Any]]:
    """Return the properties of each table by its logical id."""
    resources = read_template(path)["Resources"]
    return {name: resources[name]["Properties"] for name in TABLES}


def create_tables(client: Any, settings: Settings) -> list[str]:
    """Create the missing tables under the names in `settings`, and return the names of those created.

    `client`: a botocore DynamoDB client.
    """
    existing = set(client.get_paginator("list_tables").paginate().search("TableNames[]"))
    missing = {
        name: definition
        for logical, definition in read_definitions().items()
        if (name := getattr(settings, TABLES[logical])) not in existing
    }
    for name, definition in missing.items():
        _create(client, name, definition)
    return list(missing)


def create_bucket(client: Any, name: str) -> None:
    """Create a bucket. `client`: a botocore S3 client."""
    region = client.meta.region_name
    # us-east-1 is the one region that a request may not name.
    place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    client.create_bucket(Bucket=name, **place)


def _create(client: Any, name: str, definition: Mapping[str, Any]) -> None:
    client.create_table(
        TableName=name, **{part: definition[part] for part in _CREATE_ARGUMENTS if part in definition}
    )
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    if expiry := definition.get("TimeToLiveSpecification"):
        client.update_time_to_live(TableName=name, TimeToLiveSpecification=expiry)
