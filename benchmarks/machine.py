"""Where and on what a benchmark ran."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[1]
"""Where a fresh Python finds the benchmarks."""
SHOWN = (
    *("pykka", "pydantic", "loguru"),
    *("openai", "pydantic-ai-slim", "openai-agents", "autogen-core", "thespian", "dbos", "ray", "distributed"),
)
"""Packages whose versions matter for the figures."""


def facts() -> dict[str, str | int | float | None]:
    """The machine, the Python, the versions, the commit and the moment; None where it cannot be known."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "gil": _has_gil(),
        "system": platform.platform(),
        "processor": _processor(),
        "cpus": _cpus(),
        "load": _load(),
        **{package: _version(package) for package in SHOWN},
    }


def _commit() -> str | None:
    """The commit of the source, with a plus when the work tree differs from it."""
    here = Path(__file__).parent
    try:
        commit = _git(here, "rev-parse", "--short=12", "HEAD")
        return commit + ("+" if _git(here, "status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)  # noqa: S603 - our own words
    return done.stdout.strip()


def _has_gil() -> bool:
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())


def _processor() -> str | None:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or None


def _cpus() -> int | None:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count()


def _load() -> float | None:
    """What else the machine did in the last minute: figures under load are worth less."""
    try:
        return round(os.getloadavg()[0], 2)
    except (AttributeError, OSError):
        return None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
