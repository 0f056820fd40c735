"""Audit Python files with one agent for each, and rank them: an ordinary program with a pool inside.

    python examples/audit/audit.py PATH... [--max-concurrent N] [--top N]

Exit codes: 0 every file was audited, 1 some could not be, 2 bad usage.
"""

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from actors import (
    Agent,
    AgentLoopResult,
    AgentManifest,
    AgentMessage,
    AgentOutcome,
    AgentPool,
    FileRead,
    LlmAgent,
    SpawnConfig,
)

MANIFEST = Path(__file__).with_name("audit.toml")
COUNTS = {  # what the table shows of a report, and under which heading
    "score": "score",
    "lines": "lines",
    "functions": "functions",
    "long_functions": "long",
    "complex_functions": "complex",
    "bare_excepts": "bare excepts",
    "missing_docstrings": "no docstring",
}


class Report(BaseModel):
    """The last line of an auditor's answer. A model that gets it wrong fails here, and only its own agent."""

    path: str
    verdict: str
    reason: str = ""
    score: int = 0
    lines: int = 0
    functions: int = 0
    long_functions: int = 0
    complex_functions: int = 0
    bare_excepts: int = 0
    missing_docstrings: int = 0


class Auditor(LlmAgent):
    """The agent of audit.toml; besides giving its answer it reports to the collector."""

    def __init__(self, collector: int) -> None:
        self.collector = collector

    def run(self, query: str) -> AgentLoopResult:
        """Audit the file that *query* names."""
        answer = super().run(query)
        report = Report.model_validate_json(answer.text.splitlines()[-1])
        self.send(self.collector, report, timeout=30)
        return answer


class Collector(Agent[list[Report]]):
    """Gathers the reports until the program says that all auditors have ended."""

    def run(self, query: str) -> list[Report]:
        """Return the reports, the highest by the count that *query* names first."""
        reports: list[Report] = []
        while (message := self.receive()).sender != 0:
            reports.append(message.content)
        return sorted(reports, key=lambda report: (-getattr(report, query), report.path))


def audit(files: list[Path], max_concurrent: int) -> tuple[list[Report], list[AgentOutcome[Any]]]:
    """Run one auditor per file; return the reports, the worst first, and the outcomes that are no report."""
    manifest = AgentManifest.load(MANIFEST)
    with AgentPool(max_concurrent=max_concurrent) as pool:
        # It waits most of the time, and an agent that waits needs no slot: --max-concurrent 1 is enough.
        collector = pool.spawn(SpawnConfig(AgentManifest(name="collector"), "score", agent=Collector))
        failed = [outcome for outcome in pool.map(auditors(manifest, files, collector.id)) if not outcome.ok]
        # Each report was in the collector's inbox before its auditor's outcome was visible: this is the last.
        pool.router.send(AgentMessage(0, collector.id, "that was all"), timeout=30)
        return collector.result(), failed


def auditors(manifest: AgentManifest, files: list[Path], collector: int) -> Iterator[SpawnConfig]:
    """One auditor for each file; it may read that file and no other."""
    for file in files:
        own_file = FileRead(allowed_paths=(str(file),))
        yield SpawnConfig(
            manifest.model_copy(update={"capabilities": (own_file,)}),
            str(file),
            agent=Auditor,
            kwargs={"collector": collector},
            timeout=120,
        )


def table(reports: list[Report], top: int, base: Path) -> Iterator[str]:
    """The *top* reports, and the sums of all of them."""
    head = (*COUNTS.values(), "verdict", "file")
    rows = [
        (*(str(getattr(report, name)) for name in COUNTS), report.verdict, os.path.relpath(report.path, base))
        for report in reports[:top]
    ]
    sums = (str(sum(getattr(report, name) for report in reports)) for name in COUNTS)
    total = (*sums, "", f"all {len(reports)} files")
    widths = [max(map(len, column)) for column in zip(head, *rows, total, strict=True)]
    rule = "-" * (sum(widths) + 2 * len(widths) - 2)
    for row in (head, (rule,), *rows, (rule,), total):
        numbers = [cell.rjust(width) for cell, width in zip(row[:-2], widths, strict=False)]
        words = [cell.ljust(width) for cell, width in zip(row[-2:], widths[-2:], strict=False)]
        yield "  ".join(numbers + words).rstrip()


def main() -> int:
    """Audit, print, and return the exit code."""
    options = arguments()
    reports, failed = audit(options.files, options.max_concurrent)
    base = Path(os.path.commonpath([file.parent for file in options.files]))
    print(f"{base}, the worst first\n")
    unreadable = [report for report in reports if report.verdict == "unreadable"]
    audited = [report for report in reports if report.verdict != "unreadable"]
    print(*table(audited, options.top, base), sep="\n")
    for report in unreadable:
        print(f"unreadable: {os.path.relpath(report.path, base)}: {report.reason}")
    for outcome in failed:
        print(f"{outcome.status}: {os.path.relpath(outcome.query, base)}: {outcome.error}")
    return 1 if unreadable or failed else 0


def arguments() -> argparse.Namespace:
    """Read the command line; ``files`` holds every Python file that it names."""
    parser = argparse.ArgumentParser(description="Audit Python files and rank them, the worst first.")
    parser.add_argument("paths", metavar="PATH", nargs="+", type=Path, help="a Python file, or a folder of them")
    parser.add_argument("--max-concurrent", metavar="N", type=int, default=4, help="agents at once (default: 4)")
    parser.add_argument("--top", metavar="N", type=int, default=20, help="rows of the table (default: 20)")
    options = parser.parse_args()
    for name in ("max_concurrent", "top"):
        if getattr(options, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1")
    files: set[Path] = set()
    for path in options.paths:
        if not path.exists():
            parser.error(f"no such file or folder: {path}")
        found = [file for file in path.rglob("*.py") if not file.is_dir()] if path.is_dir() else [path]
        if not found:
            parser.error(f"no Python file under {path}")
        files.update(Path(os.path.abspath(file)) for file in found)
    options.files = sorted(files)
    return options


if __name__ == "__main__":
    sys.exit(main())
