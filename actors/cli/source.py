"""What a module defines, by its text: nothing of it runs."""

from __future__ import annotations

import ast
import importlib.util
import os
import symtable
import sys
import warnings
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from typing import TYPE_CHECKING

from ..agent.terms import capability
from ..agent.terms.importing import no_module, parts_of
from ..errors import ManifestError
from ..tools.regular_file import open_regular

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..agent.terms.capability import Capability

MAX_BYTES = 5_000_000
"""A larger module is not looked into."""
# With these a module may define what its text does not show.
_HIDDEN = frozenset({"globals", "locals", "vars", "setattr", "exec", "eval"})


@dataclass(frozen=True, slots=True)
class Definition:
    """What stands under a name, as far as the text tells.

    Args:
        statement: The one that defines it; None: it is not to be seen.
    """

    statement: ast.stmt | None = None

    @property
    def name(self) -> str | None:
        """What a function or a class is called where it is defined; None for anything else."""
        return getattr(self.statement, "name", None)

    @property
    def is_plain(self) -> bool:
        """Is it a value that can be neither called nor extended?"""
        return isinstance(self.statement, ast.Assign) and isinstance(self.statement.value, ast.Constant)

    @property
    def is_class(self) -> bool:
        """Is it a class?"""
        return isinstance(self.statement, ast.ClassDef)

    @property
    def is_function(self) -> bool:
        """Is it a function?"""
        return isinstance(self.statement, ast.FunctionDef | ast.AsyncFunctionDef)

    @property
    def is_decorated(self) -> bool:
        """Does something stand above it, which may have made another thing of it?"""
        return bool(getattr(self.statement, "decorator_list", ()))

    def tool_needs(self) -> Capability | None:
        """The capability that it asks for, if it is a tool; None: none, or not to be seen."""
        for decorator in getattr(self.statement, "decorator_list", ()):
            for keyword in getattr(decorator, "keywords", ()):
                if keyword.arg == "capability" and isinstance(keyword.value, ast.Call):
                    return _capability(keyword.value)
        return None

    def tool_name(self) -> str | None:
        """The name under which a model calls it, if it is a tool; None: not to be seen."""
        if not isinstance(self.statement, ast.FunctionDef | ast.AsyncFunctionDef):
            return None
        for decorator in self.statement.decorator_list:
            for keyword in getattr(decorator, "keywords", ()):
                if keyword.arg in ("name", None):
                    value = getattr(keyword.value, "value", None)
                    return value if keyword.arg and isinstance(value, str) else None
        return self.statement.name


def definition(path: str, *, beside: Path | None = None, place: str = "") -> Definition:
    """Find what *path* names, without importing it.

    Args:
        path: ``package.module:name``; the name may have dots.
        beside: The manifest's folder: modules are looked for there first.
        place: Where the path stands, for the error.
    Raises:
        ManifestError: There is no such module or name, or the module is no Python.
    """
    where = f"{place}: " if place else ""
    module, name = parts_of(path, where)
    spec = _spec(module, beside)
    if spec is None:
        raise no_module(module, path, beside, where)
    try:
        text = _text(spec)
        if text is None:
            return Definition()
        found = _defined(text, name.partition(".")[0])
    except (SyntaxError, ValueError, RecursionError, MemoryError, OSError) as error:
        raise ManifestError([f"{where}module {module!r} cannot be read: {type(error).__name__}: {error}"]) from error
    if found is None:
        raise ManifestError([f"{where}module {module!r} has no {name!r}"])
    return found if "." not in name else Definition()


def _capability(call: ast.Call) -> Capability | None:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    made = getattr(capability, name, None) if name in capability.__dict__ else None
    if call.args or not isinstance(made, type):
        return None
    try:
        found: Capability = made(**{word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg})
    except (TypeError, ValueError):
        return None
    return found if hasattr(found, "allows") else None


def _spec(module: str, beside: Path | None) -> ModuleSpec | None:
    """Where *module* is, found as an import would find it, but without importing the packages above it."""
    top, *rest = module.split(".")
    found = None
    if beside is not None and top not in sys.stdlib_module_names:
        found = PathFinder.find_spec(top, [str(beside)])
    try:
        found = found or importlib.util.find_spec(top)
    except ValueError:  # the main program, say
        return ModuleSpec(module, None)
    for part in rest:
        if found is None or found.submodule_search_locations is None:
            return None
        try:
            places = list(found.submodule_search_locations)
        except KeyError:  # a package without a file of its own, in another one
            return ModuleSpec(module, None)
        found = PathFinder.find_spec(f"{found.name}.{part}", places)
    return found


def _text(spec: ModuleSpec) -> str | None:
    """The text of a module; None where there is none to be looked at."""
    if not spec.has_location or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    with open(open_regular(os.path.realpath(spec.origin), None), "rb") as file:
        data = file.read(MAX_BYTES + 1)
    return importlib.util.decode_source(data) if len(data) <= MAX_BYTES else None


def _defined(text: str, name: str) -> Definition | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the compiler, about the text
        tree = ast.parse(text)
        table = symtable.symtable(text, "<module>", "exec")
    names = {symbol.get_name() for symbol in table.get_symbols() if _is_bound(symbol)}
    if name not in names:
        return Definition() if _hides(tree, names) else None
    statements = [statement for statement in tree.body if name in _names_of(statement)]
    rest = [statement for statement in tree.body if statement not in statements]
    return Definition(statements[0] if len(statements) == 1 and not _rebinds(rest, name) else None)


def _is_bound(symbol: symtable.Symbol) -> bool:
    return symbol.is_assigned() or symbol.is_imported() or symbol.is_namespace() or symbol.is_declared_global()


def _hides(tree: ast.Module, names: set[str]) -> bool:
    """May there be names that the text does not show?"""
    if "__getattr__" in names:
        return True
    return any(
        (isinstance(node, ast.alias) and node.name == "*")
        or (isinstance(node, ast.Name) and node.id in _HIDDEN)
        or (isinstance(node, ast.Attribute) and node.attr in ("__dict__", "modules"))
        for node in ast.walk(tree)
    )


def _names_of(statement: ast.stmt) -> Sequence[str]:
    """The names that a simple statement defines."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Assign):
        return [target.id for target in statement.targets if isinstance(target, ast.Name)]
    return []


def _rebinds(statements: Sequence[ast.stmt], name: str) -> bool:
    """Is *name* spoken of as something to be set, anywhere in *statements*?"""
    for statement in statements:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and node.id == name and not isinstance(node.ctx, ast.Load):
                return True
            if isinstance(node, ast.Global) and name in node.names:
                return True
            if isinstance(node, ast.alias) and (node.asname or node.name).partition(".")[0] == name:
                return True
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.name == name:
                return True
    return False
