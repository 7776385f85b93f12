"""Reads a file of outputs, one on each line, and prints what is wrong with them.

.venvs/sdks/bin/python -m tests.official_types FILE
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tests.official_types.anthropic_client import check_message
from tests.official_types.bedrock_client import check_converse
from tests.official_types.google_client import check_gemini
from tests.official_types.openai_client import check_chat, check_response
from tests.official_types.output import Output, read_line

CHECKS: Mapping[str, Callable[[Output], None]] = {
    "chat": check_chat,
    "messages": check_message,
    "responses": check_response,
    "gemini": check_gemini,
    "converse": check_converse,
}


def problem_of(output: Output) -> str | None:
    try:
        CHECKS[output.format](output)
    except Exception as problem:
        return f"{output.name}: {type(problem).__name__}: {problem}"
    return None


def main(lines: Iterable[str]) -> int:
    warnings.simplefilter("error")  # Google's client warns of a value that its types do not have
    outputs = [read_line(line) for line in lines]
    problems = [problem for output in outputs if (problem := problem_of(output))]
    print(*problems, f"{len(outputs)} outputs, {len(problems)} problems", sep="\n")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()))
