"""Capabilities: what a grant covers, and how a child's grants are cut down."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from actors import (
    Browser,
    Capability,
    Compute,
    FileRead,
    FileWrite,
    Inference,
    Mcp,
    Memory,
    Network,
    Rag,
    Shell,
    Spawn,
    capability_matches,
)
from actors.agent.terms.capability import _ItemCapability, narrow

ALL = [
    Rag(),
    Memory(),
    Browser(),
    Inference(),
    Compute(),
    Shell(allowed_commands=("ls",)),
    FileRead(allowed_paths=("/data",)),
    FileWrite(allowed_paths=("/data",)),
    Network(allowed_hosts=("example.org",)),
    Mcp(server="files", tool="read"),
    Spawn(max_depth=2),
]


@pytest.mark.parametrize("granted", ALL, ids=lambda one: one.type)
@pytest.mark.parametrize("required", ALL, ids=lambda one: one.type)
def test_a_grant_covers_its_own_kind_alone(granted: Capability, required: Capability) -> None:
    """Of the eleven kinds none stands for another."""
    assert capability_matches(granted, required) == (granted.type == required.type)


@pytest.mark.parametrize(
    ("granted", "required", "covered"),
    [
        (Shell(allowed_commands=("ls", "cat")), Shell(allowed_commands=("ls",)), True),
        (Shell(allowed_commands=("ls", "cat")), Shell(allowed_commands=("cat", "ls")), True),
        (Shell(allowed_commands=("ls",)), Shell(allowed_commands=("ls", "rm")), False),
        (Shell(allowed_commands=("*",)), Shell(allowed_commands=("rm",)), True),
        (Shell(allowed_commands=("ls",)), Shell(allowed_commands=("*",)), False),
        (Shell(), Shell(allowed_commands=("ls",)), False),
        (Shell(), Shell(), True),
        (Network(allowed_hosts=("a.org",)), Network(allowed_hosts=("a.org",)), True),
        (Network(allowed_hosts=("a.org",)), Network(allowed_hosts=("sub.a.org",)), False),
        (Network(allowed_hosts=("*",)), Network(allowed_hosts=("b.org",)), True),
        (FileRead(allowed_paths=("/data",)), FileRead(allowed_paths=("/data",)), True),
        (FileRead(allowed_paths=("/data",)), FileRead(allowed_paths=("/data/a/b.txt",)), True),
        (FileRead(allowed_paths=("/data",)), FileRead(allowed_paths=("/database",)), False),
        (FileRead(allowed_paths=("/data",)), FileRead(allowed_paths=("/data/../etc",)), False),
        (FileRead(allowed_paths=("/data",)), FileRead(allowed_paths=("/",)), False),
        (FileRead(allowed_paths=("/data", "/tmp")), FileRead(allowed_paths=("/tmp/x", "/data/y")), True),
        (FileRead(allowed_paths=("*",)), FileRead(allowed_paths=("/etc/passwd",)), True),
        (FileRead(allowed_paths=("/data",)), FileRead(), True),
        (FileWrite(allowed_paths=("/out",)), FileWrite(allowed_paths=("/out/x",)), True),
        (FileWrite(allowed_paths=("/out",)), FileWrite(allowed_paths=("/in/x",)), False),
        (FileRead(allowed_paths=(".",)), FileRead(allowed_paths=("notes.txt",)), True),
        (FileRead(allowed_paths=(".",)), FileRead(allowed_paths=("/etc",)), False),
        (Mcp(server="files"), Mcp(server="files", tool="read"), True),
        (Mcp(server="files", tool="read"), Mcp(server="files", tool="write"), False),
        (Mcp(server="files", tool="read"), Mcp(server="files"), False),
        (Mcp(server="files"), Mcp(server="web", tool="read"), False),
        (Mcp(server="*"), Mcp(server="web", tool="read"), True),
        (Mcp(server="*", tool="read"), Mcp(server="web", tool="read"), True),
        (Mcp(server="*", tool="read"), Mcp(server="web", tool="write"), False),
        (Spawn(max_depth=2), Spawn(max_depth=2), True),
        (Spawn(max_depth=2), Spawn(max_depth=1), True),
        (Spawn(max_depth=1), Spawn(max_depth=2), False),
    ],
    ids=repr,
)
def test_what_a_grant_covers(granted: Capability, required: Capability, covered: bool) -> None:
    """Equal kind, and every required item is allowed; ``"*"`` allows all; a spawn grant is deep enough."""
    assert capability_matches(granted, required) is covered


def test_of_several_grants_one_must_do() -> None:
    """The list of a manifest covers what any of its grants covers."""
    grants = (Rag(), FileRead(allowed_paths=("/a",)), FileRead(allowed_paths=("/b",)))
    assert capability_matches(grants, FileRead(allowed_paths=("/b/x",)))
    assert not capability_matches(grants, FileRead(allowed_paths=("/c",)))
    assert not capability_matches(grants, Memory())
    assert not capability_matches((), Rag())
    assert capability_matches((grant for grant in grants), Rag())


def test_mcp_and_spawn_refuse_other_kinds() -> None:
    """Their own comparison looks at the kind as well."""
    assert not Mcp(server="*").allows(Spawn())
    assert not Spawn().allows(Mcp(server="x"))
    assert Spawn().narrowed(Rag()) is None
    assert Mcp(server="x").narrowed(Rag()) is None
    assert Shell().narrowed(FileRead()) is None


@pytest.mark.parametrize(
    ("child", "parent", "kept"),
    [
        ((), (Rag(),), ()),
        ((Rag(), Memory()), (Memory(),), (Memory(),)),
        ((Rag(),), (), ()),
        (
            (Shell(allowed_commands=("ls", "rm")),),
            (Shell(allowed_commands=("ls",)),),
            (Shell(allowed_commands=("ls",)),),
        ),
        ((Shell(allowed_commands=("*",)),), (Shell(allowed_commands=("ls",)),), (Shell(allowed_commands=("ls",)),)),
        ((Shell(allowed_commands=("ls",)),), (Shell(allowed_commands=("*",)),), (Shell(allowed_commands=("ls",)),)),
        ((Shell(allowed_commands=("rm",)),), (Shell(allowed_commands=("ls",)),), ()),
        (
            (Network(allowed_hosts=("a", "b")),),
            (Network(allowed_hosts=("b", "c")),),
            (Network(allowed_hosts=("b",)),),
        ),
        (
            (FileRead(allowed_paths=("/data/a", "/x")),),
            (FileRead(allowed_paths=("/data", "/x/y")),),
            (FileRead(allowed_paths=("/data/a", "/x/y")),),
        ),
        (
            (FileRead(allowed_paths=("/",)),),
            (FileRead(allowed_paths=("/data",)),),
            (FileRead(allowed_paths=("/data",)),),
        ),
        ((FileRead(allowed_paths=("/x/../data",)),), (FileRead(allowed_paths=("/x",)),), ()),
        ((Spawn(max_depth=5),), (Spawn(max_depth=2),), (Spawn(max_depth=2),)),
        ((Spawn(max_depth=1),), (Spawn(max_depth=2),), (Spawn(max_depth=1),)),
        ((Mcp(server="files", tool="read"),), (Mcp(server="files"),), (Mcp(server="files", tool="read"),)),
        ((Mcp(server="web"),), (Mcp(server="files"),), ()),
        ((Mcp(server="files"),), (Mcp(server="files", tool="read"),), (Mcp(server="files", tool="read"),)),
        ((Mcp(server="*", tool="read"),), (Mcp(server="files"),), (Mcp(server="files", tool="read"),)),
        ((Rag(), Rag()), (Rag(),), (Rag(),)),
        (
            (FileRead(allowed_paths=("/a/x", "/b/y")),),
            (FileRead(allowed_paths=("/a",)), FileRead(allowed_paths=("/b",))),
            (FileRead(allowed_paths=("/a/x",)), FileRead(allowed_paths=("/b/y",))),
        ),
    ],
    ids=repr,
)
def test_a_child_has_never_more_than_its_parent(
    child: tuple[Capability, ...], parent: tuple[Capability, ...], kept: tuple[Capability, ...]
) -> None:
    """Grants are cut down to what the parent grants as well, and what both allow stays."""
    assert narrow(child, parent) == kept


@pytest.mark.parametrize("child", ALL, ids=lambda one: one.type)
@pytest.mark.parametrize("parent", ALL, ids=lambda one: one.type)
def test_what_is_kept_is_covered_by_the_parent(child: Capability, parent: Capability) -> None:
    """No cut grant is wider than the parent's."""
    for kept in narrow([child], (parent,)):
        assert capability_matches(parent, kept)


@pytest.mark.parametrize("capability", ALL, ids=lambda one: one.type)
def test_capabilities_are_tagged_by_type(capability: Capability) -> None:
    """A table with its ``type`` is read back as the same capability."""
    table = capability.model_dump(mode="json")
    assert TypeAdapter(Capability).validate_python(table) == capability
    assert table["type"] == capability.type


@pytest.mark.parametrize(
    ("make", "fields"),
    [
        (Shell, {"allowed_commands": ("",)}),
        (Shell, {"allowed_commands": (3,)}),
        (FileRead, {"allowed_path": ("/x",)}),
        (Mcp, {}),
        (Mcp, {"server": ""}),
        (Spawn, {"max_depth": -1}),
        (Spawn, {"max_depth": True}),
        (Rag, {"limit": 3}),
    ],
    ids=repr,
)
def test_bad_values_are_refused(make: type[Shell], fields: dict[str, object]) -> None:
    """Empty items, unknown fields and wrong types."""
    with pytest.raises(ValidationError):
        make(**fields)  # type: ignore[arg-type]


def test_capabilities_are_values() -> None:
    """Frozen, equal by content, and usable in a set."""
    one, same = FileRead(allowed_paths=("/a",)), FileRead(allowed_paths=("/a",))
    assert {one, same} == {one}
    with pytest.raises(ValidationError):
        one.allowed_paths = ("/b",)  # type: ignore[misc]


def test_a_kind_with_items_must_name_them() -> None:
    """The base of the kinds with items has none of its own."""
    with pytest.raises(NotImplementedError):
        _ItemCapability().items()
