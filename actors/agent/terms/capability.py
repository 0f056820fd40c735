"""What an agent may do. A manifest grants capabilities; a tool names the one it needs."""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias, cast

from pydantic import BaseModel, Field, PrivateAttr, field_validator

from ...core.records.built_later import BUILT_LATER
from ...public import publish
from .commands import AllowedCommand
from .hosts import AllowedHost

if TYPE_CHECKING:
    from collections.abc import Iterable

EVERYTHING = "*"
"""The item that allows all."""

Items = tuple[Annotated[str, Field(min_length=1, strict=True)], ...]
Texts: TypeAlias = list[str] | tuple[str, ...]
"""What may be written for them. No sequence of any kind: a text alone is one."""


class _Capability(BaseModel, frozen=True, extra="forbid", defer_build=BUILT_LATER):
    def allows(self, required: _Capability) -> bool:
        """Is *required* covered by this grant? Same kind, and every required item is allowed."""
        return type(self) is type(required)

    def narrowed(self, parent: _Capability) -> _Capability | None:
        """Cut this grant down to what *parent*, a grant of the same kind, allows as well."""
        return self if parent.allows(self) else None


class _ItemCapability(_Capability, frozen=True):
    """A capability that lists what it allows."""

    def items(self) -> Items:
        """The allowed items."""
        raise NotImplementedError

    def allows_item(self, item: str) -> bool:
        """Is *item* allowed?"""
        return EVERYTHING in self.items() or item in self.items()

    def allows(self, required: _Capability) -> bool:
        if not isinstance(required, _ItemCapability) or type(self) is not type(required):
            return False
        return all(self.allows_item(item) for item in required.items())

    def narrowed(self, parent: _Capability) -> _Capability | None:
        if not isinstance(parent, _ItemCapability) or type(parent) is not type(self):
            return None
        if parent.allows(self):
            return self
        if self.allows(parent):
            return parent
        kept = tuple(item for item in self.items() if parent.allows_item(item))
        kept += tuple(item for item in parent.items() if item not in kept and self.allows_item(item))
        (field,) = (name for name in type(self).model_fields if name != "type")
        return self.model_copy(update={field: kept}) if kept else None


class _PathCapability(_ItemCapability, frozen=True):
    """Paths, and the limits of all above.

    Locks: none; ``_limits`` is written before anybody else has it.
    """

    allowed_paths: Items = ()

    _limits: tuple[Items, ...] = PrivateAttr(default=())

    @property
    def limits(self) -> tuple[Items, ...]:
        """Sets of paths of which each must allow a path as well, where it leads at the moment of use: those of the
        parents of an agent. By name, a child's path may be below its parent's and, by a link, lead out of it.
        """
        return self._limits

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.allowed_paths == getattr(other, "allowed_paths", None)

    def __hash__(self) -> int:
        return hash((type(self), self.allowed_paths))

    def narrowed(self, parent: _Capability) -> _Capability | None:
        cut = super().narrowed(parent)
        if not isinstance(cut, _PathCapability) or not isinstance(parent, _PathCapability):
            return cut
        limits = [*self.limits, *parent.limits]
        if EVERYTHING not in parent.allowed_paths and not set(cut.allowed_paths) <= set(parent.allowed_paths):
            limits.append(parent.allowed_paths)
        if limits:
            return cut.within(tuple(dict.fromkeys(limits)))
        return cut

    def within(self, limits: tuple[Items, ...]) -> _PathCapability:
        """The same, with these limits."""
        copy: _PathCapability = self.model_copy()
        copy._limits = limits  # type: ignore[misc]  # only fields are frozen
        return copy

    def items(self) -> Items:
        return self.allowed_paths

    def allows_item(self, item: str) -> bool:
        # By name only: links are resolved by the tool, at the moment of use.
        if super().allows_item(item):
            return True
        path = PurePath(item)
        return ".." not in path.parts and any(path.is_relative_to(root) for root in self.allowed_paths)


class Rag(_Capability, frozen=True):
    """Search in documents."""

    type: Literal["rag"] = "rag"


class Memory(_Capability, frozen=True):
    """Remember and recall."""

    type: Literal["memory"] = "memory"


class Browser(_Capability, frozen=True):
    """Drive a browser."""

    type: Literal["browser"] = "browser"


class Inference(_Capability, frozen=True):
    """Ask another model."""

    type: Literal["inference"] = "inference"


class Compute(_Capability, frozen=True):
    """Run computations."""

    type: Literal["compute"] = "compute"


class Shell(_ItemCapability, frozen=True):
    """Run commands; ``"*"`` allows every one. An item is a program with the words and the options that it may have:
    ``ls``, ``git log --oneline --max-count=*`` (see ``AllowedCommand``).
    """

    type: Literal["shell"] = "shell"
    allowed_commands: Items = ()

    if TYPE_CHECKING:

        def __init__(self, *, allowed_commands: Texts = ()) -> None: ...

    @field_validator("allowed_commands")
    @classmethod
    def _parsed(cls, items: Items) -> Items:
        for item in items:
            AllowedCommand.parse(item)
        return items

    def items(self) -> Items:
        """The allowed commands."""
        return self.allowed_commands

    def allows_item(self, item: str) -> bool:
        """Does one of the commands allow all that *item* does?"""
        if super().allows_item(item):
            return True
        wanted = AllowedCommand.parse(item)
        return item != EVERYTHING and any(AllowedCommand.parse(own).covers(wanted) for own in self.allowed_commands)


class FileRead(_PathCapability, frozen=True):
    """Read files below the allowed paths; ``"*"`` allows every path."""

    type: Literal["file_read"] = "file_read"

    if TYPE_CHECKING:

        def __init__(self, *, allowed_paths: Texts = ()) -> None: ...


class FileWrite(_PathCapability, frozen=True):
    """Write files below the allowed paths; ``"*"`` allows every path."""

    type: Literal["file_write"] = "file_write"

    if TYPE_CHECKING:

        def __init__(self, *, allowed_paths: Texts = ()) -> None: ...


class Network(_ItemCapability, frozen=True):
    """Connect to hosts; ``"*"`` allows every public one. An item is a name or an address, perhaps with a port:
    ``example.com``, ``*.example.com``, ``127.0.0.1:8000`` (see ``AllowedHost``).
    """

    type: Literal["network"] = "network"
    allowed_hosts: Items = ()

    if TYPE_CHECKING:

        def __init__(self, *, allowed_hosts: Texts = ()) -> None: ...

    @field_validator("allowed_hosts")
    @classmethod
    def _parsed(cls, items: Items) -> Items:
        for item in items:
            if item != EVERYTHING:
                AllowedHost.parse(item)
        return items

    def items(self) -> Items:
        """The allowed hosts."""
        return self.allowed_hosts

    def allows_item(self, item: str) -> bool:
        """Does one of the items allow all that *item* does?"""
        if super().allows_item(item):
            return True
        wanted = AllowedHost.parse(item) if item != EVERYTHING else None
        return wanted is not None and any(AllowedHost.parse(own).covers(wanted) for own in self.allowed_hosts)


def _common(one: str, other: str) -> str | None:
    if one == other or other == EVERYTHING:
        return one
    return other if one == EVERYTHING else None


class Mcp(_Capability, frozen=True):
    """Call a tool of an MCP server; ``"*"`` allows every tool of that server."""

    type: Literal["mcp"] = "mcp"
    server: Annotated[str, Field(min_length=1, strict=True)]
    tool: Annotated[str, Field(min_length=1, strict=True)] = EVERYTHING

    def allows(self, required: _Capability) -> bool:
        """Same server (or any), and the tool is allowed.

        Args:
            required: What a tool needs.
        """
        if not isinstance(required, Mcp):
            return False
        return self.server in (EVERYTHING, required.server) and self.tool in (EVERYTHING, required.tool)

    def narrowed(self, parent: _Capability) -> _Capability | None:
        """Server and tool that both allow.

        Args:
            parent: A grant of the same kind.
        """
        if not isinstance(parent, Mcp):
            return None
        server, tool = _common(self.server, parent.server), _common(self.tool, parent.tool)
        return Mcp(server=server, tool=tool) if server and tool else None


class Spawn(_Capability, frozen=True):
    """Start children, at most ``max_depth`` levels deep."""

    type: Literal["spawn"] = "spawn"
    max_depth: Annotated[int, Field(ge=0, strict=True)] = 1

    def allows(self, required: _Capability) -> bool:
        """Granted depth >= required depth."""
        return isinstance(required, Spawn) and self.max_depth >= required.max_depth

    def narrowed(self, parent: _Capability) -> _Capability | None:
        """The smaller depth of the two.

        Args:
            parent: A grant of the same kind.
        """
        if not isinstance(parent, Spawn):
            return None
        return self if self.max_depth <= parent.max_depth else parent


Capability = Annotated[
    Rag | Memory | Browser | Inference | Compute | Shell | FileRead | FileWrite | Network | Mcp | Spawn,
    Field(discriminator="type"),
]


def capability_matches(granted: Capability | Iterable[Capability], required: Capability) -> bool:
    """Does a grant cover what is required?

    Args:
        granted: One capability, or several of which one must do.
        required: What a tool needs. Without items (``FileRead()``) the kind alone decides.
    """
    grants = (granted,) if isinstance(granted, _Capability) else granted
    return any(grant.allows(required) for grant in grants)


def narrow(grants: Iterable[Capability], parent: tuple[Capability, ...]) -> tuple[Capability, ...]:
    """Cut *grants* down to what *parent* grants as well."""
    kept: list[Capability] = []
    for grant in grants:
        cut = (grant.narrowed(allowed) for allowed in parent if type(allowed) is type(grant))
        kept.extend(cast("Capability", capability) for capability in cut if capability is not None)
    return tuple(dict.fromkeys(kept))


publish(
    "actors.capabilities", Browser, Compute, FileRead, FileWrite, Inference, Mcp, Memory, Network, Rag, Shell, Spawn
)
