"""A client of the table: its settings, how it is run, and the plan of the model behind Sluice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.provider_fakes.plans import Step

WORD = "colour"  # what the model replaces in the file, by:
BETTER = "color"


@dataclass(frozen=True, slots=True)
class Task:
    """One run of a client. `folder`: where it works. `secret`: only the file has it, `end`: only the plan."""

    folder: str
    secret: str
    end: str

    @property
    def file(self) -> str:
        return f"{self.folder}/notes.txt"

    @property
    def before(self) -> str:
        return f"# Notes\nThe {WORD} of the moon is {self.secret}.\nNothing else is known.\n"

    @property
    def after(self) -> str:
        return self.before.replace(WORD, BETTER)

    @property
    def other(self) -> str:
        return f"{self.folder}/other.txt"

    @property
    def other_text(self) -> str:
        return f"Its diameter is {self.secret[::-1]}."

    @property
    def done(self) -> str:
        return f"The file is edited: {self.end}."

    @property
    def read(self) -> str:
        """The words that show that the file was read before its edit."""
        return f"The {WORD} of the moon is {self.secret}."

    @property
    def read_again(self) -> str:
        return f"The {BETTER} of the moon is {self.secret}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A client. Its texts have `$origin`, `$key`, `$model`, `$prompt` and `$programs` for string.Template.

    `packages`: a list of versions.toml. `endpoint`: the path that it calls. `settings` and `files` (by their
    path below the home folder) are what a user sets; `quiet` is what a run without a network needs besides.
    `modes`: values of MODE, each a run of its own.
    """

    name: str
    packages: str
    endpoint: str
    settings: Mapping[str, str]
    command: Sequence[str]
    plan: Callable[[Task], Sequence[Step]]
    files: Mapping[str, str] = field(default_factory=dict)
    quiet: Mapping[str, str] = field(default_factory=dict)
    modes: Sequence[str] = ("",)
    model: str = "sturdy"
    prompt: str = f"In notes.txt, replace the word {WORD} by {BETTER}."
    note: str = ""
