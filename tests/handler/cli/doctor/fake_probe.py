"""A probe that answers from a table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from handler.cli.doctor.probe import Answer, Arrivals, Probe, Unreachable
from handler.errors import Json


class FakeProbe(Probe):
    """`answers`: by path; an exception is raised."""

    def __init__(
        self,
        answers: Mapping[str, Any],
        *,
        key: str | None = "k",
        now: float = 0.0,
        signed: Mapping[str, Any] | None = None,
    ) -> None:
        """`signed`: the answers once requests are signed; None: there are no AWS credentials."""
        super().__init__("https://gateway.example/v1", key, now=lambda: now)
        self.answers = answers
        self.signed = signed

    def sign_requests(self) -> bool:
        if self.signed is None:
            return False
        self.answers = self.signed
        return True

    def get(self, path: str, *, timeout: float = 1.0) -> Answer:
        found = self.answers[path]
        if isinstance(found, Unreachable):
            raise found
        assert isinstance(found, Answer)
        self.fastest = min(self.fastest, found.seconds)
        return found

    def stream(self, path: str, body: Json) -> Answer | Arrivals:
        found = self.answers[path]
        if isinstance(found, Unreachable):
            raise found
        assert isinstance(found, Answer | Arrivals)
        return found


def answer(body: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(status, headers, json.dumps(body).encode(), 0.01)


def refusal(status: int, message: str) -> Answer:
    return answer({"error": {"message": message}}, status)
