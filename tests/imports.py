"""What the modules of a package import, read from their source; nothing of it is run."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


LATER = {"annotationlib"}
"""Modules of the standard library that the oldest Python here does not have yet."""


@dataclass(frozen=True)
class Import:
    """One import of a module: ``runtime`` says that it happens when the module is imported."""

    source: str
    target: str
    line: int
    runtime: bool
    typing_only: bool

    @property
    def place(self) -> str:
        """Where it stands, and what it names."""
        return f"{self.source}:{self.line} imports {self.target}"


class Sources:
    """The modules in a package's folder, by name.

    Args:
        root: The folder; its own name is where the names of the modules begin.
    """

    def __init__(self, root: Path) -> None:
        self.package = root.name
        self.modules = {_module_name(path, root): path for path in sorted(root.rglob("*.py"))}
        self.trees = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in self.modules.items()}
        self.imports = list(self._read())
        packages = {self.package, *sys.stdlib_module_names, *LATER}
        self.own = [entry for entry in self.imports if _top(entry.target) == self.package]
        self.foreign = [entry for entry in self.imports if _top(entry.target) not in packages]

    def circle(self) -> list[str]:
        """Modules of which each imports the next, and the last is the first; none if there is no circle."""
        graph: dict[str, set[str]] = {name: set() for name in self.modules}
        for entry in self.own:
            if entry.target in graph and entry.target != entry.source:
                graph[entry.source].add(entry.target)
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            found: list[str] = error.args[1]
            return found[::-1]
        return []

    def _read(self) -> Iterator[Import]:
        for name, tree in self.trees.items():
            for node, runtime, typing_only in _nodes(tree):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    for target in self._targets(name, node):
                        yield Import(name, target, node.lineno, runtime, typing_only)

    def _targets(self, name: str, node: ast.Import | ast.ImportFrom) -> Iterator[str]:
        """What an import names, absolute. ``from x import y`` names ``x.y`` if that is a module."""
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
            return
        base = node.module or ""
        if node.level:
            package = self._package_of(name, node.level)
            base = f"{package}.{base}" if base else package
        for alias in node.names:
            inner = f"{base}.{alias.name}"
            yield inner if inner in self.modules else base

    def _package_of(self, name: str, levels: int) -> str:
        parts = name.split(".")
        if self.modules[name].name != "__init__.py":
            parts = parts[:-1]
        return ".".join(parts[: len(parts) - (levels - 1)])


def _nodes(tree: ast.AST) -> Iterator[tuple[ast.AST, bool, bool]]:
    """Every node with: is it run at import? does it stand under ``TYPE_CHECKING``?"""
    waiting = [(tree, True, False)]
    while waiting:
        node, runtime, typing_only = waiting.pop()
        yield node, runtime, typing_only
        if isinstance(node, ast.If) and _is_type_checking(node.test):
            waiting += ((child, False, True) for child in node.body)
            waiting += ((child, runtime, typing_only) for child in node.orelse)
        else:
            inside = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            waiting += ((child, runtime and not inside, typing_only) for child in ast.iter_child_nodes(node))


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def _module_name(path: Path, root: Path) -> str:
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _top(name: str) -> str:
    return name.partition(".")[0]
