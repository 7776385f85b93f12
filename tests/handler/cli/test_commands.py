"""Exit codes and messages that all commands share."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from tests.handler.cli.command_line import CommandLine


def test_a_missing_table_suggests_the_option_for_the_stack(cli: CommandLine) -> None:
    assert cli.run("rules", "pull", "--rules-table", "nowhere") == 1
    assert cli.warnings == ["sluice: scan nowhere: there is no such table; pass --stack NAME"]


def test_an_error_of_the_store_is_printed_without_aws_words(cli: CommandLine) -> None:
    class Throttled:
        def scan(self, **_: Any) -> Any:
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "arn:aws:x"}}, "Scan")

    cli.database = Throttled()
    for arguments in (("keys", "list"), ("rules", "list"), ("rules", "pull"), ("rules", "check")):
        assert cli.run(*arguments) == 1
        assert cli.text in ("sluice: scan sluice-keys: throttled", "sluice: scan sluice-rules: throttled")
