"""Runs commands against tables, and records what they print."""

from __future__ import annotations

from argparse import ArgumentParser
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from handler.aws.sdk import scan
from handler.cli.commands import add_arguments, add_gateway_arguments, run
from handler.cli.terminal import Terminal
from handler.store.attributes import deserialize_item, serialize_item
from tests.support.tables import SETTINGS


class CommandLine:
    """A terminal: the output of the last command, and the input of the next."""

    def __init__(self, database: Any) -> None:
        self.database = database
        self.printed: list[str] = []
        self.warnings: list[str] = []
        self.questions: list[str] = []
        self.answer: bool | None = True
        self.concurrent_write: dict[str, Any] = {}  # a record that is written while a question waits
        self.stdin = b""
        self.settings = SETTINGS

    def confirm(self, question: str) -> bool | None:
        self.questions.append(question)
        self.put_rules(*([self.concurrent_write] if self.concurrent_write else ()))
        return self.answer

    def run(self, *arguments: str) -> int:
        """Run a command and return its exit code."""
        self.printed, self.warnings, self.questions = [], [], []
        parser = ArgumentParser()
        add_gateway_arguments(parser)
        add_arguments(parser.add_subparsers())
        terminal = Terminal(
            print=self.printed.append,
            warn=self.warnings.append,
            confirm=self.confirm,
            read=lambda: self.stdin,
        )
        with ThreadPoolExecutor(1) as thread:  # a command starts an event loop, and a test may have one
            args = parser.parse_args(arguments)
            return thread.submit(run, args, self.settings, self.database, terminal).result()

    def put_rules(self, *items: dict[str, Any]) -> None:
        for item in items:
            self.database.put_item(TableName=SETTINGS.rules_table, Item=serialize_item(item))

    def stored(self, table: str = SETTINGS.rules_table) -> list[dict[str, Any]]:
        """Return the records of a table, sorted by id."""
        return sorted(
            (deserialize_item(item) for item in scan(self.database, table)), key=lambda item: str(item["id"])
        )

    @property
    def text(self) -> str:
        return "\n".join(self.printed + self.warnings)
