"""Names that pages write as code are there: ``actors.x.y``, and members of what everybody meets."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import actors
from actors.testing.cluster import LocalEngine

from .pages import ROOT, name_of, pages

PAGES = [ROOT / "SECURITY.md", ROOT / "CONTRIBUTING.md", *pages()]
OWNERS: dict[str, Any] = {
    "pool": actors.AgentPool,
    "handle": actors.AgentHandle,
    "outcome": actors.AgentOutcome,
    "engine": LocalEngine,
    "journal": actors.Journal,
}
"""What a word before a dot stands for in the pages."""
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
FENCED = re.compile(r"^( *)```.*?^\1```", re.DOTALL | re.MULTILINE)


def spans(page: Path) -> list[str]:
    """What stands as code in its sentences."""
    return SPAN.findall(FENCED.sub("", page.read_text(encoding="utf-8")))


def exists(dotted: str) -> bool:
    """Can it be imported, or found on what can?"""
    parts = dotted.split(".")
    for number in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:number]))
        except ImportError:
            continue
        for part in parts[number:]:
            if not has(found, part):
                return False
            found = getattr(found, part, None)
        return True
    return False


def has(owner: Any, member: str) -> bool:
    """A method, a property, a field, or what it sets of itself."""
    fields = (getattr(owner, name, {}) for name in ("model_fields", "__dataclass_fields__", "__annotations__"))
    if hasattr(owner, member) or any(member in one for one in fields):
        return True
    return isinstance(owner, type) and re.search(rf"\bself\.{member}\b", inspect.getsource(owner)) is not None


def dead(page: Path) -> list[str]:
    """The names of the page that nothing has."""
    found = []
    for span in spans(page):
        found += [
            name
            for name in re.findall(r"(?<![\w./:@-])actors(?:\.\w+)+(?![\w/]*[/:-])", span)
            if not exists(name) and not re.search(r"\.(py|db|json|jsonl|html|toml)$", name)
        ]
        member = re.match(r"(\w+)\.(\w+)\b(?!/)", span)
        if member and member[1] in OWNERS and member[2] != "py" and not has(OWNERS[member[1]], member[2]):
            found.append(span)
    return found


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_names_are_those_of_the_code(page: Path) -> None:
    """Each that a page writes."""
    assert dead(page) == []


def test_a_dead_name_is_found(tmp_path: Path) -> None:
    """Of a module, of a class, and of what a word stands for."""
    page = tmp_path / "page.md"
    page.write_text(
        "`actors.AgentPool`, `actors.agents.AgentPol`, `actors.agents.AgentOutcome.traceback`, `pool.spawn(x)`, "
        "`pool.spwan(x)`, `handle.future`, `outcome.traceback`, `import actors`\n```text\n`actors.no`\n```\n"
    )
    assert dead(page) == ["actors.agents.AgentPol", "pool.spwan(x)"]
