"""The three tables, created from the definitions in template.yaml: there is no second copy to drift away.

For local runs and tests only; on AWS, CloudFormation reads the same lines.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from handler.settings import Settings
from handler.store.tables import TABLES

_HERE = Path(__file__).resolve().parent
# In a checkout it lies beside the packages; a wheel carries a copy within this one.
TEMPLATE = next(
    path for path in (_HERE / "template.yaml", _HERE.parent.parent / "template.yaml") if path.exists()
)

# What CreateTable takes; the rest of a definition (backups, expiry, tags) has calls of its own.
_CREATE = ("AttributeDefinitions", "KeySchema", "BillingMode", "DeletionProtectionEnabled")


def template(path: Path = TEMPLATE) -> dict[str, Any]:
    """The template as plain values: `!Ref x` reads as {"!Ref": "x"}."""
    import yaml  # a local run's dependency: the function on Lambda never comes here

    class Loader(yaml.SafeLoader):
        pass

    def tagged(loader: yaml.SafeLoader, tag: str, node: yaml.Node) -> dict[str, Any]:
        match node:
            case yaml.ScalarNode():
                value: Any = loader.construct_scalar(node)
            case yaml.SequenceNode():
                value = loader.construct_sequence(node, deep=True)
            case yaml.MappingNode():
                value = loader.construct_mapping(node, deep=True)
        return {f"!{tag}": value}

    Loader.add_multi_constructor("!", tagged)
    loaded: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader)
    return loaded


def definitions(path: Path = TEMPLATE) -> dict[str, dict[str, Any]]:
    """The properties of each table, by its logical id."""
    resources = template(path)["Resources"]
    return {name: resources[name]["Properties"] for name in TABLES}


def create_tables(client: Any, settings: Settings) -> list[str]:
    """Makes the tables that are missing, under the names in `settings`; returns the names made.

    client: a botocore DynamoDB client.
    """
    existing = set(client.get_paginator("list_tables").paginate().search("TableNames[]"))
    missing = {
        name: definition
        for logical, definition in definitions().items()
        if (name := getattr(settings, TABLES[logical])) not in existing
    }
    for name, definition in missing.items():
        _create(client, name, definition)
    return list(missing)


def _create(client: Any, name: str, definition: Mapping[str, Any]) -> None:
    client.create_table(TableName=name, **{part: definition[part] for part in _CREATE if part in definition})
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    if expiry := definition.get("TimeToLiveSpecification"):
        client.update_time_to_live(TableName=name, TimeToLiveSpecification=expiry)
