"""The agents of the table: programs that edit files by themselves, and the tools that they offer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from scripts.clients.client import BETTER, WORD, Client, Task
from tests.provider_fakes.plans import Step


def _copilot(task: Task) -> Sequence[Step]:
    edit = {"path": task.file, "old_str": WORD, "new_str": BETTER}
    return (
        Step(
            "I read both files.",
            (("view", {"path": task.file}), ("view", {"path": task.other})),
            (task.read, task.other_text),
        ),
        Step("", (("edit", edit),)),
        Step(
            "", (("bash", {"command": "cat notes.txt", "description": "Read it again"}),), (task.read_again,)
        ),
        Step(task.done),
    )


def _codex(task: Task) -> Sequence[Step]:
    """It offers a shell, in which it runs `apply_patch` itself."""
    patch = f"apply_patch <<'END'\n{_patch(task)}\nEND"
    read, edit, other = (("exec_command", {"cmd": cmd}) for cmd in (_cat(task.file), patch, _cat(task.other)))
    return (
        Step("I read both files.", (read, other), (task.read, task.other_text)),
        Step("", (edit,)),
        Step("", (read,), (task.read_again,)),
        Step(task.done),
    )


def _codex_code(task: Task) -> Sequence[Step]:
    """For models that it knows, it offers a tool whose input is JavaScript, which calls its other tools."""
    script = "text(await tools.exec_command({cmd: %s}));"
    read, edit = (
        script % json.dumps(_cat(task.file)),
        f"text(await tools.apply_patch({json.dumps(_patch(task))}));",
    )
    both = read + script % json.dumps(_cat(task.other))
    return (
        Step("I read both files.", (("exec", {"input": both}),), (task.read, task.other_text)),
        Step("", (("exec", {"input": edit}),)),
        Step("", (("exec", {"input": read}),), (task.read_again,)),
        Step(task.done),
    )


def _cat(path: str) -> str:
    return f"cat {path}"


def _patch(task: Task) -> str:
    lines = ("*** Begin Patch", "*** Update File: notes.txt", "@@", f"-{task.read}", f"+{task.read_again}")
    return "\n".join((*lines, "*** End Patch"))


_CODEX_NOTE = (
    "Do not name the provider `OpenAI`, which Codex treats in another way. For a model whose name it knows, "
    "Codex offers custom tools, which most compatible hosts do not have: for those use an alias."
)


def _codex_client(name: str, model: str, plan: Callable[[Task], Sequence[Step]], note: str = "") -> Client:
    return Client(
        name=name,
        packages="codex",
        endpoint="/v1/responses",
        settings={"SLUICE_API_KEY": "$key"},
        files={
            ".codex/config.toml": """model = "$model"
model_provider = "sluice"

[model_providers.sluice]
name = "Sluice"
base_url = "$origin/v1"
env_key = "SLUICE_API_KEY"
wire_api = "responses"
"""
        },
        model=model,
        note=note,
        command=(
            "codex",
            "exec",
            "--skip-git-repo-check",
            "--dangerously-bypass-approvals-and-sandbox",
            "$prompt",
        ),
        plan=plan,
    )


def _copilot_client(endpoint: str, settings: Mapping[str, str]) -> Client:
    return Client(
        name="Copilot CLI",
        packages="copilot",
        endpoint=endpoint,
        settings={**settings, "COPILOT_PROVIDER_API_KEY": "$key", "COPILOT_MODEL": "$model"},
        command=("copilot", "-p", "$prompt", "--allow-all-tools", "--no-color"),
        quiet={"COPILOT_OFFLINE": "true"},
        plan=_copilot,
    )


def _aider(task: Task) -> Sequence[Step]:
    """It has no tools: the model asks for a file by its name, edits with blocks, and sees the failed test."""
    wrong = task.read.replace(WORD, "colr")
    return (
        Step("Please show me notes.txt first.", (), (task.read,)),
        Step(_block(task.read, wrong), (), (f"grep {BETTER} notes.txt",)),
        Step(f"{_block(wrong, task.read_again)}{task.done}"),
    )


def _block(old: str, new: str) -> str:
    lines = ("notes.txt", "```", "<<<<<<< SEARCH", old, "=======", new, ">>>>>>> REPLACE", "```")
    return "\n".join((*lines, ""))


AGENTS: tuple[Client, ...] = (
    Client(
        name="Claude Code",
        packages="claude-code",
        endpoint="/v1/messages",
        settings={"ANTHROPIC_BASE_URL": "$origin", "ANTHROPIC_AUTH_TOKEN": "$key"},
        command=("claude", "-p", "$prompt", "--dangerously-skip-permissions"),
        quiet={"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "IS_SANDBOX": "1"},
        plan=lambda task: (
            Step(
                "I read both files.",
                (("Read", {"file_path": task.file}), ("Read", {"file_path": task.other})),
                (task.read, task.other_text),
            ),
            Step("", (("Edit", {"file_path": task.file, "old_string": WORD, "new_string": BETTER}),)),
            Step(
                "",
                (("Bash", {"command": "cat notes.txt", "description": "Read it again"}),),
                (task.read_again,),
            ),
            Step(task.done),
        ),
    ),
    _codex_client("Codex CLI, any name", "sturdy", _codex, _CODEX_NOTE),
    _codex_client("Codex CLI, a known name", "gpt-6-luna", _codex_code),
    Client(
        name="Gemini CLI",
        packages="gemini-cli",
        endpoint="/v1beta/models",
        settings={"GOOGLE_GEMINI_BASE_URL": "$origin", "GEMINI_API_KEY": "$key"},
        command=("gemini", "--yolo", "--skip-trust", "--prompt", "$prompt"),
        files={
            ".gemini/settings.json": """{
  "security": {"auth": {"selectedType": "gemini-api-key"}},
  "privacy": {"usageStatisticsEnabled": false},
  "general": {"disableAutoUpdate": true}
}
"""
        },
        plan=lambda task: (
            Step(
                "I read both files.",
                (("read_file", {"file_path": task.file}), ("read_file", {"file_path": task.other})),
                (task.read, task.other_text),
            ),
            Step(
                "",
                (
                    (
                        "replace",
                        {
                            "file_path": task.file,
                            "old_string": WORD,
                            "new_string": BETTER,
                            "instruction": "Replace it.",
                        },
                    ),
                ),
            ),
            Step(
                "",
                (("run_shell_command", {"command": "cat notes.txt", "description": "Read it again"}),),
                (task.read_again,),
            ),
            Step(task.done),
        ),
    ),
    Client(
        name="opencode",
        packages="opencode",
        endpoint="/v1/chat/completions",
        settings={"SLUICE_API_KEY": "$key"},
        files={
            ".config/opencode/opencode.json": """{
  "provider": {
    "sluice": {
      "npm": "@ai-sdk/openai-compatible",
      "options": {"baseURL": "$origin/v1", "apiKey": "{env:SLUICE_API_KEY}"},
      "models": {"$model": {}}
    }
  },
  "model": "sluice/$model"
}
"""
        },
        command=("opencode", "run", "$prompt"),
        quiet={"OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1"},
        plan=lambda task: (
            Step(
                "I read it.",
                (("read", {"filePath": task.file}), ("read", {"filePath": task.other})),
                (task.read, task.other_text),
            ),
            Step("", (("edit", {"filePath": task.file, "oldString": WORD, "newString": BETTER}),)),
            Step(
                "",
                (("bash", {"command": "cat notes.txt", "description": "Read it again"}),),
                (task.read_again,),
            ),
            Step(task.done),
        ),
    ),
    _copilot_client("/v1/chat/completions", {"COPILOT_PROVIDER_BASE_URL": "$origin/v1"}),
    _copilot_client(
        "/v1/responses",
        {"COPILOT_PROVIDER_BASE_URL": "$origin/v1", "COPILOT_PROVIDER_WIRE_API": "responses"},
    ),
    _copilot_client(
        "/v1/messages", {"COPILOT_PROVIDER_BASE_URL": "$origin", "COPILOT_PROVIDER_TYPE": "anthropic"}
    ),
    Client(
        name="aider",
        packages="aider",
        endpoint="/v1/chat/completions",
        settings={"OPENAI_API_BASE": "$origin/v1", "OPENAI_API_KEY": "$key"},
        command=(
            "aider",
            "--model",
            "openai/$model",
            "--message",
            "$prompt",
            "--edit-format",
            "diff",
            "--yes-always",
            "--auto-test",
            "--test-cmd",
            f"grep {BETTER} notes.txt",
        ),
        quiet={
            "AIDER_ANALYTICS": "false",
            "AIDER_CHECK_UPDATE": "false",
            "LITELLM_LOCAL_MODEL_COST_MAP": "true",
            "AIDER_AUTO_COMMITS": "false",
        },
        plan=_aider,
        prompt=f"In my notes, replace the word {WORD} by {BETTER}.",
    ),
)
