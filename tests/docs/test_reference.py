"""Every public name is on one page of the reference, with an example; every error has a line that says what to do."""

from __future__ import annotations

import importlib
import re
from types import ModuleType

import pytest

import actors
from actors import errors

from .pages import DOCS, blocks_of

REFERENCE = DOCS / "reference"
GROUPS = (
    *("agents", "actors", "messages", "manifests", "capabilities", "limits", "ports", "drivers", "memory", "tools"),
    *("events", "errors", "monitoring", "journals", "sessions", "testing", "testing.cluster", "cluster"),
)
_DIRECTIVE = re.compile(r"^::: actors\.([\w.]+)$", re.MULTILINE)
_TREE = re.compile(r"^( *)(\w+)(?:  .*)?$")


def page_of(group: str) -> str:
    """The page of a group: that of tests has those of a cluster, too."""
    return f"{group.partition('.')[0]}.md"


def module_of(group: str) -> ModuleType:
    """Where its names are."""
    return importlib.import_module(f"actors.{group}")


@pytest.mark.parametrize("group", GROUPS)
def test_every_public_name_is_on_the_page_of_its_group(group: str) -> None:
    """Once, and on no other page."""
    found = [
        (page.name, name) for page in REFERENCE.glob("*.md") for name in _DIRECTIVE.findall(page.read_text("utf-8"))
    ]
    for name in module_of(group).__all__:
        places = [page for page, full in found if full == f"{group}.{name}"]
        assert places == [page_of(group)], f"actors.{group}.{name}: {places}"


def test_what_the_reference_shows_is_there() -> None:
    """No dead name."""
    for page in REFERENCE.glob("*.md"):
        for full in _DIRECTIVE.findall(page.read_text("utf-8")):
            module, _, name = f"actors.{full}".rpartition(".")
            assert hasattr(importlib.import_module(module), name), f"{page.name}: {full}"


def test_what_stands_at_the_top_is_in_a_group() -> None:
    """But for the log and the version, which are on the first page."""
    grouped = {name for group in GROUPS for name in module_of(group).__all__}
    assert set(actors.__all__) - grouped == {"log", "__version__"}
    index = (REFERENCE / "index.md").read_text("utf-8")
    assert "::: actors.log" in index
    assert "actors.__version__" in index


@pytest.mark.parametrize("group", GROUPS)
def test_every_public_name_is_in_an_example(group: str) -> None:
    """In a program of its page, or of another page of the reference, all of which run."""
    code = "\n".join(b.text for page in REFERENCE.glob("*.md") for b in blocks_of(page) if b.language == "python")
    used = set(re.findall(r"\w+", code))
    assert not [name for name in module_of(group).__all__ if name not in used]


def test_every_error_says_what_to_do() -> None:
    """In a row of a table, with when it comes and whether the same may be tried again."""
    text = (REFERENCE / "errors.md").read_text("utf-8")
    rows = {row[0].strip("` "): row for row in _rows(text)}
    said = set(errors.__all__) - {"ActorsError", "AgentError"}  # roots: what to do depends on which it is
    assert said <= set(rows)
    for name in said:
        assert all(rows[name][at].strip() for at in (1, -2, -1)), name


def test_the_tree_of_errors_is_that_of_the_classes() -> None:
    """Each stands below its parent."""
    text = (REFERENCE / "errors.md").read_text("utf-8")
    tree = text.partition("```text\n")[2].partition("```")[0]
    above: list[str] = []
    seen = set()
    for line in tree.splitlines():
        match = _TREE.match(line)
        assert match is not None, line
        depth, name = len(match[1]) // 2, match[2]
        above = [*above[:depth], name]
        seen.add(name)
        if depth:
            assert getattr(errors, above[-2]) in getattr(errors, name).__bases__, name
    assert seen == set(errors.__all__)


def _rows(text: str) -> list[list[str]]:
    found = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found]
