"""What ``actors run`` was asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..core.shown import shown
from .refusal import RefusedError
from .template import Template

STANDARD_STREAM = "-"
"""As a path: standard input or standard output."""
HIGHEST_PORT = 65_535
RAY = "ray"
"""The engine that there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options of ``actors run``, as they were typed."""

    manifests: tuple[str, ...]
    prompt: str | None = None
    input: str | None = None
    query: str | None = None
    key: str | None = None
    keep: tuple[str, ...] | None = None
    glob: str | None = None
    max_concurrent: int = 4
    timeout: float | None = None
    out: str | None = None
    journal: str | None = None
    resume: bool = False
    overwrite: bool = False
    events: str | None = None
    timeline: str | None = None
    live: int | None = None
    control: bool = False
    engine: str | None = None
    address: str | None = None
    slots_per_node: int | None = None
    driver: str | None = None
    model: str | None = None
    base_url: str | None = None
    approve: tuple[str, ...] = ()
    trace: bool = False
    quiet: bool = False
    verbose: int = 0

    def check(self) -> None:
        """Refuse what makes no sense, everything at once.

        Raises:
            RefusedError: With every problem.
        """
        problems = [
            *self._problems_of_input(),
            *self._problems_of_fields(),
            *self._problems_of_output(),
            *self._problems_of_engine(),
            *self._problems_of_limits(),
        ]
        if problems:
            raise RefusedError(*problems)

    def _problems_of_input(self) -> list[str]:
        if self.input is not None and self.glob is not None:
            return ["--input and --glob exclude each other: give one of them"]
        if self.input is not None and self.prompt is not None:
            return ["--input and --prompt exclude each other: the queries stand in the input, or --query makes them"]
        if self.prompt is None and self.input is None and self.glob is None:
            return ["nothing to do: give --prompt TEXT, --input FILE.jsonl or --glob PATTERN"]
        if self.prompt is not None and not self.prompt.strip():
            return ["--prompt is empty: say what the agent is to do"]
        if self.glob is not None and self.prompt is not None and "{path}" not in self.prompt:
            return ["--prompt has no {path}: with --glob it says where the path of each file goes"]
        return []

    def _problems_of_fields(self) -> list[str]:
        given = [("--query", self.query), ("--key", self.key), ("--keep", self.keep)]
        if self.input is None:
            return [f"{option} is about the fields of --input: give --input FILE" for option, value in given if value]
        problems = []
        if self.query is not None:
            try:
                named = Template(self.query).names
            except ValueError as error:
                problems.append(f"--query: {error}")
            else:
                problems += [] if named else ["--query names no field: write {field} where a field of the line goes"]
        if self.key is not None and not self.key.strip():
            problems.append("--key is empty: name the field that tells one line from another")
        if self.keep is not None and not all(self.keep):
            problems.append("--keep has an empty name: write --keep a,b")
        return problems

    def _problems_of_output(self) -> list[str]:
        if self.journal == STANDARD_STREAM:
            return ["--journal needs a file: standard output cannot be gone on with"]
        if self.timeline == STANDARD_STREAM:
            return ["--timeline needs a file: FILE.html, FILE.json or FILE.json.gz"]
        if self.resume and self.overwrite:
            return ["--resume and --overwrite exclude each other: go on with the file, or empty it"]
        if self.out not in (None, STANDARD_STREAM):
            return []
        if self.overwrite:
            return ["--overwrite is about the file of --out: give --out FILE"]
        if self.resume and self.journal is None:
            return ["--resume is about the file of --out, or of --journal: give --out FILE or --journal FILE"]
        return []

    def _problems_of_engine(self) -> list[str]:
        given = [("--address", self.address), ("--slots-per-node", self.slots_per_node)]
        if self.engine is None:
            named = [option for option, value in given if value is not None]
            return [f"{option} is about other machines: give --engine ray" for option in named]
        problems = []
        if self.engine != RAY:
            problems.append(f"--engine is {shown(self.engine, 60)}: the one that there is is {RAY}")
        if self.address is not None and not self.address.strip():
            problems.append("--address is empty: give that of the cluster's head, as HOST:6379")
        if self.slots_per_node is not None and self.slots_per_node < 1:
            problems.append(f"--slots-per-node is {self.slots_per_node}: it must be at least 1")
        return problems

    def _problems_of_limits(self) -> list[str]:
        problems = []
        if self.max_concurrent < 1:
            problems.append(f"--max-concurrent is {self.max_concurrent}: it must be at least 1")
        if self.live is not None and not 0 <= self.live <= HIGHEST_PORT:
            problems.append(f"--live is {self.live}: a port is a whole number from 0 to {HIGHEST_PORT}")
        if self.control and self.live is None:
            problems.append("--control is about the page of --live: give --live")
        timeout = problem_of_timeout(self.timeout)
        return problems if timeout is None else [*problems, timeout]


def problem_of_timeout(timeout: float | None) -> str | None:
    """What is wrong with ``--timeout``; None when nothing is."""
    if timeout is None or 0 < timeout < math.inf:
        return None
    return f"--timeout is {timeout:g}: it must be a number of seconds above 0"
