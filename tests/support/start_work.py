"""Counts the work of a start and of requests, in events of the interpreter: calls of functions, and lines.

A count does not depend on the machine. `test_start_work.py` runs this file in a process of its own, without
site-packages of any kind but those that it is given, and marshals data to it; this file imports nothing that
a start should import by itself. It prints JSON.
"""

from __future__ import annotations

import sys
from marshal import load
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from handler.wire.http import Request, Response

WARM_UP = 5  # requests after the first that are not counted
# The import system's lines depend on how modules are stored, and a package has the version of its code.
_NOT_COUNTED = "<frozen importlib"
_STORED = "code_version"


class Counter:
    """Counts events from `start` on."""

    def __init__(self) -> None:
        self.events = 0
        self._paused = False

    def start(self) -> None:
        sys.settrace(self._call)

    def _call(self, frame: Any, event: str, argument: Any) -> Any:
        code = frame.f_code
        if self._paused or code.co_filename.startswith(_NOT_COUNTED):
            return None
        if code.co_name == _STORED:
            self._paused = True
            return self._until_return
        self.events += 1
        return self._line

    def _line(self, frame: Any, event: str, argument: Any) -> Any:
        if event == "line":
            self.events += 1
        return self._line

    def _until_return(self, frame: Any, event: str, argument: Any) -> Any:
        if event == "return":
            self._paused = False
        return self._until_return


class Body:
    def __init__(self, data: bytes) -> None:
        self._data = data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._data

    async def aclose(self) -> None:
        pass


class Upstream:
    """A transport whose answers are given: of DynamoDB by operation and table, else of the provider."""

    def __init__(self, answers: dict[str, bytes]) -> None:
        self._answers = answers

    async def send(self, request: Request) -> Response:
        from handler.wire.http import Response

        target = dict(request.headers).get(b"x-amz-target", b"provider")
        operation = target.rpartition(b".")[2].decode()
        found = [name for name in self._answers if _fits(name, operation, request.body)]
        answer = self._answers[found[0]] if found else b"{}"
        request.on_sent()
        return Response(200, {"content-type": "application/json"}, Body(answer))

    async def aclose(self) -> None:
        pass


def _fits(name: str, operation: str, body: bytes) -> bool:
    """Return True for the operation that a name begins with, if the body has what follows in it."""
    first, *parts = name.split()
    return first == operation and all(part.encode() in body for part in parts)


class Api:
    """The Runtime API: gives one event again and again, and notes what was done at each end of an answer."""

    def __init__(self, counter: Counter, event: bytes, requests: int) -> None:
        self._counter = counter
        self._event = event
        self._left = requests
        self.answers: list[bytes] = []
        self.polled_at: list[int] = []  # the events that had been counted
        self.modules: list[str] = []  # at the first answer

    async def next(self) -> Any:
        from handler.runtime.runtime_api import Invocation

        self.polled_at.append(self._counter.events)
        if not self._left:
            raise EOFError
        self._left -= 1
        return Invocation("00000000-0000-4000-8000-000000000000", 4e9, "arn", None, None, self._event)

    async def respond(self, invocation: Any, prelude: bytes) -> Any:
        self.answers.append(prelude)
        return self

    async def write(self, data: bytes) -> None:
        self.answers[-1] += data

    async def end(self, error: BaseException | None = None) -> None:
        self.modules = self.modules or [name for name, module in sys.modules.items() if module]

    async def reply(self) -> Any:
        from handler.runtime.runtime_api import Reply

        return Reply(202, {}, b"")


def main() -> None:
    given = load(sys.stdin.buffer)
    sys.path[:0] = given["path"]
    sys.modules.update(dict.fromkeys(given["absent"]))  # as if they were not installed
    counter = Counter()
    api: Any = Api(counter, given["event"], 1 + WARM_UP + given["requests"])
    counter.start()
    import asyncio

    from handler.runtime.loop import _serve

    def build() -> Any:
        from handler.main import build
        from handler.settings import read_settings
        from handler.upstream.trust import create_tls_context

        create_tls_context(read_settings(), folder=given["roots"])
        return build(upstream=Upstream(given["answers"]), clock=lambda: 1000.0, now=lambda: 1_800_000_000.0)

    asyncio.run(_serve(api, build, {}, lambda line: None))
    sys.settrace(None)
    import json

    first, warm = api.polled_at[1], api.polled_at[-1] - api.polled_at[1 + WARM_UP]
    answers = [each.decode("latin-1") for each in api.answers]
    json.dump({"first": first, "warm": warm, "modules": api.modules, "answers": answers}, sys.stdout)


if __name__ == "__main__":
    main()
