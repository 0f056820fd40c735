"""What the tests of the examples share: a way to run one, the trees to audit, and a count by other means."""

import asyncio
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pydantic
import pytest

from ..processes import mark
from .by_tokens import Count, count

ROOT = Path(__file__).parents[2]
SECONDS = 120
"""What one example may take on a busy machine."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what runs an example as a program."""
    mark(items, ROOT / "tests" / "examples", "run")


@pytest.fixture
def run() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run Python with these arguments in the project's folder, or in *cwd*; *first* comes first on its path."""

    def run_python(*args: object, cwd: Path = ROOT, first: Path = ROOT) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *map(str, args)],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": f"{first}{os.pathsep}{ROOT}", "PYTHONUTF8": "1", "COLUMNS": "120"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=SECONDS,
            check=False,
        )

    return run_python


@pytest.fixture(params=[json, asyncio, pydantic], ids=lambda package: package.__name__)
def tree(request: pytest.FixtureRequest) -> Path:
    """The folder of a package that nobody here wrote."""
    return Path(request.param.__file__).parent


@pytest.fixture
def count_by_tokens() -> Callable[[str], Count]:
    """The count to compare with."""
    return count


@pytest.fixture
def audit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Import a module of the audit by name, as its siblings do; all of them are forgotten afterwards."""
    folder = ROOT / "examples" / "audit"
    names = [path.stem for path in folder.glob("*.py")]
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(folder))
    yield importlib.import_module
    for name in names:
        sys.modules.pop(name, None)
