"""What one Python source file looks like in numbers. Pure: text in, a record out.

The score says where to look first; 0 is spotless and nothing bounds it above:

    score = 10 x bare excepts
          +  5 x long functions            (more than LONG lines, from ``def`` to the last line)
          +  1 x each point of complexity above COMPLEX, function by function
          +  1 x missing docstrings
"""

import ast
import io
from collections.abc import Iterator
from dataclasses import dataclass

LONG = 50
COMPLEX = 10

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
Documented = ast.Module | ast.ClassDef | FunctionNode


@dataclass(frozen=True, slots=True)
class Function:
    """A function or method, under its name within the module (``Class.method``)."""

    name: str
    line: int
    length: int
    complexity: int


@dataclass(frozen=True, slots=True)
class Measures:
    """The numbers of one file."""

    lines: int
    functions: tuple[Function, ...]
    bare_excepts: tuple[int, ...]
    """Their lines."""
    missing_docstrings: tuple[str, ...]
    """Names within the module; ``"module"`` for the module's own."""

    @property
    def long_functions(self) -> tuple[Function, ...]:
        """The functions of more than ``LONG`` lines."""
        return tuple(function for function in self.functions if function.length > LONG)

    @property
    def complex_functions(self) -> tuple[Function, ...]:
        """The functions whose complexity is above ``COMPLEX``."""
        return tuple(function for function in self.functions if function.complexity > COMPLEX)

    @property
    def score(self) -> int:
        """How much there is to do; the formula stands at the head of this module."""
        excess = sum(function.complexity - COMPLEX for function in self.complex_functions)
        return 10 * len(self.bare_excepts) + 5 * len(self.long_functions) + excess + len(self.missing_docstrings)


def measure(source: str) -> Measures:
    """Measure one Python source.

    Raises:
        SyntaxError: It is not Python (of the version that runs this).
    """
    try:
        tree = ast.parse(source)
    except (ValueError, RecursionError, MemoryError) as error:  # a null byte; nested too deeply
        raise SyntaxError(str(error) or "nested too deeply") from error
    definitions = list(_definitions(tree))
    handlers = (node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler))
    return Measures(
        lines=sum(1 for _ in io.StringIO(source, newline=None)),
        functions=tuple(
            Function(name, node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1, complexity(node))
            for name, node, _ in definitions
            if isinstance(node, FunctionNode)
        ),
        bare_excepts=tuple(sorted(handler.lineno for handler in handlers if handler.type is None)),
        missing_docstrings=tuple(name for name, node, public in definitions if public and _lacks_docstring(node)),
    )


def complexity(function: FunctionNode) -> int:
    """Count the ways through *function* (McCabe): one, and one more for each decision.

    A decision is an ``if``, ``for``, ``while``, ``except`` or ``case`` (but not ``case _``), in a statement
    or inside an expression, and each ``and`` and ``or``. A function within counts for itself.
    """
    return 1 + sum(_decisions(node) for node in _own_nodes(function))


def _decisions(node: ast.AST) -> int:
    match node:
        case ast.BoolOp(values=values):
            return len(values) - 1
        case ast.comprehension(ifs=conditions):
            return 1 + len(conditions)
        case ast.match_case(pattern=pattern, guard=guard):
            wildcard = isinstance(pattern, ast.MatchAs) and pattern.pattern is None and pattern.name is None
            return (not wildcard) + (guard is not None)
        case ast.If() | ast.IfExp() | ast.For() | ast.AsyncFor() | ast.While() | ast.ExceptHandler():
            return 1
    return 0


def _own_nodes(function: FunctionNode) -> Iterator[ast.AST]:
    stack: list[ast.AST] = [function.args, *function.body]
    while stack:  # no recursion: real files hold expressions nested a thousand deep
        node = stack.pop()
        if isinstance(node, FunctionNode):
            stack.extend(node.decorator_list)  # they run out here
        else:
            yield node
            stack.extend(ast.iter_child_nodes(node))


def _definitions(tree: ast.Module) -> Iterator[tuple[str, Documented, bool]]:
    """Whatever may have a docstring, in the order of the text: its name, its node, and is it public?"""
    yield "module", tree, True
    stack: list[tuple[ast.AST, str, bool]] = [(tree, "", True)]
    while stack:
        node, prefix, public = stack.pop()
        if isinstance(node, ast.ClassDef | FunctionNode):
            prefix, public = f"{prefix}{node.name}", public and not node.name.startswith("_")
            yield prefix, node, public
            prefix, public = f"{prefix}.", public and isinstance(node, ast.ClassDef)
        stack.extend((child, prefix, public) for child in reversed(list(ast.iter_child_nodes(node))))


def _lacks_docstring(node: Documented) -> bool:
    if not node.body or ast.get_docstring(node, clean=False):
        return False
    # An overload and the setter of a property are documented where the function or the property is.
    decorators = [] if isinstance(node, ast.Module) else node.decorator_list
    names = {getattr(each, "attr", getattr(each, "id", "")) for each in decorators}
    return names.isdisjoint({"overload", "setter", "deleter"})
