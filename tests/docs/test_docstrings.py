"""Docstrings, which editors and the reference show: each example runs, and each parameter is told of."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import actors

from .pages import blocks_of, name_of
from .running import run_or_fail
from .test_reference import GROUPS, module_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .running import PageRun

RUN_ELSEWHERE = ("actors/cluster/ray_engine.py",)
"""Modules whose examples need what is not here: a cluster."""
MODULES = sorted(Path(actors.__file__).parent.rglob("*.py"))
FORM = re.compile(r"^ *Example:\n +```python\n", re.MULTILINE)
WITH_EXAMPLES = [path for path in MODULES if FORM.search(path.read_text(encoding="utf-8"))]
OTHER_FORMS = re.compile(r"^ *>>> |::$|^ *Examples?:(?!\n +```python\n)", re.MULTILINE)
MET_FIRST = (
    "AgentPool", "AgentPool.spawn", "AgentPool.submit", "AgentPool.subscribe", "AgentPool.converse", "AgentManifest",
    "SpawnConfig", "AgentOutcome", "Agent", "Agent.step", "Actor", "Budget", "Guardrail", "Handoff", "Journal",
    "Sessions", "SqliteMemory", "UserMessage", "ask", "tool",
)  # fmt: skip


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Those of a module, also of its values, with the lines where they begin."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=name_of)
def test_examples_work(path: Path, page_run: PageRun) -> None:
    """Each is a program of its own, so that it can be copied."""
    blocks = blocks_of(path)
    assert blocks
    for block in blocks:
        assert block.language == "python", block.place
        if name_of(path) in RUN_ELSEWHERE:
            compile(block.text, block.place, "exec")
        else:
            run_or_fail(page_run, block)


def test_examples_have_one_form() -> None:
    """``Example:``, and below it a block that editors and the reference show as code."""
    for path in MODULES:
        for line, text in docstrings(path):
            assert OTHER_FORMS.search(text) is None, f"{name_of(path)}:{line}: {OTHER_FORMS.search(text)}"
            assert ("```" in text) == (FORM.search(text) is not None), f"{name_of(path)}:{line}"


@pytest.mark.parametrize("name", MET_FIRST)
def test_what_people_meet_first_has_an_example(name: str) -> None:
    """In its own docstring, where an editor shows it."""
    thing: object = actors
    for part in name.split("."):
        thing = getattr(thing, part)
    assert FORM.search(thing.__doc__ or "") is not None


def callables_of(name: str, thing: object) -> Iterator[tuple[str, Callable[..., object]]]:
    """A function itself; of a class its own public methods."""
    if not inspect.isclass(thing):
        if inspect.isfunction(thing):
            yield name, thing
        return
    for own, value in vars(thing).items():
        function = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        if inspect.isfunction(function) and not own.startswith("_"):
            yield f"{name}.{own}", function


@pytest.mark.parametrize("group", GROUPS)
def test_every_parameter_is_told(group: str) -> None:
    """By its name, in the docstring of what takes it."""
    module = module_of(group)
    for name in module.__all__:
        for full, function in callables_of(name, getattr(module, name)):
            told = set(re.findall(r"\w+", function.__doc__ or ""))
            taken = {one for one in inspect.signature(function).parameters if not one.startswith("_")}
            assert taken - {"self", "cls"} <= told, f"actors.{group}.{full}: {taken - told}"
