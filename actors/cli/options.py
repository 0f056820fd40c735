"""What ``actors run`` was asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .refusal import RefusedError

STANDARD_STREAM = "-"
"""As a path: standard input or standard output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options of ``actors run``, as they were typed."""

    manifests: tuple[str, ...]
    prompt: str | None = None
    input: str | None = None
    glob: str | None = None
    max_concurrent: int = 4
    timeout: float | None = None
    out: str | None = None
    events: str | None = None
    driver: str | None = None
    model: str | None = None
    base_url: str | None = None
    approve: tuple[str, ...] = ()
    quiet: bool = False
    verbose: int = 0

    def check(self) -> None:
        """Refuse what makes no sense, everything at once.

        Raises:
            RefusedError: With every problem.
        """
        problems = [*self._problems_of_input(), *self._problems_of_limits()]
        if problems:
            raise RefusedError(*problems)

    def _problems_of_input(self) -> list[str]:
        if self.input is not None and self.glob is not None:
            return ["--input and --glob exclude each other: give one of them"]
        if self.input is not None and self.prompt is not None:
            return ["--input and --prompt exclude each other: the queries stand in the input"]
        if self.prompt is None and self.input is None and self.glob is None:
            return ["nothing to do: give --prompt TEXT, --input FILE.jsonl or --glob PATTERN"]
        if self.prompt is not None and not self.prompt.strip():
            return ["--prompt is empty: say what the agent is to do"]
        if self.glob is not None and self.prompt is not None and "{path}" not in self.prompt:
            return ["--prompt has no {path}: with --glob it says where the path of each file goes"]
        return []

    def _problems_of_limits(self) -> list[str]:
        problems = []
        if self.max_concurrent < 1:
            problems.append(f"--max-concurrent is {self.max_concurrent}: it must be at least 1")
        timeout = problem_of_timeout(self.timeout)
        return problems if timeout is None else [*problems, timeout]


def problem_of_timeout(timeout: float | None) -> str | None:
    """What is wrong with ``--timeout``; None when nothing is."""
    if timeout is None or 0 < timeout < math.inf:
        return None
    return f"--timeout is {timeout:g}: it must be a number of seconds above 0"
