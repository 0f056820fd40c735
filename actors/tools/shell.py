"""A tool that runs commands, those that the manifest allows (``shell``)."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from ..agent.ports import ToolResult
from ..agent.terms.capability import EVERYTHING, FileRead, Shell
from ..agent.terms.commands import refusal
from ..errors import ToolFailed
from .environment import handed_on
from .path_guard import PathGuard
from .process import run_process
from .shown_path import shown
from .tool import FunctionTool, tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..agent.agent import Agent
    from ..core.waiting.cancel import CancelToken
    from .process import ProcessResult

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]  # looked at before its use

MAX_OUTPUT_BYTES = 50_000
"""So much of each output is shown to the model."""
MAX_SECONDS = 600
# Git runs what the configuration of a repository names. It finds that in any folder that looks like a bare repository:
# an agent that may write files could make one.
OF_GIT = {
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "safe.bareRepository",
    "GIT_CONFIG_VALUE_0": "explicit",
    "GIT_TERMINAL_PROMPT": "0",
}

Word = Annotated[str, Field(max_length=20_000)]


def shell_tool(
    *,
    hand_on: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    max_output_bytes: int = MAX_OUTPUT_BYTES,
    longest: float = MAX_SECONDS,
    name: str = "run_command",
) -> FunctionTool[..., ToolResult]:
    """Make the tool that runs commands.

    No shell reads the command: its words reach the program as they are. It has no standard input, and its environment
    is that of :data:`actors.tools.environment.HANDED_ON`. A cancel and the timeout kill it with all of its process
    group.

    A command that is allowed may do all that its program can: one that runs other programs (``env``, ``xargs``,
    ``python``, ``make``) allows everything, ``cat`` reads every file that this process can read, and some programs take
    options without a dash (``tar cIf``). Allow such only with the words that follow.

    Args:
        hand_on: Names of further variables of this process's environment that the command gets.
        env: Further variables.
        max_output_bytes: So much of each of its two outputs reaches the model.
        longest: The most seconds of a call.
        name: The tool's name.
    """

    def run_command(
        command: Annotated[list[Word], Field(min_length=1, max_length=1000)],
        cwd: str = ".",
        timeout: Annotated[float, Field(gt=0, le=MAX_SECONDS)] = 60.0,
        *,
        agent: Agent[Any],
        cancel: CancelToken,
    ) -> ToolResult:
        """Run a program and wait for its end. No shell reads the command: no pipes, no wildcards, no variables.

        Args:
            command: The program and its arguments, each by itself: ["git", "log", "README.md"].
            cwd: The folder in which it runs; another one than the working directory must be one that you may read.
            timeout: Seconds that it may take.
        """
        grants = [grant for grant in agent.manifest.capabilities if isinstance(grant, Shell)]
        items = [item for grant in grants for item in grant.allowed_commands]
        refused = None if EVERYTHING in items else refusal(items, command)
        if refused is not None:
            raise ToolFailed(refused)
        environment = {**handed_on(hand_on), **OF_GIT, **(env or {})}
        program = _program(command[0], environment.get("PATH", os.defpath))
        with _working_folder(agent, cwd) as place:
            result = run_process(
                [program, *command[1:]],
                cancel=cancel,
                timeout=min(timeout, longest),
                cwd=place,
                env=environment,
                max_output_bytes=max_output_bytes,
            )
        return ToolResult(_report(result), is_error=result.code != 0)

    # The call's own bound comes first: it can say how long the program has run.
    return tool(run_command, capability=Shell(), timeout=longest + 5, name=name, effect="at_most_once")


run_command = shell_tool()
"""The tool with its defaults."""


def _program(name: str, path: str) -> str:
    """The file to run. It is looked for in the absolute folders of *path*: never in a folder that an agent may write
    to because it happens to be the current one.
    """
    if os.sep in name:
        if not os.path.isabs(name):
            raise ToolFailed(f"{shown(name)} must be a name or an absolute path")
        return name
    folders = [folder for folder in path.split(os.pathsep) if os.path.isabs(folder)]
    found = shutil.which(name, path=os.pathsep.join(folders))
    if found is None:
        raise ToolFailed(f"there is no program {shown(name)} on this machine")
    return found


@contextmanager
def _working_folder(agent: Agent[Any], folder: str) -> Iterator[str | None]:
    """The folder to run in, as it was when it was looked at; None is the current one."""
    if folder in ("", "."):
        yield None
        return
    guard = PathGuard.of(agent, FileRead)
    own = "/proc/self/fd"  # the child goes there before it closes what is not its own
    if fcntl is None or not os.path.isdir(own):
        yield guard.resolve(folder)
        return
    descriptor = guard.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if not os.access(f"{own}/{descriptor}", os.X_OK):
            raise ToolFailed(f"the folder {shown(folder)} may not be entered")
        high = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)  # the standard streams are the child's own
    finally:
        os.close(descriptor)
    try:
        yield f"{own}/{high}"
    finally:
        os.close(high)


def _report(result: ProcessResult) -> str:
    if result.code is None:
        end = "exit code not known: the program that runs this agent ignores SIGCHLD"
    else:
        end = f"exit code {result.code}" if result.code >= 0 else f"ended by signal {-result.code}"
    parts = [end + " (its output was cut)" * result.truncated]
    for label, text in (("standard output", result.stdout), ("standard error", result.stderr)):
        if text:
            parts.append(f"{label}:\n{text}")
    return "\n".join(parts)
