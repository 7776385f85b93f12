"""Somebody who uses the command line."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from handler.cli.commands import add_arguments, run
from handler.cli.terminal import Terminal
from handler.store.attributes import deserialize_item, serialize_item
from handler.store.dynamodb import scan
from tests.support.tables import SETTINGS


class Person:
    """Somebody at a terminal: what was said, and what is answered."""

    def __init__(self, database: Any) -> None:
        self.database = database
        self.said: list[str] = []
        self.warned: list[str] = []
        self.asked: list[str] = []
        self.answer: bool | None = True
        self.meanwhile: dict[str, Any] = {}  # what somebody else puts while this one thinks
        self.stdin = b""
        self.settings = SETTINGS

    def confirm(self, question: str) -> bool | None:
        self.asked.append(question)
        self.puts(*([self.meanwhile] if self.meanwhile else ()))
        return self.answer

    def does(self, *arguments: str) -> int:
        self.said, self.warned, self.asked = [], [], []
        parser = ArgumentParser()
        add_arguments(parser.add_subparsers())
        terminal = Terminal(
            say=self.said.append, warn=self.warned.append, confirm=self.confirm, read=lambda: self.stdin
        )
        return run(parser.parse_args(arguments), self.settings, self.database, terminal)

    def puts(self, *items: dict[str, Any]) -> None:
        for item in items:
            self.database.put_item(TableName=SETTINGS.rules_table, Item=serialize_item(item))

    def finds(self, table: str = SETTINGS.rules_table) -> list[dict[str, Any]]:
        return sorted(
            (deserialize_item(item) for item in scan(self.database, table)), key=lambda one: str(one["id"])
        )

    @property
    def text(self) -> str:
        return "\n".join(self.said + self.warned)
