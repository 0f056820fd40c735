"""Locks, read from the source: whatever is written from outside its class stands in the ``Locks:`` block of it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import actors

from .imports import Sources

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

ROOMS = ("actors.core.", "actors.agent.")
HOUSE = Sources(Path(actors.__file__).parent)


@dataclass
class Described:
    """One class as its source describes it."""

    module: str
    node: ast.ClassDef
    bases: list[str]
    attributes: dict[str, str | None] = field(default_factory=dict)
    """Its attributes, with the class that each is annotated with, if that is one of ours."""

    @property
    def locks(self) -> str:
        """What the ``Locks:`` block says; empty without one."""
        text = ast.get_docstring(self.node) or ""
        found = re.search(r"^Locks:(.*?)(?=^[A-Z]\w*:|\Z)", text, re.MULTILINE | re.DOTALL)
        return found[1] if found is not None else ""

    @property
    def is_frozen(self) -> bool:
        """Is it a record that nobody can change?"""
        return any(
            keyword.arg == "frozen" and ast.unparse(keyword.value) == "True"
            for mark in self.node.decorator_list
            if isinstance(mark, ast.Call) and name_of(mark.func) == "dataclass"
            for keyword in mark.keywords
        )

    def names(self, attribute: str) -> bool:
        """Does its ``Locks:`` block name *attribute*?"""
        return f"``{attribute}``" in self.locks


def classes() -> dict[str, Described]:
    """The classes of the core and of agents, by name."""
    found: dict[str, Described] = {}
    for module, tree in HOUSE.trees.items():
        if module.startswith(ROOMS):
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef):
                    bases = [base for expr in node.bases if (base := name_of(expr)) is not None]
                    assert node.name not in found or node.name in TWICE, f"two classes named {node.name}"
                    found[node.name] = Described(module, node, bases)
    for described in found.values():
        for name, annotation in own_attributes(described.node):
            kind = annotated(annotation, found)
            if kind is not None or name not in described.attributes:
                described.attributes[name] = kind
    return found


TWICE = {"Question", "Turn"}
"""An ask in a mailbox, and a question for approval; the lock of a pool, and what was said in a session: no attribute of
any is written from outside.
"""


def name_of(node: ast.expr | None) -> str | None:
    if isinstance(node, ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else None


BOUNDS = {
    node.targets[0].id: keyword.value.value
    for module, tree in HOUSE.trees.items()
    if module.startswith(ROOMS)
    for node in tree.body
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Call)
    for keyword in node.value.keywords
    if keyword.arg == "bound" and isinstance(keyword.value, ast.Constant)
}
"""Type variables, and the class that bounds each."""


def annotated(annotation: ast.expr | None, known: Container[str]) -> str | None:
    """The class of ours in *annotation*: ``X``, ``X | None``, ``type[X]`` is none."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    if isinstance(annotation, ast.BinOp):
        return annotated(annotation.left, known) or annotated(annotation.right, known)
    if isinstance(annotation, ast.Name):
        return annotation.id if annotation.id in known else BOUNDS.get(annotation.id)
    if isinstance(annotation, ast.Subscript) and isinstance(annotation.value, ast.Name):
        return annotation.value.id if annotation.value.id in known else None
    return None


def own_attributes(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr | None]]:
    """What a class declares, or writes on ``self``, with the annotation or the call that makes it."""
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            yield statement.target.id, statement.annotation
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                if isinstance(target, ast.Name) and target.id == "__slots__":
                    yield from ((name, None) for name in ast.literal_eval(statement.value))
                elif isinstance(target, ast.Name):
                    yield target.id, None
        elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            if any(isinstance(mark, ast.Name) and mark.id == "property" for mark in statement.decorator_list):
                yield statement.name, statement.returns
            parameters = {one.arg: one.annotation for one in [*statement.args.args, *statement.args.kwonlyargs]}
            for inner in ast.walk(statement):
                if isinstance(inner, ast.AnnAssign) and is_of_self(inner.target):
                    yield inner.target.attr, inner.annotation  # type: ignore[union-attr]
                elif isinstance(inner, ast.Assign):
                    for target in targets(inner):
                        if is_of_self(target):
                            value = inner.value
                            made = value.orelse if isinstance(value, ast.IfExp) else value
                            kind = made.func if isinstance(made, ast.Call) else None
                            if isinstance(value, ast.Name):
                                kind = parameters.get(value.id)
                            yield target.attr, kind


def is_of_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"


STRANGER = "somebody else's"
STRANGERS = {("Worker", "thread")}
"""Attributes that hold what is no class of ours, but has attributes of the same names."""
ENTERED = {"Step": "Effects"}
"""What a ``with`` gives, where that is not what it was given."""


@dataclass(frozen=True)
class Write:
    """An attribute that is written from outside its class: ``owner`` is the class, None when it is not known."""

    place: str
    owner: str | None
    attribute: str


def declaring(kind: str, attribute: str) -> str | None:
    """The class that declares *attribute*, among *kind* and its bases."""
    described = KNOWN.get(kind)
    if described is None:
        return None
    if attribute in described.attributes:
        return kind
    return next((found for base in described.bases if (found := declaring(base, attribute)) is not None), None)


def is_a(kind: str | None, other: str) -> bool:
    return kind is not None and (kind == other or any(is_a(base, other) for base in KNOWN[kind].bases if base in KNOWN))


def type_of(node: ast.expr, names: dict[str, str | None], me: str | None) -> str | None:
    """The class of the value of *node*: by annotations of parameters and attributes, and by what is assigned."""
    if isinstance(node, ast.Name):
        return me if node.id in ("self", "cls") else names.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = type_of(node.value, names, me)
        found = None if owner is None else declaring(owner, node.attr)
        return STRANGER if (found, node.attr) in STRANGERS else found and KNOWN[found].attributes[node.attr]
    if isinstance(node, ast.IfExp):
        return type_of(node.body, names, me) or type_of(node.orelse, names, me)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id if node.func.id in KNOWN else None
    return None


def writes() -> Iterator[Write]:
    """Every write to an attribute of somebody else, in the whole package."""
    for module, tree in HOUSE.trees.items():
        for function, me in functions(tree, None):
            names: dict[str, str | None] = {}
            elements: dict[str, str | None] = {}
            arguments = function.args
            for one in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
                names[one.arg] = annotated(one.annotation, KNOWN)
                if isinstance(one.annotation, ast.Subscript):
                    elements[one.arg] = annotated(one.annotation.slice, KNOWN)
            for node in walk_in_order(function):
                if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                    names[node.target.id] = annotated(node.annotation, KNOWN)
                elif isinstance(node, ast.Assign):
                    pairs = [
                        pair
                        for target in node.targets
                        for pair in (
                            zip(target.elts, node.value.elts, strict=True)
                            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple)
                            else [(target, node.value)]
                        )
                    ]
                    for target, value in pairs:
                        if isinstance(target, ast.Name):
                            names[target.id] = type_of(value, names, me) or names.get(target.id)
                elif isinstance(node, ast.For) and isinstance(node.target, ast.Name):
                    if isinstance(node.iter, ast.Name) and node.iter.id in elements:
                        names[node.target.id] = elements[node.iter.id]
                elif isinstance(node, ast.With):
                    for item in node.items:
                        if isinstance(item.optional_vars, ast.Name):
                            made = type_of(item.context_expr, names, me)
                            names[item.optional_vars.id] = ENTERED.get(made or "", made)
                for target in targets(node):
                    if not is_of_self(target):
                        kind = type_of(target.value, names, me)
                        if kind == STRANGER:
                            continue
                        owner = None if kind is None else declaring(kind, target.attr)
                        if owner is None and kind is None and not in_the_core(target.attr):
                            continue
                        if not is_a(me, owner or "") or owner is None:
                            yield Write(f"{module}:{target.lineno} {ast.unparse(target)}", owner, target.attr)


def in_the_core(attribute: str) -> bool:
    """Has a class of the core an attribute of that name, that can be written?"""
    return any(attribute in described.attributes and not described.is_frozen for described in KNOWN.values())


def functions(tree: ast.AST, me: str | None) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, str | None]]:
    for node in ast.iter_child_nodes(tree):
        inside = node.name if isinstance(node, ast.ClassDef) and node.name in KNOWN else me
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node, me
        yield from functions(node, inside)


def walk_in_order(function: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(function):
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield from walk_in_order(node)


def targets(node: ast.AST) -> Iterator[ast.Attribute]:
    """The attributes that a statement writes or deletes."""
    if isinstance(node, ast.Assign | ast.Delete):
        for whole in node.targets:
            elements = whole.elts if isinstance(whole, ast.Tuple | ast.List) else [whole]
            yield from (one for one in elements if isinstance(one, ast.Attribute))
    elif isinstance(node, ast.AugAssign | ast.AnnAssign) and isinstance(node.target, ast.Attribute):
        yield node.target


KNOWN = classes()
WRITES = sorted(writes(), key=lambda write: write.place)


def test_the_reading_finds_what_is_there() -> None:
    """The checks below look at the real source."""
    found = {(write.owner, write.attribute) for write in WRITES}
    assert ("AgentCell", "outcome") in found  # by the roster
    assert ("AgentCell", "tool_threads") in found
    assert ("ToolThread", "parks") in found
    assert ("Waiter", "owner") in found
    assert len(found) > 20


@pytest.mark.parametrize("write", [write for write in WRITES if write.owner is not None], ids=lambda write: write.place)
def test_what_others_write_stands_in_the_locks_block(write: Write) -> None:
    """Who may write it, and under which lock."""
    assert write.owner is not None
    assert KNOWN[write.owner].names(write.attribute), f"{write.owner} says nothing of {write.attribute}"


def test_whose_attribute_is_written_can_be_seen() -> None:
    """A reader, and this test, knows by the annotations near a write whose attribute it is."""
    unknown = [write.place for write in WRITES if write.owner is None and not write.place.startswith(FOREIGN)]
    assert unknown == []


FOREIGN = (
    "actors.cli",
    "actors.cluster",
    "actors.drivers",
    "actors.inside",
    "actors.memory",
    "actors.tools",
    "actors.network",
    "actors.testing",
)
"""What stands above, and writes attributes of its own classes under names that these rooms have, too."""


@pytest.mark.parametrize("name", ["Turn", "Effects", "Waiter", "AgentCell", "ToolThread", "PoolState", "WaitMember"])
def test_what_threads_share_says_how(name: str) -> None:
    """Above a class that threads share stands which lock guards which field."""
    assert KNOWN[name].locks


NAMES = {
    *KNOWN,
    *(attribute for described in KNOWN.values() for attribute in described.attributes),
    *(node.name for tree in HOUSE.trees.values() for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)),
    "len",
}
"""What a ``Locks:`` block may speak of: classes, attributes, functions."""


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_a_locks_block_names_what_is_there(name: str) -> None:
    """Each attribute that a ``Locks:`` block names is one, of the class or of what it speaks of."""
    named = re.findall(r"``(\w+)``", KNOWN[name].locks)
    assert [one for one in named if one not in NAMES] == []
